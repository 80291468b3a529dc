# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong arguments and wrong machines get one clear line and a non-zero status."""
import contextlib
import io
import subprocess
import sys
import unittest
from unittest import mock

import winiommu
from winiommu import paths, ui

ENTRY = paths.REPO / "winiommu"


def launch(*argv):
    return subprocess.run([sys.executable, ENTRY, *argv], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)


class Arguments(unittest.TestCase):
    def one_line(self, *argv):
        done = launch(*argv)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("winiommu: "), done.stderr)
        return done.stderr

    def test_no_command(self):
        self.assertIn("COMMAND", self.one_line())

    def test_unknown_command(self):
        self.assertIn("frobnicate", self.one_line("frobnicate"))

    def test_unknown_option(self):
        self.assertIn("--nonsense", self.one_line("setup", "--nonsense"))

    def test_unknown_series(self):
        self.assertIn("9.9", self.one_line("setup", "--qemu", "9.9"))

    def test_series_and_checkout_exclude_each_other(self):
        self.assertIn("--qemu-src", self.one_line("setup", "--qemu", "10.0", "--qemu-src", "/"))

    def test_unknown_suite(self):
        self.assertIn("nosuch", self.one_line("test", "--suite", "nosuch"))

    def test_help_names_every_command(self):
        shown = launch("--help")
        self.assertEqual(shown.returncode, 0)
        for name in winiommu.COMMANDS:
            self.assertIn(name, shown.stdout)

    def test_every_command_has_help_and_a_summary(self):
        for name in winiommu.COMMANDS:
            shown = launch(name, "--help")
            self.assertEqual(shown.returncode, 0, name)


class Failures(unittest.TestCase):
    def main(self, error):
        module = mock.Mock(SUMMARY="x", run=mock.Mock(side_effect=error))
        stderr = io.StringIO()
        with mock.patch("importlib.import_module", return_value=module), \
             contextlib.redirect_stderr(stderr):
            status = winiommu.main(["setup"])
        return status, stderr.getvalue()

    def test_what_a_person_can_mend_is_said_with_the_next_step(self):
        self.assertEqual(self.main(ui.Error("no disk", "buy one")),
                         (1, "winiommu: no disk\nwiniommu: next: buy one\n"))

    def test_an_operating_system_error_is_no_traceback(self):
        status, text = self.main(OSError(28, "No space left on device", "/x"))
        self.assertEqual(status, 1)
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn("No space left on device", text)

    def test_an_interruption_says_how_to_go_on(self):
        status, text = self.main(KeyboardInterrupt())
        self.assertEqual(status, 130)
        self.assertIn("run the same command again", text)
