# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of scripts/gdb/iommu.py, with machines of one and of two units in place of gdb and QEMU."""
import contextlib
import importlib.util
import io
import json
import re
import shlex
import sys
import types
import unittest

from winiommu import paths

PAGES = ("docs/system/debugging-a-fault.rst", "scripts/gdb/fault.gdb")
NEAR, FAR = "/machine/peripheral-anon/device[0]", "/machine/peripheral/east"
BDFS = {"00:04.0": "0x20", "11:00.0": "0x1100", "00:05.0": "0x28", "12:00.0": "0x1200", "13:00.0": "0x1300", "ff:00.0": "0xff00",
        "32": "0x20"}
RECORD = {"name": "WriteDenied", "number": 5, "raw": ["0x1"], "fields": {"SID": 0x1100, "FR": 5}}


class Failed(Exception):
    """gdb.GdbError: what the person reads, as one line."""


class Rejected(Exception):
    """gdb.error."""


def fault(sid, address, nanoseconds, event=None):
    return {"serial": 0, "wall": "2026-01-01T00:00:00.000000Z", "virtual_ns": nanoseconds, "sid": sid, "address": address,
            "access": "write", "privilege": "user", "recorded": True, "event": event or RECORD}


class Unit:
    """What QEMU has at a path: properties that are set, and answers."""

    def __init__(self, kind, bus, sids, faults=()):
        self.kind, self.properties, self.faults = kind, {"fault-action": "record"}, list(faults)
        self.answers = {
            "requesters": {"bus": bus, "sids": sids},
            "stats": {"faults": {"total": len(self.faults), "stops": 0}},
            "queues": {"invalidations": {"enabled": True, "slots": 256, "base": f"0x{len(bus)}000", "waiting": 0}},
            "tlb-entries": {"live": len(bus), "capacity": 4096, "matching": 0, "entries": []},
        }

    def read(self, topic):
        if topic in self.answers:
            return self.answers[topic]
        request = self.properties[f"{topic}-request"]
        asked = dict(word.split("=") for word in request.split(",")) if request else {}
        asked["sid"] = BDFS.get(asked.get("sid"), asked.get("sid"))
        if topic == "faults":
            found = [one for one in self.faults if asked["sid"] in (None, one["sid"])]
            return {"total": len(self.faults), "sources": [], "other_sources": 0,
                    "faults": found[-int(asked.get("limit", 256)):]}
        message = {"address": "0x1000", "data": "0x31", "address-fields": {}, "data-fields": {"Vector": 0x31}}
        return {"request": {"address": "0x0", "access": "write", "data": "0x0", **asked}, "sid": asked["sid"], "steps": [],
                "stale": False, "enabled": True, "problem": None,
                "verdict": {"result": "remapped", "output": "0x1000", "mask": "0xfff", **message}}

    def write(self, name, value):
        if "colour" in value:
            return f"Error: {name}: '{value}' is no key=value"
        self.properties[name] = value
        return ""


class Machine:
    """gdb, whose `monitor` speaks to some units; `said` is what was written there, in order."""

    def __init__(self, units):
        self.units, self.commands, self.said, self.traced = units, {}, [], False
        machine = self

        class Command:
            def __init__(self, name, kind, prefix=False):
                machine.commands[name] = self

        self.module = types.SimpleNamespace(Command=Command, COMMAND_STATUS=0, GdbError=Failed, error=Rejected,
                                            execute=self.execute, string_to_argv=shlex.split)
        sys.modules["gdb"] = self.module
        specification = importlib.util.spec_from_file_location("iommu_commands", paths.REPO / "scripts/gdb/iommu.py")
        specification.loader.exec_module(importlib.util.module_from_spec(specification))
        del sys.modules["gdb"]

    def execute(self, line, to_string):
        assert to_string
        verb, command, rest = line.split(" ", 2)
        assert verb == "monitor"
        if command == "qom-list":
            mine = [f"{path.rpartition('/')[2]} (child<{unit.kind}>)" for path, unit in self.units.items()
                    if path.rpartition("/")[0] == rest]
            return "\n".join([*([f"++{line}"] if self.traced else []), "type (string)", "other (child<nvme>)", *mine, ""])
        if command == "qom-get":
            path, name = rest.split(" ")
            return (f"++{line}\n" if self.traced else "") + json.dumps(self.units[path].read(name), indent=4) + "\n"
        assert command == "qom-set"
        flag, path, name, value = rest.split(" ", 3)
        assert flag == "-j"
        self.said.append((path, name, json.loads(value)))
        said = self.units[path].write(name, json.loads(value))
        return f"++{line}\n{said}" if self.traced else said

    def run(self, line):
        """What `line` prints; Failed as the command raises it."""
        name = max((name for name in self.commands if f"{line} ".startswith(f"{name} ")), key=len)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self.commands[name].invoke(line[len(name):], False)
        return printed.getvalue()

    def asked(self, topic):
        return [path for path, name, _ in self.said if name == f"{topic}-request"]


def one():
    return Machine({NEAR: Unit("winiommu-smmuv3", "pcie.0", ["0x20", "0x0"], [fault("0x20", "0x5000", 1)])})


def two():
    return Machine({FAR: Unit("winiommu-vtd-unit", "far", ["0x1100", "0x1000"], [fault("0x1100", "0x7000", 50)]),
                    NEAR: Unit("winiommu-vtd", "pcie.0", ["0xff00", "0x20"],
                               [fault("0x20", "0x5000", 40), fault("0x20", "0x6000", 45)])})


class Case(unittest.TestCase):
    def fails(self, machine, line, wanted):
        with self.assertRaises(Failed) as caught:
            machine.run(line)
        self.assertEqual(str(caught.exception), f"iommu: {wanted}")


class TwoUnits(Case):
    def test_they_are_listed_with_their_requesters(self):
        self.assertEqual(two().run("iommu units").splitlines(), [
            "pcie.0: winiommu-vtd; 2 refused, stopped 0 times", "    00:04.0 ff:00.0",
            "east: winiommu-vtd-unit of bus far; 1 refused, stopped 0 times", "    10:00.0 11:00.0"])

    def test_a_question_goes_to_the_unit_that_the_requester_is_behind(self):
        for sid, path in (("00:04.0", NEAR), ("0x20", NEAR), ("32", NEAR), ("11:00.0", FAR), ("0x1100", FAR), ("ff:00.0", NEAR)):
            for line, topic in ((f"walk sid={sid} address=0x1000", "walk"), (f"stream sid={sid}", "stream"),
                                (f"faults sid={sid}", "faults"), (f"tlb sid={sid}", "tlb-entries"), (f"queue sid={sid}", "queues"),
                                (f"walk-interrupt sid={sid} address=0xfee00010 data=0", "walk-interrupt")):
                with self.subTest(line=line):
                    machine = two()
                    machine.run(f"iommu {line}")
                    self.assertEqual(machine.asked(topic), [path])

    def test_commands_that_gdb_traces_are_no_answer(self):
        traced = two()
        traced.traced = True
        for line in ("units", "faults limit=1", "stream sid=11:00.0", "break-on-fault off", "tlb"):
            with self.subTest(line=line):
                self.assertEqual(traced.run(f"iommu {line}"), two().run(f"iommu {line}"))

    def test_the_answer_says_whose_it_is(self):
        self.assertTrue(two().run("iommu stream sid=11:00.0").startswith("unit east:\nrequester "))

    def test_without_a_requester_all_are_asked(self):
        for line, topic in (("faults limit=3", "faults"), ("tlb limit=4", "tlb-entries"), ("queue", "queues")):
            with self.subTest(line=line):
                machine = two()
                text = machine.run(f"iommu {line}")
                self.assertEqual(machine.asked(topic), [NEAR, FAR])
                self.assertEqual(re.findall(r"^unit (\S+):$", text, re.MULTILINE), ["pcie.0", "east"])
        self.assertEqual(two().run("iommu stats").count('"total"'), 2)

    def test_the_requester_only_chooses_where_it_is_no_key(self):
        machine = two()
        machine.run("iommu tlb sid=11:00.0 limit=4")
        self.assertEqual(machine.said, [(FAR, "tlb-entries-request", "limit=4")])

    def test_a_unit_is_named_by_its_id_its_bus_or_its_path(self):
        for name, path in (("east", FAR), ("pcie.0", NEAR), (NEAR, NEAR), (FAR, FAR)):
            with self.subTest(name=name):
                machine = two()
                machine.run(f"iommu queue --unit {name}")
                self.assertEqual(machine.asked("queues"), [path])

    def test_the_named_unit_is_asked_whoever_is_behind_it(self):
        machine = two()
        machine.run("iommu stream --unit east sid=00:04.0")
        self.assertEqual(machine.said, [(FAR, "stream-request", "sid=00:04.0")])

    def test_the_last_fault_is_that_of_all_units(self):
        machine = two()
        text = machine.run("iommu walk fault")
        self.assertEqual(machine.said[-1], (FAR, "walk-request", "sid=0x1100,address=0x7000,access=write,privilege=user"))
        self.assertTrue(text.startswith("unit east:\n"), text)
        machine = two()
        machine.run("iommu walk fault --unit pcie.0")
        self.assertEqual(machine.said[-1], (NEAR, "walk-request", "sid=0x20,address=0x6000,access=write,privilege=user"))
        machine = two()
        machine.run("iommu walk fault sid=0x20")
        self.assertEqual(machine.said[-1][:2], (NEAR, "walk-request"))

    def test_a_refused_interrupt_is_walked_as_one(self):
        machine = two()
        event = {**RECORD, "name": "IrteNotPresent", "number": 0x22, "fields": {"InterruptIndex": 0x8005}}
        machine.units[FAR].faults.append(fault("0x1100", "0x8005000000000000", 60, event))
        self.assertIn("walk-interrupt: 0 to 0xfee000b4 by 11:00.0", machine.run("iommu walk fault"))
        # VT-d 5.1.2.2: index 8005h is handle[14:0] = 5 in bits 19:5 and handle[15] in bit 2.
        self.assertEqual(machine.said[-1], (FAR, "walk-interrupt-request", "sid=0x1100,address=0xfee000b4,data=0"))
        machine.units[FAR].faults[-1]["event"] = {**event, "name": "CompatibilityBlocked", "number": 0x25}
        self.fails(machine, "iommu walk fault", "the last refused request is an interrupt of 11:00.0, CompatibilityBlocked, of "
                   "which no address and data are known: iommu walk-interrupt sid= address= data=")

    def test_all_are_armed_and_disarmed(self):
        machine = two()
        self.assertEqual(machine.run("iommu break-on-fault sid=12:00.0 access=write"),
                         "the machine stops at a fault with sid=12:00.0 access=write, in any of 2 units\n")
        for unit in machine.units.values():
            self.assertEqual((unit.properties["fault-filter"], unit.properties["fault-action"]), ("sid=12:00.0,access=write", "stop"))
        machine.run("iommu break-on-fault off")
        for unit in machine.units.values():
            self.assertEqual(unit.properties["fault-action"], "record")
        self.assertEqual(machine.run("iommu break-on-fault --unit east"), "the machine stops at any fault of unit east\n")
        self.assertEqual(machine.units[NEAR].properties["fault-action"], "record")
        self.assertEqual(machine.run("iommu break-on-fault off --unit east"), "faults of unit east no longer stop the machine\n")

    def test_a_filter_that_is_refused_arms_none(self):
        machine = two()
        self.fails(machine, "iommu break-on-fault colour=red", "fault-filter: 'colour=red' is no key=value")
        for unit in machine.units.values():
            self.assertEqual(unit.properties, {"fault-action": "record"})

    def test_wrong_words_are_one_line(self):
        known = "'iommu units' lists them"
        for line, wanted in (
                ("walk address=1", f"sid= is missing, or --unit NAME ({known})"),
                ("stream", f"sid= is missing, or --unit NAME ({known})"),
                ("stream sid=12:00.0", f"12:00.0 is behind no unit; --unit NAME says which one to ask ({known})"),
                ("stream sid=here", f"here is behind no unit; --unit NAME says which one to ask ({known})"),
                ("stream sid=010", f"010 is behind no unit; --unit NAME says which one to ask ({known})"),
                ("tlb sid=12:00.0", f"12:00.0 is behind no unit; --unit NAME says which one to ask ({known})"),
                ("queue --unit", "--unit needs a name: pcie.0, east"),
                ("queue --unit west", "there is no unit 'west'; there are pcie.0, east"),
                ("queue --unit east --unit east", "--unit is given twice"),
                ("stats colour=red", "stats takes sid= and --unit only"),
                ("units now", "units takes no argument"),
                ("walk fault limit=3", "walk fault takes sid= and --unit only"),
                ("queue colour=red", "queues-request: 'colour=red' is no key=value")):
            with self.subTest(line=line):
                self.fails(two(), f"iommu {line}", wanted)

    def test_a_guest_may_number_two_buses_alike(self):
        machine = two()
        machine.units[FAR].answers["requesters"]["sids"].append("0x20")
        self.fails(machine, "iommu stream sid=00:04.0", "00:04.0 is behind several units; --unit NAME says which one to ask "
                   "('iommu units' lists them)")

    def test_faults_of_a_requester_that_is_gone_are_looked_for_everywhere(self):
        machine = two()
        machine.run("iommu faults sid=13:00.0")
        self.assertEqual(machine.asked("faults"), [NEAR, FAR])


class OneUnit(Case):
    def test_it_is_asked_whoever_is_named_and_has_no_heading(self):
        machine = one()
        self.assertEqual(machine.run("iommu stream sid=12:00.0").splitlines()[0], "requester 12:00.0, translation on")
        self.assertEqual(machine.said, [(NEAR, "stream-request", "sid=12:00.0")])
        self.assertNotIn("unit", machine.run("iommu queue"))
        self.assertEqual(machine.run("iommu break-on-fault"), "the machine stops at any fault\n")

    def test_no_fault_yet(self):
        machine = one()
        machine.units[NEAR].faults.clear()
        self.fails(machine, "iommu walk fault", "no access was refused so far")
        self.fails(machine, "iommu walk fault sid=00:05.0", "no access was refused so far, by 00:05.0")

    def test_no_iommu_and_no_qemu(self):
        self.fails(Machine({}), "iommu units", "this machine has none of winiommu-smmuv3, winiommu-vtd, winiommu-vtd-unit")
        machine = one()

        def reject(line, to_string):
            raise Rejected('"monitor" command not supported by this target.')
        machine.module.execute = reject
        self.fails(machine, "iommu faults", '"monitor" command not supported by this target; is this gdb attached to a QEMU '
                   "that stands still? target remote ADDRESS, Ctrl-C")


class Pages(unittest.TestCase):
    def test_every_printed_command_is_taken(self):
        commands = 0
        for page in PAGES:
            text = (paths.REPO / page).read_text(encoding="utf-8")
            for line in re.findall(r"``(iommu [^`]*)``|^ *(?:\(gdb\) )?(iommu .*)$", text, re.MULTILINE):
                line = " ".join((line[0] or line[1]).split())
                commands += 1
                for machine in (one, two):
                    with self.subTest(page=page, line=line):
                        machine().run(line)
        self.assertGreater(commands, 15)


if __name__ == "__main__":
    unittest.main()
