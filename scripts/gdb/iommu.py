# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands for a gdb that is attached to a guest through QEMU's gdbstub: `source scripts/gdb/iommu.py`.

    iommu units                            the machine's IOMMUs, and who is behind each
    iommu faults [sid=00:04.0] [limit=N]
    iommu walk sid=00:04.0 address=0x1000 [access=write] [pasid=N] [privilege=privileged]
    iommu walk fault [sid=00:04.0]         the access that was refused last
    iommu walk-interrupt sid=00:04.0 address=0xfee00010 data=0     where an MSI goes (VT-d)
    iommu stream sid=00:04.0 [pasid=N]     its STE and CD, or root, context and PASID entries
    iommu tlb [vmid=N] [asid=N] [domain=N] [pasid=N] [address=A] [limit=N]
    iommu queue                            what waits in the queues, and what was done last
    iommu stats
    iommu break-on-fault [sid=] [pasid=] [first=] [last=] [event=] [access=] | off

A machine may have several units. A question about a requester goes to the unit that it is behind, any
other to all of them; `--unit NAME` goes to that one alone. faults, tlb, queue and stats take sid= too.

They go through the monitor: `monitor qom-get PATH walk` and so on.
"""
import json
import os
import re
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import describe  # noqa: E402

TYPES = ("winiommu-smmuv3", "winiommu-vtd", "winiommu-vtd-unit")
# VT-d 7.1.3: of these refused interrupts the index in the request is known, and with it the request.
INDEXED = (0x21, 0x22, 0x23, 0x24, 0x26)


def _fail(line):
    raise gdb.GdbError(f"iommu: {line}")


def _monitor(line):
    command = f"monitor {line}"
    try:
        # `set trace-commands on` has the command itself in what it says.
        return re.sub(rf"\A\++{re.escape(command)}\n", "", gdb.execute(command, to_string=True))
    except gdb.error as error:
        _fail(f"{str(error).strip().rstrip('.')}; is this gdb attached to a QEMU that stands still? "
              "target remote ADDRESS, Ctrl-C")


def _json(said):
    if not said.lstrip().startswith("{"):
        _fail(said.strip().removeprefix("Error: ") or "the monitor said nothing")
    return json.loads(said)


class Unit:
    """One IOMMU: `path` in QOM, `bus` it serves, `sids` behind it as numbers, and the `name` people call it."""

    def __init__(self, path, kind):
        behind = _json(_monitor(f"qom-get {path} requesters"))
        self.path, self.kind, self.bus = path, kind, behind["bus"]
        self.sids = sorted({int(sid, 16) for sid in behind["sids"]})
        parent, _, last = path.rpartition("/")
        # Without an id= QEMU counts all such devices, whatever they are.
        self.name = last if parent.endswith("/peripheral") else self.bus

    def set(self, name, value):
        said = _monitor(f"qom-set -j {self.path} {name} {json.dumps(value)}").strip()
        if said:
            _fail(said.removeprefix("Error: "))

    def ask(self, topic, words=()):
        """The answer to a question, as Python has JSON."""
        if topic != "stats":
            self.set(f"{topic}-request", ",".join(words))
        return _json(_monitor(f"qom-get {self.path} {topic}"))


def units():
    """All of the machine, by the first requester of each; at least one."""
    found = []
    for parent in ("/machine/peripheral", "/machine/peripheral-anon"):
        for name, kind in re.findall(r"^(\S+) \(child<([^>]*)>\)", _monitor(f"qom-list {parent}"), re.MULTILINE):
            if kind in TYPES:
                found.append(Unit(f"{parent}/{name}", kind))
    if not found:
        _fail(f"this machine has none of {', '.join(TYPES)}")
    return sorted(found, key=lambda unit: unit.sids[:1] or [1 << 24])


def _number(sid):
    """A requester as the device reads it: 00:04.0, 0x20 or 32. None: that is none, as the device then says."""
    part = re.fullmatch(r"([0-9a-fA-F]+):([0-9a-fA-F]+)\.([0-7])", sid)
    if part:
        bus, device, function = (int(text, 16) for text in part.groups())
        return bus << 8 | device << 3 | function
    return int(sid, 0) if re.fullmatch(r"0[xX][0-9a-fA-F]+|[1-9][0-9]*|0", sid) else None


class Request:
    """A command's words: which of `units` are asked, what, and whether the words said so."""

    def __init__(self, words):
        self.units, self.words = units(), list(words)
        self.several = len(self.units) > 1
        self.sid = next((word[4:] for word in self.words if word.startswith("sid=")), None)
        self.chosen = self._named()

    def _named(self):
        """What --unit names is the only one from here on."""
        if "--unit" not in self.words:
            return False
        at = self.words.index("--unit")
        name = next(iter(self.words[at + 1:at + 2]), None)
        del self.words[at:at + 2]
        known = ", ".join(unit.name for unit in self.units)
        if name is None:
            _fail(f"--unit needs a name: {known}")
        if "--unit" in self.words:
            _fail("--unit is given twice")
        found = [unit for unit in self.units if name in (unit.name, unit.path)]
        if len(found) != 1:
            _fail(f"{'several units are' if found else 'there is no unit'} '{name}'; there are {known}")
        self.units = found
        return True

    def owners(self):
        """The units that the requester is behind: one, but for a guest that numbers its buses twice."""
        number = None if self.sid is None else _number(self.sid)
        return [unit for unit in self.units if number in unit.sids]

    def one(self):
        """The unit to ask about a requester."""
        if len(self.units) == 1:
            return self.units[0]
        if self.sid is None:
            _fail("sid= is missing, or --unit NAME ('iommu units' lists them)")
        found = self.owners()
        if len(found) != 1:
            _fail(f"{self.sid} is behind {'several units' if found else 'no unit'}; "
                  "--unit NAME says which one to ask ('iommu units' lists them)")
        return found[0]

    def some(self):
        """All units, or those of the requester if it is behind any."""
        return (not self.chosen and self.owners()) or self.units

    def without_sid(self):
        """For questions that are not about a requester: it has only chosen the unit."""
        if self.sid is not None and not self.chosen:
            self.units = [self.one()] if self.several else self.units
        return [word for word in self.words if not word.startswith("sid=")]


def _print(lines):
    print("\n".join(describe.narrow(lines)))


def _heading(request, unit):
    return [f"unit {unit.name}:"] if request.several else []


def _answers(request, topic, show, asked, words):
    """What each unit of `asked` says, below its name if there are several."""
    lines = []
    for unit in asked:
        lines += _heading(request, unit) + show(unit.ask(topic, words))
    _print(lines)


def list_units(words):
    if words:
        _fail("units takes no argument")
    lines = []
    for unit in units():
        told = unit.ask("stats")["faults"]
        lines += describe.unit(unit.name, unit.kind, unit.bus, unit.sids, told)
    _print(lines)


def faults(words):
    request = Request(words)
    _answers(request, "faults", describe.faults, request.some(), request.words)


def _last_fault(request):
    """The unit that refused last, and the fault."""
    request.words.remove("fault")
    only = [word for word in request.words if word.startswith("sid=")]
    if request.words != only or len(only) > 1:
        _fail("walk fault takes sid= and --unit only")
    found = [(one, unit) for unit in request.some() for one in unit.ask("faults", [*only, "limit=1"])["faults"][-1:]]
    if not found:
        _fail("no access was refused so far" + (f", by {request.sid}" if only else ""))
    one, unit = max(found, key=lambda pair: pair[0]["virtual_ns"])
    return unit, one


def _dma_words(one):
    words = [f"sid={one['sid']}", f"address={one['address']}", f"access={one['access']}", f"privilege={one['privilege']}"]
    return words + ([f"pasid={one['pasid']}"] if "pasid" in one else [])


def _interrupt_words(one, index):
    """The message that names an index, in the remappable format without a subhandle: VT-d 5.1.2.2."""
    if one["event"]["number"] not in INDEXED:
        _fail(f"the last refused request is an interrupt of {describe.bdf(one['sid'])}, {one['event']['name']}, of which "
              "no address and data are known: iommu walk-interrupt sid= address= data=")
    address = 0xfee00010 | (index & 0x7fff) << 5 | index >> 15 << 2
    return [f"sid={one['sid']}", f"address={address:#x}", "data=0"]


def walk(words):
    request = Request(words)
    if "fault" not in request.words:
        _answers(request, "walk", describe.walk, [request.one()], request.words)
        return
    unit, one = _last_fault(request)
    index = describe.interrupt_index(one)
    if index is None:
        _answers(request, "walk", describe.walk, [unit], _dma_words(one))
    else:
        _answers(request, "walk-interrupt", describe.interrupt, [unit], _interrupt_words(one, index))


def walk_interrupt(words):
    request = Request(words)
    _answers(request, "walk-interrupt", describe.interrupt, [request.one()], request.words)


def stream(words):
    request = Request(words)
    _answers(request, "stream", describe.tables, [request.one()], request.words)


def tlb(words):
    request = Request(words)
    rest = request.without_sid()
    _answers(request, "tlb-entries", describe.tlb, request.units, rest)


def queue(words):
    request = Request(words)
    rest = request.without_sid()
    _answers(request, "queues", describe.queues, request.units, rest)


def stats(words):
    request = Request(words)
    if request.without_sid():
        _fail("stats takes sid= and --unit only")
    _answers(request, "stats", lambda told: json.dumps(told, indent=2).splitlines(), request.units, ())


def break_on_fault(words):
    request = Request(words)
    whose = f" of unit {request.units[0].name}" if request.chosen else ""
    if request.words == ["off"]:
        for unit in request.units:
            unit.set("fault-action", "record")
        print(f"faults{whose} no longer stop the machine")
        return
    # All filters first: one that is refused arms nobody. The guest may number a requester's bus later.
    for unit in request.units:
        unit.set("fault-filter", ",".join(request.words))
    for unit in request.units:
        unit.set("fault-action", "stop")
    which = f"a fault{whose} with {' '.join(request.words)}" if request.words else f"any fault{whose}"
    print(f"the machine stops at {which}" + (f", in any of {len(request.units)} units" if len(request.units) > 1 else ""))


class Iommu(gdb.Command):
    """Ask the guest's IOMMUs: units, faults, walk, walk-interrupt, stream, tlb, queue, stats, break-on-fault."""

    def __init__(self):
        super().__init__("iommu", gdb.COMMAND_STATUS, prefix=True)


class _Command(gdb.Command):
    def __init__(self, name, function, text):
        self.__doc__ = text
        self._function = function
        super().__init__(f"iommu {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        self._function(gdb.string_to_argv(argument))


Iommu()
for _name, _function, _text in (
        ("units", list_units, "The machine's IOMMUs, and who is behind each."),
        ("faults", faults, "The last refused accesses, decoded: [sid=00:04.0] [limit=N]."),
        ("walk", walk, "What an access would come to: fault, or sid= address= [access=] [pasid=] [privilege=]."),
        ("walk-interrupt", walk_interrupt, "Where an interrupt message goes: sid= address= data= (VT-d)."),
        ("stream", stream, "The structures of a requester: sid= [pasid=]."),
        ("tlb", tlb, "Cached translations: [sid=] [vmid=] [asid=] [domain=] [pasid=] [address=] [limit=]."),
        ("queue", queue, "Commands and records in the queues: [sid=]."),
        ("stats", stats, "What has happened so far: [sid=]."),
        ("break-on-fault", break_on_fault, "Stop at faults: [sid=] [pasid=] [first=] [last=] [event=] [access=], or off.")):
    _Command(_name, _function, _text + ("" if _name == "units" else "\nOf several units one alone: --unit NAME."))
