# SPDX-License-Identifier: GPL-2.0-or-later
"""A benchmark on a machine that was not there all the time says so."""
import contextlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

from winiommu.benchmark import steal


class Steal(unittest.TestCase):
    QUIET = [100, 0, 10, 900, 0, 0, 0, 5]

    def test_a_noteworthy_share_is_said_and_less_is_not(self):
        busy = [300, 0, 10, 950, 0, 0, 0, 105]  # 350 ticks, 100 of them stolen
        self.assertIn("withheld 29 %", steal.remark(self.QUIET, busy))
        self.assertEqual(steal.remark(self.QUIET, [300, 0, 10, 950, 0, 0, 0, 6]), "")

    def test_a_kernel_that_does_not_tell_leads_to_no_remark(self):
        self.assertEqual(steal.remark([], []), "")
        self.assertEqual(steal.remark(self.QUIET, self.QUIET), "")
        with mock.patch.object(steal, "STAT", pathlib.Path("/nowhere/stat")):
            self.assertEqual(steal.times(), [])

    def test_the_first_line_of_the_kernels_file_counts(self):
        with tempfile.TemporaryDirectory() as directory:
            stat = pathlib.Path(directory) / "stat"
            lines = ["cpu  100 0 10 900 0 0 0 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n",
                     "cpu  200 0 10 900 0 0 0 105 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"]
            said = io.StringIO()
            with mock.patch.object(steal, "STAT", stat), contextlib.redirect_stdout(said):
                stat.write_text(lines[0], encoding="ascii")
                self.assertEqual(steal.times(), self.QUIET)
                with steal.watched():
                    stat.write_text(lines[1], encoding="ascii")
            self.assertIn("withheld 50 %", said.getvalue())
