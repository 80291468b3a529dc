# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re
import unittest
import unittest.mock
import xml.etree.ElementTree as ElementTree

from winiommu import efi, ui
from winiommu.guest import console, contract, report

NONCE = "0123456789abcdef"
GOOD = """\
# winiommu-guest 0123456789abcdef
TAP version 13
1..4
# section A Interface retrieval
# section B Domains
# begin rule-1 [D] A
ok 1 - rule-1 [D] A
ok 2 - rule-2 [L] A # SKIP a property of the headers
# begin rule-3 [S] B
ok 3 - rule-3 [S] B # SKIP proposal not met: expected 0x1, got 0x2
# begin rule-4 [D] B
ok 4 - rule-4 [D] B
# totals 2 passed, 0 failed, 1 proposals failed, 1 not applicable
# end 0123456789abcdef
"""
CASE = contract.Case(contract.machine.MACHINES["virt"], "default")


def said(text):
    parser = contract.Parser(NONCE)
    for line in text.splitlines():
        parser.feed(line + "\r")
    return parser.transcript


def ended(transcript, problem=""):
    return console.Outcome(transcript, 1.0, problem, ["the last line"])


def judged(*texts, problem=""):
    """The result of boots that said these texts, all but the last of which ended in the middle of a rule."""
    result = contract.Result(CASE)
    for text in texts:
        transcript = said(text)
        last = contract.take(result, transcript, ended(transcript, problem))
    contract.complete(result)
    return result, last


class Verdicts(unittest.TestCase):
    def test_a_whole_run(self):
        result, last = judged(GOOD)
        self.assertTrue(result.passed)
        self.assertIsNone(last)
        self.assertEqual([one.outcome for one in result.all()],
                         [contract.PASSED, contract.NOT_APPLICABLE, contract.PROPOSAL, contract.PASSED])
        self.assertEqual(result.all()[2].message, "expected 0x1, got 0x2")
        self.assertEqual(result.sections, {"A": "Interface retrieval", "B": "Domains"})

    def test_a_failed_rule(self):
        text = GOOD.replace("ok 4 - rule-4 [D] B", 'not ok 4 - rule-4 [D] B\n  ---\n  message: "it is "wrong""\n  ...')
        result, _ = judged(text.replace("2 passed, 0 failed", "1 passed, 1 failed"))
        self.assertFalse(result.passed)
        self.assertEqual(result.problems, [])
        self.assertEqual(result.verdicts[4], contract.Verdict(4, "D", "B", contract.FAILED, 'it is "wrong"'))

    def test_a_torn_line_is_no_verdict(self):
        for torn in ("ok 4 - rule-4 [D] Bok", "ok 4 - rule-", "xok 4 - rule-4 [D] B"):
            result, _ = judged(GOOD.replace("ok 4 - rule-4 [D] B", torn))
            self.assertFalse(result.passed, torn)
            self.assertNotIn(contract.PASSED, [one.outcome for one in result.all() if one.number == 4])

    def test_a_rule_nobody_spoke_of_has_failed(self):
        result, _ = judged(re.sub(r".*rule-4.*\n", "", GOOD).replace("2 passed", "1 passed"))
        self.assertFalse(result.passed)
        self.assertIn("1 rules were not reported, the first is rule-4", result.problems)

    def test_a_rule_is_reported_once(self):
        self.assertFalse(judged(GOOD.replace("ok 4 - rule-4 [D] B", "ok 4 - rule-4 [D] B\nok 4 - rule-4 [D] B"))[0].passed)

    def test_the_application_counts_too(self):
        self.assertFalse(judged(GOOD.replace("# totals 2", "# totals 3"))[0].passed)
        self.assertFalse(judged(re.sub(r"# totals.*\n", "", GOOD))[0].passed)

    def test_another_run_s_lines_do_not_count(self):
        self.assertFalse(judged(GOOD.replace(NONCE, "fedcba9876543210"))[0].passed)
        self.assertFalse(judged("")[0].passed)
        self.assertEqual(said("ok 1 - rule-1 [D] A\n" + GOOD).errors, [])

    def test_the_end_has_to_be_said_and_qemu_to_end_well(self):
        self.assertFalse(judged(re.sub(r"# end.*\n", "", GOOD))[0].passed)
        self.assertFalse(judged(GOOD, problem="QEMU ended with status 1")[0].passed)

    def test_nothing_but_rules_that_do_not_apply_is_no_pass(self):
        text = re.sub(r"ok (\d) - (rule-\d \[.\] .).*", r"ok \1 - \2 # SKIP no", GOOD)
        result, _ = judged(text.replace("2 passed, 0 failed, 1 proposals failed, 1 not", "0 passed, 0 failed, 0 proposals failed, 4 not"))
        self.assertEqual(result.problems, [])
        self.assertFalse(result.passed)


class Ends(unittest.TestCase):
    first = GOOD[:GOOD.index("ok 3")]
    second = re.sub(r"(ok [1-3]|# begin rule-[1-3]).*\n", "", GOOD).replace("2 passed, 0 failed, 1 proposals failed, 1 not",
                                                                           "1 passed, 0 failed, 0 proposals failed, 0 not")

    def test_a_crash_fails_its_rule_and_the_others_go_on(self):
        result, last = judged(self.first + "\nBail out! exception 0x6 at 0x1234, address 0x0\n")
        self.assertEqual(last, 3)
        result, last = judged(self.first + "\nBail out! exception 0x6 at 0x1234, address 0x0\n", self.second)
        self.assertIsNone(last)
        self.assertEqual([one.outcome for one in result.all()],
                         [contract.PASSED, contract.NOT_APPLICABLE, contract.FAILED, contract.PASSED])
        self.assertIn("exception 0x6", result.verdicts[3].message)
        self.assertEqual((result.verdicts[3].tag, result.verdicts[3].section), ("S", "B"))
        self.assertEqual(result.problems, [])
        self.assertFalse(result.passed)

    def test_a_hang_says_so(self):
        transcript = said(self.first)
        result = contract.Result(CASE)
        self.assertEqual(contract.take(result, transcript, ended(transcript, "the guest said nothing for 60 s")), 3)
        self.assertIn("said nothing for 60 s", result.verdicts[3].message)

    def test_what_the_machine_lacks_is_said(self):
        result, last = judged(f"# winiommu-guest {NONCE}\nBail out! the IORT has no SMMUv3\n")
        self.assertIsNone(last)
        self.assertFalse(result.passed)
        self.assertIn("the IORT has no SMMUv3", result.problems[0])


class Hunt(unittest.TestCase):
    def hunted(self, *texts, problem=""):
        """What hunt() makes of boots that said these texts."""
        boots = iter(texts)

        def boot(*_):
            return ended(said(f"# winiommu-guest {NONCE}\n{next(boots)}"), problem)
        with unittest.mock.patch.object(contract, "_boot", boot):
            return contract.hunt(CASE, "qemu")

    def test_killed_and_survived(self):
        text = f"# mutants 2\n# begin mutant 1 Early\n# killed Early by rule-7\n# begin mutant 2 Late\n# survived Late\n# end {NONCE}\n"
        self.assertEqual(self.hunted(text), {"Early": "rule-7", "Late": ""})

    def test_one_that_stops_the_machine_is_found_and_the_rest_hunted(self):
        self.assertEqual(self.hunted("# mutants 2\n# begin mutant 1 Early\nBail out! exception 0x6\n",
                                     f"# mutants 2\n# begin mutant 2 Late\n# killed Late by rule-9\n# end {NONCE}\n"),
                         {"Early": "exception 0x6", "Late": "rule-9"})

    def test_an_unfinished_hunt_is_an_error(self):
        for text in ("", "# mutants 2\n", f"# mutants 2\n# begin mutant 1 Early\n# killed Early by rule-7\n# end {NONCE}\n"):
            with self.subTest(text=text), self.assertRaises(ui.Error):
                self.hunted(text)


class Reports(unittest.TestCase):
    def test_text(self):
        result, _ = judged(GOOD)
        shown = report.text([], [result])
        self.assertIn("A. Interface retrieval", shown)
        self.assertIn("not applicable: rule-2: a property of the headers", shown)
        self.assertIn("proposal failed rule-3 [S]: expected 0x1, got 0x2", shown)
        self.assertTrue(shown.endswith("\nPASS\n"))
        self.assertTrue(report.text([], [judged("")[0]]).endswith("\nFAIL\n"))

    def test_a_failure_is_a_failure_in_every_form(self):
        result, _ = judged(GOOD.replace("ok 4", "not ok 4").replace("2 passed, 0 failed", "1 passed, 1 failed"))
        self.assertFalse(report.passed([], [result]))
        data = json.loads(report.as_json([], [result]))
        self.assertEqual((data["result"], data["contract"][0]["rules"][3]["outcome"]), ("FAIL", "failed"))
        self.assertIn("not ok 4 - contract-virt: rule-4 [D] B", report.tap([], [result]))
        root = ElementTree.fromstring(report.junit([], [result]))
        self.assertEqual((root.get("tests"), root.get("failures")), ("4", "1"))
        self.assertEqual(len(root.findall(".//failure")), 1)

    def test_tap_is_counted(self):
        for result in (judged(GOOD)[0], judged(GOOD + "ok 9 - rule-9 [D] A\n")[0], judged("")[0]):
            lines = report.tap([], [result]).splitlines()
            points = [line for line in lines if re.match(r"(not )?ok ", line)]
            self.assertEqual(lines[1], f"1..{len(points)}")


class Cases(unittest.TestCase):
    def test_all_machines(self):
        self.assertEqual([one.name for one in contract.cases("all")], ["contract-virt", "contract-q35", "contract-q35-scalable"])
        self.assertEqual([one.name for one in contract.cases("all", variant="scalable")], ["contract-q35-scalable"])
        self.assertEqual(contract.cases("virt", boot="dt"), [])

    def test_the_iommu_precedes_what_is_behind_it(self):
        for one in contract.cases("all"):
            with self.subTest(case=one.name):
                with unittest.mock.patch.object(contract.machine, "firmware_options", lambda *_: []):
                    argv = contract.command(one, "qemu", None, contract.paths.BUILD)
                    bare = contract.command(one, "qemu", None, contract.paths.BUILD, breakage="endpoint")
                words = " ".join(argv)
                self.assertLess(words.index(one.machine.device), words.index(contract.machine.ENDPOINT))
                self.assertEqual(sum(word.startswith(contract.machine.ENDPOINT) for word in argv), 6 if one.machine.name == "virt" else 3)
                self.assertNotIn(contract.machine.ENDPOINT, " ".join(bare))

    def test_the_application_is_made_of_one_processor_s_files(self):
        for one, other in (efi.ARCHITECTURES, efi.ARCHITECTURES[::-1]):
            names = {path.name for path in efi.sources(one)}
            self.assertIn(f"cpu_{one}.cpp", names)
            self.assertFalse(names & {f"cpu_{other}.cpp", "mutants.cpp", "runner.cpp", "machine.cpp"})
            self.assertIn("mutants.cpp", {path.name for path in efi.sources(one, mutants=True)})
            self.assertTrue({"catalogue.cpp", "smmuv3.cpp", "vtd.cpp", "main.cpp", "mapping.cpp"} <= names)


if __name__ == "__main__":
    unittest.main()
