# SPDX-License-Identifier: GPL-2.0-or-later
"""What `./winiommu gdb --demo` believes, and how gdb's commands show an answer."""
import base64
import gzip
import hashlib
import sys
import unittest

from winiommu import gdb, paths, ui
from winiommu.guest import machine

sys.path.insert(0, str(paths.REPO / "scripts/gdb"))
import describe  # noqa: E402

ADDRESS = 0x4012345000
VIRT = gdb.choose("virt")
RECORD = {"name": "F_TRANSLATION", "number": 16, "raw": ["0x1"], "fields": {"StreamID": 32, "RnW": 0}}
STEPS = [
    {"structure": "STE", "depth": 0, "at": "0x40000800", "raw": ["0x000000000000000b", "0x0000000000000000"],
     "fields": {"V": 1, "Config": 5, "EATS": 0}},
    {"structure": "stage 1 descriptor", "level": 0, "depth": 0, "at": "0x41000000", "raw": ["0x0000000000000000"],
     "fields": {"Valid": 0}, "kind": "invalid", "problem": "not valid"},
]
REQUEST = {"sid": "0x20", "address": hex(ADDRESS), "access": "write", "privilege": "user"}
WALK = {"request": REQUEST, "steps": STEPS, "stale": False, "verdict": {"result": "refused", "event": RECORD}}
FAULTS = {"total": 1, "sources": [{"sid": "0x20", "count": 1}], "other_sources": 0, "faults": [
    {"serial": 0, "wall": "2026-01-01T00:00:00.000000Z", "virtual_ns": 1500000000, "recorded": True, "event": RECORD,
     **REQUEST}]}
STREAM = {"sid": "0x20", "enabled": True, "steps": STEPS[:1], "problem": None}


def output():
    lines = ["Program received signal SIGTRAP, Trace/breakpoint trap."]
    lines += describe.faults(FAULTS) + describe.walk(WALK) + describe.tables(STREAM)
    return "\n".join([*lines, "[Inferior 1 (process 1) detached]"])


class Describe(unittest.TestCase):
    def test_the_step_that_refuses_is_pointed_at(self):
        lines = describe.walk(WALK)
        self.assertEqual(lines[0], "walk: write of 0x4012345000 by 00:04.0")
        self.assertIn("  stage 1 descriptor level 0 at 0x41000000: NOT VALID", lines)
        self.assertIn("      raw 0x000000000000000b", lines)
        self.assertIn("      V=1 Config=5", lines)
        self.assertEqual(lines[-1], "    F_TRANSLATION (0x10): StreamID=32 (00:04.0)")
        self.assertEqual(lines[-2], "verdict: refused by the stage 1 descriptor level 0 at 0x41000000 (not valid)")

    def test_what_passes_says_where_to(self):
        verdict = {"result": "translated", "output": "0x1000", "mask": "0xfff", "read": True, "write": True}
        self.assertEqual(describe.walk({**WALK, "verdict": verdict})[-1],
                         "verdict: translated to 0x1000, block 0x1000 bytes")

    def test_what_is_cached_stands_beside_its_step(self):
        entry = {"cache": "TLB", "differs": True, "input": "0x1000", "output": "0x2000", "size": "0x1000",
                 "rights": {"user": "rw-", "privileged": "rw-"}}
        told = {**WALK, "steps": [STEPS[0], {**STEPS[1], "cached": [entry]}], "stale": True}
        lines = describe.walk(told)
        self.assertIn("      TLB DIFFERS FROM MEMORY: input=0x1000 output=0x2000 size=0x1000 user rw- privileged rw-", lines)
        self.assertEqual(lines[-1], describe.STALE)
        same = {**told, "steps": [{**STEPS[0], "cached": [{**entry, "differs": False}]}], "stale": False}
        self.assertIn("      TLB agrees: input=0x1000 output=0x2000 size=0x1000 user rw- privileged rw-", describe.walk(same))

    def test_an_interrupt_shows_its_entry_and_who_may_use_it(self):
        entry = {"structure": "IRTE", "index": 5, "depth": 0, "at": "0x9050", "raw": ["0x0000000000310001", "0x0000000000040010"],
                 "fields": {"P": 1, "V": 49}, "problem": "SourceNotValid",
                 "source": {"checked": "source-id", "wanted": "0x10", "ignored-bits": "0x0", "source": "0x20", "valid": False}}
        told = {"request": {"sid": "0x20", "address": "0xfee000b0", "data": "0x0"}, "enabled": True, "stale": False,
                "steps": [entry], "verdict": {"result": "refused", "event": {**RECORD, "name": "SourceNotValid", "number": 38}}}
        lines = describe.interrupt(told)
        self.assertEqual(lines[0], "walk-interrupt: 0x0 to 0xfee000b0 by 00:04.0, remapping on")
        self.assertIn("  IRTE 5 at 0x9050: SOURCENOTVALID", lines)
        self.assertIn("      source 00:04.0: NOT VALID (00:02.0, bits 0x0 ignored)", lines)
        self.assertEqual(lines[-2], "verdict: refused by the IRTE 5 at 0x9050 (SourceNotValid)")
        self.assertTrue(lines[-1].startswith("    SourceNotValid (0x26): "))
        passed = {**told, "verdict": {"result": "remapped", "address": "0xfee02004", "data": "0xc031",
                                      "address-fields": {"DestinationId": 2}, "data-fields": {"Vector": 49}}}
        self.assertEqual(describe.interrupt(passed)[-1],
                         "verdict: remapped, 0xc031 to 0xfee02004: DestinationId=2 Vector=49")


    def test_no_event_says_who_mutes_it(self):
        quiet = {"result": "refused", "event": None, "muted": "WriteDenied"}
        self.assertEqual(describe.walk({**WALK, "verdict": quiet})[-1], "    no event; the tables mute WriteDenied")
        self.assertEqual(describe.walk({**WALK, "steps": [], "verdict": {**quiet, "muted": "A"}})[-2:],
                         ["verdict: refused", "    no event; the tables mute A"])

    def test_a_bypass_has_no_block(self):
        verdict = {"result": "bypassed", "output": "0x1000", "mask": "0xffffffffffffffff", "read": True, "write": True}
        self.assertEqual(describe.walk({**WALK, "steps": [], "verdict": verdict})[-1], "verdict: bypassed to 0x1000")

    def test_a_queue_that_is_off_has_no_entries(self):
        slot = {"index": 0, "at": "0x0", "raw": ["0x0", "0x0"], "name": "unknown", "fields": {}}
        queue = {"enabled": False, "slots": 1, "base": "0x0", "waiting": 0, "recent": [slot], "pending": []}
        self.assertEqual(describe.queues({"commands": queue}), ["commands: off, 1 slots at 0x0, 0 waiting"])

    def test_one_refused_access_is_one(self):
        self.assertEqual(describe.faults({**FAULTS, "total": 0, "sources": [], "faults": []}), ["0 refused accesses"])
        self.assertEqual(describe.faults(FAULTS)[0], "1 refused access; by requester: 00:04.0 1")
        self.assertTrue(describe.faults({**FAULTS, "total": 2})[0].startswith("2 refused accesses; by requester: "))

    def test_a_refused_interrupt_is_no_access(self):
        event = {"name": "IrteNotPresent", "number": 34, "fields": {"InterruptIndex": 5, "SID": 32}}
        one = {**FAULTS["faults"][0], "address": "0x5000000000000", "event": event}
        lines = describe.faults({**FAULTS, "faults": [one]})
        self.assertTrue(lines[1].endswith(" interrupt request 5 by 00:04.0"), lines[1])
        self.assertEqual(lines[2], "      IrteNotPresent (0x22): InterruptIndex=5 SID=32 (00:04.0)")

    def test_what_stands_in_a_slot_and_is_no_command_is_shown_raw(self):
        slot = {"index": 3, "at": "0x1000", "raw": ["0x0000000100000000", "0x0000000000000040"], "name": "unknown",
                "fields": {"opcode": 0}}
        queue = {"enabled": True, "slots": 8, "base": "0x1000", "waiting": 0, "recent": [slot], "pending": []}
        lines = describe.queues({"commands": queue})
        self.assertEqual(lines[1], "  recent [3] unknown: raw 0x0000000100000000 0x0000000000000040")
        self.assertEqual(lines[2], f"  ({describe.OVERWRITTEN})")
        unread = {"index": 3, "at": "0x1000", "raw": []}
        self.assertEqual(describe.queues({"commands": {**queue, "recent": [unread]}})[1], "  recent [3] unreadable")

    def test_long_lines_go_on_below_their_beginning(self):
        line = "      " + " ".join(f"FIELD{n}=0x{n:x}" for n in range(20))
        lines = list(describe.narrow([line, "  short", ""]))
        self.assertTrue(all(len(one) <= 100 for one in lines))
        self.assertTrue(all(one.startswith("        FIELD") for one in lines[1:-2]))
        self.assertEqual(" ".join(" ".join(lines[:-2]).split()), line.strip())
        self.assertEqual(lines[-2:], ["  short", ""])


class Judge(unittest.TestCase):
    def test_a_good_run_lacks_nothing(self):
        self.assertEqual(gdb.judge(output(), 0, VIRT, ADDRESS), [])

    def test_each_thing_that_is_missing_is_named(self):
        for gone, problem in (
                ("SIGTRAP", "did not get control"), ("F_TRANSLATION (0x10)", "not shown as F_TRANSLATION"),
                ("walk: write", "not that of the refused write"), ("NOT VALID", "shown as the one that refuses"),
                ("verdict: refused by", "verdict is not"), ("requester 00:04.0", "tables of the requester"),
                ("detached", "not let go")):
            with self.subTest(gone=gone):
                problems = gdb.judge(output().replace(gone, "-"), 0, VIRT, ADDRESS)
                self.assertTrue(any(problem in one for one in problems), problems)
        self.assertTrue(gdb.judge(output(), 0, VIRT, ADDRESS + 0x1000))
        self.assertTrue(gdb.judge(output(), 0, gdb.choose("q35"), ADDRESS))
        wide = gdb.judge(output() + "\n" + "x" * 101, 0, VIRT, ADDRESS)
        self.assertEqual(wide, [f"1 of the lines have more than 100 columns: {'x' * 101}"])
        self.assertEqual(gdb.judge(output(), 1, VIRT, ADDRESS), ["gdb ended with status 1"])

    def test_what_gdb_objects_to_is_a_problem(self):
        remark = ("warning: No executable has been specified and target does not support\n"
                  "determining executable automatically.  Try using the \"file\" command.\n")
        self.assertEqual(gdb.judge(remark + output(), 0, VIRT, ADDRESS), [f"gdb objects: {remark.splitlines()[0]}"])

    def test_gdb_knows_the_kernel_before_it_attaches(self):
        words = gdb.gdb_command("socket", "fault.gdb", "vmlinuz")
        self.assertLess(words.index("exec-file vmlinuz"), words.index("target remote socket"))
        self.assertFalse([word for word in gdb.gdb_command("socket") if word.startswith("exec-file")])

    def test_the_guest_must_have_seen_it_and_ended(self):
        event = "\n".join(f"[ 3.4] arm-smmu-v3 x: {text}" for text in (
            "event 0x10 received:", "\t0x0000002000000010", "\t0x0000000000000000", f"\t0x{ADDRESS:016x}", f"\t0x{0:016x}"))
        good = [f"%n bad-dma write 0000:00:04.0 {ADDRESS:#x} status=3 bytes=0 fail={ADDRESS:#x}",
                *sent("log-after-bad-dma", event.encode()), "%n done"]
        self.assertEqual(gdb.judge_guest(good, "n", ADDRESS, VIRT), [])
        self.assertEqual(len(gdb.judge_guest(good[:-1], "n", ADDRESS, VIRT)), 1)
        # Unseen by the endpoint, it is one fault too many in the log.
        self.assertEqual(len(gdb.judge_guest(good[1:], "n", ADDRESS, VIRT)), 2)
        self.assertEqual(len(gdb.judge_guest([good[0], good[-1]], "n", ADDRESS, VIRT)), 2)
        self.assertEqual(len(gdb.judge_guest(good, "other", ADDRESS, VIRT)), 3)


def sent(name, data):
    """A file's lines on the console."""
    text = base64.b64encode(gzip.compress(data)).decode()
    return [f"%n begin {name}", f"%n data {text}", f"%n end {name} {hashlib.sha256(data).hexdigest()}"]


FAULT_OF_TWO = f"""\
+continue
Thread 2 received signal SIGTRAP, Trace/breakpoint trap.
+iommu units
pcie.0: winiommu-smmuv3; 0 refused, stopped 0 times
    00:00.0 00:03.0
pcie.1: winiommu-smmuv3; 1 refused, stopped 1 time
    10:00.0 10:01.0 11:00.0 12:00.0
+iommu faults limit=1 --unit pcie.0
unit pcie.0:
0 refused accesses
+iommu faults limit=1 --unit pcie.1
unit pcie.1:
1 refused access; by requester: 12:00.0 1
  #0 2026-01-01T00:00:00.000000Z (machine 1.5 s) write of {ADDRESS:#x} by 12:00.0
+iommu walk fault
unit pcie.1:
walk: write of {ADDRESS:#x} by 12:00.0
  stage 1 descriptor level 0 at 0x41527000: NOT VALID
      raw 0x0000000000000000
verdict: refused by the stage 1 descriptor level 0 at 0x41527000 (not valid)
    F_TRANSLATION (0x10): StreamID=4608 (12:00.0)
+iommu stream sid=12:00.0
unit pcie.1:
requester 12:00.0, translation on
+detach
[Inferior 1 (process 1) detached]
"""


class JudgeTwo(unittest.TestCase):
    """A fault behind the second of two units."""

    one = gdb.choose("virt", variant="two")

    def problems(self, text):
        return gdb.judge(text, 0, self.one, ADDRESS)

    def test_a_good_run_lacks_nothing(self):
        self.assertEqual(self.problems(FAULT_OF_TWO), [])

    def test_a_fault_of_the_wrong_unit_is_noticed(self):
        for right, wrong, problem in (
                ("pcie.0: winiommu-smmuv3; 0 refused", "pcie.0: winiommu-smmuv3; 1 refused", "the first unit has refused something"),
                ("1 refused, stopped 1 time\n", "2 refused, stopped 2 times\n", "the second unit has not stopped once"),
                ("unit pcie.0:\n0 refused", "unit pcie.0:\n1 refused", "the first unit shows a fault"),
                ("unit pcie.1:\n1 refused", "unit pcie.0:\n1 refused", "the fault is not shown of the second unit"),
                ("12:00.0\n+iommu walk", "11:00.0\n+iommu walk", "the fault is not shown of the second unit"),
                ("unit pcie.1:\nwalk", "unit pcie.0:\nwalk", "the second unit is not asked for the walk")):
            with self.subTest(problem=problem):
                self.assertIn(right, FAULT_OF_TWO)
                self.assertEqual(self.problems(FAULT_OF_TWO.replace(right, wrong)), [problem])

    def test_each_line_that_is_believed_must_be_there(self):
        for gone in ("SIGTRAP", "NOT VALID", "verdict", "requester 12", "detached"):
            self.assertTrue(self.problems(FAULT_OF_TWO.replace(gone, "-")), gone)

    def test_the_way_to_boot_is_one_that_the_set_up_has(self):
        self.assertEqual([gdb.choose(name, variant=variant).name for name, variant in gdb.SECOND.items()],
                         ["virt-acpi-6.12-two", "q35-bios-6.12-two-ats"])
        self.assertEqual([gdb.choose(name).name for name in gdb.BOOTS], ["virt-dt-6.12", "q35-bios-6.12"])

    def test_a_set_up_without_a_demonstration_is_refused(self):
        for one in (gdb.choose("virt", variant="stage1"), gdb.choose("q35", variant="protected")):
            with self.assertRaises(ui.Error):
                gdb.demonstrate(one, None)


UNITS = """\
pcie.0: winiommu-vtd; 0 refused, stopped 0 times
    00:00.0 00:08.0 ff:00.0
pcie.1: winiommu-vtd-unit; 0 refused, stopped 0 times
    10:00.0 10:01.0
unit pcie.1:
requester 10:00.0, translation off
unit pcie.0:
requester 00:00.0, translation off
unit pcie.0:
invalidations: off, 256 slots at 0x0, 0 waiting
unit pcie.1:
invalidations: off, 256 slots at 0x0, 0 waiting
the machine stops at a fault with sid=12:00.0, in any of 2 units
unit pcie.1:
{
iommu: 7f:00.0 is behind no unit; --unit NAME says which one to ask ('iommu units' lists them)
iommu: there is no unit 'pcie.2'; there are pcie.0, pcie.1
iommu: no access was refused so far
faults no longer stop the machine
"""


class JudgeUnits(unittest.TestCase):
    one = machine.case("q35", variant="two")

    def test_a_good_run_lacks_nothing(self):
        self.assertEqual(gdb.judge_units(UNITS, 0, self.one), [])
        self.assertEqual(gdb.judge_units(UNITS, 1, self.one), ["gdb ended with status 1"])

    def test_a_line_that_is_missing_is_noticed(self):
        lines = UNITS.splitlines(keepends=True)
        for number, line in enumerate(lines):
            with self.subTest(line=line):
                self.assertTrue(gdb.judge_units("".join(lines[:number] + lines[number + 1:]), 0, self.one))

    def test_what_belongs_to_the_other_unit_is_noticed(self):
        swapped = UNITS.replace("unit pcie.1:\nrequester 10", "unit pcie.0:\nrequester 10")
        self.assertEqual(gdb.judge_units(swapped, 0, self.one)[0], "10:00.0 is not asked of the second unit")
