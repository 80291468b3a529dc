# SPDX-License-Identifier: GPL-2.0-or-later
"""SMMUv3 as the benchmark programs it: the same registers and tables for every implementation."""

import struct

from . import machine as m
from .machine import Machine
from .tables import BLOCK, PAGE, arm_stage1, arm_stage2

# SMMU 6.3: register offsets.
CR0, CR1, GERROR, GERRORN = 0x20, 0x28, 0x60, 0x64
STRTAB_BASE, STRTAB_BASE_CFG = 0x80, 0x88
CMDQ_BASE, CMDQ_PROD, CMDQ_CONS = 0x90, 0x98, 0x9c
EVENTQ_BASE, EVENTQ_PROD, EVENTQ_CONS = 0xa0, 0x100a8, 0x100ac

RING_LOG2 = 10
ASID, VMID = 7, 9
# SMMU 4.1: opcodes.
NH_ASID, NH_VA, S12_VMALL, S2_IPA, NSNH_ALL, SYNC, CFGI_ALL = (
    0x11, 0x12, 0x28, 0x2a, 0x30, 0x46, 0x04)

CASES = ("s1-4k", "s1-2m", "s2", "nested")
SCATTERED = "s1-scattered"


def tlbi(opcode, address=0, asid=ASID, vmid=0):
    return struct.pack("<QQ", opcode | vmid << 32 | asid << 48, address & ~0xfff)


SYNC_COMMAND = struct.pack("<QQ", SYNC, 0)


class Smmuv3Machine(Machine):
    device = "smmuv3"
    cases = CASES
    ecam, bar, ram = 0x40_1000_0000, 0x1000_0000, 0x4000_0000
    impls = {
        "none": ("virt", [], None),
        "null": ("virt", ["-device", "winiommu-null"], None),
        "qemu": ("virt,iommu=smmuv3", [], 0x0905_0000),
        "winiommu": ("virt", ["-device", "winiommu-smmuv3"], 0x0c00_0000),
    }

    def __init__(self, qemu, impl):
        kind, devices, self.smmu = self.impls[impl]
        super().__init__(qemu, impl, kind, [*devices])
        self.iova = self.data
        if self.smmu:
            self._lay_out()

    def _lay_out(self):
        r = self.ram
        self.stream_table, self.cd, self.ring, self.events = r, r + 0x10000, r + 0x20000, r + 0x40000
        self.s1 = arm_stage1(r + 0x100000)
        self.s1.map(m.IOVA, self.data, m.DATA_SIZE)
        self.s1.write(self.qtest)
        self.s1_scattered = arm_stage1(self.s1.end)
        for page in range(m.DATA_SIZE // PAGE):
            self.s1_scattered.map(m.IOVA + page * PAGE, self.data + m.scattered(page) * PAGE, PAGE)
        self.s1_scattered.write(self.qtest)
        self.s1_blocks = arm_stage1(self.s1_scattered.end)
        self.s1_blocks.map(m.IOVA, self.data, m.DATA_SIZE, BLOCK)
        self.s1_blocks.write(self.qtest)
        self.s2 = arm_stage2(self.s1_blocks.end)
        self.s2.map(self.ram, self.ram, 1 << 30)
        self.s2.map(m.IOVA, self.data, m.DATA_SIZE)
        self.s2.write(self.qtest)

    def configure(self, case):
        """SMMU 6.3.9.6: tables first, then the queues, then SMMUEN."""
        if not self.smmu:
            return
        q, s = self.qtest, self.smmu
        self.iova = self.data if case == "bypass" else m.IOVA
        q.writel(s + CR0, 0)
        q.write(self.stream_table, bytes(256 * 64))
        q.write(self.stream_table + m.BENCH_DEVFN * 64, self._ste(case))
        q.write(self.cd, self._cd(case))
        q.writel(s + CR1, 0xd75)
        q.writeq(s + STRTAB_BASE, self.stream_table)
        q.writel(s + STRTAB_BASE_CFG, 8)
        q.writeq(s + CMDQ_BASE, self.ring | RING_LOG2)
        q.writel(s + CMDQ_PROD, 0)
        q.writel(s + CMDQ_CONS, 0)
        q.writeq(s + EVENTQ_BASE, self.events | 10)
        q.writel(s + EVENTQ_PROD, 0)
        q.writel(s + EVENTQ_CONS, 0)
        m_ = (1 << RING_LOG2 + 1) - 1
        for register, value in ((m.BELL, s + CMDQ_PROD), (m.BELL_MASK, m_), (m.BELL_SHIFT, 0),
                                (m.BELL_INDEX, 0)):
            self.set(register, value)
        q.writel(s + CR0, 0b1101)  # CMDQEN, EVENTQEN, SMMUEN
        self.commands([struct.pack("<QQ", CFGI_ALL, 31), tlbi(NSNH_ALL), SYNC_COMMAND,
                       SYNC_COMMAND], doorbells=1)

    def commands(self, pattern, doorbells, per_doorbell=None):
        """Fills the whole ring with the pattern, rings so many times; nanoseconds for all."""
        size = 1 << RING_LOG2
        assert size % len(pattern) == 0
        self.qtest.write(self.ring, b"".join(pattern) * (size // len(pattern)))
        return self.run(m.OP_DOORBELL, count=doorbells,
                        bell_step=per_doorbell or len(pattern))[0]

    def check(self):
        """Nothing but what was asked for may have happened."""
        if self.impl == "winiommu" and self.qtest.readl(self.smmu + GERROR) != 0:
            raise m.QtestError(f"{self.impl}: GERROR is set")

    def _ste(self, case):
        """SMMU 5.2."""
        words = [0] * 8
        config = {"s1-4k": 0b101, SCATTERED: 0b101, "s1-2m": 0b101, "s2": 0b110, "nested": 0b111,
                  "bypass": 0b100}[case]
        words[0] = 1 | config << 1 | (self.cd if config & 1 else 0)
        if config in (0b110, 0b111):
            # S2VMID, T0SZ 25, SL0 1 (level 1), cacheable, inner shareable, 4K, 44 bits, AA64, R
            words[2] = (VMID | 25 << 32 | 1 << 38 | 1 << 40 | 1 << 42 | 3 << 44 | 4 << 48
                        | 1 << 51 | 1 << 58)
            words[3] = self.s2.base
        return struct.pack("<8Q", *words)

    def _cd(self, case):
        """SMMU 5.4: T0SZ 16, 4K, EPD1, 44 bits, AA64, R, A, ASET, ASID."""
        root = {"s1-2m": self.s1_blocks, SCATTERED: self.s1_scattered}.get(case, self.s1).base
        return struct.pack("<8Q", 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 30 | 1 << 31 | 4 << 32
                           | 1 << 41 | 1 << 45 | 1 << 46 | 1 << 47 | ASID << 48,
                           root, 0, 0xff, 0, 0, 0, 0)

    # Commands of the invalidation cases, for stage 1 with VMID 0.
    def invalidations(self, case):
        nested = case == "nested"
        vmid = VMID if nested else 0
        elsewhere = m.IOVA + (1 << 34)  # never mapped, so never cached
        if case == "s2":
            return {"va": tlbi(S2_IPA, elsewhere, 0, VMID), "asid": tlbi(S12_VMALL, 0, 0, VMID + 1),
                    "all": tlbi(NSNH_ALL), "sync": SYNC_COMMAND}
        return {"va": tlbi(NH_VA, elsewhere, vmid=vmid),
                "asid": tlbi(NH_ASID, asid=ASID + 1, vmid=vmid),
                "all": tlbi(NSNH_ALL), "sync": SYNC_COMMAND}

    def empty_caches_by_doorbell(self):
        """Fills the ring with 'invalidate all, sync' pairs; each later doorbell takes one."""
        if self.smmu:
            self.commands([tlbi(NSNH_ALL), SYNC_COMMAND], doorbells=1)

    def events_per_failing_dma(self):
        """One DMA of 64 bytes to an unmapped address; how many records it leaves."""
        before = self.qtest.readl(self.smmu + EVENTQ_PROD)
        self.run(m.OP_READ, base=1 << 46, stride=4096, pages=1, length=64, threads=1, count=1)
        return (self.qtest.readl(self.smmu + EVENTQ_PROD) - before) & 0x7ff

    def disable(self):
        """SMMU 6.3.9: SMMUEN=0; GBPA's reset value lets everything through."""
        if self.smmu:
            self.qtest.writel(self.smmu + CR0, 0b1100)
            self.iova = self.data


class VerifiedSmmuv3Machine(Smmuv3Machine):
    """The device as it is against the same with its driver watched."""

    device = "smmuv3-verify"
    cases = ("s1-4k",)
    impls = {"winiommu": Smmuv3Machine.impls["winiommu"],
             "verify": ("virt", ["-device", "winiommu-smmuv3,verify=log"], 0x0c00_0000)}
