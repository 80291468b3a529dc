# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests side by side: results in their order, and every set-up known to what looks for its devices."""
import contextlib
import io
import threading
import unittest
from unittest import mock

from winiommu import ui
from winiommu.guest import contract, machine, matrix


class SideBySide(unittest.TestCase):
    def test_results_come_in_the_order_of_the_jobs(self):
        second = threading.Event()

        def first():
            second.wait(10)
            return 1

        def other():
            second.set()
            return 2

        with mock.patch("os.cpu_count", return_value=2):
            self.assertEqual(list(ui.side_by_side([first, other])), [1, 2])

    def test_one_that_fails_is_not_lost(self):
        def fails():
            raise ui.Error("no")

        with self.assertRaises(ui.Error):
            list(ui.side_by_side([lambda: 1, fails, lambda: 3]))


class Everything(unittest.TestCase):
    """All that the suites and `validate` boot, as far as the boot itself."""

    built = mock.Mock()

    def run_with(self, module, call):
        names = {"winiommu-dma", "winiommu-smmuv3", "winiommu-vtd", "winiommu-vtd-unit"}
        with mock.patch.object(machine, "devices", return_value=names), \
             mock.patch.object(contract.efi, "ensure"), mock.patch.object(contract.store, "firmware"), \
             mock.patch.object(matrix.store, "kernel"), \
             mock.patch.object(module, "run", side_effect=lambda one, *_, **__: one.name), \
             contextlib.redirect_stdout(io.StringIO()):
            return list(call())

    def test_the_contract(self):
        more = [contract.Case(machine.MACHINES[name], setup) for name, setups in contract.MORE.items() for setup in setups]
        cases = contract.cases("all") + more
        found = self.run_with(contract, lambda: contract.run_all(cases, self.built))
        self.assertEqual(found, [one.name for one in cases])

    def test_linux(self):
        cases = matrix.suite("all")
        found = self.run_with(matrix.checks, lambda: matrix.run(cases, self.built, seed=1))
        self.assertEqual(found, [one.name for one in cases])


if __name__ == "__main__":
    unittest.main()
