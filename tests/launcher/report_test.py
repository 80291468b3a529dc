# SPDX-License-Identifier: GPL-2.0-or-later
"""A record becomes a summary and a page; what is no record gets one clear line."""
import contextlib
import io
import json
import pathlib
import struct
import tempfile
import unittest

import winiommu
from winiommu import report_decode, report_file, report_page

# As docs/specs/record.rst says, not as report_file has it.
HEAD = b"WIREC\r\n\x1a" + struct.pack("<IIQQ", 1, 1, 1_700_000_000_000_000_000, 0)
FINDING = {"id": "WI-SMMU-STALE-TLB", "sentence": "a sentence", "manual": "SMMU 4.4",
           "count": 2, "first-ns": 5, "last-ns": 9, "evidence": {"requester": "0x3"},
           "invalidations": [{"name": "CMD_TLBI_NH_VA", "ns": 4, "words": ["0x12", "0x0"]}]}


def record(kind, ns, payload):
    return struct.pack("<IHHQ", 16 + len(payload), kind, 0, ns) + payload


def command(ns, low, high=0):
    return record(1, ns, struct.pack("<QQ", low, high))


def fault(ns):
    walk = struct.pack("<QQ8Q", 0x1000, 8, 0x2000 | 0b1011, 0, 0, 0, 0, 0, 0, 0)
    walk += struct.pack("<QQQ", 0x3000, 1, 0)
    return record(2, ns, struct.pack("<IIQII4Q", 3, 0xFFFFFFFF, 0x5000, 0x10, 1, 0x10, 2, 3, 4)
                  + struct.pack("<Q", 2) + walk)


def mapping(ns, address, rights=3, log2=12):
    return record(3, ns, struct.pack("<IIIIQQII", 3, 0xFFFFFFFF, 0, 5, address, address + 0x100000,
                                     log2, rights))


def counts(ns, requester, accesses, refused):
    return record(5, ns, struct.pack("<IIQQ", requester, 0, accesses, refused))


WHOLE = (HEAD + command(1000, 0x12 | 5 << 48) + command(2000, 0x46) + fault(3000)
         + mapping(4000, 0x5000) + mapping(5000, 0x6000) + mapping(6000, 0x200000, 1, 21)
         + record(4, 7000, json.dumps(FINDING).encode()) + counts(8000, 3, 10, 1)
         + counts(9000, 3, 5, 0) + record(6, 9500, b""))


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name) / "a.rec"

    def run_report(self, data, *options):
        self.path.write_bytes(data)
        said, wrong = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
            status = winiommu.main(["report", str(self.path), *options])
        return status, said.getvalue(), wrong.getvalue()

    def test_the_summary_counts_and_names_everything(self):
        status, said, wrong = self.run_report(WHOLE, "--no-html")
        self.assertEqual((status, wrong), (0, ""))
        for line in ("winiommu-smmuv3, 2023-11-14 22:13:20 UTC", "commands    2",
                     "1  CMD_TLBI_NH_VA", "mappings    3", "3  VMID 0, ASID 5",
                     "15  0x3 (00:00.3), 1 refused", "1  F_TRANSLATION, 0x3 (00:00.3)",
                     "WI-SMMU-STALE-TLB: a sentence", "requester 0x3", "SMMU 4.4"):
            self.assertIn(line, said)
        self.assertNotIn("no end", said)
        self.assertFalse(self.path.with_name("a.rec.html").exists())

    def test_the_page_is_one_file_that_loads_nothing(self):
        status, said, _ = self.run_report(WHOLE)
        self.assertEqual(status, 0)
        self.assertIn("a.rec.html", said)
        page = self.path.with_name("a.rec.html").read_text(encoding="utf-8")
        for loads in ("src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest", "https://"):
            self.assertNotIn(loads, page)
        self.assertIn('"WI-SMMU-STALE-TLB"', page)

    def test_the_page_goes_where_it_is_wanted(self):
        wanted = pathlib.Path(self.directory.name) / "page.html"
        self.assertEqual(self.run_report(WHOLE, "--html", str(wanted))[0], 0)
        self.assertTrue(wanted.exists())

    def test_text_from_a_record_cannot_end_the_script(self):
        bad = dict(FINDING, sentence="</script><script>alert(1)")
        self.path.write_bytes(HEAD + record(4, 1, json.dumps(bad).encode()))
        page = report_page.page(report_file.read(self.path), "<b>")
        self.assertEqual(page.count("</script>"), 1)
        self.assertIn("<title>&lt;b&gt;</title>", page)

    def test_a_record_that_was_cut_is_read_up_to_there(self):
        for length in range(len(HEAD), len(WHOLE)):
            self.path.write_bytes(WHOLE[:length])
            got = report_file.read(self.path)
            self.assertFalse(got.ended)
        status, said, _ = self.run_report(WHOLE[:-30], "--no-html")
        self.assertEqual(status, 0)
        self.assertIn("the record has no end: QEMU still runs, or crashed while writing", said)
        self.assertIn("WI-SMMU-STALE-TLB", said)

    def refused(self, data, words):
        status, said, wrong = self.run_report(data)
        self.assertEqual((status, said), (1, ""))
        lines = wrong.splitlines()
        self.assertEqual(len(lines), 2, wrong)
        self.assertIn(words, lines[0])
        self.assertTrue(lines[1].startswith("winiommu: next: "), wrong)

    def test_what_is_no_record_is_refused(self):
        for data in (b"", b"\x7fELF" + bytes(100), HEAD[:31], bytes(64)):
            self.refused(data, "is not a record of a winiommu device")

    def test_another_version_is_refused(self):
        self.refused(HEAD[:8] + struct.pack("<I", 2) + HEAD[12:], "version 2")

    def test_damage_is_refused(self):
        self.refused(HEAD + struct.pack("<IHHQ", 8, 1, 0, 0), "damaged at byte 32")
        self.refused(HEAD + record(1, 0, b"short"), "damaged at byte 32")
        self.refused(HEAD + record(4, 0, b"{nonsense"), "damaged at byte 32")
        self.refused(HEAD + record(4, 0, b"[]"), "damaged at byte 32")

    def test_a_missing_file_is_one_line(self):
        wrong = io.StringIO()
        with contextlib.redirect_stderr(wrong):
            self.assertEqual(winiommu.main(["report", "/nonexistent"]), 1)
        self.assertEqual(len(wrong.getvalue().splitlines()), 1)

    def test_a_kind_of_a_later_version_is_passed_over(self):
        self.path.write_bytes(HEAD + record(99, 5, b"abc") + command(6, 0x46))
        self.assertEqual(len(report_file.read(self.path).commands), 1)


class Decoding(unittest.TestCase):
    def test_a_walk_names_fields_as_the_manual_does(self):
        steps = report_decode.walk(1, [(0x1000, (0x2000 | 0b1011, 0, 0, 0, 0, 0, 0, 0)),
                                       (0x3000, (0x40080000 | 0x743,))])
        self.assertEqual(steps[0][0], "STE")
        self.assertIn(("Config", "stage 1"), steps[0][3])
        self.assertIn(("S1ContextPtr", "0x2000"), steps[0][3])
        self.assertIn(("address", "0x40080000"), steps[1][3])

    def test_vtd_structures_are_told_apart(self):
        names = [s[0] for s in report_decode.walk(2, [(0, (1, 0)), (0, (1, 0x502)), (0, (3,))])]
        self.assertEqual(names, ["root entry", "context entry", "entry"])
        names = [s[0] for s in report_decode.walk(2, [(0, (1, 0)), (0, (9, 0, 0, 0)), (0, (1,)),
                                                      (0, (0x41, 3, 0, 0, 0, 0, 0, 0))])]
        self.assertEqual(names, ["root entry", "context entry", "entry", "PASID-table entry"])

    def test_waits_and_syncs_invalidate_nothing(self):
        self.assertFalse(report_decode.invalidates(1, 0x46))
        self.assertTrue(report_decode.invalidates(1, 0x12))
        self.assertFalse(report_decode.invalidates(2, 0x25))
        self.assertTrue(report_decode.invalidates(2, 0x32))


if __name__ == "__main__":
    unittest.main()
