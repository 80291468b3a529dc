# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU with our devices, configured small and built under build/."""
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

from . import mirror, packages, paths, source, ui

SYSTEM_PYTHON = "/usr/bin/python3"
FIRMWARE = ("/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu")
TARGETS = ("aarch64", "x86_64")
SYSTEMS = tuple(f"qemu-system-{target}" for target in TARGETS)
PROGRAMS = (*SYSTEMS, "qemu-img", "qemu-io")
CONFIGURE = (
    "--target-list=" + ",".join(f"{target}-softmmu" for target in TARGETS),
    "--without-default-features", "--enable-system", "--enable-tcg", "--enable-tools",
    "--enable-fdt=system", "--enable-slirp", "--enable-trace-backends=log",
    "--disable-docs", "--disable-install-blobs", "--disable-werror", "--disable-download",
    "--firmwarepath=" + ":".join(FIRMWARE),
)
MESON_WANTED = (1, 5)  # QEMU 10.0; newer series state theirs in meson.build


@dataclasses.dataclass(frozen=True)
class Qemu:
    """A built QEMU."""
    build: pathlib.Path
    source: pathlib.Path
    series: str

    def system(self, target):
        return self.build / f"qemu-system-{target}"

    @property
    def img(self):
        return self.build / "qemu-img"


def _version(text):
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _meson(tree):
    """Directories for PYTHONPATH so that configure finds a Meson new enough; none if it is."""
    found = re.search(r"meson_version: *'>=(\d+\.\d+)", paths.read(tree / "meson.build") or "")
    wanted = max(MESON_WANTED, _version(found.group(1)) if found else (0, 0))
    shown = subprocess.run([SYSTEM_PYTHON, "-c", "import mesonbuild.coredata as c; print(c.version)"],
                           capture_output=True, text=True, check=False)
    if _version(shown.stdout) >= wanted:
        return []
    target = paths.BUILD / "tools" / "meson"
    library = target / "usr/lib/python3/dist-packages"
    if _unpacked_meson(library) < wanted:
        _fetch_meson(target)
    if _unpacked_meson(library) < wanted:
        raise ui.Error(f"QEMU needs Meson {wanted[0]}.{wanted[1]} and neither the system nor the "
                       "backports suite has it", "install a newer Meson for the system's Python")
    return [str(library)]


def _unpacked_meson(library):
    text = paths.read(library / "mesonbuild/coredata.py") or ""
    found = re.search(r"^version = '([^']*)'", text, re.MULTILINE)
    return _version(found.group(1)) if found else (0, 0)


def _fetch_meson(target):
    """Unpacks the backports' Meson into build/tools; the system is not changed."""
    codename = packages.release().get("VERSION_CODENAME", "")
    suite = mirror.Suite(f"{codename}-backports", "deb")
    with ui.step(f"get a newer Meson from {suite.name}"):
        suite.update()
        versions = suite.versions("meson")
        if not versions:
            raise ui.Error(f"{suite.name} has no meson", "install Meson 1.5 or newer")
        with paths.staged(target) as stage:
            suite.download("meson", versions[0], stage)
            deb = next(stage.glob("*.deb"))
            ui.run(["dpkg-deb", "-x", deb, stage], "unpack", paths.LOGS / "unpack-meson.log")
            deb.unlink()


def _compilers():
    if shutil.which("ccache"):
        return ["--cc=ccache gcc", "--cxx=ccache g++", "--host-cc=ccache gcc"]
    return []


def _environment(python_path):
    env = {"CCACHE_BASEDIR": str(paths.REPO), "CCACHE_NOHASHDIR": "1"}
    if python_path:
        env["PYTHONPATH"] = ":".join(python_path)
    return env


def _configure(tree, build, extra):
    """Configures unless that was done, to the end, with the same options."""
    python_path = _meson(tree.path)
    options = [*CONFIGURE, f"--python={SYSTEM_PYTHON}", *_compilers(), *extra]
    stamp_path = build / "winiommu-configured"
    stamp = hashlib.sha256(json.dumps([options, python_path, str(tree.path)]).encode()).hexdigest()
    if paths.read(stamp_path) == stamp:
        return
    if build.exists():
        shutil.rmtree(build)
    build.mkdir(parents=True)
    configure = os.path.relpath(tree.path / "configure", build)
    ui.run([configure, *options], f"configure {build.name}",
           paths.LOGS / f"configure-{build.name}.log", cwd=build, env=_environment(python_path),
           next_step="see the log; with --qemu-src, the checkout must have its subprojects "
                     "downloaded (meson subprojects download)")
    for directory in python_path:
        # So that a later ninja, started by hand, finds the same Meson.
        for site in build.glob("pyvenv/lib/python3*/site-packages"):
            paths.write(site / "winiommu.pth", directory + "\n")
    _link_firmware(build)
    paths.write(stamp_path, stamp)


def _link_firmware(build):
    """A QEMU in its build tree looks for firmware below qemu-bundle only."""
    for directory in FIRMWARE:
        link = build / "qemu-bundle" / directory.lstrip("/")
        if not link.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(directory)


def ensure(series=source.DEFAULT, checkout=None, programs=PROGRAMS, hooks=True):
    """A built QEMU of that series, or of somebody's checkout; quick when nothing changed.

    Without `hooks` its devices know no introspection: to measure against, in a directory of its own."""
    packages.ensure("build")
    with paths.lock("qemu"):
        tree = source.ensure(series, checkout)
        build = paths.BUILD / (tree.name + ("" if hooks else "-without-hooks"))
        _configure(tree, build, () if hooks else ("-Dwiniommu:hooks=false",))
        ninja = ["ninja", "-C", build, *programs]
        log = paths.LOGS / f"build-{build.name}.log"
        title = f"build QEMU ({build.name})"
        dry = subprocess.run([*ninja, "-n"], capture_output=True, text=True, check=False)
        much = dry.stdout.count("\n") > 20  # QEMU rewrites its version header at every build
        if much:
            paths.need_space(2, title)
        with ui.step(title) if much else contextlib.nullcontext():
            ui.run(ninja, title, log, env=_environment([]),
                   next_step="mend what the output names and run again; finished parts are kept")
        for program in programs:
            if not os.access(build / program, os.X_OK):
                raise ui.Error(f"{build / program} was not built", f"see {log}")
    return Qemu(build, tree.path, tree.series)


def add_options(parser):
    """--qemu and --qemu-src, for every command that needs a QEMU."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--qemu", metavar="SERIES", default=source.DEFAULT,
                        choices=tuple(source.SUITES),
                        help=f"QEMU series: {', '.join(source.SUITES)} (default {source.DEFAULT})")
    choice.add_argument("--qemu-src", metavar="DIR",
                        help="a QEMU checkout instead; it is copied and not changed")


def from_options(args, programs=PROGRAMS, hooks=True):
    return ensure(args.qemu, args.qemu_src, programs, hooks)
