# SPDX-License-Identifier: GPL-2.0-or-later
"""A test program's outcome is never better than what it proved."""
import unittest

from winiommu import results

XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="1" disabled="1" errors="0" name="AllTests">
  <testsuite name="Walk" tests="5" failures="1" disabled="1" skipped="1" errors="0">
    <testcase name="Hits" status="run" result="completed" classname="Walk" />
    <testcase name="Misses" status="run" result="completed" classname="Walk" />
    <testcase name="Faults" status="run" result="completed" classname="Walk">
      <failure message="walk_test.cpp:9&#x0A;Expected equality of these values" type=""/>
    </testcase>
    <testcase name="Later" status="run" result="skipped" classname="Walk">
      <skipped message="walk_test.cpp:20&#x0A;no iasl here" />
    </testcase>
    <testcase name="DISABLED_Old" status="notrun" result="suppressed" classname="Walk" />
  </testsuite>
</testsuites>
"""
GOOD = XML.replace("""      <failure message="walk_test.cpp:9&#x0A;Expected equality of these values" type=""/>
""", "")
EMPTY = '<testsuites tests="0" name="AllTests"></testsuites>'


class Gtest(unittest.TestCase):
    def test_counts_failures_and_reasons(self):
        outcome = results.gtest(XML)
        self.assertEqual(outcome.passed, 2)
        self.assertEqual(outcome.failures,
                         ["Walk.Faults: walk_test.cpp:9: Expected equality of these values"])
        self.assertEqual(outcome.skips, ["Walk.Later: walk_test.cpp:20: no iasl here",
                                         "Walk.DISABLED_Old: disabled"])
        self.assertEqual(outcome.counts(), "2 passed, 1 failed, 2 skipped")


class Tap(unittest.TestCase):
    def test_counts_and_directives(self):
        outcome = results.tap("1..4\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no kernel\n"
                              f"not ok 4 - d # {'TODO'} later\n# a remark\n")
        self.assertEqual((outcome.passed, outcome.failures, outcome.skips),
                         (1, ["b"], ["c: no kernel", "d: later"]))

    def test_a_stream_that_stops_early_failed(self):
        self.assertIn("3 tests were planned, 1 reported", results.tap("1..3\nok 1 - a\n").failures)
        self.assertEqual(len(results.tap("ok 1 - a\n").failures), 1)

    def test_bail_out_failed(self):
        self.assertIn("Bail out! no QEMU", results.tap("1..1\nok 1 - a\nBail out! no QEMU\n").failures)

    def test_other_output_is_no_result(self):
        self.assertEqual(results.tap("1..1\nokay then\nok 1\n").passed, 1)


class Judge(unittest.TestCase):
    def judge(self, status, output="", report=None, protocol="gtest"):
        return results.judge("prog", status, output, report, protocol)

    def test_a_clean_run_passes(self):
        self.assertEqual(self.judge(0, report=GOOD).counts(), "3 passed, 0 failed, 2 skipped")

    def test_a_crash_fails_and_names_the_case_it_was_in(self):
        outcome = self.judge(-11, "[ RUN      ] Walk.Hits\n[       OK ] Walk.Hits (0 ms)\n"
                                  "[ RUN      ] Walk.Faults\n")
        self.assertEqual(outcome.failures, ["prog: crashed (signal 11) in Walk.Faults"])
        self.assertEqual(outcome.passed, 0)

    def test_a_time_out_fails(self):
        self.assertEqual(self.judge(None).failures, ["prog: timed out"])

    def test_a_bad_exit_after_a_good_report_fails(self):
        self.assertEqual(self.judge(1, report=GOOD).failures, ["prog: exit status 1"])

    def test_no_report_fails(self):
        self.assertEqual(self.judge(0).failures, ["prog: ran no test"])

    def test_a_report_without_a_test_fails(self):
        self.assertEqual(self.judge(0, report=EMPTY).failures, ["prog: ran no test"])

    def test_a_cut_off_report_fails(self):
        self.assertEqual(self.judge(0, report=XML[:200]).failures, ["prog: its report is not XML"])

    def test_a_tap_program_without_tests_fails(self):
        self.assertFalse(self.judge(0, "1..0\n", protocol="tap").good)

    def test_a_tap_program_that_died_after_its_last_test_fails(self):
        self.assertEqual(self.judge(-6, "1..1\nok 1 - a\n", protocol="tap").failures,
                         ["prog: crashed (signal 6)"])

    def test_a_plain_program_is_one_test(self):
        self.assertEqual(self.judge(0, protocol="exitcode").counts(), "1 passed, 0 failed")
        self.assertEqual(self.judge(3, protocol="exitcode").failures, ["prog: exit status 3"])
