# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of the reference driver: samples to medians, and what misses a target."""
import unittest

from winiommu.benchmark import driver

GOOD = """\
virt 4k 1 500.0 0.200
virt 1m 256 5120.0 0.050
virt 4k-crowded 1 520.0 0.200
virt 1m-crowded 256 5200.0 0.050
virt buddy-4k 1 2000.0 0.100
virt buddy-4k-crowded 1 2100.0 0.100
"""
MORE = "virt 4k 1 400.0 0.300\nvirt 4k 1 600.0 0.250\n"


class Driver(unittest.TestCase):
    def figures(self, text):
        figures = driver.DriverFigures("driver-virt")
        figures.take(text)
        return figures

    def test_a_record_has_the_median_the_pages_and_the_share(self):
        self.assertEqual(self.figures(GOOD + MORE).records()[0],
                         {"impl": "winiommu", "device": "driver-virt", "case": "map", "point": "4k", "ns": 500.0,
                          "iqr": 100.0, "pages": 1, "device_share": 0.25})

    def test_the_table_says_how_many_a_second_and_what_a_page_costs(self):
        row = next(line for line in self.figures(GOOD).table().splitlines() if line.startswith("1m "))
        self.assertEqual(row.split(), ["1m", "5120", "(0)", "195,312", "20.0", "5%"])

    def test_a_host_that_is_slow_for_a_turn_misses_no_target(self):
        slow = "".join(" ".join([*line.split()[:3], str(3 * float(line.split()[3])), "0.1"]) + "\n"
                       for line in GOOD.splitlines())
        # The host was fast for two more samples of one point: by their medians the other takes three times as long.
        figures = self.figures(slow + GOOD + slow + 2 * "virt buddy-4k 1 2000.0 0.1\n")
        self.assertGreater(figures.ns("buddy-4k-crowded") / figures.ns("buddy-4k"), 3)
        self.assertTrue(all(met for met, _ in driver.verdicts(figures)))
        self.assertAlmostEqual(figures.over("buddy-4k-crowded", "buddy-4k"), 1.05)

    def test_targets_are_met_and_missed(self):
        self.assertTrue(all(met for met, _ in driver.verdicts(self.figures(GOOD))))
        for line, slow in (("4k-crowded 1 520.0", "4k-crowded 1 900.0"), ("1m 256 5120.0", "1m 256 99999.0"),
                           ("1m-crowded 256 5200.0", "1m-crowded 256 9000.0"),
                           ("buddy-4k-crowded 1 2100.0", "buddy-4k-crowded 1 9000.0")):
            with self.subTest(slow=slow):
                missed = [said for met, said in driver.verdicts(self.figures(GOOD.replace(line, slow))) if not met]
                self.assertEqual(len(missed), 1)


if __name__ == "__main__":
    unittest.main()
