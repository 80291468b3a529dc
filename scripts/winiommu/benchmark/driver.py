# SPDX-License-Identifier: GPL-2.0-or-later
"""What mapping costs through the reference driver, in process: contract/bench_main.cpp's samples as figures."""

import statistics
import subprocess

from .. import ui
from . import cases, processors
from .report import Figures, judge

MACHINES = {"smmuv3": ("virt",), "vtd": ("q35", "q35-scalable")}
CASE = "map"


class DriverFigures(Figures):
    """Nanoseconds of a map and an unmap, and the share of them that the device took."""

    def __init__(self, device):
        super().__init__(device)
        self.pages, self.shares = {}, {}

    def take(self, text):
        """Adds lines of: machine, point, pages, nanoseconds, share."""
        for line in text.splitlines():
            _, point, pages, ns, share = line.split()
            self.add("winiommu", CASE, point, float(ns))
            self.pages[point] = int(pages)
            self.shares.setdefault(point, []).append(float(share))

    def ns(self, point):
        return self.median("winiommu", CASE, point)

    def per_page(self, point):
        return self.ns(point) / self.pages[point]

    def over(self, point, other):
        """How many times as long as the other, turn by turn: the host does to both what it does."""
        return self.ratio("winiommu", "winiommu", CASE, point, over_point=other)

    def records(self):
        return [dict(one, pages=self.pages[one["point"]],
                     device_share=round(statistics.median(self.shares[one["point"]]), 3)) for one in super().records()]

    def table(self):
        lines = [f"{self.device}: map and unmap through the reference driver, median (interquartile range)",
                 f"{'point':18}{'ns':>20}{'per second':>14}{'ns a page':>12}{'in the device':>15}"]
        for point, shares in self.shares.items():
            shown = f"{self.ns(point):.0f} ({self.iqr('winiommu', CASE, point):.0f})"
            lines.append(f"{point:18}{shown:>20}{1e9 / self.ns(point):>14,.0f}{self.per_page(point):>12.1f}"
                         f"{statistics.median(shares):>14.0%}")
        return "\n".join(lines)


def verdicts(figures):
    """A page costs less in a large mapping, and no more when much is mapped already."""
    name, pages = figures.device, figures.pages
    return [judge(f"{name}: a page of 1 MiB over a page alone",
                  figures.over("1m", "4k") * pages["4k"] / pages["1m"], 0.25),
            judge(f"{name}: one page with 65,536 mapped over none", figures.over("4k-crowded", "4k"), 1.5),
            judge(f"{name}: 1 MiB with 65,536 mapped over none", figures.over("1m-crowded", "1m"), 1.5),
            judge(f"{name}: one allocated page with 65,536 over none", figures.over("buddy-4k-crowded", "buddy-4k"), 1.5)]


def measure(program, device, rounds):
    """Yields (figures, verdicts) of each machine with that device."""
    for machine in MACHINES[device]:
        figures = DriverFigures(f"driver-{machine}")
        print(f"measuring {figures.device}", flush=True)
        with processors.on(0):
            done = subprocess.run([str(program), machine, str(rounds * cases.SLICES)], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise ui.Error(f"{program} {machine} failed: {done.stderr.strip()}")
        figures.take(done.stdout)
        yield figures, verdicts(figures)
