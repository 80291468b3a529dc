# SPDX-License-Identifier: GPL-2.0-or-later
import unittest

from winiommu.guest import kernel_log

QUIET = """\
<6>[    0.285263] arm-smmu-v3 9050000.smmuv3: ias 44-bit, oas 44-bit (features 0x00008305)
<6>[    0.286481] arm-smmu-v3 9050000.smmuv3: allocated 65536 entries for cmdq
<6>[    0.287551] arm-smmu-v3 9050000.smmuv3: allocated 32768 entries for evtq
<6>[    0.045631] arm-smmu-v3 arm-smmu-v3.0.auto: option mask 0x0
<6>[    0.100000] iommu: Default domain type: Translated (set via kernel command line)
<6>[    0.170000] software IO TLB: SWIOTLB bounce buffer size adjusted to 0MB
<6>[    1.829672] RAS: Correctable Errors collector initialized.
<6>[    0.175862] DMAR: Host address width 39
<6>[    0.176428] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c22260206 ecap f00f4a
<6>[    0.176735] DMAR-IR: IOAPIC id 0 under DRHD base  0xfed90000 IOMMU 0
<6>[    0.186805] DMAR-IR: Enabled IRQ remapping in x2apic mode
<6>[    1.112685] DMAR: Intel(R) Virtualization Technology for Directed I/O
"""

EVENT = """\
<6>[    3.4] arm-smmu-v3 9050000.smmuv3: event 0x10 received:
<6>[    3.4] arm-smmu-v3 9050000.smmuv3: \t0x0000002000000010
<6>[    3.4] arm-smmu-v3 9050000.smmuv3: \t0x0000020800000000
<6>[    3.4] arm-smmu-v3 9050000.smmuv3: \t0x00000040123450c0
<6>[    3.4] arm-smmu-v3 9050000.smmuv3: \t0x0000000000000000
"""

DMAR = ("<3>[    3.4] DMAR: DRHD: handling fault status reg 2\n"
        "<3>[    3.4] DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0x4012345000 "
        "[fault reason 0x05] PTE Write access is not set\n")


class Log(unittest.TestCase):
    def test_a_healthy_log_has_no_trouble(self):
        self.assertEqual(kernel_log.trouble(QUIET), [])

    def test_each_of_these_lines_is_trouble(self):
        for line in ("[    1.0] arm-smmu-v3 x: CMD_SYNC timeout at 0x00000001 [hwprod 0x2, hwcons 0x1]",
                     "[    1.0] arm-smmu-v3 x: unexpected global error reported (0x00000004), this could be serious",
                     "[    1.0] arm-smmu-v3 x: a line nobody has seen before",
                     "[    1.0] DMAR: something new", "[    1.0] DMAR: DRHD: handling fault status reg 2",
                     "[    1.0] nvme nvme0: I/O 5 (I/O Cmd) QID 1 timeout, aborting",
                     "[    1.0] Buffer I/O error on dev vda, logical block 0", "[    1.0] WARNING: CPU: 0 PID: 1 at x",
                     "[    1.0][    T1] BUG: kernel NULL pointer dereference", "[    1.0] irq 5: nobody cared"):
            self.assertEqual(len(kernel_log.trouble(line)), 1, line)

    def test_every_line_of_an_event_is_trouble(self):
        self.assertEqual(len(kernel_log.trouble(EVENT)), 5)
        self.assertEqual(len(kernel_log.trouble(DMAR)), 2)

    def test_an_smmu_event_is_decoded(self):
        # SMMU 7.3.13 by hand: StreamID 0x20 is 00:04.0, word 1 bit 35 (RnW) set, CLASS 2, no stage 2.
        self.assertEqual(kernel_log.faults(EVENT), [kernel_log.Fault(0x20, False, 0x40123450c0, 0x10, "9050000.smmuv3")])
        write = EVENT.replace("0x0000020800000000", "0x0000020000000000")
        self.assertTrue(kernel_log.faults(write)[0].write)

    def test_events_of_two_smmus_may_be_mixed(self):
        other = EVENT.replace("9050000", "9070000").replace("0x00000020000000", "0x00001200000000")
        mixed = [line for pair in zip(EVENT.splitlines(), other.splitlines()) for line in pair]
        self.assertEqual([(one.reporter, one.source) for one in kernel_log.faults("\n".join(mixed))],
                         [("9050000.smmuv3", 0x20), ("9070000.smmuv3", 0x1200)])

    def test_a_torn_event_is_not_a_fault(self):
        self.assertEqual(kernel_log.faults("\n".join(EVENT.splitlines()[:-1])), [])

    def test_a_dmar_fault_is_decoded(self):
        self.assertEqual(kernel_log.faults(DMAR), [kernel_log.Fault(0x20, True, 0x4012345000, 5)])
        self.assertEqual(str(kernel_log.faults(DMAR)[0]), "00:04.0 write 0x4012345000 reason 0x05")

    def test_requester_ids(self):
        self.assertEqual(kernel_log.parse_requester("0000:ff:1f.7"), 0xffff)
        self.assertEqual(kernel_log.requester(0x0123), "01:04.3")
