# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites of `./winiommu test`.

A suite is a name, a sentence and a function from Context to results.Outcome; put yours into
SUITES.  Test programs that Meson knows need no new suite: a `test()` with `suite: 'qtest'` runs
in the suite qtest, with `suite: 'fuzz'` in fuzz, any other in unit; those with 'threads' in threads too.
"""
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from typing import Callable

from . import core, packages, paths, qemu, results, ui
from .guest import suite as guest

APART = {"qtest", "fuzz"}  # Meson suites that need more than the core


@dataclasses.dataclass
class Context:
    args: object  # the options of ./winiommu test
    reports: pathlib.Path  # a directory for this suite's reports and logs
    built: dict  # what suites share, such as the QEMU

    def qemu(self):
        if "qemu" not in self.built:
            self.built["qemu"] = qemu.from_options(self.args)
        return self.built["qemu"]


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    what: str
    run: Callable


def program(name, argv, reports, *, protocol="exitcode", env=None, cwd=None, timeout=600):
    """Runs one test program and judges it; its output is kept in the reports directory."""
    report = reports / f"{name}.xml"
    report.unlink(missing_ok=True)
    argv = [str(part) for part in argv]
    if protocol == "gtest":
        argv.append(f"--gtest_output=xml:{report}")
    log = reports / f"{name}.log"
    with open(log, "w", encoding="utf-8") as file:
        with ui.start(argv, cwd=cwd, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                      stdout=file, stderr=subprocess.STDOUT) as process:
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = None
    output = log.read_text(encoding="utf-8", errors="replace")
    outcome = results.judge(name, status, output, paths.read(report), protocol)
    if not outcome.good:
        outcome.failures[-1] += f" (output in {log})"
    return outcome


def together(jobs, workers=None):
    """Runs {name: function} in parallel, printing each as it ends; the sum."""
    total = results.Outcome()
    with ui.workers(workers) as pool:
        futures = {pool.submit(job): name for name, job in jobs.items()}
        for future in concurrent.futures.as_completed(futures):
            outcome = future.result()
            ui.say(f"    {futures[future]}: {outcome.counts()}")
            total += outcome
    return total


def _introspect(build, what):
    shown = subprocess.run(["meson", "introspect", what, build],
                           capture_output=True, text=True, check=False)
    if shown.returncode:
        raise ui.Error(f"meson introspect {build} failed: {shown.stderr.strip()}",
                       f"remove {build} and run again")
    return json.loads(shown.stdout)


def meson_tests(build, wanted):
    """The tests of a build directory whose Meson suites satisfy `wanted`."""
    tests = []
    for test in _introspect(build, "--tests"):
        # Meson says 'project:suite', or the project alone for a test without a suite.
        test["suites"] = {suite.partition(":")[2] for suite in test["suite"]}
        # Programs among the arguments are named from the build directory, as under Meson.
        test["workdir"] = test.get("workdir") or str(build)
        if wanted(test["suites"]):
            tests.append(test)
    return tests


def run_meson(tests, context, env, workers=None):
    jobs = {}
    for test in tests:
        def job(test=test):
            return program(test["name"], test["cmd"], context.reports,
                           protocol=test["protocol"], cwd=test.get("workdir"),
                           env={**test["env"], **env}, timeout=(test["timeout"] or 600) * 2)
        jobs[test["name"]] = job
    if not jobs:
        return results.failed("there is no test program")
    return together(jobs, workers)


SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


def built_tests(configuration, wanted):
    """The wanted tests of a configuration, after building just what they run."""
    build = core.configure(configuration)
    tests = meson_tests(build, wanted)
    used = {part for test in tests for part in test["cmd"]} | {
        part for test in tests for part in test.get("depends", ())}
    targets = {pathlib.Path(file) for target in _introspect(build, "--targets")
               if target["id"] in used or used & set(target["filename"])
               for file in target["filename"]}
    if targets:
        core.build(configuration, sorted(str(path.relative_to(build)) for path in targets))
    return tests


def unit(context):
    configuration = "core" if context.args.plain else "core-sanitized"
    return run_meson(built_tests(configuration, lambda suites: not suites & APART),
                     context, SANITIZERS)


def threads(context):
    """Tests of the Meson suite threads, which unit runs as well, with another sanitizer."""
    return run_meson(built_tests("core-threads", lambda suites: "threads" in suites), context,
                     {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})


def qemu_environment(built):
    """How a qtest finds the QEMU under test."""
    return {f"WINIOMMU_QEMU_{target.upper()}": str(built.system(target)) for target in qemu.TARGETS} | {
        "WINIOMMU_QEMU_IMG": str(built.img), "WINIOMMU_QEMU_SERIES": built.series}


def qtest(context):
    built = context.qemu()
    return run_meson(built_tests("core", lambda suites: "qtest" in suites), context,
                     qemu_environment(built))


def report(context):
    """The page of ./winiommu report in a browser, from a run that winiommu-verify records."""
    packages.ensure("report")
    core.ensure("core", ["contract/winiommu-verify"])
    return program("report", [sys.executable, paths.REPO / "tests/unittest_tap.py",
                              paths.REPO / "tests/report"], context.reports, protocol="tap",
                   env={"WINIOMMU_VERIFY": str(paths.BUILD / "core/contract/winiommu-verify")})


def fuzz_command(test, args, reports):
    """A fuzzer's command line: its kept corpus is laid out beside what it finds."""
    name = test["name"]
    found = reports / f"{name}-corpus"
    found.mkdir(exist_ok=True)
    kept = paths.REPO / "tests/fuzz/corpus" / name
    # Small inputs are kept as lines of hexadecimal, larger ones as files.
    lines = (paths.read(kept.with_suffix(".hex")) or "").splitlines()
    for number, line in enumerate(lines):
        (found / f"kept-{number}").write_bytes(bytes.fromhex(line))
    words = paths.REPO / "tests/fuzz" / (name.partition("-")[0] + ".dict")
    return [test["cmd"][0], f"-max_total_time={args.fuzz_seconds}", f"-seed={args.fuzz_seed}",
            "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
            f"-artifact_prefix={reports}/{name}-",
            *([f"-dict={words}"] if words.is_file() else []), found,
            *([kept] if kept.is_dir() else [])]


def fuzz(context):
    """Each fuzzer for a while on its kept corpus plus what it finds."""
    tests = built_tests("fuzz", lambda suites: "fuzz" in suites)
    jobs = {}
    for test in tests:
        def job(test=test):
            name, args = test["name"], context.args
            outcome = program(name, fuzz_command(test, args, context.reports), context.reports,
                              env=SANITIZERS, timeout=args.fuzz_seconds + 120)
            if not outcome.good:
                for line in results.finding(paths.read(context.reports / f"{name}.log") or ""):
                    ui.say(f"    {name}: {line}")
            return outcome
        jobs[test["name"]] = job
    if not jobs:
        return results.failed("there is no fuzzer")
    return together(jobs)


def python_tests(*directories, needs=()):
    """A suite of unittest modules in directories below tests/, run by tests/unittest_tap.py; `needs`: groups of packages."""
    def run(context):
        packages.ensure(*needs)
        return together({directory: lambda directory=directory: program(
            directory, [sys.executable, paths.REPO / "tests/unittest_tap.py",
                        paths.REPO / "tests" / directory],
            context.reports, protocol="tap", timeout=600) for directory in directories})
    return run


SUITES = (
    Suite("launcher", "the launcher's own unit tests", python_tests("launcher", needs=("build",))),
    Suite("tree", "which file may include what", python_tests("tree")),
    Suite("docs", "the documentation: commands, options, links, and what it says of the tree", python_tests("docs")),
    Suite("unit", "unit and conformance tests of the core, with ASan and UBSan", unit),
    Suite("threads", "the contract's driver from many threads, and without memory, with TSan", threads),
    Suite("qtest", "the devices in a real QEMU, driven register by register", qtest),
    Suite("guest-unit", "what the guest launcher and gdb's commands build, believe and report",
          python_tests("guest", "gdb")),
    Suite("guest", "Linux behind the devices: data, faults, tables; and broken set-ups", guest.run),
    Suite("contract-guest", "the Windows contract on a real vCPU, on each machine; and what must fail", guest.run_contract),
    Suite("report", "the page of ./winiommu report, in a browser", report),
    Suite("fuzz", "libFuzzer on the core's inputs", fuzz),
)


def find(name):
    return next(suite for suite in SUITES if suite.name == name)
