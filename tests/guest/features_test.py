# SPDX-License-Identifier: GPL-2.0-or-later
import unittest

from winiommu.guest import features

SMMU = "[    0.2] arm-smmu-v3 arm-smmu-v3.0.auto: ias {}-bit, oas {}-bit (features 0x{:08x})"
VTD = "[    0.1] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap {:x} ecap {:x}"


class Smmu(unittest.TestCase):
    def test_ours(self):
        (one,) = features.announced(SMMU.format(48, 48, 0x88787))
        self.assertEqual(one.lacks, ())
        self.assertEqual(one.bits, 48)
        self.assertIn("range invalidation", one.has)
        self.assertNotIn("stall", one.has)

    def test_what_is_missing_is_named(self):
        # A model with 44 bits, without MSI and two-level CD tables.
        (one,) = features.announced(SMMU.format(44, 44, 0x88705))
        self.assertEqual(one.lacks, ("2-level CD tables", "MSI", "48-bit addresses"))

    def test_each_wanted_bit_is_looked_at(self):
        for bit in features.SMMU_WANTED:
            (one,) = features.announced(SMMU.format(48, 48, 0x88787 & ~(1 << bit)))
            self.assertEqual(one.lacks, (features.SMMU[bit],))

    def test_a_device_with_one_stage_is_seen_with_one(self):
        self.assertEqual(features.announced(SMMU.format(48, 48, 0x08387), "stage1")[0].lacks, ())
        self.assertEqual(features.announced(SMMU.format(48, 48, 0x08585), "stage2")[0].lacks, ())
        (one,) = features.announced(SMMU.format(48, 48, 0x88787), "stage2")
        self.assertEqual(one.lacks, ("the absence of 2-level CD tables", "the absence of stage 1",
                                     "the absence of nesting"))

    def test_several_units_are_all_seen(self):
        log = "\n".join([SMMU.format(48, 48, 0x88787), SMMU.format(48, 48, 0)])
        self.assertEqual([bool(one.lacks) for one in features.announced(log)], [False, True])


class Vtd(unittest.TestCase):
    CAP = 1 << 39 | 3 << 34 | 47 << 16
    ECAP = 1 << 7 | 1 << 6 | 1 << 4 | 1 << 3 | 1 << 1 | 1

    def test_ours(self):
        (one,) = features.announced(VTD.format(self.CAP, self.ECAP))
        self.assertEqual((one.lacks, one.bits), ((), 48))

    def test_scalable_mode_is_wanted_when_it_is_asked_for(self):
        (one,) = features.announced(VTD.format(self.CAP, self.ECAP), "scalable")
        self.assertEqual(one.lacks, ("scalable mode",))
        (one,) = features.announced(VTD.format(self.CAP, self.ECAP | 1 << 43), "scalable")
        self.assertEqual(one.lacks, ())

    def test_device_tlbs_are_wanted_where_ats_is(self):
        self.assertEqual(features.announced(VTD.format(self.CAP, self.ECAP), "two-ats")[0].lacks, ("Device-TLBs",))
        self.assertEqual(features.announced(VTD.format(self.CAP, self.ECAP | 1 << 2), "two-ats")[0].lacks, ())

    def test_what_is_missing_is_named(self):
        # A unit with 39 bits that announces its walks as non-coherent.
        (one,) = features.announced(VTD.format(0xd2008c22260206, 0xf00f4a))
        self.assertIn("coherent walks", one.lacks)
        self.assertIn("48-bit addresses", one.lacks)
