# SPDX-License-Identifier: GPL-2.0-or-later
"""VT-d as the benchmark programs it: the same registers and tables for every implementation."""

import struct

from . import machine as m
from .machine import Machine
from .tables import BLOCK, PAGE, vtd_first_stage, vtd_second_stage

BAR = 0xfed9_0000
# VT-d 11.4: register offsets.
CAP, GCMD, RTADDR, FSTS, IQT, IQA = 0x08, 0x18, 0x20, 0x34, 0x88, 0x90
TE, SRTP, QIE = 1 << 31, 1 << 30, 1 << 26
QUEUE_SIZE_LOG2 = 10  # IQA.QS 2: 1,024 descriptors of 128 bits
DID, OTHER_DID = 5, 6


def descriptor(low, high=0):
    return struct.pack("<QQ", low, high)


# VT-d 6.5.2: descriptors.
CONTEXT_GLOBAL = descriptor(0x1 | 1 << 4)
IOTLB_GLOBAL = descriptor(0x2 | 1 << 4)
PASID_GLOBAL = descriptor(0x7 | 3 << 4)


def iotlb_domain(did):
    return descriptor(0x2 | 2 << 4 | did << 16)


def iotlb_page(did, address):
    return descriptor(0x2 | 3 << 4 | did << 16, address)


def pasid_all(did):
    return descriptor(0x6 | 2 << 4 | did << 16)


def pasid_page(did, address):
    return descriptor(0x6 | 3 << 4 | did << 16, address)


class VtdMachine(Machine):
    ecam, bar, ram = 0xb000_0000, 0xe000_0000, 0
    scalable = False
    device = "vtd"
    cases = ("legacy-4k", "legacy-2m")
    impls = {
        "none": ([], False),
        "null": (["-device", "winiommu-null"], False),
        "qemu": (["-device", "intel-iommu"], True),
        "winiommu": (["-device", "winiommu-vtd"], True),
    }

    def __init__(self, qemu, impl, firmware=()):
        devices, self.iommu = self.impls[impl]
        super().__init__(qemu, impl, "q35", [*firmware, *devices])
        self.iova = self.data
        if self.iommu:
            self._lay_out()

    def prepare(self):
        """Host bridge register 0x60 (PCIEXBAR) places the ECAM."""
        for offset, value in ((0x64, 0), (0x60, self.ecam | 1)):
            self.qtest.outl(0xcf8, 0x8000_0000 | offset)
            self.qtest.outl(0xcfc, value)

    def _lay_out(self):
        r = self.ram + 0x100000
        (self.root, self.context, self.directory, self.pasid_table, self.ring,
         self.status) = (r + i * 0x1000 for i in (0, 1, 2, 3, 4, 12))
        at = r + 0x10000
        self.trees = {}
        for case, build, page in (("4k", self._build, PAGE), ("2m", self._build, BLOCK),
                                  ("fl", vtd_first_stage, PAGE)):
            tree = build(at)
            tree.map(m.IOVA, self.data, m.DATA_SIZE, page)
            tree.write(self.qtest)
            self.trees[case] = tree
            at = tree.end
        identity = vtd_second_stage(at)
        identity.map(0, 0, 1 << 30)
        identity.write(self.qtest)
        self.trees["identity"] = identity

    _build = staticmethod(vtd_second_stage)

    def configure(self, case):
        if not self.iommu:
            return
        q = self.qtest
        self.iova = self.data if case == "bypass" else m.IOVA
        q.writel(BAR + GCMD, 0)
        for page in (self.root, self.context, self.directory, self.pasid_table):
            q.write(page, bytes(PAGE))
        self._entries(case)
        q.writeq(BAR + RTADDR, self.root | (1 << 10 if self.scalable else 0))
        q.writel(BAR + GCMD, SRTP)
        q.writeq(BAR + IQT, 0)
        # VT-d 11.4.9.9: in scalable mode the descriptors are 256 bits wide.
        wide = int(self.scalable)
        q.writeq(BAR + IQA, self.ring | wide << 11 | QUEUE_SIZE_LOG2 - 8 + wide)
        q.writel(BAR + GCMD, QIE)
        for register, value in ((m.BELL, BAR + IQT), (m.BELL_SHIFT, 4 + wide), (m.BELL_INDEX, 0),
                                (m.BELL_MASK, (1 << QUEUE_SIZE_LOG2) - 1)):
            self.set(register, value)
        flush = [CONTEXT_GLOBAL, PASID_GLOBAL, IOTLB_GLOBAL, self._wait()]
        if not self.scalable:
            flush[1] = IOTLB_GLOBAL
        self.commands(flush, doorbells=1)
        q.writel(BAR + GCMD, QIE | TE)

    def _entries(self, case):
        """VT-d 9.1 root entry, 9.3 context entry: P, TT, SSPTPTR, AW 48 bits, DID."""
        tree = self.trees.get(case.removeprefix("legacy-"))
        kind, table = (0b10, 0) if case == "bypass" else (0b00, tree.base)
        self.qtest.writeq(self.root, self.context | 1)
        self.qtest.write(self.context + m.BENCH_DEVFN * 16,
                         descriptor(table | kind << 2 | 1, 2 | DID << 8))

    def commands(self, pattern, doorbells, per_doorbell=None):
        size = 1 << QUEUE_SIZE_LOG2
        assert size % len(pattern) == 0
        width = 32 if self.scalable else 16
        pattern = [one.ljust(width, b"\0") for one in pattern]
        self.qtest.write(self.ring, b"".join(pattern) * (size // len(pattern)))
        return self.run(m.OP_DOORBELL, count=doorbells,
                        bell_step=per_doorbell or len(pattern))[0]

    def _wait(self):
        """VT-d 6.5.2.8 invalidation wait, status write."""
        return descriptor(0x5 | 1 << 5 | 0x77 << 32, self.status)

    def invalidations(self, case):
        elsewhere = m.IOVA + (1 << 34)
        if case.startswith(("fl", "nested")):
            return {"va": pasid_page(DID, elsewhere), "asid": pasid_all(OTHER_DID),
                    "all": IOTLB_GLOBAL, "sync": self._wait()}
        return {"va": iotlb_page(DID, elsewhere), "asid": iotlb_domain(OTHER_DID),
                "all": IOTLB_GLOBAL, "sync": self._wait()}

    def empty_caches_by_doorbell(self):
        if self.iommu:
            self.commands([IOTLB_GLOBAL, self._wait()], doorbells=1)

    def events_per_failing_dma(self):
        """VT-d 11.4.7.1: fault records with F set after one DMA of 64 bytes to an unmapped address."""
        q = self.qtest
        capability = q.readq(BAR + CAP)
        first, count = (capability >> 24 & 0x3ff) * 16, (capability >> 40 & 0xff) + 1
        self.run(m.OP_READ, base=1 << 46, stride=4096, pages=1, length=64, threads=1, count=1)
        found = 0
        for n in range(count):
            high = q.readq(BAR + first + 16 * n + 8)
            found += high >> 63
            q.writeq(BAR + first + 16 * n + 8, 1 << 63)
        return found

    def check(self):
        """Invalidation queue errors (FSTS.IQE, ICE, ITE); faults were asked for."""
        if self.impl == "winiommu" and self.qtest.readl(BAR + FSTS) & 0x70:
            raise m.QtestError(f"{self.impl}: FSTS is {self.qtest.readl(BAR + FSTS):#x}")


class VtdScalableMachine(VtdMachine):
    scalable = True
    device = "vtd-scalable"
    cases = ("fl-4k", "nested")
    impls = {
        "none": ([], False),
        "null": (["-device", "winiommu-null"], False),
        "qemu": (["-device", "intel-iommu,x-scalable-mode=on,x-flts=on"], True),
        "winiommu": (["-device", "winiommu-vtd,scalable-mode=on"], True),
    }

    def supports(self, case):
        return self.impl != "qemu" or case != "nested"  # QEMU's model has no nested translation

    def _entries(self, case):
        """VT-d 9.2, 9.4, 9.5, 9.6: scalable root, context, PASID directory and PASID table entry."""
        q = self.qtest
        q.writeq(self.root + 8, self.context | 1)  # functions 128..255
        q.write(self.context + (m.BENCH_DEVFN - 128) * 32,
                struct.pack("<4Q", self.directory | 1, 0, 0, 0))
        q.writeq(self.directory, self.pasid_table | 1)
        first, second = self.trees["fl"].base, self.trees["4k"].base
        kind = {"fl-4k": 1, "ss-4k": 2, "nested": 3, "bypass": 4}[case]
        low = 1 | 2 << 2 | kind << 6
        if kind == 2:
            low |= second
        if kind == 3:
            low |= self.trees["identity"].base
        third = first if kind in (1, 3) else 0
        q.write(self.pasid_table, struct.pack("<8Q", low, DID, third, 0, 0, 0, 0, 0))


class VtdSecondStageMachine(VtdScalableMachine):
    """Apart from the first stage, because QEMU's model offers one or the other."""

    cases = ("ss-4k",)
    impls = {**VtdScalableMachine.impls, "qemu": (["-device", "intel-iommu,x-scalable-mode=on"], True)}


class VerifiedVtdMachine(VtdMachine):
    """The unit as it is against the same with its driver watched."""

    device = "vtd-verify"
    cases = ("legacy-4k",)
    impls = {"winiommu": VtdMachine.impls["winiommu"],
             "verify": (["-device", "winiommu-vtd,verify=log"], True)}
