# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge of guests with two IOMMUs, on made-up runs."""

import copy
import struct
import unittest

from winiommu.guest import checks, console, machine, units

NEAR, FAR = "smmu3.0x000000000c000000", "smmu3.0x000000000c020000"
ADDRESS = 0x4012345000


def node(kind, *, base=0, mappings=()):
    """DEN 0049 "Node format": type [0], length [2:1], revision [3], identifier [7:4], mapping count [11:8] and offset [15:12];
    an SMMUv3's base is at 16 of 68 bytes, a root complex has 40."""
    own = {2: 40, 4: 68}[kind]
    head = struct.pack("<BHBIII", kind, own + 20 * len(mappings), 4, 0, len(mappings), own if mappings else 0)
    fields = struct.pack("<Q", base).ljust(own - 16, b"\0")
    return head + fields + b"".join(struct.pack("<IIIII", *one, 0) for one in mappings)


def iort(near=0xc000000, far=0xc020000):
    """Buses 0 to fh are the first SMMU's, at 48; 10h to ffh the second's, at 48 + 68."""
    nodes = [node(4, base=near), node(4, base=far), node(2, mappings=((0, 0xfff, 0, 48), (0x1000, 0xefff, 0x1000, 116)))]
    body = bytes(36) + struct.pack("<III", len(nodes), 48, 0) + b"".join(nodes)
    return body


def event(reporter, source=0x1200, address=ADDRESS):
    words = (source << 32 | 0x10, 0, address, 0)
    lines = [f"[    3.4] arm-smmu-v3 {reporter}: event 0x10 received:"]
    return "\n".join([*lines, *(f"[    3.4] arm-smmu-v3 {reporter}: \t0x{word:016x}" for word in words)]).encode()


def transcript():
    # Linux counts them as it likes.
    return console.Transcript({
        "disk": [["nvme0n1", "0000:11:00.0", "1"], ["vda", "0000:00:03.0", "1"]],
        "behind": [["0000:11:00.0", FAR], ["0000:00:03.0", NEAR], ["0000:12:00.0", FAR]],
        "iommu": [[NEAR, "arm-smmu-v3.1.auto"], [FAR, "arm-smmu-v3.0.auto"]],
        "bad-dma": [["write", "0000:12:00.0", hex(ADDRESS), "status=3", "bytes=0", f"fail={ADDRESS:#x}"]],
    }, {"acpi/IORT": iort(), "log-after-bad-dma": event("arm-smmu-v3.0.auto")})


class Iort(unittest.TestCase):
    def test_a_requester_leads_to_its_smmu(self):
        for requester, base in ((0, 0xc000000), (0xfff, 0xc000000), (0x1000, 0xc020000), (0x1200, 0xc020000), (0xffff, 0xc020000)):
            self.assertEqual(units.iort_smmu(iort(), requester), base)
        self.assertIsNone(units.iort_smmu(iort(), 0x10000))

    def test_a_broken_table_leads_nowhere(self):
        whole = iort()
        for length in range(len(whole)):
            self.assertIsNone(units.iort_smmu(whole[:length], 0x1200), length)
        self.assertIsNone(units.iort_smmu(whole[:36] + b"\xff" * 4 + whole[40:49] + bytes(len(whole) - 49), 0x1200))


class Judge(unittest.TestCase):
    def verdicts(self, change=lambda made: None, name="virt", attempts=True):
        made = copy.deepcopy(transcript())
        change(made)
        result = checks.Result(machine.case(name, variant="two"))
        units.check(result, made, {"write": ADDRESS} if attempts else None)
        return [check.passed for check in result.checks]

    def test_a_good_run_passes(self):
        self.assertEqual(self.verdicts(), [True, True])
        self.assertEqual(self.verdicts(attempts=False), [True])
        self.assertEqual(self.verdicts(name="q35"), [True])

    def test_disks_behind_one_iommu_are_noticed(self):
        self.assertEqual(self.verdicts(lambda made: made.lines["behind"][0].__setitem__(1, NEAR)), [False, True])
        self.assertEqual(self.verdicts(lambda made: made.lines["behind"].pop(0)), [False, True])
        self.assertEqual(self.verdicts(lambda made: made.lines.pop("disk")), [False, True])

    def test_the_other_smmu_is_noticed(self):
        def files(**changed):
            return lambda made: made.files.update({name.replace("_", "/"): data for name, data in changed.items()})

        def log(data):
            return lambda made: made.files.update({"log-after-bad-dma": data})
        for change in (log(event("arm-smmu-v3.1.auto")), log(b""), log(event("arm-smmu-v3.0.auto") + b"\n" + event("arm-smmu-v3.1.auto")),
                       files(acpi_IORT=iort(far=0xc040000)), files(acpi_IORT=iort(0xc020000, 0xc000000)), files(acpi_IORT=b""),
                       lambda made: made.lines["behind"][2].__setitem__(1, NEAR), lambda made: made.lines["behind"].pop(),
                       lambda made: made.lines.pop("iommu"), lambda made: made.lines.pop("bad-dma")):
            self.assertEqual(self.verdicts(change), [True, False])


if __name__ == "__main__":
    unittest.main()
