# SPDX-License-Identifier: GPL-2.0-or-later
"""Translation tables for the benchmark, as raw bytes: VMSAv8-64 (DDI 0487 D8.3) and VT-d (9.7, 9.8)."""

import struct

PAGE = 0x1000
BLOCK = 0x200000


class Tables:
    """A radix tree of 512-entry tables in guest memory, built in Python and written at once.

    `leaf(level, address)` gives a leaf's raw value, `table(address)` a pointer's.
    `levels` is how many there are from the root to a 4 KiB page."""

    def __init__(self, base, levels, leaf, table):
        self.base = base
        self._levels = levels
        self._leaf = leaf
        self._table = table
        self._pages = [[0] * 512]

    @property
    def end(self):
        return self.base + len(self._pages) * PAGE

    def map(self, virtual, physical, size, page=PAGE):
        last = self._levels - (1 if page == PAGE else 2)
        for offset in range(0, size, page):
            index = self._slot_table(virtual + offset, last)
            slot = (virtual + offset) >> self._shift(last) & 511
            self._pages[index][slot] = self._leaf(page != PAGE, physical + offset)

    def write(self, qtest):
        data = b"".join(struct.pack("<512Q", *page) for page in self._pages)
        qtest.write(self.base, data)

    def _shift(self, level):
        return 12 + 9 * (self._levels - 1 - level)

    def _slot_table(self, virtual, last):
        index = 0
        for level in range(last):
            slot = virtual >> self._shift(level) & 511
            entry = self._pages[index][slot]
            if not entry:
                self._pages.append([0] * 512)
                entry = self._table(self.base + (len(self._pages) - 1) * PAGE)
                self._pages[index][slot] = entry
            index = ((entry & 0x000f_ffff_ffff_f000) - self.base) // PAGE
        return index


def arm_stage1(base):
    """Attributes: AF, inner shareable, AttrIndx 0, AP read-write at EL0."""
    # Not global, as Linux maps for DMA.
    attributes = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6
    return Tables(base, 4, lambda block, at: at | attributes | (0b01 if block else 0b11),
                  lambda at: at | 0b11)


def arm_stage2(base):
    """Attributes: AF, inner shareable, S2AP read-write, MemAttr write-back; 3 levels, 39 bits."""
    attributes = 1 << 10 | 3 << 8 | 3 << 6 | 0b1111 << 2
    return Tables(base, 3, lambda block, at: at | attributes | (0b01 if block else 0b11),
                  lambda at: at | 0b11)


def vtd_second_stage(base):
    """Read and write at each level; bit 7 is PS.  4 levels, 48 bits."""
    return Tables(base, 4, lambda block, at: at | 0b11 | (1 << 7 if block else 0),
                  lambda at: at | 0b11)


def vtd_first_stage(base):
    """P, R/W, U/S, A, D; bit 7 is PS.  4 levels, 48 bits."""
    return Tables(base, 4, lambda block, at: at | 0x67 | (1 << 7 if block else 0),
                  lambda at: at | 0x27)
