# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: each point is a name and a function from a machine to nanoseconds per unit."""

from . import machine as m

TARGET_NS = 5_000_000   # how long one sample aims to take
SLICES = 4              # samples of a translation in a round: short ones, in turn, meet the same machine
PROBE_DOORBELLS = 20
UNMAPPED = 1 << 46      # nobody maps it; within every input size
DENIED_BY_NULL = 1 << 47


def _count(machine, key, operation, **registers):
    """How many accesses fill a sample, found once per machine and point."""
    known = machine.__dict__.setdefault("counts", {})
    if key not in known:
        probe, _ = machine.run(operation, count=2000, **registers)
        known[key] = max(2000, min(4_000_000, TARGET_NS * 2000 // max(probe, 1)))
    return known[key]


def _sample(machine, key, operation, expect_success=True, **registers):
    registers = {"base": machine.iova, "stride": 4096, "length": 64, "threads": 1, **registers}
    count = _count(machine, key, operation, **registers)
    if expect_success:
        # The others' turns emptied the processor's caches; what is measured is the steady state.
        machine.run(operation, count=registers["pages"], **registers)
    ns, done = machine.run(operation, count=count, **registers)
    expected = count * registers["threads"] if expect_success else 0
    if done != expected:
        remark = f"{machine.impl} {key}: {done} accesses succeeded, not {expected}"
        if machine.impl == "winiommu" or registers["threads"] == 1:
            raise m.QtestError(remark)
        machine.remarks[remark.split(":")[0]] = remark  # QEMU's own model loses some: said, not hidden
    return ns / count


def translate(pages, threads=1):
    name = f"xl-{pages}" + ("-2thr" if threads == 2 else "")
    return name, lambda machine: _sample(machine, name, m.OP_TRANSLATE, pages=pages,
                                         threads=threads) / threads


def read(length, pages, stride=4096, threads=1):
    label = f"{length}" if length < 1024 else f"{length // 1024}k"
    name = f"rd{label}-{pages}" + ("-2thr" if threads == 2 else "")
    return name, lambda machine: _sample(machine, name, m.OP_READ, length=length, pages=pages,
                                         stride=stride, threads=threads) / threads


def fault():
    def run(machine):
        base = DENIED_BY_NULL if machine.impl == "null" else UNMAPPED
        return _sample(machine, "fault", m.OP_READ, expect_success=False, pages=64, base=base)
    return "fault-rd64", run


def cold(pages=256):
    """The first access to each page after everything was invalidated."""
    def run(machine):
        machine.empty_caches_by_doorbell()
        count = 100
        ns, done = machine.run(m.OP_COLD, base=machine.iova, stride=4096, pages=pages,
                               threads=1, count=count)
        if done != count * pages:
            raise m.QtestError(f"{machine.impl} cold: {done} translations, not {count * pages}")
        return ns / (count * pages)
    return f"cold-{pages}", run


def translations():
    return [translate(n) for n in (1, 64, 1024, 65536)] + [
        read(64, 64), read(64, 65536), read(4096, 65536), read(65536, 64, stride=65536),
        read(64, 1024), read(64, 1024, threads=2), fault()]


def _ring(machine, key, pattern):
    """Nanoseconds a doorbell, each with the whole pattern behind it; as many as fill a sample."""
    known = machine.__dict__.setdefault("doorbells", {})
    if key not in known:
        probe = machine.commands(pattern, doorbells=PROBE_DOORBELLS)
        known[key] = max(PROBE_DOORBELLS, min(100_000, TARGET_NS * PROBE_DOORBELLS // max(probe, 1)))
    return machine.commands(pattern, doorbells=known[key]) / known[key]


def invalidation(case, kind, cached):
    """Per command, 256 a doorbell; `cached` pages are in the TLB and stay there."""
    name = f"inv-{kind}-{cached}"

    def run(machine):
        _cache(machine, case, cached)
        return _ring(machine, (case, name), [machine.invalidations(case)[kind]] * 256) / 256
    return name, run


def strict_unmap(case, cached):
    """One invalidation by address and one sync, each pair its own doorbell."""
    name = f"strict-{cached}"

    def run(machine):
        commands = machine.invalidations(case)
        _cache(machine, case, cached)
        return _ring(machine, (case, name), [commands["va"], commands["sync"]])
    return name, run


def _cache(machine, case, pages):
    """Exactly the given number of pages cached, or as many as fit: `full`."""
    machine.commands([machine.invalidations(case)["all"]] * 4, doorbells=1)
    n = 65536 if pages == "full" else pages
    if n:
        machine.run(m.OP_TRANSLATE, base=machine.iova, stride=4096, pages=n, count=n, threads=1)


def invalidations(case):
    points = [invalidation(case, "sync", 0), invalidation(case, "all", 0)]
    for cached in (0, 256, "full"):
        points += [invalidation(case, "va", cached), invalidation(case, "asid", cached),
                   strict_unmap(case, cached)]
    return points
