# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands for a gdb that is attached to a guest through QEMU's gdbstub: `source scripts/gdb/iommu.py`.

    iommu faults [sid=00:04.0] [limit=N]
    iommu walk sid=00:04.0 address=0x1000 [access=write] [pasid=N] [privilege=privileged]
    iommu walk fault                       the access that was refused last
    iommu walk-interrupt sid=00:04.0 address=0xfee00010 data=0     where an MSI goes (VT-d)
    iommu stream sid=00:04.0 [pasid=N]     its STE and CD, or root, context and PASID entries
    iommu tlb [vmid=N] [asid=N] [domain=N] [pasid=N] [address=A] [limit=N]
    iommu queue                            what waits in the queues, and what was done last
    iommu stats
    iommu break-on-fault [sid=] [pasid=] [first=] [last=] [event=] [access=] | off
    iommu device [PATH]                    which device is asked; the first one found unless told

They go through the monitor: `monitor qom-get PATH walk` and so on.
"""
import json
import os
import re
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import describe  # noqa: E402

TYPES = ("winiommu-smmuv3", "winiommu-vtd")


class _Device:
    """The device that is asked, by its QOM path."""

    path = None

    @classmethod
    def find(cls):
        if cls.path is None:
            found = []
            for parent in ("/machine/peripheral", "/machine/peripheral-anon"):
                for name, kind in re.findall(r"^(\S+) \(child<([^>]*)>\)", _monitor(f"qom-list {parent}"), re.MULTILINE):
                    if kind in TYPES:
                        found.append(f"{parent}/{name}")
            if not found:
                raise gdb.GdbError("iommu: this machine has none of " + ", ".join(TYPES))
            cls.path = found[0]
        return cls.path


def _monitor(line):
    try:
        return gdb.execute(f"monitor {line}", to_string=True)
    except gdb.error as error:
        raise gdb.GdbError(f"iommu: {error}; attach to QEMU first: target remote ...")


def _set(name, value):
    said = _monitor(f"qom-set -j {_Device.find()} {name} {json.dumps(value)}").strip()
    if said:
        raise gdb.GdbError(f"iommu: {said.removeprefix('Error: ')}")


def ask(topic, words=()):
    """The answer to a question, as Python has JSON."""
    if topic != "stats":
        _set(f"{topic}-request", ",".join(words))
    said = _monitor(f"qom-get {_Device.find()} {topic}")
    if not said.lstrip().startswith("{"):
        raise gdb.GdbError(f"iommu: {said.strip().removeprefix('Error: ') or 'the monitor said nothing'}")
    return json.loads(said)


def _print(lines):
    print("\n".join(lines))


class Iommu(gdb.Command):
    """Ask the guest's IOMMU: faults, walk, walk-interrupt, stream, tlb, queue, stats, break-on-fault, device."""

    def __init__(self):
        super().__init__("iommu", gdb.COMMAND_STATUS, prefix=True)


class _Command(gdb.Command):
    def __init__(self, name, function, text):
        self.__doc__ = text
        self._function = function
        super().__init__(f"iommu {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        self._function(gdb.string_to_argv(argument))


def faults(words):
    _print(describe.faults(ask("faults", words)))


def _last_fault():
    found = ask("faults", ["limit=1"])["faults"]
    if not found:
        raise gdb.GdbError("iommu: no access was refused so far")
    one = found[0]
    words = [f"sid={one['sid']}", f"address={one['address']}", f"access={one['access']}", f"privilege={one['privilege']}"]
    return words + ([f"pasid={one['pasid']}"] if "pasid" in one else [])


def walk(words):
    _print(describe.walk(ask("walk", _last_fault() if words == ["fault"] else words)))


def walk_interrupt(words):
    _print(describe.interrupt(ask("walk-interrupt", words)))


def stream(words):
    _print(describe.tables(ask("stream", words)))


def tlb(words):
    _print(describe.tlb(ask("tlb-entries", words)))


def queue(words):
    _print(describe.queues(ask("queues", words)))


def stats(words):
    print(json.dumps(ask("stats"), indent=2))


def break_on_fault(words):
    if words == ["off"]:
        _set("fault-action", "record")
        print("faults no longer stop the machine")
        return
    _set("fault-filter", ",".join(words))
    _set("fault-action", "stop")
    print(f"the machine stops at {'a fault with ' + ' '.join(words) if words else 'any fault'}")


def device(words):
    if len(words) > 1:
        raise gdb.GdbError("iommu: one path at most")
    if words:
        _Device.path = words[0]
        ask("stats")
    print(_Device.find())


Iommu()
for _name, _function, _text in (
        ("faults", faults, "The last refused accesses, decoded: [sid=00:04.0] [limit=N]."),
        ("walk", walk, "What an access would come to: fault, or sid= address= [access=] [pasid=] [privilege=]."),
        ("walk-interrupt", walk_interrupt, "Where an interrupt message goes: sid= address= data= (VT-d)."),
        ("stream", stream, "The structures of a requester: sid= [pasid=]."),
        ("tlb", tlb, "Cached translations: [vmid=] [asid=] [domain=] [pasid=] [address=] [limit=]."),
        ("queue", queue, "Commands and records in the queues."),
        ("stats", stats, "What has happened so far."),
        ("break-on-fault", break_on_fault, "Stop at faults: [sid=] [pasid=] [first=] [last=] [event=] [access=], or off."),
        ("device", device, "The device that is asked: [PATH].")):
    _Command(_name, _function, _text)
