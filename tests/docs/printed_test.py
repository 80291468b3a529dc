# SPDX-License-Identifier: GPL-2.0-or-later
"""What is taken for one of QEMU's command lines, and whether one that fails is noticed."""
import pathlib
import types
import unittest

from winiommu import paths, printed


class Finder(unittest.TestCase):
    def test_lines_are_joined_and_dots_are_the_readers(self):
        page = ("::\n\n   qemu-system-x86_64 -M q35 \\\n       -device winiommu-vtd \\\n       -device nvme,drive=d0 ...\n\n"
                "``build/qemu-10.0/qemu-system-aarch64 -M virt ...`` and ``qemu-system-aarch64``\n")
        self.assertEqual(printed.find(page), [("x86_64", ["-M", "q35", "-device", "winiommu-vtd", "-device", "nvme,drive=d0"]),
                                              ("aarch64", ["-M", "virt"])])

    def test_disks_are_added(self):
        self.assertEqual(printed.complete(["-device", "nvme,drive=d0"])[-2:], ["-blockdev", "driver=null-co,node-name=d0"])

    def test_the_pages_print_some_for_both_machines(self):
        found = [one for page in ("README.rst", "docs/system/winiommu-smmuv3.rst", "docs/system/winiommu-vtd.rst")
                 for one in printed.find((paths.REPO / page).read_text(encoding="utf-8"))]
        self.assertGreaterEqual(len(found), 7)
        self.assertEqual({architecture for architecture, _ in found}, {"aarch64", "x86_64"})
        self.assertTrue(all(any("winiommu" in word for word in options) for _, options in found))


class Run(unittest.TestCase):
    def test_a_status_and_a_complaint_are_failures(self):
        def built(program):
            return types.SimpleNamespace(system=lambda architecture: pathlib.Path(program))
        self.assertFalse(printed.run(built("/bin/true")).failures)
        outcome = printed.run(built("/bin/false"))
        self.assertEqual(outcome.passed, 0)
        self.assertGreaterEqual(len(outcome.failures), 7)


if __name__ == "__main__":
    unittest.main()
