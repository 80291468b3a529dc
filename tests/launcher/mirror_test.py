# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's mirror is found in either of apt's two formats, and nowhere else."""
import pathlib
import tempfile
import unittest
from unittest import mock

from winiommu import mirror, paths, ui

LIST = """\
# deb http://commented.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.example/debian/ bookworm main contrib
deb-src http://source.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main  # a comment
"""

SOURCES = """\
# a comment
Types: deb deb-src
URIs: http://two.example/debian
 http://three.example/debian
Suites: trixie
 trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security
Components: main
"""


class Apt(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.apt = pathlib.Path(scratch.name)
        (self.apt / "sources.list.d").mkdir()

    def write(self, name, text):
        (self.apt / name).write_text(text, encoding="utf-8")

    def test_one_line_entries_keep_uri_suite_and_components(self):
        entries = mirror.parse_list(LIST)
        self.assertEqual([entry["uris"] for entry in entries],
                         [["cdrom:[Debian"], ["http://one.example/debian/"],
                          ["http://source.example/debian"],
                          ["http://security.example/debian-security"]])
        self.assertEqual(entries[1]["suites"], ["bookworm"])
        self.assertEqual(entries[1]["components"], ["main", "contrib"])
        self.assertEqual(entries[2]["types"], ["deb-src"])
        self.assertEqual(entries[3]["components"], ["main"])

    def test_deb822_entries_join_continued_lines_and_leave_out_disabled_ones(self):
        entries = mirror.parse_sources(SOURCES)
        self.assertEqual(len(entries), 2)
        self.assertEqual(entries[0]["uris"],
                         ["http://two.example/debian", "http://three.example/debian"])
        self.assertEqual(entries[0]["suites"], ["trixie", "trixie-updates"])
        self.assertEqual(entries[0]["types"], ["deb", "deb-src"])

    def test_address_is_the_archive_of_the_machines_release(self):
        self.write("sources.list", LIST)
        self.assertEqual(mirror.address("bookworm", self.apt), "http://one.example/debian")

    def test_address_from_deb822_when_there_is_no_sources_list(self):
        self.write("sources.list.d/debian.sources", SOURCES)
        self.write("sources.list.d/other.list.disabled", LIST)
        self.assertEqual(mirror.address("trixie", self.apt), "http://two.example/debian")

    def test_a_suite_may_be_named_stable(self):
        self.write("sources.list", "deb http://alias.example/debian stable main\n")
        self.assertEqual(mirror.address("trixie", self.apt), "http://alias.example/debian")

    def test_security_and_third_party_entries_do_not_count(self):
        self.write("sources.list", "deb http://security.example/debian-security bookworm-security main\n"
                                   "deb http://vendor.example/ nodistro main\n"
                                   "deb http://extra.example/debian bookworm contrib\n")
        with self.assertRaises(ui.Error) as caught:
            mirror.address("bookworm", self.apt)
        self.assertIn("no mirror of Debian bookworm", caught.exception.what)
        self.assertIn("--qemu-src", caught.exception.next_step)

    def test_no_apt_configuration_at_all_is_one_clear_line(self):
        with self.assertRaises(ui.Error) as caught:
            mirror.address("bookworm", self.apt / "absent")
        self.assertNotIn("\n", caught.exception.what)


class Download(unittest.TestCase):
    def said(self, output):
        """What a download that fails with this output is said to be."""
        def run(argv, title, log, **options):
            paths.write(log, output)
            raise ui.Error(f"{title}: apt-get failed with status 100; output in {log}", "try again")
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(ui, "run", run), \
             mock.patch.object(paths, "LOGS", pathlib.Path(scratch)):
            with self.assertRaises(ui.Error) as caught:
                mirror.Suite("trixie", "deb-src", scratch).download("qemu", "1:11.1.3+ds-1", scratch)
        return caught.exception.what

    def test_files_that_are_listed_and_not_there_are_said_to_be_missing(self):
        output = ("Need to get 39.4 MB of source archives.\n"
                  "Err:1 http://one.example/debian trixie/main qemu 1:11.1.3+ds-1 (dsc)\n  404  Not Found [IP: 192.0.2.1 80]\n"
                  "E: Failed to fetch some archives.\n")
        self.assertEqual(self.said(output), "trixie lists qemu 1:11.1.3+ds-1, but the mirror does not have its files "
                                            "(404 Not Found)")

    def test_another_failure_is_told_as_it_is(self):
        for output in ("", "Err:1 http://one.example/debian trixie/main qemu (dsc)\n  Could not connect\nE: 404 of them\n"):
            self.assertIn("apt-get failed with status 100", self.said(output))


class Versions(unittest.TestCase):
    def test_newest_first_in_debians_own_order(self):
        versions = ["1:10.2.2+ds-1", "1:11.1.3+ds-1", "1:11.1.3+ds-1~bpo13+1", "1:9.2.1+ds-1"]
        self.assertEqual(sorted(versions, key=mirror._VersionKey, reverse=True),
                         ["1:11.1.3+ds-1", "1:11.1.3+ds-1~bpo13+1", "1:10.2.2+ds-1",
                          "1:9.2.1+ds-1"])
