# SPDX-License-Identifier: GPL-2.0-or-later
"""A small FAT16 volume with files in it, for firmware to boot from.

Microsoft's "FAT: General Overview of On-Disk Format" 1.03: boot sector, two FATs, root directory, clusters. One sector to
a cluster; names are 8.3 in capitals. The volume is the whole disk, without a partition table.
"""

import struct

SECTOR = 512
ROOT_ENTRIES = 512
SECTORS = 16384  # 8 MiB; the number of clusters has to be in the range of FAT16, 4085 to 65524
RESERVED = 1
FAT_SECTORS = (SECTORS * 2 + SECTOR - 1) // SECTOR
FIRST_DATA = RESERVED + 2 * FAT_SECTORS + ROOT_ENTRIES * 32 // SECTOR
DIRECTORY, ARCHIVE = 0x10, 0x20
END = 0xffff


class TooLarge(Exception):
    """The files do not fit."""


def _name(name):
    stem, _, extension = name.upper().partition(".")
    if not stem or len(stem) > 8 or len(extension) > 3:
        raise ValueError(f"{name} is not an 8.3 name")
    return f"{stem:<8}{extension:<3}".encode("ascii")


def _entry(name, attribute, cluster, size):
    return struct.pack("<11sB8xHHHHI", name, attribute, 0, 0, 0x21, cluster, size)


class _Volume:
    def __init__(self):
        self.fat = [0xfff8, END]
        self.data = bytearray()

    def store(self, content):
        """The first cluster of a copy of this; 0 for nothing."""
        count = -(-len(content) // SECTOR)
        if not count:
            return 0
        first = len(self.fat)
        if FIRST_DATA + first - 2 + count > SECTORS:
            raise TooLarge(f"{len(content)} bytes do not fit")
        self.fat += [*range(first + 1, first + count), END]
        self.data += content + bytes(count * SECTOR - len(content))
        return first

    def directory(self, tree, parent):
        """Stores a directory below `parent`, a cluster; children are stored before it."""
        cluster = self.store(bytes((len(tree) + 2) * 32))
        content = _entry(b".          ", DIRECTORY, cluster, 0) + _entry(b"..         ", DIRECTORY, parent, 0)
        content += self.entries(tree, cluster)
        start = (cluster - 2) * SECTOR
        self.data[start:start + len(content)] = content
        return cluster

    def entries(self, tree, here):
        found = b""
        for name, content in tree.items():
            if isinstance(content, dict):
                found += _entry(_name(name), DIRECTORY, self.directory(content, here), 0)
            else:
                found += _entry(_name(name), ARCHIVE, self.store(content), len(content))
        return found


def volume(tree):
    """The bytes of a volume. `tree` maps names to bytes, or to trees: directories."""
    made = _Volume()
    root = made.entries(tree, 0)
    if len(root) > ROOT_ENTRIES * 32:
        raise TooLarge("too many files in the root directory")
    boot = struct.pack("<3s8sHBHBHHBHHHIIBBBI11s8s", b"\xeb\x3c\x90", b"WINIOMMU", SECTOR, 1, RESERVED, 2, ROOT_ENTRIES,
                       SECTORS, 0xf8, FAT_SECTORS, 32, 2, 0, 0, 0x80, 0, 0x29, 0x77696e69, b"WINIOMMU   ", b"FAT16   ")
    boot += bytes(510 - len(boot)) + b"\x55\xaa"
    fat = struct.pack(f"<{len(made.fat)}H", *made.fat)
    fat += bytes(FAT_SECTORS * SECTOR - len(fat))
    image = boot + fat + fat + root + bytes(ROOT_ENTRIES * 32 - len(root)) + made.data
    return bytes(image) + bytes(SECTORS * SECTOR - len(image))
