# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of guests as text for people, and as JSON, TAP and JUnit for programs."""

import json
import xml.etree.ElementTree as ElementTree

FORMATS = ("text", "json", "tap", "junit")


def _totals(results):
    checks = [check for result in results for check in result.checks]
    passed = sum(check.passed for check in checks)
    return passed, len(checks) - passed


def passed(results):
    """Whether all is well: no result at all is not."""
    return bool(results) and all(result.passed for result in results)


def text(results):
    lines = []
    for result in results:
        lines.append(f"{result.case.name}: {result.kernel}, {result.seconds:.1f} s, seed {result.seed}")
        for check in result.checks:
            lines.append(f"  {'ok  ' if check.passed else 'FAIL'} {check.name}" + (f": {check.detail}" * bool(check.detail)))
        if not result.passed:
            lines += ["  the console's last lines:", *(f"  | {line}" for line in result.tail[-15:]),
                      f"  the whole console is in {result.log}"]
        lines.append("")
    good, bad = _totals(results)
    lines += [f"{len(results)} guests, {good} checks passed, {bad} failed", "PASS" if passed(results) else "FAIL"]
    return "\n".join(lines) + "\n"


def as_json(results):
    good, bad = _totals(results)
    return json.dumps({
        "result": "PASS" if passed(results) else "FAIL", "passed": good, "failed": bad,
        "guests": [{
            "name": result.case.name, "machine": result.case.machine.name, "boot": result.case.boot,
            "kernel": result.kernel, "seed": result.seed, "seconds": round(result.seconds, 2),
            "result": "PASS" if result.passed else "FAIL", "features": result.features, "command": result.command,
            "console": result.log,
            "checks": [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in result.checks],
        } for result in results],
    }, indent=2) + "\n"


def tap(results):
    """Test Anything Protocol 13."""
    lines = ["TAP version 13", f"1..{sum(len(result.checks) for result in results)}"]
    number = 0
    for result in results:
        for check in result.checks:
            number += 1
            # A '#' begins a directive, a newline ends the line.
            name = f"{result.case.name}: {check.name}".replace("#", "").replace("\n", " ")
            lines.append(f"{'ok' if check.passed else 'not ok'} {number} - {name}")
            lines += [f"# {line}" for line in check.detail.splitlines()]
    if not results:
        lines.append("Bail out! no guest ran")
    return "\n".join(lines) + "\n"


def _printable(value):
    """Without the characters XML 1.0 does not admit (2.2 Characters)."""
    return "".join(letter for letter in value
                   if letter in "\t\n\r" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd" or letter > "\uffff")


def junit(results):
    good, bad = _totals(results)
    root = ElementTree.Element("testsuites", name="winiommu validate", tests=str(good + bad), failures=str(bad))
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
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def render(form, results):
    return {"text": text, "json": as_json, "tap": tap, "junit": junit}[form](results)
