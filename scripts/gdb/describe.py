# SPDX-License-Identifier: GPL-2.0-or-later
"""What an IOMMU answers, as text for people: docs/specs/introspection.rst has the answers' JSON."""


def bdf(sid):
    """A requester as PCI writes it; beyond 16 bits a plain number."""
    number = int(sid, 16)
    if number > 0xffff:
        return sid
    return f"{number >> 8:02x}:{number >> 3 & 0x1f:02x}.{number & 7}"


def access(one):
    words = [one["access"], "of", one["address"], "by", bdf(one["sid"])]
    for key in ("pasid", "ssid"):
        if key in one:
            words += [key, hex(one[key])]
    if one.get("privilege") == "privileged":
        words.append("privileged")
    return " ".join(words)


def fields(values):
    """Fields that are not zero, by the manual's names."""
    return " ".join(f"{name}={value}" for name, value in values.items() if value not in (0, "0x0")) or "all zero"


def step(one, last):
    """One step of a walk as lines; the one that refuses is pointed at."""
    indent = "  " + "  " * one["depth"]
    head = one["structure"] + (f" level {one['level']}" if "level" in one else "")
    head += f" {one['index']}" if "index" in one else ""
    if "ipa" in one:
        head += f" of {one['ipa']}"
    if "at" in one:
        head += f" at {one['at']}"
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


def walk(answer):
    lines = [f"walk: {access(answer['request'])}"]
    verdict, steps = answer["verdict"], answer["steps"]
    refused = verdict["result"] == "refused"
    for number, one in enumerate(steps):
        lines += step(one, refused and number == len(steps) - 1)
    if refused:
        muted = f"; the tables mute {verdict['muted']}" if "muted" in verdict else ""
        lines.append("verdict: refused, " + (event(verdict["event"]) if verdict["event"] else f"no event{muted}"))
    else:
        lines.append(f"verdict: {verdict['result']} to {verdict['output']}, block {int(verdict['mask'], 16) + 1:#x} bytes")
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
        muted = f"; the entry mutes {verdict['muted']}" if "muted" in verdict else ""
        lines.append("verdict: refused, " + (event(verdict["event"]) if verdict["event"] else f"no event{muted}"))
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


def faults(answer):
    lines = [f"{answer['total']} refused accesses; by requester: " +
             (", ".join(f"{bdf(one['sid'])} {one['count']}" for one in answer["sources"]) or "none")]
    for one in answer["faults"]:
        seconds = one["virtual_ns"] / 1e9
        lines.append(f"  #{one['serial']} {one['wall']} (machine {seconds:.6f} s) {access(one)}")
        lines.append("      " + (event(one["event"]) if one["event"] else "no event") +
                     ("" if one["recorded"] else " (software is not told)"))
    return lines


def tlb(answer):
    lines = [f"{answer['live']} live of {answer['capacity']}, {answer['matching']} match"]
    names = [name for name in ("vmid", "asid", "domain", "pasid")]
    for one in answer["entries"]:
        owner = " ".join(f"{name}={one[name]}" for name in names if name in one)
        lines.append(f"  {owner} {one['input']} -> {one['output']}, {one['size']} bytes, user {one['rights']['user']} "
                     f"privileged {one['rights']['privileged']}{' nested' if one['nested'] else ''}")
    return lines


def queues(answer):
    lines = []
    for name in ("commands", "invalidations", "events"):
        queue = answer.get(name)
        if queue is None:
            continue
        lines.append(f"{name}: {'on' if queue['enabled'] else 'off'}, {queue['slots']} slots at {queue['base']}, "
                     f"{queue['waiting']} waiting")
        for which in ("recent", "pending"):
            for one in queue.get(which, []):
                lines.append(f"  {which} [{one['index']}] {one.get('name', 'unreadable')}: {fields(one.get('fields', {}))}")
    for one in answer.get("faults", []):
        lines.append(f"  fault record [{one['index']}] {one['name']}: {fields(one['fields'])}")
    return lines
