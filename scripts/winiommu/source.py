# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU source trees: obtained from the Debian mirror or copied from a checkout, then edited."""
import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil

from . import mirror, paths, ui

DEFAULT = "10.0"

# Where each series is looked for, best place first.
SUITES = {
    "10.0": ("trixie",),
    "10.2": ("trixie-backports", "testing", "unstable"),
    "11.1": ("trixie-backports", "testing", "unstable"),
}

# SHA-256 of the upstream tarball as Debian repacked it.  apt has verified the archive's signature
# already; a version listed here must also be the very file this project was tried with.
PINS = {
    "10.0.13+ds": "6a0888e806c2ffc0c5f0733e974f9aea55491950d3c47c98669c8b236dde59ae",
    "10.2.2+ds": "be05230fe47a6937cd29f28f562932c8125f9c93c2a82c625198f7a4aa601dfb",
    "11.1.2+ds": "4f41c3df35a86d2497f842a585b014fe5aef45ceec6450e61615f0164ca39761",
    "11.1.3+ds": "502fe33503df3520b6a81176a94d77eef908eb252bacc675d7199f379ac26641",
}


@dataclasses.dataclass(frozen=True)
class Tree:
    name: str  # names the source and build directories
    path: pathlib.Path
    series: str


def _edits():
    spec = importlib.util.spec_from_file_location("winiommu_edits",
                                                  paths.REPO / "integration/qemu/edits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def upstream(version):
    """`1:10.0.13+ds-0+deb13u1` to `10.0.13+ds`."""
    return version.partition(":")[2].rpartition("-")[0] or version


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_pin(version, tarball):
    """Error unless the tarball is the pinned one; a version without a pin is only announced."""
    pin = PINS.get(upstream(version))
    if pin is None:
        ui.say(f"    QEMU {version} is newer than the pins: the archive's signature vouches for it")
        return
    actual = sha256(tarball)
    if actual != pin:
        raise ui.Error(f"{tarball.name} has the SHA-256 {actual}, expected {pin}",
                       "do not use that file; try another mirror, or --qemu-src DIR")


def _download(series, into):
    """Downloads the newest source package of the series; the .dsc's path."""
    failures = []
    for name in SUITES[series]:
        suite = mirror.Suite(name, "deb-src")
        try:
            suite.update()
            versions = [v for v in suite.versions("qemu") if upstream(v).startswith(series + ".")]
            if not versions:
                failures.append(f"{name} has no {series}")
                continue
            suite.download("qemu", versions[0], into)
        except ui.Error as error:
            failures.append(error.what.splitlines()[0])
            for partial in into.iterdir():
                partial.unlink()
            continue
        check_pin(versions[0], next(into.glob("*.orig.tar.*")))
        return next(into.glob("*.dsc"))
    raise ui.Error(f"QEMU {series} is not to be had from this machine's mirror: "
                   + "; ".join(failures),
                   "see that the mirror in your apt configuration is reachable; or use another "
                   f"series ({', '.join(one for one in SUITES if one != series)}) or --qemu-src DIR")


def _unpack(series):
    """The unedited source package under build/src, with Debian's own patches applied."""
    target = paths.BUILD / "src" / f"qemu-{series}"
    if target.is_dir():
        return target
    paths.need_space(5, f"QEMU {series}")
    with ui.step(f"get QEMU {series} from the machine's Debian mirror"):
        with paths.staged(target) as stage:
            downloads = stage.parent / "files"
            downloads.mkdir()
            dsc = _download(series, downloads)
            stage.rmdir()  # dpkg-source makes it
            ui.run(["dpkg-source", "--no-copy", "-x", dsc, stage], "unpack",
                   paths.LOGS / f"unpack-qemu-{series}.log",
                   next_step="run again; the download starts afresh")
    return target


def _copy_checkout(checkout):
    """A copy of somebody's checkout, so that it stays as it is; later runs copy what changed."""
    checkout = pathlib.Path(checkout).resolve()
    version = paths.read(checkout / "VERSION")
    if version is None or not (checkout / "hw/arm/virt.c").is_file():
        raise ui.Error(f"{checkout} is no QEMU source tree", "give --qemu-src the top of one")
    if paths.REPO.is_relative_to(checkout):
        raise ui.Error(f"{checkout} contains this repository", "give --qemu-src another directory")
    tag = hashlib.sha256(str(checkout).encode()).hexdigest()[:8]
    name = f"qemu-src-{tag}"
    target = paths.BUILD / "src" / name
    manifest_path = paths.BUILD / "src" / f".{name}.json"
    manifest = json.loads(paths.read(manifest_path) or "{}") if target.is_dir() else {}
    now = {}
    for top, directories, files in os.walk(checkout):
        relative = pathlib.Path(top).relative_to(checkout)
        directories[:] = [d for d in directories if d != ".git"
                          and not (pathlib.Path(top) / d / "meson-private").is_dir()
                          and str(relative / d) != "subprojects/winiommu"]
        links = [d for d in directories if os.path.islink(os.path.join(top, d))]
        for file in files + links:
            status = os.lstat(os.path.join(top, file))
            now[str(relative / file)] = [status.st_size, status.st_mtime_ns]
    changed = [p for p, status in now.items() if manifest.get(p) != status]
    if changed:
        with ui.step(f"copy {len(changed)} files of {checkout}"):
            for path in changed:
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                (target / path).unlink(missing_ok=True)
                (target / ".winiommu" / path).unlink(missing_ok=True)
                shutil.copy2(checkout / path, target / path, follow_symlinks=False)
    for path in manifest.keys() - now.keys():
        (target / path).unlink(missing_ok=True)
    paths.write(manifest_path, json.dumps(now))
    return Tree(name, target, version.strip())


def series_of(version):
    """The supported series nearest to a VERSION such as 10.1.50; for messages only."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return f"{found.group(1)}.{found.group(2)}" if found else version


def ensure(series=DEFAULT, checkout=None):
    """A source tree that builds our devices."""
    if checkout:
        tree = _copy_checkout(checkout)
    else:
        if series not in SUITES:
            raise ui.Error(f"QEMU {series} is not a supported series",
                           f"use one of {', '.join(SUITES)}, or --qemu-src DIR")
        tree = Tree(f"qemu-{series}", _unpack(series), series)
    edits = _edits()
    try:
        edits.apply(tree.path, paths.REPO)
    except edits.EditError as error:
        raise ui.Error(f"QEMU {series_of(tree.series)} in {tree.path} cannot take our devices: {error}",
                       f"use one of the supported series: {', '.join(SUITES)}") from error
    return tree
