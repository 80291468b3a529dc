# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole change winiommu makes to a QEMU tree, for every supported series.

Two parts: `tree/` is copied over the QEMU tree (new files only), and EDITS adds a few lines beside
lines that QEMU has had for many releases.  An edit names its place by content, not by line number,
so one list serves 10.0, 10.2, 11.1 and most checkouts in between; a place that is not found, or
found more than once, is an error and the tree is left as it was.
"""
import dataclasses
import os
import pathlib
import re

OVERLAY = pathlib.Path(__file__).resolve().parent / "tree"
ORIGINALS = ".winiommu"  # QEMU's own content of the edited files, inside the tree
INCLUDE = '#include "hw/winiommu-firmware.h"\n'


@dataclasses.dataclass(frozen=True)
class Edit:
    path: str
    where: str  # "before", "after" or "instead" of the place
    place: str  # a regular expression (multi-line) that must match exactly once
    text: str
    why: str


class EditError(Exception):
    """The tree does not look as expected; the message says where."""


def _include(path):
    return Edit(path, "after", r'^#include "qemu/osdep\.h"\n', INCLUDE, "the interface")


def _allow(path, machine_class):
    return Edit(path, "before",
                rf"^    machine_class_allow_dynamic_sysbus_dev\({machine_class}, TYPE_RAMFB_DEVICE\);\n",
                f"    machine_class_allow_dynamic_sysbus_dev({machine_class}, TYPE_WINIOMMU_FIRMWARE);\n",
                "-device may create whatever implements the interface")


_BUILD = """\
    if (winiommu_firmware_present()) {{
        winiommu_firmware_build_acpi(table_offsets, tables_blob, tables->linker,
                                     {0}->oem_id, {0}->oem_table_id);
    }} else """

# Up to 10.0 virt has an IORT only with an ITS; later always.
_IORT_PLACE = (r"^(?:    if \(its_class_name\(\) && !vmc->no_its\) \{\n"
               r"    +acpi_add_table\(table_offsets, tables_blob\);\n"
               r"    +build_iort\(tables_blob, tables->linker, vms\);\n    \}\n"
               r"|    acpi_add_table\(table_offsets, tables_blob\);\n"
               r"    build_iort\(tables_blob, tables->linker, vms\);\n)")


def _iort(match):
    old = match.group(0)
    if old.startswith("    if"):
        return _BUILD.format("vms") + old.lstrip(" ")
    body = "".join("    " + line + "\n" for line in old.splitlines())
    return _BUILD.format("vms") + "{\n" + body + "    }\n"


EDITS = (
    Edit("meson.build", "after", r"^all_languages = \['c'\]\n",
         "add_languages('cpp', required: true, native: false)\n"
         "all_languages += ['cpp']\n"
         "cxx = meson.get_compiler('cpp')\n",
         "the core is C++, and the final link keeps QEMU's hardening flags"),
    Edit("meson.build", "after", r"^    'hw/watchdog',\n", "    'hw/winiommu',\n",
         "trace events of the glue"),
    Edit("hw/meson.build", "after", r"^subdir\('xtensa'\)\n", "subdir('winiommu')\n",
         "after arm and i386, whose source sets it fills"),
    Edit("hw/Kconfig", "after", r"^source watchdog/Kconfig\n", "source winiommu/Kconfig\n",
         "CONFIG_WINIOMMU"),
    _include("hw/arm/virt.c"),
    _allow("hw/arm/virt.c", "mc"),
    _include("hw/core/sysbus-fdt.c"),
    Edit("hw/core/sysbus-fdt.c", "after",
         r"^static void add_fdt_node\(SysBusDevice \*sbdev, void \*opaque\)\n\{\n    int i, ret;\n\n",
         "    if (object_dynamic_cast(OBJECT(sbdev), TYPE_WINIOMMU_FIRMWARE)) {\n"
         "        return;\n    }\n",
         "the device writes its own nodes"),
    _include("hw/arm/virt-acpi-build.c"),
    Edit("hw/arm/virt-acpi-build.c", "instead", _IORT_PLACE, _iort,
         "the device's IORT instead of the machine's"),
    _include("hw/i386/pc_q35.c"),
    _allow("hw/i386/pc_q35.c", "m"),
    _include("hw/i386/acpi-build.c"),
    Edit("hw/i386/acpi-build.c", "before",
         r"^    if \(object_dynamic_cast\(OBJECT\(iommu\), TYPE_AMD_IOMMU_DEVICE\)\) \{\n",
         _BUILD.format("x86ms"), "the device's DMAR instead of the machine's"),
    _include("hw/timer/hpet.c"),
    Edit("hw/timer/hpet.c", "instead",
         r"^( +)address_space_stl_le\(&address_space_memory, timer->fsb >> 32,\n",
         lambda place: f"{place.group(1)}address_space_stl_le("
                       "winiommu_interrupts_of_hpet(&address_space_memory),\n"
                       f"{place.group(1)}                     timer->fsb >> 32,\n",
         "the HPET's messages reach the interrupt remapper"),
)


def _apply(edit, content):
    places = list(re.finditer(edit.place, content, re.MULTILINE))
    if len(places) != 1:
        raise EditError(f"{edit.path}: expected one place for '{edit.why}', found {len(places)}")
    place = places[0]
    text = edit.text(place) if callable(edit.text) else edit.text
    if edit.where == "before" and text.endswith(" else "):
        return content[:place.start()] + text + content[place.start():].lstrip(" ")
    start = place.end() if edit.where == "after" else place.start()
    end = place.start() if edit.where == "before" else place.end()
    return content[:start] + text + content[end:]


def edited_files():
    return sorted({edit.path for edit in EDITS})


def overlay_files():
    return sorted(str(p.relative_to(OVERLAY)) for p in OVERLAY.rglob("*") if p.is_file())


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def plan(tree):
    """({path: QEMU's content}, {path: our content}) of every file we edit or add.

    Edits always start from QEMU's content, which apply() keeps aside, so applying twice, or after
    a change of EDITS, gives the same tree as applying once.
    """
    originals, contents = {}, {}
    for path in edited_files():
        content = _read(tree / ORIGINALS / path)
        if content is None:
            content = _read(tree / path)
        if content is None:
            raise EditError(f"{path} is missing; is this a QEMU source tree?")
        if "winiommu" in content:
            raise EditError(f"{path} was edited by something else")
        originals[path] = content
        for edit in EDITS:
            if edit.path == path:
                content = _apply(edit, content)
        contents[path] = content
    for path in overlay_files():
        contents[path] = _read(OVERLAY / path)
    return originals, contents


def apply(tree, project):
    """Makes `tree` build the devices of the repository `project`.  Returns the paths changed."""
    tree, project = pathlib.Path(tree), pathlib.Path(project)
    originals, contents = plan(tree)
    changed = []
    for path, content in originals.items():
        _write(tree / ORIGINALS / path, content)
    for path, content in contents.items():
        if _write(tree / path, content):
            changed.append(path)
    # Relative, so that two clones have the same tree and share a compiler cache.
    # The one header of ours that glue may include, and its parts, are those it can see.
    for link, to in (("subprojects/winiommu", project),
                     *((f"include/iommu/{part}", project / f"include/iommu/{part}")
                       for part in ("capi.h", "capi_acpi.h", "capi_answers.h")),
                     ("hw/winiommu/trace-events", project / "hw/misc/trace-events")):
        path = tree / link
        path.parent.mkdir(parents=True, exist_ok=True)
        value = os.path.relpath(to, path.parent)
        if path.is_symlink() and os.readlink(path) == value:
            continue
        path.unlink(missing_ok=True)
        path.symlink_to(value)
        changed.append(link)
    return sorted(changed)


def _write(path, content):
    """Writes unless it is so already; complete or not at all, so an interruption does no harm."""
    if _read(path) == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(content, encoding="utf-8")
    os.replace(new, path)
    return True
