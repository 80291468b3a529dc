# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract's guest, a UEFI application, built by clang and lld for both architectures."""
import itertools
import pathlib
import shutil
import subprocess

from . import packages, paths, ui

ARCHITECTURES = ("aarch64", "x86_64")
BUILD = paths.BUILD / "efi"
FLAGS = ("-std=gnu++20", "-O2", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics",
         "-fno-stack-protector", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-nostdinc++")
ARCHITECTURE_FLAGS = {"aarch64": (), "x86_64": ("-mno-avx",)}
# The C library's part must not become calls to itself.
RUNTIME_FLAGS = ("-fno-builtin", "-fno-vectorize")


def _tool(*names):
    """The first of these programs, or of their versioned names, that is installed."""
    for name in names:
        if shutil.which(name):
            return name
        versions = sorted(pathlib.Path("/usr/bin").glob(f"{name}-[0-9]*"), key=lambda path: int(path.name.rpartition("-")[2]))
        if versions:
            return str(versions[-1])
    raise ui.Error(f"{names[0]} is not installed", "install the Debian packages clang and lld")


def _standard_library():
    """Where libstdc++'s headers are: clang for a foreign target does not look for them."""
    versions = sorted((path for path in pathlib.Path("/usr/include/c++").glob("[0-9]*")), key=lambda path: int(path.name))
    if not versions:
        raise ui.Error("libstdc++ is not installed", "install the Debian package g++")
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=False).stdout.strip()
    return [versions[-1], pathlib.Path("/usr/include") / machine / "c++" / versions[-1].name]


def sources(architecture, mutants=False, root=paths.REPO):
    """The reference driver, the rules, and the guest around them; with the driver's deliberate mistakes if asked."""
    found = [path for pattern in ("driver/*.cpp", "driver/*/*.cpp", "contract/rules/*.cpp", "contract/catalogue/*.cpp",
                                  "guest/*.cpp")
             for path in sorted(root.glob(pattern))]
    found += [root / "contract/catalogue.cpp", root / "contract/test.cpp"]
    other = {f"cpu_{name}.cpp" for name in ARCHITECTURES if name != architecture}
    if not mutants:
        other.add("mutants.cpp")
    return [path for path in found if path.name not in other]


def name_of(architecture, mutants):
    return architecture + ("-mutants" if mutants else "")


def _ninja(compiler, linker, library):
    """The text of build.ninja."""
    system = " ".join(f"-isystem {path}" for path in [paths.REPO / "driver/freestanding", *library])
    lines = ["rule compile",
             f"  command = {compiler} --target=$target {' '.join(FLAGS)} $extra {system} "
             f"-I{paths.REPO}/include -I{paths.REPO} -MMD -MF $out.d -c $in -o $out",
             "  description = compile $in for $target", "  deps = gcc", "  depfile = $out.d",
             "rule link",
             f"  command = {linker} /nologo /nodefaultlib /subsystem:efi_application /entry:efi_main /out:$out $in",
             "  description = link $out"]
    for architecture, mutants in itertools.product(ARCHITECTURES, (False, True)):
        program = name_of(architecture, mutants)
        objects = []
        for source in sources(architecture, mutants):
            name = f"{program}/{source.relative_to(paths.REPO).with_suffix('.obj')}"
            extra = [*ARCHITECTURE_FLAGS[architecture], *(RUNTIME_FLAGS if source.name == "runtime.cpp" else ()),
                     *(["-DWINIOMMU_MUTANTS"] if mutants else ())]
            lines += [f"build {name}: compile {source}", f"  target = {architecture}-unknown-windows",
                      f"  extra = {' '.join(extra)}"]
            objects.append(name)
        lines.append(f"build {program}.efi: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def ensure(architecture, mutants=False):
    """The built application; quick when nothing changed."""
    program = name_of(architecture, mutants)
    packages.ensure("build", "guest")
    with paths.lock("efi"):
        compiler = _tool("clang++")
        if shutil.which("ccache"):
            compiler = f"ccache {compiler}"
        text = _ninja(compiler, _tool("lld-link"), _standard_library())
        if paths.read(BUILD / "build.ninja") != text:
            paths.write(BUILD / "build.ninja", text)
        ui.run(["ninja", "-C", BUILD, f"{program}.efi"], f"build the contract's guest ({program})",
               paths.LOGS / f"build-efi-{program}.log")
    return BUILD / f"{program}.efi"
