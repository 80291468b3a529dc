# SPDX-License-Identifier: GPL-2.0-or-later
import pathlib
import unittest

from winiommu import ui
from winiommu.guest import machine, matrix


def names(cases):
    return [case.name for case in cases]


class Validate(unittest.TestCase):
    def test_the_default_is_every_way_to_boot_every_supported_machine(self):
        self.assertEqual(names(matrix.validate("virt")), ["virt-acpi-6.12", "virt-dt-6.12"])
        self.assertEqual({case.machine.name for case in matrix.validate("all")}, set(machine.SUPPORTED))

    def test_choices(self):
        self.assertEqual(names(matrix.validate("virt", "dt", ("6.1", "6.12"))), ["virt-dt-6.1", "virt-dt-6.12"])
        self.assertEqual(names(matrix.validate("all", "dt")), ["virt-dt-6.12"])
        self.assertEqual(names(matrix.validate("q35")), ["q35-uefi-6.12", "q35-bios-6.12-scalable"])
        self.assertEqual(names(matrix.validate("virt", variant="two")), ["virt-acpi-6.12-two"])
        self.assertEqual(names(matrix.validate("q35", variant="two-ats")), ["q35-bios-6.12-two-ats"])
        self.assertEqual(names(matrix.validate("q35", variant="scalable")),
                         ["q35-uefi-6.12-scalable", "q35-bios-6.12-scalable"])

    def test_wrong_choices_are_told(self):
        for wrong in (("q35", "dt"), ("virt", "dt", ("6.12",), "two"), ("virt", None, ("6.12",), "scalable")):
            with self.assertRaises(ui.Error, msg=wrong):
                matrix.validate(*wrong)


class Suite(unittest.TestCase):
    def test_no_case_twice_and_every_kernel_by_every_boot(self):
        for name, found in machine.MACHINES.items():
            cases = names(matrix.suite(name))
            self.assertEqual(len(cases), len(set(cases)))
            for boot in found.boots:
                for kernel in ("6.1", "6.12"):
                    self.assertIn(f"{name}-{boot}-{kernel}", cases)
            self.assertTrue(any(case.endswith("-lazy") for case in cases))


class Command(unittest.TestCase):
    def command(self, *choice, **options):
        path = pathlib.Path("x")
        parts = machine.Parts(path, path, path, path, {"nvme0n1": path, "vda": path}, path)
        return machine.command(machine.case(*choice), parts, ["word"], **options)

    def test_the_iommu_precedes_what_is_behind_it(self):
        argv = self.command("virt", "dt")
        order = [argv.index(next(word for word in argv if word.startswith(name)))
                 for name in ("winiommu-smmuv3", "nvme,", "virtio-blk-pci,", "winiommu-dma,")]
        self.assertEqual(order, sorted(order))
        self.assertIn("virt,gic-version=3,its=on,acpi=off", argv)
        self.assertNotIn("-bios", argv)

    def test_breakages_take_one_thing_away(self):
        whole, without = self.command("virt", "dt"), self.command("virt", "dt", iommu=False)
        self.assertEqual([word for word in whole if word not in without], ["winiommu-smmuv3"])
        without = self.command("virt", "dt", endpoint=False)
        self.assertEqual([word for word in whole if word not in without], ["winiommu-dma,bus=pcie.0,addr=4"])

    def test_kernel_arguments_follow_the_case(self):
        self.assertIn("iommu.strict=0", machine.kernel_arguments(machine.case("virt", "dt", strict=False)))
        self.assertIn("intel_iommu=on,sm_on", machine.kernel_arguments(machine.case("q35", variant="scalable")))
        self.assertIn("intel_iommu=on,sm_off", machine.kernel_arguments(machine.case("q35")))
