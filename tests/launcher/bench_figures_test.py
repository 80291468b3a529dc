# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples to medians and ratios, and what misses a target."""
import unittest

from winiommu.benchmark import report, targets


def figures(samples):
    """From {(impl, case, point): [ns, ...]}."""
    made = report.Figures("smmuv3")
    for (impl, case, point), turns in samples.items():
        for ns in turns:
            made.add(impl, case, point, ns)
    return made


class Figures(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_turns(self):
        # The machine was three times slower in the second turn, for both.
        made = figures({("null", "s1-4k", "xl-64"): [10.0, 30.0, 10.0],
                        ("winiommu", "s1-4k", "xl-64"): [12.0, 36.0, 30.0]})
        self.assertEqual(made.ratio("winiommu", "null", "s1-4k", "xl-64"), 1.2)
        self.assertEqual(made.median("winiommu", "s1-4k", "xl-64"), 30.0)
        row = made.table().splitlines()[-1].split()
        self.assertEqual(row[-3:], ["1.20x", "(0.90)", "-"])

    def test_what_was_not_measured_has_no_ratio(self):
        made = figures({("winiommu", "s1-4k", "xl-64"): [12.0]})
        self.assertIsNone(made.ratio("winiommu", "null", "s1-4k", "xl-64"))
        self.assertIsNone(made.ratio("winiommu", "winiommu", "s1-4k", "xl-64", over_point="cold-256"))
        self.assertFalse(report.judge("hit", None, 1.3)[0])

    def test_a_second_thread_is_measured_by_what_it_adds_without_an_iommu(self):
        def verdict(one, two, none_one, none_two):
            return targets.second_thread(figures({
                ("winiommu", "s1-4k", "rd64-1024"): [one], ("winiommu", "s1-4k", "rd64-1024-2thr"): [two],
                ("none", "s1-4k", "rd64-1024"): [none_one],
                ("none", "s1-4k", "rd64-1024-2thr"): [none_two]}), "s1-4k")
        met, said = verdict(16.0, 10.0, 18.0, 10.0)
        self.assertTrue(met)
        self.assertIn("1.60x where no IOMMU gives 1.80x", said)
        self.assertFalse(verdict(13.0, 10.0, 18.0, 10.0)[0])
        self.assertTrue(verdict(13.0, 10.0, 13.5, 10.0)[0])

    def test_of_two_threads_the_best_turn_counts(self):
        made = figures({("winiommu", "s1-4k", "rd64-1024-2thr"): [10.0, 40.0, 40.0]})
        self.assertEqual(made.least("winiommu", "s1-4k", "rd64-1024-2thr"), 10.0)
        self.assertIsNone(made.least("none", "s1-4k", "rd64-1024-2thr"))


if __name__ == "__main__":
    unittest.main()
