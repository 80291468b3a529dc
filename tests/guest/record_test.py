# SPDX-License-Identifier: GPL-2.0-or-later
"""What the device's own record has to say of a guest: made-up records, good ones and bad."""
import json
import pathlib
import struct
import tempfile
import unittest

from winiommu.guest import checks, machine, matrix

HEAD = b"WIREC\r\n\x1a" + struct.pack("<IIQQ", 1, 1, 1, 0)


def record(kind, payload):
    return struct.pack("<IHHQ", 16 + len(payload), kind, 0, 5) + payload


TRAFFIC = (record(1, struct.pack("<QQ", 0x46, 0))
           + record(3, struct.pack("<IIIIQQII", 3, 0xFFFFFFFF, 0, 5, 0x5000, 0x6000, 12, 3))) * 100
FINDING = record(4, json.dumps({"id": "WI-SMMU-STALE-TLB"}).encode())
END = record(6, b"")


class Record(unittest.TestCase):
    def verdict(self, data):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "iommu.rec"
            if data is not None:
                path.write_bytes(data)
            result = checks.Result(machine.case("virt", "dt", variant="verified"))
            checks.check_record(result, path)
        return [check.passed for check in result.checks]

    def test_a_whole_record_without_findings_passes(self):
        self.assertEqual(self.verdict(HEAD + TRAFFIC + END), [True, True])

    def test_a_finding_fails(self):
        self.assertEqual(self.verdict(HEAD + TRAFFIC + FINDING + END), [True, False])

    def test_a_record_that_saw_no_transfers_proves_nothing(self):
        self.assertEqual(self.verdict(HEAD + END), [False, True])

    def test_a_record_without_its_end_fails(self):
        self.assertEqual(self.verdict(HEAD + TRAFFIC), [False, True])
        self.assertEqual(self.verdict((HEAD + TRAFFIC + END)[:-3]), [False, True])

    def test_no_record_and_no_record_of_ours_fail(self):
        self.assertEqual(self.verdict(None), [False])
        self.assertEqual(self.verdict(b"something else"), [False])

    def test_the_suite_runs_both_kernels_on_both_machines(self):
        names = {case.name for case in matrix.suite("all")}
        for kernel in ("6.1", "6.12"):
            for name in (f"virt-dt-{kernel}-verified", f"q35-bios-{kernel}-verified",
                         f"q35-bios-{kernel}-verified-scalable"):
                self.assertIn(name, names)

    def test_only_these_set_ups_are_recorded(self):
        path = pathlib.Path("x")
        self.assertIn("winiommu-smmuv3,verify=log,record=x/iommu.rec",
                      machine.iommu_options(machine.case("virt", "dt", variant="verified"), path))
        self.assertEqual(machine.iommu_options(machine.case("virt", "dt"), path),
                         ["-device", "winiommu-smmuv3"])


if __name__ == "__main__":
    unittest.main()
