# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a real run, in a real browser, from a file path.

WINIOMMU_VERIFY is the program winiommu-verify, which records the run.  With
WINIOMMU_SCREENSHOT=FILE the picture of docs/system/verify.rst is taken anew.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from winiommu import paths

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from browser import Browser  # noqa: E402

MUTANT, RULE = "FlushTooShort", "132"


def png_size(data):
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.record = pathlib.Path(cls.directory.name) / "mutant.rec"
        done = subprocess.run([os.environ["WINIOMMU_VERIFY"], "--record", cls.record, MUTANT, RULE],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        cls.said = subprocess.run([sys.executable, paths.REPO / "winiommu", "report", cls.record],
                                  capture_output=True, text=True, check=True).stdout
        cls.page = cls.record.with_name("mutant.rec.html")
        cls.browser = cls.enterClassContext(Browser())
        cls.browser.open(cls.page)

    def count(self, selector):
        return self.browser.value(f"document.querySelectorAll({selector!r}).length")

    def test_the_summary_names_the_forgotten_flush(self):
        self.assertIn("WI-SMMU-STALE-TLB: ", self.said)

    def test_nothing_but_the_file_is_loaded_and_nothing_goes_wrong(self):
        urls = self.browser.requested()
        self.assertEqual({u for u in urls if not u.startswith("about:")}, {self.page.as_uri()})
        self.assertEqual(self.browser.complaints(), [])

    def test_the_finding_is_shown_with_its_evidence(self):
        self.assertGreaterEqual(self.count(".finding"), 1)
        text = self.browser.value("document.querySelector('.finding').innerText")
        for words in ("WI-SMMU-STALE-TLB", "requester", "0x10", "old-descriptor", "SMMU 4.4",
                      "did not reach it", "CMD_TLBI"):
            self.assertIn(words, text)

    def test_the_timeline_has_a_lane_for_each(self):
        for lane in ("faults", "invalidations", "findings"):
            self.assertGreaterEqual(self.count(f"#timeline rect.{lane}"), 1, lane)

    def test_a_click_on_a_fault_shows_its_walk_and_another_hides_it(self):
        click = "document.querySelector('tr.fault').click()"
        self.browser.value(click)
        text = self.browser.value("document.querySelector('.walk').innerText")
        for words in ("STE", "Config stage 2", "descriptor", "valid"):
            self.assertIn(words, text)
        self.browser.value(click)
        self.assertEqual(self.count(".walk"), 0)

    def test_address_spaces_and_talkers_are_drawn(self):
        self.assertGreaterEqual(self.count("#spaces rect.map"), 1)
        self.assertGreaterEqual(self.count("#talkers rect.talker"), 1)
        title = self.browser.value("document.querySelector('#spaces rect.map title').textContent")
        self.assertRegex(title, r"^0x[0-9a-f]+ to 0x[0-9a-f]+, \d+ of 2\^\d+ bytes")

    def test_it_can_be_seen(self):
        self.browser.value("document.querySelector('tr.fault').click()")
        picture = self.browser.screenshot()
        self.browser.value("document.querySelector('tr.fault').click()")
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        width, height = png_size(picture)
        self.assertGreater(width, 1000)
        self.assertGreater(height, 600)
        self.assertGreater(len(picture), 20000)  # not one colour
        if os.environ.get("WINIOMMU_SCREENSHOT"):
            pathlib.Path(os.environ["WINIOMMU_SCREENSHOT"]).write_bytes(picture)


class Picture(unittest.TestCase):
    def test_the_documentation_has_one(self):
        picture = (paths.REPO / "docs/system/report.png").read_bytes()
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(png_size(picture)[0], 1000)


if __name__ == "__main__":
    unittest.main()
