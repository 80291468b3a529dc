# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine a benchmark runs on: one QEMU with winiommu-bench behind one IOMMU, or none."""

from . import processors
from .qtest import Qtest, QtestError

# winiommu-bench's registers: hw/misc/winiommu-bench.c.
(RUN, BASE, PAGES, STRIDE, LENGTH, COUNT, THREADS, BELL, BELL_MASK, BELL_STEP, BELL_SHIFT,
 BELL_INDEX, NS, DONE) = range(0, 14 * 8, 8)
OP_TRANSLATE, OP_READ, OP_DOORBELL, OP_COLD, OP_EMPTY = range(1, 6)

BENCH_SLOT = 0x1e
BENCH_DEVFN = BENCH_SLOT << 3
DATA_SIZE = 256 << 20  # 65,536 pages
IOVA = 0x1_0000_0000


def scattered(page):
    """Where that page of the data lies when no two in a row lie in a row: a permutation of them all."""
    return page * 0x9e3f % (DATA_SIZE // 4096)  # odd, so nobody meets


class Machine:
    """Subclasses say where things are and how their IOMMU is programmed."""

    ecam = bar = ram = 0

    def __init__(self, qemu, impl, machine, devices):
        self.impl = impl
        self.remarks = {}
        self._home = self._place = None
        self.qtest = Qtest([qemu, "-M", machine, "-m", "1G", *devices,
                            "-device", f"winiommu-bench,addr={BENCH_SLOT:#x}"])
        self.prepare()
        self._place_bench()
        self.qtest.fill(self.data, DATA_SIZE, 0x5a)
        self.set(BELL, self.data)  # without an IOMMU a doorbell is a store to RAM

    @property
    def data(self):
        return self.ram + (512 << 20)

    def prepare(self):
        """Whatever firmware would have done before PCI can be reached."""

    def supports(self, case):
        """False for what QEMU's own device cannot do."""
        return True

    def _place_bench(self):
        config = self.ecam + (BENCH_DEVFN << 12)
        if self.qtest.readl(config) != 0x11f1_1234:
            raise QtestError(f"{self.impl}: winiommu-bench does not answer in its slot")
        self.qtest.writel(config + 0x10, self.bar)
        self.qtest.writel(config + 0x04, 0x6)  # memory space, bus master

    def set(self, register, value):
        self.qtest.writeq(self.bar + register, value)

    def settle(self, turn):
        """Until the next call one thread runs on that turn's processor."""
        self._home = processors.of_turn(turn)

    def _go(self, place):
        if place is not None and place != self._place:
            self.qtest.move(place)
            self._place = place

    def run(self, operation, **registers):
        """Nanoseconds, and how many accesses succeeded."""
        self._go(self._home if registers.get("threads", 1) == 1 else processors.ALL)
        for name, value in {"threads": 1, "pages": 1, **registers}.items():
            self.set(globals()[name.upper()], value)
        self.set(RUN, operation)
        ns = self.qtest.readq(self.bar + NS)
        if ns == 0:
            raise QtestError(f"{self.impl}: winiommu-bench ran nothing: {operation}, {registers}")
        return ns, self.qtest.readq(self.bar + DONE)

    def close(self):
        self.qtest.close()
