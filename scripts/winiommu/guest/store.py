# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels, busybox and UEFI firmware out of Debian packages, kept under build/guest."""

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from .. import mirror, paths, ui
from . import initramfs

STORE = paths.BUILD / "guest"

# Debian's kernel series by the release that carries it.
KERNELS = {"6.1": "bookworm", "6.12": "trixie"}
FIRMWARE_RELEASE = "trixie"
FIRMWARE = {
    "aarch64": ("qemu-efi-aarch64", {"code.fd": "usr/share/qemu-efi-aarch64/QEMU_EFI.fd"}),
    "x86_64": ("ovmf", {"code.fd": "usr/share/OVMF/OVMF_CODE_4M.fd", "vars.fd": "usr/share/OVMF/OVMF_VARS_4M.fd"}),
}
DEBIAN_ARCHITECTURE = {"aarch64": "arm64", "x86_64": "amd64"}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """An unpacked kernel with what the first root needs."""

    directory: pathlib.Path
    package: str
    version: str

    @property
    def image(self) -> pathlib.Path:
        return self.directory / "vmlinuz"

    def initramfs(self) -> bytes:
        order = (self.directory / "order").read_text(encoding="ascii").split()
        modules = [(name, (self.directory / "modules" / name).read_bytes()) for name in order]
        return initramfs.build((self.directory / "busybox").read_bytes(), modules)


def _suite(release, architecture):
    """A suite of the machine's mirror, for any architecture and blind to what is installed here."""
    suite = mirror.Suite(release, "deb", paths.BUILD / "apt" / f"{release}-{architecture}")
    suite.base.mkdir(parents=True, exist_ok=True)
    (suite.base / "status").touch()
    suite.options += ["-o", f"APT::Architecture={architecture}", "-o", f"APT::Architectures={architecture}",
                      "-o", f"Dir::State::status={suite.base}/status", "-o", "Acquire::Languages=none"]
    return suite


def _field(suite, package, field):
    shown = subprocess.run(["apt-cache", *suite.options, "show", "--no-all-versions", package],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    found = re.search(rf"^{field}: (.*)$", shown.stdout, re.MULTILINE)
    if not found:
        raise ui.Error(f"the Debian release {suite.name} at your mirror has no package {package}",
                       "see that the mirror is complete, then run again")
    return found.group(1)


def _fetch(suite, package, into):
    """Downloads and unpacks one package; returns its version."""
    version = _field(suite, package, "Version")
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".download-") as scratch:
        suite.download(package, version, pathlib.Path(scratch))
        found = list(pathlib.Path(scratch).glob("*.deb"))
        if len(found) != 1:
            raise ui.Error(f"apt-get download {package} gave {len(found)} packages, not one")
        ui.run(["dpkg-deb", "--extract", found[0], into], f"unpack {package}", paths.LOGS / f"unpack-{package}.log")
    return version


def _only(tree, pattern):
    found = sorted(tree.glob(pattern))
    if len(found) != 1:
        raise ui.Error(f"{len(found)} files {pattern} in the unpacked package, not one")
    return found[0]


def _prepare_kernel(target, machine_architecture, series):
    architecture = DEBIAN_ARCHITECTURE[machine_architecture]
    suite = _suite(KERNELS[series], architecture)
    with ui.step(f"fetch Linux {series} for {architecture} (Debian {KERNELS[series]})"), paths.staged(target) as stage:
        paths.need_space(1, "a guest kernel")
        suite.update()
        # linux-image-cloud-ARCH depends on the newest kernel of the series, by its full name.
        depends = _field(suite, f"linux-image-cloud-{architecture}", "Depends")
        package = depends.split(",")[0].split("(")[0].strip()
        tree, tools = stage / "tree", stage / "tools"
        version = _fetch(suite, package, tree)
        _fetch(suite, "busybox-static", tools)
        shutil.copyfile(_only(tree, "boot/vmlinuz-*"), stage / "vmlinuz")
        shutil.copyfile(_only(tree, "boot/config-*"), stage / "config")
        shutil.copyfile(_only(tools, "usr/bin/busybox") if (tools / "usr/bin/busybox").exists()
                        else _only(tools, "bin/busybox"), stage / "busybox")
        (stage / "modules").mkdir()
        try:
            modules = initramfs.collect_modules(tree)
        except initramfs.ModuleMissing as error:
            raise ui.Error(str(error)) from error
        for name, content in modules:
            (stage / "modules" / name).write_bytes(content)
        (stage / "order").write_text("".join(f"{name}\n" for name, _ in modules), encoding="ascii")
        (stage / "package.json").write_text(json.dumps({"package": package, "version": version}), encoding="ascii")
        shutil.rmtree(tree)
        shutil.rmtree(tools)


def kernel(architecture, series):
    """The kernel of a series ("6.1", "6.12") for "aarch64" or "x86_64"; fetched when it is not there yet."""
    target = STORE / f"linux-{series}-{architecture}"
    with paths.lock(f"guest-linux-{series}-{architecture}"):
        if not (target / "package.json").exists():
            _prepare_kernel(target, architecture, series)
    about = json.loads((target / "package.json").read_text(encoding="ascii"))
    return Kernel(target, about["package"], about["version"])


def firmware(architecture):
    """The directory with the UEFI firmware: code.fd, and vars.fd where the two are apart."""
    package, files = FIRMWARE[architecture]
    target = STORE / f"firmware-{architecture}"
    with paths.lock(f"guest-firmware-{architecture}"):
        if all((target / name).exists() for name in files):
            return target
        suite = _suite(FIRMWARE_RELEASE, "amd64")
        with ui.step(f"fetch the UEFI firmware {package}"), paths.staged(target) as stage:
            suite.update()
            tree = stage / "tree"
            _fetch(suite, package, tree)
            for name, path in files.items():
                shutil.copyfile(_only(tree, path), stage / name)
            shutil.rmtree(tree)
    return target
