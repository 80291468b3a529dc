# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests said: counts, failures and reasons, read from GoogleTest XML and from TAP."""
import base64
import dataclasses
import pathlib
import re
import xml.etree.ElementTree as xml


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    failures: list = dataclasses.field(default_factory=list)  # one line each
    skips: list = dataclasses.field(default_factory=list)  # "name: reason"

    def __iadd__(self, other):
        self.passed += other.passed
        self.failures += other.failures
        self.skips += other.skips
        return self

    @property
    def total(self):
        return self.passed + len(self.failures) + len(self.skips)

    @property
    def good(self):
        return not self.failures

    def counts(self):
        text = f"{self.passed} passed, {len(self.failures)} failed"
        return text + (f", {len(self.skips)} skipped" if self.skips else "")


def failed(line):
    return Outcome(failures=[line])


def ending(status):
    """How a program with this exit status ended; empty when it ended well."""
    if status is None:
        return "timed out"
    if status < 0:
        return f"crashed (signal {-status})"
    return f"exit status {status}" if status else ""


def _first_line(text):
    """The line of a GoogleTest message that says something: not the `file:line` it begins with."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and re.fullmatch(r"\S+:\d+", lines[0]):
        return f"{lines[0]}: {lines[1]}"
    return lines[0] if lines else "no reason given"


def gtest(text):
    """The outcome in a GoogleTest XML report; disabled tests count as skipped."""
    outcome = Outcome()
    for case in xml.fromstring(text).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        failure, skip = case.find("failure"), case.find("skipped")
        if failure is not None:
            outcome.failures.append(f"{name}: {_first_line(failure.get('message', ''))}")
        elif skip is not None:
            outcome.skips.append(f"{name}: {_first_line(skip.get('message', ''))}")
        elif case.get("status") == "notrun":
            outcome.skips.append(f"{name}: disabled")
        else:
            outcome.passed += 1
    return outcome


_TAP_LINE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*-?\s*([^#]*?)\s*(?:#\s*(SKIP|TODO)\S*\s*(.*))?$",
                       re.IGNORECASE)


def tap(text):
    """The outcome in a TAP stream.  A missing or unkept plan and `Bail out!` are failures."""
    outcome, planned, seen = Outcome(), None, 0
    for line in text.splitlines():
        plan = re.match(r"^1\.\.(\d+)", line)
        if plan:
            planned = int(plan.group(1))
        elif line.startswith("Bail out!"):
            outcome.failures.append(line)
        else:
            found = _TAP_LINE.match(line)
            if not found:
                continue
            seen += 1
            bad, _, name, directive, reason = found.groups()
            name = name or f"test {seen}"
            if directive:
                outcome.skips.append(f"{name}: {reason or directive.lower()}")
            elif bad:
                outcome.failures.append(name)
            else:
                outcome.passed += 1
    if planned is None:
        outcome.failures.append("no plan: the test program did not come to its end")
    elif planned != seen:
        outcome.failures.append(f"{planned} tests were planned, {seen} reported")
    return outcome


def running(output):
    """The GoogleTest case that had begun and not ended when the output stopped."""
    last = ""
    for line in output.splitlines():
        begun = re.match(r"^\[ RUN      \] (\S+)", line)
        if begun:
            last = begun.group(1)
        elif re.match(r"^\[  ( FAILED|SKIPPED|     OK) \]", line):
            last = ""
    return last


def finding(output):
    """What a libFuzzer that stopped says, and the input in base64: enough to run it again elsewhere."""
    said = re.findall(r"^(?:INVARIANT|SUMMARY|.*\bruntime error|==\d+==\s*ERROR):.*", output, re.MULTILINE)
    kept = re.search(r"Test unit written to (\S+)", output)
    try:
        data = pathlib.Path(kept.group(1)).read_bytes() if kept else None
    except OSError:
        data = None
    return said + ([f"input: {base64.b64encode(data).decode()}"] if data is not None else [])


def judge(name, status, output, report, protocol):
    """The outcome of one test program: its report, unless how it ended says otherwise.

    `status` is None after a time-out.  A program that ran no test has failed: nothing was tested.
    """
    end = ending(status)
    if protocol == "gtest":
        try:
            outcome = gtest(report) if report else Outcome()
        except xml.ParseError:
            outcome = Outcome()
            end = end or "its report is not XML"
    elif protocol == "tap":
        outcome = tap(output)
    else:
        outcome = failed(f"{name}: {end}") if end else Outcome(passed=1)
    outcome.failures = [line if line.startswith(f"{name}: ") else f"{name}: {line}"
                        for line in outcome.failures]
    if end and outcome.good:
        inside = running(output)
        outcome.failures.append(f"{name}: {end}" + (f" in {inside}" if inside else ""))
    if not outcome.total:
        outcome.failures.append(f"{name}: ran no test")
    return outcome
