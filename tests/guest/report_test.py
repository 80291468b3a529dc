# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re
import unittest
import xml.etree.ElementTree as ElementTree

from winiommu.guest import checks, machine, report


def result(*verdicts, boot="acpi"):
    made = checks.Result(machine.case("virt", boot), kernel="linux 6.12", seed=7, seconds=1.25, command="qemu -x",
                         features=["arm-smmu-v3 <one> & more"], log="console.log", tail=["last \x1b words", "end"])
    for number, passed in enumerate(verdicts):
        made.add(f"check #{number} <&>", passed, f'detail "{number}"\nsecond line \x00')
    return made


class Verdict(unittest.TestCase):
    def test_nothing_that_ran_is_not_a_pass(self):
        self.assertFalse(report.passed([]))
        self.assertFalse(report.passed([result()]))
        self.assertFalse(report.passed([result(True), result()]))

    def test_one_failure_fails_all(self):
        self.assertTrue(report.passed([result(True, True), result(True)]))
        self.assertFalse(report.passed([result(True, True), result(True, False)]))


class Text(unittest.TestCase):
    def test_ends_in_the_verdict(self):
        self.assertTrue(report.text([result(True)]).endswith("\nPASS\n"))
        self.assertTrue(report.text([result(True, False)]).endswith("\nFAIL\n"))
        self.assertTrue(report.text([]).endswith("\nFAIL\n"))

    def test_a_failure_shows_the_last_lines_and_where_the_console_is(self):
        shown = report.text([result(False)])
        self.assertIn("| end", shown)
        self.assertIn("console.log", shown)
        self.assertNotIn("console.log", report.text([result(True)]))


class Machine(unittest.TestCase):
    def test_json(self):
        data = json.loads(report.as_json([result(True, False), result(True)]))
        self.assertEqual((data["result"], data["passed"], data["failed"]), ("FAIL", 2, 1))
        self.assertEqual([guest["result"] for guest in data["guests"]], ["FAIL", "PASS"])
        self.assertEqual([check["passed"] for check in data["guests"][0]["checks"]], [True, False])

    def test_tap(self):
        lines = report.tap([result(True, False), result(True)]).splitlines()
        self.assertEqual(lines[:2], ["TAP version 13", "1..3"])
        points = [line for line in lines if re.match(r"(not )?ok ", line)]
        self.assertEqual([re.match(r"(not ok|ok) (\d+) - ", line).groups() for line in points],
                         [("ok", "1"), ("not ok", "2"), ("ok", "3")])
        self.assertTrue(all("#" not in line for line in points))
        self.assertEqual([line for line in lines[2:] if not line.startswith("#")], points)
        self.assertIn("Bail out!", report.tap([]))

    def test_junit(self):
        root = ElementTree.fromstring(report.junit([result(True, False), result(True)]))
        self.assertEqual((root.tag, root.get("tests"), root.get("failures")), ("testsuites", "3", "1"))
        suites = root.findall("testsuite")
        self.assertEqual([(suite.get("tests"), suite.get("failures")) for suite in suites], [("2", "1"), ("1", "0")])
        failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
        self.assertEqual([case.get("name") for case in failed], ["check #1 <&>"])
