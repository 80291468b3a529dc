# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge on made-up runs: a good one passes, and each thing that can be wrong with it fails the check meant for it."""

import copy
import hashlib
import struct
import types
import unittest

from winiommu.guest import acpi, checks, console, machine

SEED = 11
ATTEMPTS = checks.bad_addresses(SEED)
A, B = hashlib.sha256(b"a").hexdigest(), hashlib.sha256(b"b").hexdigest()
LOG = "<6>[    0.2] arm-smmu-v3 x: ias 48-bit, oas 48-bit (features 0x00088787)\n"


def events(attempts, source=0x20):
    lines = []
    for kind, address in attempts.items():
        lines.append("<6>[    3.4] arm-smmu-v3 x: event 0x10 received:")
        words = (source << 32 | 0x10, (1 << 35) * (kind == "read"), address, 0)
        lines += [f"<6>[    3.4] arm-smmu-v3 x: \t0x{word:016x}" for word in words]
    return "\n".join(lines).encode()


def disks(second_a=B, second_b=A):
    halves = {"nvme0n1": second_a, "vda": second_b}
    return types.SimpleNamespace(digests={"nvme0n1": A, "vda": B}, second_half=halves.__getitem__)


def table():
    body = bytearray(struct.pack("<4sIBB6s8sI4sI", b"MCFG", 60, 1, 0, b"TEST  ", b"TESTTEST", 1, b"TEST", 1))
    body += bytes(8) + struct.pack("<QHBBI", 0x4010000000, 0, 0, 255, 0)
    body[9] = -sum(body) % 256
    return bytes(body)


def transcript():
    lines = {
        "start": [["aarch64", "6.12"]], "done": [[]], "firmware": [["devicetree"]],
        "disk": [["nvme0n1", "0000:00:02.0", "1"], ["vda", "0000:00:03.0", "1"]],
        "pci": [["0000:00:02.0", "0x1b36", "0x0010", "nvme", "0", "DMA"],
                ["0000:00:03.0", "0x1af4", "0x1042", "virtio-pci", "1", "DMA"]],
        "digest": [["read/nvme0n1", A], ["read/vda", B], ["readback/nvme0n1", B], ["readback/vda", A]],
        "time": [[f"{what}/{name}", "5"] for what in ("read", "write", "readback") for name in ("nvme0n1", "vda")],
        "bad-dma": [[kind, "0000:00:04.0", hex(address), "status=3", "bytes=0", f"fail={address:#x}"]
                    for kind, address in ATTEMPTS.items()],
    }
    interrupts = b" 18: 0 0 ITS-pMSI-x 0 Edge arm-smmu-v3-evtq\n"
    return console.Transcript(lines, {"interrupts": interrupts, "log": LOG.encode(), "log-after-bad-dma": events(ATTEMPTS)})


def judge(made, images=None, problem="", boot="dt"):
    result = checks.Result(machine.case("virt", boot))
    checks._judge(result, console.Outcome(made, 1.0, problem, []), images or disks(), ATTEMPTS)
    return result


def failures(result):
    return [check.name for check in result.checks if not check.passed]


class Judge(unittest.TestCase):
    def fails(self, name, change=lambda made: None, **other):
        made = copy.deepcopy(transcript())
        change(made)
        found = failures(judge(made, **other))
        self.assertTrue(any(name in one for one in found), f"{name!r} is not among the failed: {found}")

    def test_a_good_run_passes(self):
        result = judge(transcript())
        self.assertEqual(failures(result), [])
        self.assertTrue(result.passed)

    def test_an_empty_run_fails_every_check(self):
        result = judge(console.Transcript(), images=disks("", ""))
        self.assertEqual([check.name for check in result.checks if check.passed], [])

    def test_ends(self):
        self.fails("ran to its end", problem="QEMU was ended by signal 11")
        self.fails("ran to its end", lambda made: made.lines.pop("done"))
        self.fails("no step in the guest failed", lambda made: made.lines.update(failed=[["insmod"]]))
        self.fails("no step in the guest failed", lambda made: made.errors.append("file log: damaged"))

    def test_firmware(self):
        self.fails("booted as asked", boot="acpi")
        self.fails("booted as asked", lambda made: made.lines["firmware"].append(["acpi"]))

    def test_data(self):
        def other(index):
            return lambda made: made.lines["digest"][index].__setitem__(1, "0" * 64)
        self.fails("NVMe: 64 MiB read", other(0))
        self.fails("virtio-blk: 64 MiB read", other(1))
        self.fails("NVMe: 64 MiB read back", other(2))
        self.fails("virtio-blk: 64 MiB read back", other(3))
        self.fails("NVMe: 64 MiB written", images=disks(second_a=A))
        self.fails("virtio-blk: 64 MiB written", images=disks(second_b=B))
        self.fails("NVMe: 64 MiB written", lambda made: made.lines["time"].remove(["write/nvme0n1", "5"]))

    def test_translation(self):
        for kind in ("identity", "DMA-FQ", "-"):
            self.fails("NVMe is translated", lambda made, kind=kind: made.lines["pci"][0].__setitem__(5, kind))
        self.fails("virtio-blk is translated", lambda made: made.lines["pci"].pop())

    def test_driver_and_log(self):
        def log(text):
            return lambda made: made.files.update(log=text.encode())
        self.fails("driver runs the IOMMU", log("[    0.1] nothing here\n"))
        self.fails("sees our features", log(LOG.replace("88787", "88705")))
        self.fails("no unexpected event", log(LOG + events({"read": 0x1000}).decode()))
        self.fails("no unexpected event", lambda made: made.files.pop("log"))

    def test_bad_dma(self):
        def logged(data):
            return lambda made: made.files.update({"log-after-bad-dma": data})
        wrong = {kind: address ^ 0x40 for kind, address in ATTEMPTS.items()}
        swapped = dict(zip(("write", "read"), ATTEMPTS.values()))
        for data in (b"", events(wrong), events(swapped), events(ATTEMPTS, source=0x21), (events(ATTEMPTS) + b"\n") * 2):
            self.fails("bad DMA read", logged(data))
            self.fails("bad DMA write", logged(data))
            self.fails("nothing else is refused", logged(data + b"\n" + events({"read": 0x2000})))
        self.fails("bad DMA read", lambda made: made.lines["bad-dma"][0].__setitem__(3, "status=2"))
        self.fails("bad DMA read", lambda made: made.lines["bad-dma"][0].__setitem__(4, "bytes=64"))
        self.fails("bad DMA write", lambda made: made.lines["bad-dma"].pop())
        self.fails("nothing else is refused", logged(events(ATTEMPTS) + b"\n" + events({"read": 0x2000})))

    def test_the_event_interrupt(self):
        self.fails("events come as asked", lambda made: made.files.pop("interrupts"))
        self.fails("events come as asked",
                   lambda made: made.files.update(interrupts=b" 12: 0 0 GICv3 106 Edge arm-smmu-v3-evtq\n"))

    def test_the_iommu_must_have_a_table(self):
        self.fails("IORT is sound", boot="acpi")


class Forged(unittest.TestCase):
    """On q35: two writes that are interrupts nobody may send."""

    FORGED = checks.forged_interrupts(SEED)

    def log(self, *faults):
        line = "<3>[ 3.4] DMAR: [INTR-REMAP] Request device [{}] fault index 0x{:x} [fault reason 0x{:02x}] words"
        return "\n".join(line.format(*fault) for fault in faults).encode()

    def judged(self, *faults):
        made = console.Transcript({"forged": [["0000:00:04.0", hex(address), "status=2"] for address in self.FORGED]},
                                  {"log-after-bad-dma": self.log(*faults)})
        result = checks.Result(machine.case("q35"))
        checks._check_forged(result, made, self.FORGED)
        return [check.passed for check in result.checks]

    def test_addresses_are_of_both_formats(self):
        compatibility, remappable = self.FORGED
        self.assertEqual(compatibility, 0xfee00000)
        handle = self.FORGED[remappable][1]
        # VT-d 5.1.2.2 by hand: FEEh, handle [14:0] at 19:5, format 1 at 4, SHV 0 at 3, handle [15] at 2.
        self.assertEqual((remappable >> 20, remappable >> 4 & 1, remappable >> 3 & 1), (0xfee, 1, 0))
        self.assertEqual((remappable >> 5 & 0x7fff) | (remappable >> 2 & 1) << 15, handle)

    def test_verdicts(self):
        handle = list(self.FORGED.values())[1][1]
        good = (("00:04.0", 0, 0x25), ("00:04.0", handle, 0x22))
        self.assertEqual(self.judged(*good), [True, True, True])
        self.assertEqual(self.judged(), [False, False, False])
        self.assertEqual(self.judged(good[1]), [False, True, False])
        self.assertEqual(self.judged(good[0], ("00:04.0", handle ^ 1, 0x22)), [True, False, True])
        self.assertEqual(self.judged(good[0], ("00:05.0", handle, 0x22)), [True, False, True])
        self.assertEqual(self.judged(*good, ("00:02.0", 1, 0x26)), [True, True, False])


class Table(unittest.TestCase):
    def test_checksum_and_length(self):
        self.assertTrue(acpi.checksum_good(table()))
        self.assertFalse(acpi.checksum_good(table() + b"\0"))
        self.assertFalse(acpi.checksum_good(table()[:-1] + b"\1"))
        self.assertFalse(acpi.checksum_good(b""))
        self.assertEqual(len(acpi.objections("MCFG", table()[:-1] + b"\1")), 1)


class DmarFlags(unittest.TestCase):
    def verdict(self, flags, variant):
        made = console.Transcript(files={"acpi/DMAR": bytes(37) + bytes([flags]) + bytes(10)})
        result = checks.Result(machine.case("q35", variant=variant))
        checks._check_dmar_flags(result, made)
        return result.passed

    def test_the_opt_in_is_there_when_asked_for_and_only_then(self):
        self.assertEqual([self.verdict(flags, "protected") for flags in (0, 1, 4, 5, 7)],
                         [False, False, False, True, False])
        self.assertEqual([self.verdict(flags, "scalable") for flags in (0, 1, 4, 5, 3)],
                         [False, True, False, False, False])


class Ats(unittest.TestCase):
    """PCIe 10.5.1: id 0fh version 1, capability at 4, control at 6 with Enable in bit 15."""

    @staticmethod
    def config(control, header=0x0001000f):
        other = struct.pack("<I", 0x1081001b) + bytes(4)  # PASID, and the next at 108h
        return bytes(0x100) + other + struct.pack("<IHH", header, 0x60, control) + bytes(0xef0)

    def verdicts(self, disk, endpoint):
        lines = {"disk": [["vda", "0000:00:03.0", "1"]],
                 "pci": [["0000:11:00.0", *checks.ENDPOINT_ID, "-", "3", "DMA"]]}
        made = console.Transcript(lines, {"config/0000:00:03.0": disk, "config/0000:11:00.0": endpoint})
        result = checks.Result(machine.case("q35", "bios", variant="two-ats"))
        checks._check_ats(result, made)
        return [check.passed for check in result.checks]

    def test_verdicts(self):
        on, off = self.config(0x8000), self.config(0x001f)
        self.assertEqual(self.verdicts(on, on), [True, True])
        self.assertEqual(self.verdicts(off, on), [False, True])
        self.assertEqual(self.verdicts(on, b""), [True, False])
        self.assertEqual(self.verdicts(on, self.config(0x8000, 0x00010010)), [True, False])
        self.assertEqual(self.verdicts(on, on[:0x10c]), [True, False])

    def test_a_list_that_bites_its_tail_ends(self):
        self.assertFalse(checks.ats_enabled(bytes(0x100) + struct.pack("<I", 0x1001001b) + bytes(0xefc)))

    def test_without_disks_and_functions_nothing_passes(self):
        result = checks.Result(machine.case("q35", "bios", variant="two-ats"))
        checks._check_ats(result, console.Transcript())
        self.assertEqual([check.passed for check in result.checks], [False, False])


class Addresses(unittest.TestCase):
    def test_they_are_canonical_for_39_bits_and_differ(self):
        for seed in range(50):
            found = checks.bad_addresses(seed)
            self.assertEqual(list(found), ["read", "write"])
            self.assertEqual(len({address >> 12 for address in found.values()}), 2)
            for address in found.values():
                self.assertLess(address + 64, 1 << 39)
                self.assertLessEqual(address % 4096, 4096 - 64)
