# SPDX-License-Identifier: GPL-2.0-or-later
"""What an IOMMU answers, as text for people: docs/specs/introspection.rst has the answers' JSON."""
import textwrap

COLUMNS = 100
# Fields of commands and records that are a requester, by both manuals.
REQUESTERS = ("StreamID", "SID")


def narrow(lines):
    """Lines of COLUMNS at most; what is longer goes on below its beginning, two further in."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        yield from textwrap.wrap(line, COLUMNS, subsequent_indent=indent, break_long_words=False,
                                 break_on_hyphens=False) or [line]


def count(number, one, several):
    return f"{number} {one if number == 1 else several}"


def bdf(sid):
    """A requester as PCI writes it; beyond 16 bits a plain number."""
    number = int(sid, 16)
    return number_bdf(number) if number <= 0xffff else sid


def number_bdf(number):
    return f"{number >> 8:02x}:{number >> 3 & 0x1f:02x}.{number & 7}"


def access(one):
    words = [one["access"], "of", one["address"], "by", bdf(one["sid"])]
    for key in ("pasid", "ssid"):
        if key in one:
            words += [key, hex(one[key])]
    if one.get("privilege") == "privileged":
        words.append("privileged")
    return " ".join(words)


def field(name, value):
    shown = f"{name}={value}"
    return f"{shown} ({number_bdf(value)})" if name in REQUESTERS and value <= 0xffff else shown


def fields(values):
    """Fields that are not zero, by the manual's names; whose number a requester is, as that too."""
    return " ".join(field(name, value) for name, value in values.items()
                    if name in REQUESTERS or value not in (0, "0x0")) or "all zero"


def where(one):
    """Which structure a step is about."""
    words = [one["structure"]]
    if "level" in one:
        words.append(f"level {one['level']}")
    if "index" in one:
        words.append(str(one["index"]))
    if "ipa" in one:
        words.append(f"of {one['ipa']}")
    if "at" in one:
        words.append(f"at {one['at']}")
    return " ".join(words)


def step(one, last):
    """One step of a walk as lines; the one that refuses is pointed at."""
    indent = "  " + "  " * one["depth"]
    head = where(one)
    if one.get("problem"):
        head += f": {one['problem'].upper() if last else one['problem']}"
    lines = [indent + head]
    if "raw" in one:
        raw = " ".join(one["raw"]).split()
        while len(raw) > 1 and int(raw[-1], 16) == 0:
            raw.pop()
        lines.append(f"{indent}    raw {' '.join(raw)}")
    if "fields" in one:
        lines.append(f"{indent}    {fields(one['fields'])}")
    result = []
    if "kind" in one and one["kind"] != "invalid":
        result.append(f"{one['kind']} -> {one['output']}" + (f", {one['size']} bytes" if "size" in one else ""))
    if "granted" in one:
        result.append(f"user {one['granted']['user']} privileged {one['granted']['privileged']}")
    if result:
        lines.append(f"{indent}    {'; '.join(result)}")
    if "source" in one:
        lines.append(f"{indent}    {source(one['source'])}")
    lines += [f"{indent}    {cached(entry)}" for entry in one.get("cached", [])]
    return lines


def source(one):
    """Who may use an interrupt's entry, and whether this requester is among them."""
    wanted = {"source-id": lambda: f"{bdf(one['wanted'])}, bits {one['ignored-bits']} ignored",
              "bus": lambda: f"buses {one['first-bus']} to {one['last-bus']}"}.get(one["checked"], lambda: "not verified")
    return f"source {bdf(one['source'])}: {'valid' if one['valid'] else 'NOT VALID'} ({wanted()})"


def cached(one):
    """What a cache holds for a step; what differs from memory stands out."""
    known = {name: value for name, value in one.items() if name not in ("cache", "differs", "rights", "rights-above", "raw")}
    words = [f"{name}={value}" for name, value in known.items()] + one.get("raw", [])
    for name in ("rights", "rights-above"):
        if name in one:
            words.append(f"user {one[name]['user']} privileged {one[name]['privileged']}")
    return f"{one['cache']} {'DIFFERS FROM MEMORY' if one['differs'] else 'agrees'}: {' '.join(words)}"


STALE = "A cache differs from memory: until it is invalidated, the device answers from the cache."


def event(one):
    return f"{one['name']} ({one['number']:#04x}): {fields(one['fields'])}"


def refusal(verdict, steps, mutes):
    """Why not, by the last step, and what software is told."""
    lines = ["verdict: refused"]
    if steps and steps[-1].get("problem"):
        lines = [f"verdict: refused by the {where(steps[-1])} ({steps[-1]['problem']})"]
    if verdict["event"]:
        return [*lines, f"    {event(verdict['event'])}"]
    muted = f"; {mutes} {verdict['muted']}" if "muted" in verdict else ""
    return [*lines, f"    no event{muted}"]


def walk(answer):
    lines = [f"walk: {access(answer['request'])}"]
    verdict, steps = answer["verdict"], answer["steps"]
    refused = verdict["result"] == "refused"
    for number, one in enumerate(steps):
        lines += step(one, refused and number == len(steps) - 1)
    if refused:
        lines += refusal(verdict, steps, "the tables mute")
    else:
        block = f", block {int(verdict['mask'], 16) + 1:#x} bytes" if verdict["result"] == "translated" else ""
        lines.append(f"verdict: {verdict['result']} to {verdict['output']}{block}")
    return lines + ([STALE] if answer["stale"] else [])


def interrupt(answer):
    asked = answer["request"]
    lines = [f"walk-interrupt: {asked['data']} to {asked['address']} by {bdf(asked['sid'])}, "
             f"remapping {'on' if answer['enabled'] else 'off'}"]
    verdict = answer["verdict"]
    refused = verdict["result"] == "refused"
    for number, one in enumerate(answer["steps"]):
        lines += step(one, refused and number == len(answer["steps"]) - 1)
    if refused:
        lines += refusal(verdict, answer["steps"], "the entry mutes")
    else:
        both = {**verdict["address-fields"], **verdict["data-fields"]}
        lines.append(f"verdict: {verdict['result']}, {verdict['data']} to {verdict['address']}: {fields(both)}")
    return lines + ([STALE] if answer["stale"] else [])


def tables(answer):
    lines = [f"requester {bdf(answer['sid'])}, translation {'on' if answer['enabled'] else 'off'}"]
    for one in answer["steps"]:
        lines += step(one, bool(answer["problem"]))
    if answer["problem"]:
        lines.append(f"problem: {answer['problem']}")
    return lines


def interrupt_index(one):
    """Of a refused interrupt, whose record has its index in place of an address (VT-d); None: it was an access."""
    return one["event"]["fields"].get("InterruptIndex") if one["event"] else None


def faults(answer):
    sources = ", ".join(f"{bdf(one['sid'])} {one['count']}" for one in answer["sources"])
    lines = [count(answer["total"], "refused access", "refused accesses") + (f"; by requester: {sources}" if sources else "")]
    for one in answer["faults"]:
        seconds = one["virtual_ns"] / 1e9
        index = interrupt_index(one)
        what = access(one) if index is None else f"interrupt request {index} by {bdf(one['sid'])}"
        lines.append(f"  #{one['serial']} {one['wall']} (machine {seconds:.6f} s) {what}")
        lines.append("      " + (event(one["event"]) if one["event"] else "no event") +
                     ("" if one["recorded"] else " (software is not told)"))
    return lines


def unit(name, kind, bus, sids, told):
    """A unit, its requesters as numbers, and the counts of faults of its `stats`."""
    head = f"{name}: {kind}" + ("" if name == bus else f" of bus {bus}")
    lines = [f"{head}; {told['total']} refused, stopped {count(told['stops'], 'time', 'times')}"]
    return lines + [f"    {' '.join(number_bdf(sid) for sid in sids) or 'no requester'}"]


def tlb(answer):
    lines = [f"{answer['live']} live of {answer['capacity']}, {answer['matching']} match"]
    names = [name for name in ("vmid", "asid", "domain", "pasid")]
    for one in answer["entries"]:
        owner = " ".join(f"{name}={one[name]}" for name in names if name in one)
        lines.append(f"  {owner} {one['input']} -> {one['output']}, {one['size']} bytes, user {one['rights']['user']} "
                     f"privileged {one['rights']['privileged']}{' nested' if one['nested'] else ''}")
    return lines


OVERWRITTEN = "unknown: no command stands in the slot now; Linux has a CMD_SYNC's completion written there"


def entry(one):
    """What stands in a slot; doublewords, where that is nothing known."""
    if one.get("name", "unknown") != "unknown":
        return f"{one['name']}: {fields(one['fields'])}"
    return f"unknown: raw {' '.join(one['raw'])}" if one.get("raw") else "unreadable"


def queues(answer):
    lines = []
    for name in ("commands", "invalidations", "events"):
        queue = answer.get(name)
        if queue is None:
            continue
        lines.append(f"{name}: {'on' if queue['enabled'] else 'off'}, {queue['slots']} slots at {queue['base']}, "
                     f"{queue['waiting']} waiting")
        shown = [(which, one) for which in ("recent", "pending") for one in queue.get(which, []) if queue["enabled"]]
        lines += [f"  {which} [{one['index']}] {entry(one)}" for which, one in shown]
        if name == "commands" and any(one.get("name") == "unknown" for _, one in shown):
            lines.append(f"  ({OVERWRITTEN})")
    for one in answer.get("faults", []):
        lines.append(f"  fault record [{one['index']}] {one['name']}: {fields(one['fields'])}")
    return lines
