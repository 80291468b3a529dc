# SPDX-License-Identifier: GPL-2.0-or-later
"""What introspection and verify mode cost in the core: bench/core/hooks_bench.cpp, sample by sample.

Four take turns: the core without the hooks, the core with them and everything off, with the list of refused accesses,
which is the default, and with verify=log. On a busy machine the least of many samples says most, and instructions,
which valgrind counts, say it exactly."""

import re
import shutil
import statistics
import subprocess

from .. import ui
from . import processors
from .report import iqr, judge

DEVICES = ("smmuv3", "vtd")
CASES = ("answer", "hit", "walk", "fault", "unmap")
# Way: program, mode.
WAYS = {"without": ("hooks-bench-bare", "off"), "off": ("hooks-bench", "off"),
        "list": ("hooks-bench", "list"), "log": ("hooks-bench", "log")}
TARGETS = [f"bench/core/{program}" for program in ("hooks-bench", "hooks-bench-bare")]
SAMPLE_NS = 20_000_000
COUNTED = 2048  # operations; a multiple of what the program goes round
# What may be added with everything off, in instructions: nothing (a fraction of one is the start of the process);
# two counters and two tests of a pointer where software rings a doorbell; and finding the list off where an access is
# refused.
LIMITS = {"answer": 1.001, "hit": 1.001, "walk": 1.001, "unmap": 1.01, "fault": 1.02}


def _run(directory, way, device, case, count, prefix=()):
    program, mode = WAYS[way]
    done = subprocess.run([*prefix, str(directory / "bench/core" / program), device, case, str(count), mode],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise ui.Error(f"{program} {device} {case} failed: {done.stderr.strip()}")
    return done


def samples(directory, device, case, rounds):
    """Nanoseconds an operation: {way: [one a round]}."""
    counts = {way: max(1000, SAMPLE_NS * 2000 // max(1, int(_run(directory, way, device, case, 2000).stdout)))
              for way in WAYS}
    out = {way: [] for way in WAYS}
    for turn in range(rounds):
        with processors.on(turn):
            for way, count in counts.items():
                out[way].append(int(_run(directory, way, device, case, count).stdout) / count)
    return out


def instructions(directory, way, device, case):
    """Instructions an operation, exactly; None without valgrind."""
    if not shutil.which("valgrind"):
        return None
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    counts = []
    for times in (1, 3):
        said = _run(directory, way, device, case, times * COUNTED, valgrind).stderr
        counts.append(int(re.search(r"Collected : (\d+)", said)[1]))
    return (counts[1] - counts[0]) / (2 * COUNTED)


def run(directory, rounds):
    """Prints tables and verdicts; (records, 0 when all targets are met)."""
    records, verdicts = [], []
    print("introspection and verify mode in the core: nanoseconds, least / median (interquartile range), instructions")
    print(f"{'device':8}{'case':8}" + "".join(f"{way:>36}" for way in WAYS))
    for device in DEVICES:
        for case in CASES:
            ns = samples(directory, device, case, rounds)
            counted = {way: instructions(directory, way, device, case) for way in WAYS}
            row = f"{device:8}{case:8}"
            for way in WAYS:
                shown = f"{min(ns[way]):.1f} / {statistics.median(ns[way]):.1f} ({iqr(ns[way]):.1f})"
                row += f"{shown:>26}{'-' if counted[way] is None else f'{counted[way]:.1f}':>10}"
                records.append({"impl": way, "device": device, "case": "hooks", "point": case,
                                "ns": round(statistics.median(ns[way]), 2), "min": round(min(ns[way]), 2),
                                "iqr": round(iqr(ns[way]), 2), "instructions": counted[way]})
            print(row, flush=True)
            if counted["off"] is not None:
                verdicts.append(judge(f"{device} {case}: instructions with everything off over without",
                                      counted["off"] / counted["without"], LIMITS[case]))
    for _, line in verdicts:
        print(line)
    if not verdicts:
        print("instructions are not counted: valgrind is not installed")
    return records, 0 if all(met for met, _ in verdicts) else 1
