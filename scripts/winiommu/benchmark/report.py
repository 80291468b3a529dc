# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures to a table, to JSON, and against the targets.  Ratios are taken within one run."""

import json
import statistics

IMPLS = ("none", "null", "qemu", "winiommu")
RATIOS = (("winiommu", "null", "ours/null"), ("qemu", "winiommu", "qemu/ours"))


def iqr(samples):
    if len(samples) < 2:
        return 0.0
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return high - low


class Figures:
    def __init__(self, device, impls=IMPLS, ratios=RATIOS):
        self.device = device
        self._impls, self._ratios = impls, ratios
        self._samples = {}

    def add(self, impl, case, point, ns):
        self._samples.setdefault((case, point), {}).setdefault(impl, []).append(ns)

    def cases(self):
        return list(dict.fromkeys(case for case, _ in self._samples))

    def points(self):
        """(case, point) of each figure."""
        return list(self._samples)

    def samples(self, impl, case, point):
        return list(self._samples.get((case, point), {}).get(impl, ()))

    def median(self, impl, case, point):
        samples = self.samples(impl, case, point)
        return statistics.median(samples) if samples else None

    def iqr(self, impl, case, point):
        return iqr(self._samples[(case, point)][impl])

    def paired(self, impl, over, case, point, over_point=None):
        """The ratio of each turn: what the machine does meanwhile, it does to both."""
        return [a / b for a, b in zip(self.samples(impl, case, point),
                                      self.samples(over, case, over_point or point))]

    def ratio(self, impl, over, case, point, over_point=None):
        turns = self.paired(impl, over, case, point, over_point)
        return statistics.median(turns) if turns else None

    def records(self):
        return [{"impl": impl, "device": self.device, "case": case, "point": point,
                 "ns": round(statistics.median(samples), 2),
                 "iqr": round(self.iqr(impl, case, point), 2)}
                for (case, point), by_impl in self._samples.items()
                for impl, samples in by_impl.items()]

    def table(self):
        lines = [f"{self.device}, nanoseconds, median (interquartile range)",
                 f"{'case':8} {'point':16}" + "".join(f"{i:>20}" for i in self._impls)
                 + "".join(f"{name:>16}" for _, _, name in self._ratios)]
        for case, point in self._samples:
            row = f"{case:8} {point:16}"
            for impl in self._impls:
                ns = self.median(impl, case, point)
                row += f"{'-':>20}" if ns is None else (
                    f"{ns:12.1f} ({self.iqr(impl, case, point):.1f})".rjust(20))
            for a, b, _ in self._ratios:
                turns = self.paired(a, b, case, point)
                row += f"{'-':>16}" if not turns else (
                    f"{statistics.median(turns):.2f}x ({iqr(turns):.2f})".rjust(16))
            lines.append(row)
        return "\n".join(lines)


def write_records(path, records):
    with open(path, "w", encoding="utf-8") as out:
        json.dump(records, out, indent=1)
        out.write("\n")


def write_json(path, figures):
    write_records(path, [r for f in figures for r in f.records()])


def judge(name, value, limit, at_most=True):
    """One line a target; a value that was not measured is a miss."""
    met = value is not None and (value <= limit if at_most else value >= limit)
    places = max(2, len(str(limit).partition(".")[2]))
    shown = "not measured" if value is None else f"{value:.{places}f}x"
    return met, f"{'met ' if met else 'MISS'} {name}: {shown}, {'at most' if at_most else 'at least'} {limit}x"
