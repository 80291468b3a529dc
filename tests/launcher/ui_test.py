# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs run with a log; their failures name the log and the next step."""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from winiommu import ui


class Run(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.log = pathlib.Path(scratch.name) / "logs" / "x.log"

    def python(self, code, **options):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            ui.run([sys.executable, "-c", code], "try", self.log, **options)
        return output.getvalue()

    def error(self, code, **options):
        with self.assertRaises(ui.Error) as caught:
            self.python(code, **options)
        return caught.exception

    def test_output_goes_to_the_log_with_the_command_line(self):
        self.python("print('hello')")
        text = self.log.read_text()
        self.assertTrue(text.startswith("$ "))
        self.assertIn("hello\n", text)

    def test_a_failure_shows_the_end_of_the_output_and_the_log(self):
        error = self.error("print('the reason'); raise SystemExit(3)", next_step="do this")
        self.assertIn("status 3", error.what)
        self.assertIn("the reason", error.what)
        self.assertIn(str(self.log), error.what)
        self.assertEqual(error.next_step, "do this")

    def test_a_full_disk_is_recognised(self):
        error = self.error("print('cc1: No space left on device'); raise SystemExit(1)")
        self.assertIn("the disk is full", error.next_step)

    def test_a_signal_is_named(self):
        self.assertIn("signal 6", self.error("import os; os.abort()").what)

    def test_a_program_that_does_not_end_is_stopped(self):
        self.assertIn("no end after 1 s", self.error("import time; time.sleep(60)", timeout=1).what)

    def test_a_missing_program_is_named(self):
        with self.assertRaises(ui.Error) as caught:
            ui.run(["/nonexistent/program"], "try", self.log)
        self.assertIn("/nonexistent/program is not installed", caught.exception.what)

    def test_standard_input_is_empty(self):
        self.python("import sys; raise SystemExit(bool(sys.stdin.read()))")

    def test_a_log_that_cannot_be_written_does_not_hang_the_program(self):
        class Full:
            tries = 0

            def write(self, _text):
                self.tries += 1
                raise OSError(28, "No space left on device")

        full = Full()
        # More than a pipe holds, so that it would block if nobody read on.
        process = subprocess.Popen([sys.executable, "-c", "print(('x' * 99 + '\\n') * 2000)"],
                                   text=True, stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.assertTrue(ui._pump(process, full, mock.Mock(), timeout=30))
        self.assertEqual(process.returncode, 0)
        self.assertGreater(full.tries, 1000)
