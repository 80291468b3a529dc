# SPDX-License-Identifier: GPL-2.0-or-later
"""Unit tests of the choice of a Debian mirror."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from winiommu import apt  # noqa: E402


class ChooseMirror(unittest.TestCase):
    def test_takes_the_stable_mirror_and_not_the_security_one(self):
        text = ("http://deb.example/debian-security/|bookworm-security|main|Debian\n"
                "http://deb.example/debian/|bookworm|main|Debian\n")
        self.assertEqual(apt.choose_mirror(text), "http://deb.example/debian")

    def test_passes_over_other_vendors_for_the_same_release(self):
        text = ("https://vendor.example/linux/debian|bookworm|stable|Vendor\n"
                "https://other.example/apt|bookworm|main|Other\n"
                "http://deb.example/debian|bookworm|main|Debian\n")
        self.assertEqual(apt.choose_mirror(text), "http://deb.example/debian")

    def test_a_vendor_is_never_taken_for_debian(self):
        with self.assertRaises(apt.AptError):
            apt.choose_mirror("https://other.example/apt|bookworm|main|Other\n")

    def test_a_machine_that_never_fetched_its_lists_has_no_origin_yet(self):
        text = "https://mirror.example/remote/x/|trixie|main|$(ORIGIN)\nhttp://m.example/debian/|trixie|main|$(ORIGIN)\n"
        self.assertEqual(apt.choose_mirror(text), "http://m.example/debian")

    def test_no_mirror_at_all_says_what_to_do(self):
        with self.assertRaisesRegex(apt.AptError, "names no Debian mirror"):
            apt.choose_mirror("")


if __name__ == "__main__":
    unittest.main()
