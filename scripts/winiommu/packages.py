# SPDX-License-Identifier: GPL-2.0-or-later
"""The one list of Debian packages, and how they get installed."""
import os
import shutil
import subprocess

from . import paths, ui

GROUPS = {
    # The core, and QEMU from its source package.
    "build": ("gcc", "g++", "ninja-build", "meson", "pkg-config", "python3", "python3-venv",
              "libglib2.0-dev", "libfdt-dev", "libslirp-dev", "zlib1g-dev",
              "dpkg-dev", "xz-utils", "bzip2", "debian-archive-keyring", "ca-certificates"),
    # Unit tests, fuzzers, and what QEMU needs to start a machine.
    "test": ("libgtest-dev", "libgmock-dev", "clang", "libclang-rt-dev", "acpica-tools",
             "seabios", "qemu-system-data", "ipxe-qemu"),
    # Guests; their kernels and firmware are not installed, only fetched.
    # The contract's guest is built by clang and lld.
    "guest": ("dpkg-dev", "xz-utils", "debian-archive-keyring", "acpica-tools", "clang", "lld",
              "seabios", "qemu-system-data", "ipxe-qemu"),
    # The page of ./winiommu report is looked at in a browser.
    "report": ("chromium",),
    "gdb": ("gdb-multiarch",),
    "bench": ("libbenchmark-dev", "valgrind", "seabios", "qemu-system-data", "ipxe-qemu"),
}
SUPPORTED = ("12", "13")


def release(path="/etc/os-release"):
    """The fields of os-release; empty when there is none."""
    fields = {}
    for line in (paths.read(path) or "").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            fields[name] = value.strip().strip('"')
    return fields


def wanted(groups):
    names = []
    for group in groups:
        names += [name for name in GROUPS[group] if name not in names]
    return names


def installed(status):
    """Names that `dpkg-query -W -f '${binary:Package} ${db:Status-Status} ${Provides}'` calls installed."""
    names = set()
    for line in status.splitlines():
        package, _, rest = line.partition(" ")
        state, _, provides = rest.partition(" ")
        if state != "installed":
            continue
        names.add(package.partition(":")[0])
        names.update(word.split()[0].partition(":")[0]
                     for word in provides.split(",") if word.strip())
    return names


def missing(groups):
    """What is not installed; everything where there is no dpkg."""
    if not shutil.which("dpkg-query"):
        return wanted(groups)
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${binary:Package} ${db:Status-Status} ${Provides}\n"],
        capture_output=True, text=True, check=False)
    have = installed(query.stdout)
    return [name for name in wanted(groups) if name not in have]


def ensure(*groups):
    """Installs what is missing of these groups, or says what to install."""
    lacking = missing(groups)
    if not lacking or os.environ.get("WINIOMMU_NO_INSTALL"):
        return
    system = release()
    if system.get("ID") != "debian" or system.get("VERSION_ID") not in SUPPORTED:
        raise ui.Error(
            "this is not Debian 12 or 13, so nothing is installed; these Debian packages, or what "
            f"your system calls them, are needed: {' '.join(lacking)}",
            "install them, then run again with WINIOMMU_NO_INSTALL=1 in the environment")
    root = [] if os.geteuid() == 0 else ["sudo"]
    if root and not shutil.which("sudo"):
        raise ui.Error(f"packages are missing: {' '.join(lacking)}",
                       f"as root: apt-get install {' '.join(lacking)}")
    _install(root, lacking)


def _install(root, names):
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
           "-o", "DPkg::Lock::Timeout=300"]
    if root:
        ui.say("installing packages needs root: sudo may ask for your password")
        subprocess.run(["sudo", "-v"], check=False)
    with ui.step(f"install {len(names)} packages: {' '.join(names)}"):
        hint = "see whether 'apt-get update' works on this machine, then run again"
        ui.run([*apt, "update"], "apt-get update", paths.LOGS / "apt-update.log", next_step=hint)
        ui.run([*apt, "install", "--no-install-recommends", *names], "apt-get install",
               paths.LOGS / "apt-install.log", next_step=hint)
