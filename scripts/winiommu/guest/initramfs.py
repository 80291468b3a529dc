# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's first root: busybox, the few kernel modules the disks need, and our own init."""

import lzma
import pathlib
import re
import shutil
import subprocess

from .cpio import Archive

HERE = pathlib.Path(__file__).resolve().parent

# vfio-pci claims the test endpoint: a claimed function gets its IOMMU domain, and vfio-pci touches nothing
# else of it until somebody opens it.
MODULES = ("virtio_pci", "virtio_blk", "nvme", "vfio-pci")

APPLETS = (
    "sh", "mount", "cat", "echo", "sed", "grep", "tr", "tail", "cut", "uname", "readlink", "sha256sum", "base64",
    "gzip", "dd", "dmesg", "insmod", "usleep", "sleep", "rm", "poweroff", "devmem", "printf", "setsid", "cttyhack",
    "xxd", "head", "test", "[", "ls",
)


class ModuleMissing(Exception):
    """The kernel package has a driver neither built in nor as a module."""


def _normal(name: str) -> str:
    return name.replace("-", "_")


def _load(path: pathlib.Path) -> bytes:
    content = path.read_bytes()
    if path.name.endswith(".xz"):
        return lzma.decompress(content)
    if path.name.endswith(".zst"):
        if shutil.which("zstd") is None:
            raise ModuleMissing(f"{path.name} needs the program zstd")
        return subprocess.run(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE, check=True).stdout
    return content


def depends(module: bytes) -> list[str]:
    """The names in the "depends=" string of a module's .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in found.group(1).decode().split(",") if name] if found else []


def collect_modules(tree: pathlib.Path, wanted: tuple[str, ...] = MODULES) -> list[tuple[str, bytes]]:
    """The wanted modules of an unpacked kernel package and what they depend on, in loading order."""
    builtin = {
        _normal(pathlib.PurePath(line).name.removesuffix(".ko"))
        for listing in tree.rglob("modules.builtin")
        for line in listing.read_text().split()
    }
    files = {_normal(path.name.partition(".ko")[0]): path for path in tree.rglob("*.ko*")}
    order: dict[str, bytes] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        name = _normal(name)
        if name in builtin or name in order or name in visiting:
            return
        if name not in files:
            raise ModuleMissing(f"the kernel in {tree} has no {name}, neither built in nor as a module")
        visiting.add(name)
        content = _load(files[name])
        for dependency in depends(content):
            visit(dependency)
        order[name] = content

    for name in wanted:
        visit(name)
    return [(f"{name}.ko", content) for name, content in order.items()]


def build(busybox: bytes, modules: list[tuple[str, bytes]]) -> bytes:
    archive = Archive()
    for directory in ("dev", "proc", "sys", "tmp", "bin", "lib/modules"):
        archive.directory(directory)
    # The kernel opens /dev/console before init can mount a devtmpfs.
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", busybox, 0o755)
    for applet in APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    for name, content in modules:
        archive.file(f"lib/modules/{name}", content)
    archive.file("lib/modules/order", "".join(f"{name}\n" for name, _ in modules).encode())
    archive.file("init", (HERE / "init.sh").read_bytes(), 0o755)
    archive.file("bad-dma.sh", (HERE / "bad-dma.sh").read_bytes())
    return archive.serialise()
