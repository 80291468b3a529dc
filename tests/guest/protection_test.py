# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel DMA protection on made-up runs: what is missing fails the check meant for it."""

import unittest
import unittest.mock

from winiommu.guest import checks, console, machine, protection

LOG = f"""<6>[    2.1] acpi PNP0A08:00: _OSC: OS now controls [PCIeHotplug PME AER PCIeCapability]
<6>[    2.9] {protection.OPT_IN}
"""
# Scope (\_SB.PCI0.S28): its _DSD by hand, ACPI 20.2.
DSD = bytes.fromhex("085f445344 123a02 11130a10 cc06ccef ac73 c34b bff076143807c389 122302"
                    "1217020d 45787465726e616c466163696e67506f727400 01 1208020d 55494400 00")
NAMES = (b"\\\x2f\x03_SB_PCI0S28_", b"\\\x2f\x03_SB_PCI0S30_")


def ssdt(*scopes, creator=b"WIMU"):
    return bytes(28) + creator + bytes(4) + b"".join(scopes)


def transcript():
    scopes = (NAMES[0] + DSD, NAMES[1] + DSD[:-1] + b"\1")
    return console.Transcript(
        {"disk": [["nvme0n1", "0000:01:00.0", "1"], ["vda", "0000:00:03.0", "1"]],
         "bad-dma": [["read", "0000:02:00.0", "0x1", "status=3", "bytes=0", "fail=0x1"]],
         "removable": [["0000:01:00.0", "removable"], ["0000:02:00.0", "removable"]],
         "pci": [["0000:01:00.0", "0x1b36", "0x0010", "nvme", "1", "DMA"],
                 ["0000:00:03.0", "0x1af4", "0x1042", "virtio-pci", "2", "identity"]]},
        {"log": LOG.encode(), "acpi/SSDT": ssdt(*scopes), "acpi/DSDT": b"..\x7b\x60\x0a\x1f\x60.."})


class Protection(unittest.TestCase):
    def failed(self, change=lambda made: None):
        made = transcript()
        change(made)
        result = checks.Result(machine.case("q35", variant="protected"))
        with unittest.mock.patch.object(protection.acpi, "objections", return_value=[]):
            protection.check(result, made)
        checks._check_groups(result, made)
        return [check.name for check in result.checks if not check.passed]

    def test_a_good_run_passes(self):
        self.assertEqual(self.failed(), [])

    def test_an_empty_run_fails_every_check(self):
        result = checks.Result(machine.case("q35", variant="protected"))
        protection.check(result, console.Transcript())
        self.assertEqual([check.name for check in result.checks if check.passed], [])

    def test_dsd(self):
        def table(content):
            return lambda made: made.files.update({"acpi/SSDT": content})
        good = transcript().files["acpi/SSDT"]
        for content in (ssdt(), ssdt(NAMES[0] + DSD), ssdt(NAMES[0] + DSD, NAMES[1] + DSD),
                        good.replace(b"Facing", b"facing"), good.replace(b"WIMU", b"BXPC")):
            self.assertEqual(self.failed(table(content)), ["external ports have their _DSD"])

    def test_opt_in_and_osc(self):
        def log(old, new):
            return lambda made: made.files.update(log=LOG.replace(old, new).encode())
        self.assertEqual(self.failed(log(protection.OPT_IN, "")), ["Linux reports the platform's opt-in"])
        self.assertEqual(self.failed(log("PCIeHotplug ", "")), ["_OSC grants all of PCI Express"])
        self.assertEqual(self.failed(lambda made: made.files.update({"acpi/DSDT": b"\x7b\x60\x0a\x1e\x60"})),
                         ["_OSC grants all of PCI Express"])

    def test_external(self):
        self.assertEqual(self.failed(lambda made: made.lines["removable"].pop()), ["Linux sees what is external"])
        self.assertEqual(self.failed(lambda made: made.lines["removable"].append(["0000:00:03.0", "removable"])),
                         ["Linux sees what is external"])

    def test_domains(self):
        self.assertEqual(self.failed(lambda made: made.lines["pci"][0].__setitem__(5, "identity")),
                         ["NVMe is translated"])
        self.assertEqual(self.failed(lambda made: made.lines["pci"][0].__setitem__(5, "DMA-FQ")),
                         ["NVMe is translated"])
        self.assertEqual(self.failed(lambda made: made.lines["pci"][1].__setitem__(5, "DMA")),
                         ["virtio-blk passes through"])
