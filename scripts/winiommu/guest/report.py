# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of guests, and of the contract in them, as text for people, and as JSON, TAP and JUnit for programs."""

import json
import xml.etree.ElementTree as ElementTree

from . import contract

FORMATS = ("text", "json", "tap", "junit")


def _totals(results):
    checks = [check for result in results for check in result.checks]
    passed = sum(check.passed for check in checks)
    return passed, len(checks) - passed


def passed(results, contracts=()):
    """Whether all is well: no result at all is not."""
    both = [*results, *contracts]
    return bool(both) and all(result.passed for result in both)


def _contract_counts(result, section=None):
    words = [f"{result.count(kind, section)} {kind}" for kind in (contract.PASSED, contract.FAILED)]
    words += [f"{result.count(kind, section)} {kind}" for kind in (contract.PROPOSAL, contract.NOT_APPLICABLE)
              if result.count(kind, section)]
    return ", ".join(words)


MOST_NAMES = 12  # of rules in one line of a report for people


def _named(rules):
    """Rules in a line, the last of very many by their number only."""
    names = [f"{one.name} [{one.tag}]" for one in rules]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _by_message(result, outcome):
    """The rules of an outcome, those that say the same together."""
    found = {}
    for one in result.all():
        if one.outcome == outcome:
            found.setdefault(one.message, []).append(one)
    return found.items()


def _console(result):
    """Where to look further."""
    lines = ["  the console's last lines:", *(f"  | {line}" for line in result.tail[-15:])] if result.tail else []
    return [*lines, f"  the whole console is in {result.log}"] if result.log else lines


def _contract_text(result, like=None):
    """One machine: its sections, then each rule that has not passed; those that do not apply by their reasons.

    `like`: a result shown before, in which each rule came out the same.
    """
    lines = [f"{result.case.name}: the Windows contract, {result.seconds:.1f} s: {_contract_counts(result)}"]
    if like:
        return [*lines, f"  each rule as on {like.case.name}", ""]
    for section in sorted({one.section for one in result.all()}):
        title = f"{section}. {result.sections.get(section, '')}"
        lines.append(f"  {title:<46} {_contract_counts(result, section)}")
    for kind, word in ((contract.FAILED, "FAIL"), (contract.PROPOSAL, contract.PROPOSAL)):
        lines += [f"  {word} {_named(rules)}: {message}" for message, rules in _by_message(result, kind)]
    lines += [f"  not applicable: {', '.join(one.name for one in rules)}: {reason}"
              for reason, rules in _by_message(result, contract.NOT_APPLICABLE)]
    lines += [f"  FAIL {problem}" for problem in result.problems]
    if not result.passed:
        lines += _console(result)
    return [*lines, ""]


def _contracts_text(contracts):
    lines, shown = [], []
    for result in contracts:
        like = next((one for one in shown if one.verdicts == result.verdicts and not one.problems and not result.problems), None)
        lines += _contract_text(result, like)
        shown.append(result)
    return lines


def _failed_rules(contracts):
    """Each rule that failed somewhere, once; not those that were never tried."""
    return list({one.number: one for result in contracts for one in result.all()
                 if one.outcome == contract.FAILED and not one.message.startswith("not run: ")}.values())


def text(results, contracts=()):
    lines = []
    for result in results:
        lines.append(f"{result.case.name}: {result.kernel}, {result.seconds:.1f} s, seed {result.seed}")
        for check in result.checks:
            lines.append(f"  {'ok  ' if check.passed else 'FAIL'} {check.name}" + (f": {check.detail}" * bool(check.detail)))
        if not result.passed:
            lines += _console(result)
        lines.append("")
    lines += _contracts_text(contracts)
    good, bad = _totals(results)
    if results or not contracts:
        lines.append(f"{len(results)} guests, {good} checks passed, {bad} failed")
    if contracts:
        counts = [sum(result.count(kind) for result in contracts) for kind in (contract.PASSED, contract.FAILED)]
        lines.append(f"the Windows contract on {len(contracts)} machines, {counts[0]} rules passed, {counts[1]} failed")
        if found := _failed_rules(contracts):
            lines.append(f"found out by {_named(found)}")
    lines.append("PASS" if passed(results, contracts) else "FAIL")
    return "\n".join(lines) + "\n"


def as_json(results, contracts=()):
    good, bad = _totals(results)
    return json.dumps({
        "result": "PASS" if passed(results, contracts) else "FAIL", "passed": good, "failed": bad,
        "guests": [{
            "name": result.case.name, "machine": result.case.machine.name, "boot": result.case.boot,
            "kernel": result.kernel, "seed": result.seed, "seconds": round(result.seconds, 2),
            "result": "PASS" if result.passed else "FAIL", "features": result.features, "command": result.command,
            "console": result.log,
            "checks": [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in result.checks],
        } for result in results],
        "contract": [{
            "name": result.case.name, "machine": result.case.machine.name, "variant": result.case.variant,
            "seconds": round(result.seconds, 2), "result": "PASS" if result.passed else "FAIL", "command": result.command,
            "console": result.log, "problems": result.problems, "sections": result.sections,
            "rules": [{"name": one.name, "tag": one.tag, "section": one.section, "outcome": one.outcome,
                       "message": one.message} for one in result.all()],
        } for result in contracts],
    }, indent=2) + "\n"


def _tap_rules(contracts, number):
    """The lines of the rules, and of what else went wrong; the first has the number after `number`."""
    for result in contracts:
        for one in result.all():
            number += 1
            # A '#' begins a directive.
            message = one.message.replace("#", "")
            skipped = {contract.PROPOSAL: f" # SKIP proposal not met: {message}",
                       contract.NOT_APPLICABLE: f" # SKIP {message}"}.get(one.outcome, "")
            yield (f"{'not ok' if one.outcome == contract.FAILED else 'ok'} {number} - "
                   f"{result.case.name}: {one.name} [{one.tag}] {one.section}{skipped}")
            if one.outcome == contract.FAILED:
                yield f"# {message}"
        for problem in result.problems:
            number += 1
            yield f"not ok {number} - {result.case.name}: {problem.replace('#', '')}"


def tap(results, contracts=()):
    """Test Anything Protocol 13."""
    total = sum(len(result.checks) for result in results)
    total += sum(len(result.verdicts) + len(result.problems) for result in contracts)
    lines = ["TAP version 13", f"1..{total}"]
    number = 0
    for result in results:
        for check in result.checks:
            number += 1
            # A '#' begins a directive, a newline ends the line.
            name = f"{result.case.name}: {check.name}".replace("#", "").replace("\n", " ")
            lines.append(f"{'ok' if check.passed else 'not ok'} {number} - {name}")
            lines += [f"# {line}" for line in check.detail.splitlines()]
    lines += _tap_rules(contracts, number)
    if not results and not contracts:
        lines.append("Bail out! no guest ran")
    return "\n".join(lines) + "\n"


def _printable(value):
    """Without the characters XML 1.0 does not admit (2.2 Characters)."""
    return "".join(letter for letter in value
                   if letter in "\t\n\r" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd" or letter > "\uffff")


def _junit_rules(root, result):
    """One machine's rules; returns how many there are, and how many failed."""
    failed = result.count(contract.FAILED) + len(result.problems)
    tests = len(result.verdicts) + len(result.problems)
    suite = ElementTree.SubElement(
        root, "testsuite", name=result.case.name, tests=str(tests), time=f"{result.seconds:.2f}", failures=str(failed),
        skipped=str(result.count(contract.NOT_APPLICABLE)))
    for one in result.all():
        case = ElementTree.SubElement(suite, "testcase", classname=f"{result.case.name}.{one.section}.{one.tag}", name=one.name)
        if one.outcome == contract.FAILED:
            ElementTree.SubElement(case, "failure", message=_printable(one.message) or "failed")
        elif one.outcome == contract.NOT_APPLICABLE:
            ElementTree.SubElement(case, "skipped", message=_printable(one.message))
        elif one.outcome == contract.PROPOSAL:
            ElementTree.SubElement(case, "system-out").text = _printable(f"proposal not met: {one.message}")
    for problem in result.problems:
        case = ElementTree.SubElement(suite, "testcase", classname=result.case.name, name="the run")
        ElementTree.SubElement(case, "failure", message=_printable(problem))
    out = ElementTree.SubElement(suite, "system-out")
    out.text = _printable("\n".join([result.command, *([] if result.passed else result.tail)]))
    return tests, failed


def junit(results, contracts=()):
    good, bad = _totals(results)
    root = ElementTree.Element("testsuites", name="winiommu validate")
    for result in results:
        suite = ElementTree.SubElement(
            root, "testsuite", name=result.case.name, tests=str(len(result.checks)), time=f"{result.seconds:.2f}",
            failures=str(sum(not check.passed for check in result.checks)))
        for check in result.checks:
            case = ElementTree.SubElement(suite, "testcase", classname=result.case.name, name=check.name)
            if not check.passed:
                ElementTree.SubElement(case, "failure", message=_printable(check.detail) or "failed")
        out = ElementTree.SubElement(suite, "system-out")
        out.text = _printable("\n".join([result.command, *result.features, *([] if result.passed else result.tail)]))
    rules = [_junit_rules(root, result) for result in contracts]
    root.set("tests", str(good + bad + sum(tests for tests, _ in rules)))
    root.set("failures", str(bad + sum(failed for _, failed in rules)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


_WORDS = {contract.PASSED: "passed", contract.FAILED: "FAILED", contract.PROPOSAL: "not met", contract.NOT_APPLICABLE: "\\-"}
TABLE_HEAD = """\
.. SPDX-License-Identifier: GPL-2.0-or-later
.. Written by: ./winiommu validate --only contract --table docs/conformance/results.rst

The reference driver on both machines
=====================================

What became of each rule (docs/conformance/rules.rst) when the suite ran as a UEFI application in a machine of its own,
behind our devices: docs/system/contract.rst says how. A dash: not applicable, see the reasons at the end.
"""


def _columns(rows):
    """A simple table; the first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [rule, lines[0], rule, *lines[1:], rule]


def table(contracts):
    """docs/conformance/results.rst: the outcome of each rule on each machine, and why some do not apply."""
    names = [result.case.name.removeprefix("contract-") for result in contracts]
    rows, reasons = [["rule", "tag", *names]], {}
    for number in sorted({number for result in contracts for number in result.verdicts}):
        found = [result.verdicts.get(number) for result in contracts]
        one = next(filter(None, found))
        rows.append([one.name, one.tag, *(_WORDS[each.outcome] if each else "missing" for each in found)])
        for name, each in zip(names, found):
            if each and each.outcome == contract.NOT_APPLICABLE:
                reasons.setdefault(each.message, {}).setdefault(one.name, []).append(name)
    totals = [["machine", "passed", "failed", "proposals not met", "not applicable"]]
    totals += [[name, *(str(result.count(kind)) for kind in _WORDS)] for name, result in zip(names, contracts)]
    lines = [TABLE_HEAD, *_columns(totals), "", *_columns(rows), "", "Not applicable", "--------------", ""]
    for reason, rules in reasons.items():
        on = {", ".join(where) for where in rules.values()}
        lines.append(f"* {', '.join(rules)} ({'; '.join(sorted(on))}): {reason}.")
    return "\n".join(lines) + "\n"


def render(form, results, contracts=()):
    return {"text": text, "json": as_json, "tap": tap, "junit": junit}[form](results, contracts)
