# SPDX-License-Identifier: GPL-2.0-or-later
"""Files and directories appear complete or not at all."""
import pathlib
import tempfile
import unittest
from unittest import mock

from winiommu import paths, ui


class Staged(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = pathlib.Path(scratch.name)
        self.target = self.top / "tree"

    def names(self):
        return sorted(path.name for path in self.top.iterdir())

    def test_a_good_end_makes_the_directory_appear(self):
        with paths.staged(self.target) as stage:
            (stage / "file").write_text("new")
            self.assertFalse(self.target.exists())
        self.assertEqual((self.target / "file").read_text(), "new")
        self.assertEqual(self.names(), ["tree"])

    def test_a_failure_leaves_nothing(self):
        with self.assertRaises(OSError):
            with paths.staged(self.target) as stage:
                (stage / "file").write_text("half")
                raise OSError(28, "No space left on device")
        self.assertEqual(self.names(), [])

    def test_an_interruption_leaves_the_old_state(self):
        self.target.mkdir()
        (self.target / "file").write_text("old")
        with self.assertRaises(KeyboardInterrupt):
            with paths.staged(self.target) as stage:
                (stage / "file").write_text("half")
                raise KeyboardInterrupt
        self.assertEqual((self.target / "file").read_text(), "old")
        self.assertEqual(self.names(), ["tree"])

    def test_a_directory_is_replaced_whole(self):
        self.target.mkdir()
        (self.target / "gone").write_text("old")
        with paths.staged(self.target) as stage:
            (stage / "file").write_text("new")
        self.assertEqual([path.name for path in self.target.iterdir()], ["file"])
        self.assertEqual(self.names(), ["tree"])

    def test_what_a_killed_run_left_is_removed_by_the_next(self):
        (self.top / ".tree.new-abc").mkdir()
        with paths.staged(self.target):
            self.assertFalse((self.top / ".tree.new-abc").exists())

    def test_what_lies_around_the_stage_goes_away(self):
        with paths.staged(self.target) as stage:
            (stage.parent / "half-extracted").mkdir()
        self.assertEqual(self.names(), ["tree"])

    def test_a_file_that_cannot_be_written_keeps_its_text(self):
        file = self.top / "file"
        file.write_text("old")
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            with self.assertRaises(OSError):
                paths.write(file, "new")
        self.assertEqual(file.read_text(), "old")
        self.assertEqual(self.names(), ["file"])

    def test_too_little_space_is_said_before_the_work(self):
        with mock.patch.object(paths, "BUILD", self.top):
            with self.assertRaises(ui.Error) as caught:
                paths.need_space(10**9, "QEMU")
        self.assertIn("QEMU needs", caught.exception.what)
        self.assertIn("WINIOMMU_BUILD", caught.exception.next_step)
