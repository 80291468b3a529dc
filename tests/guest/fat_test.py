# SPDX-License-Identifier: GPL-2.0-or-later
import struct
import unittest

from winiommu.guest import fat


class Reader:
    """FAT16 as a firmware reads it; shares nothing with the writer."""

    def __init__(self, image):
        self.image = image
        (self.sector, self.cluster, self.reserved, self.copies, self.root_entries, self.sectors, self.media,
         self.fat_sectors) = struct.unpack_from("<HBHBHHBH", image, 11)
        self.fat_at = self.reserved * self.sector
        self.root_at = self.fat_at + self.copies * self.fat_sectors * self.sector
        self.data_at = self.root_at + self.root_entries * 32

    def next(self, cluster, copy=0):
        return struct.unpack_from("<H", self.image, self.fat_at + copy * self.fat_sectors * self.sector + 2 * cluster)[0]

    def content(self, cluster):
        found, size = b"", self.cluster * self.sector
        while 2 <= cluster < 0xfff8:
            at = self.data_at + (cluster - 2) * size
            found += self.image[at:at + size]
            cluster = self.next(cluster)
        return found

    def find(self, path):
        entries = self.image[self.root_at:self.data_at]
        *parents, last = path.split("/")
        for name in [*parents, last]:
            entry = next(entries[at:at + 32] for at in range(0, len(entries), 32)
                         if entries[at:at + 8].decode().rstrip() + ("." + entries[at + 8:at + 11].decode()).rstrip(". ") == name)
            cluster, size = struct.unpack_from("<HI", entry, 26)
            entries = self.content(cluster)
        return entries[:size] if entry[11] & 0x10 == 0 else entries


class Volume(unittest.TestCase):
    tree = {"EFI": {"BOOT": {"BOOTX64.EFI": bytes(range(256)) * 301, "SMALL.TXT": b"x"}}, "REQUEST.TXT": b"first=1",
            "EMPTY": b""}

    def test_files_come_back(self):
        reader = Reader(fat.volume(self.tree))
        self.assertEqual(reader.find("EFI/BOOT/BOOTX64.EFI"), self.tree["EFI"]["BOOT"]["BOOTX64.EFI"])
        self.assertEqual(reader.find("EFI/BOOT/SMALL.TXT"), b"x")
        self.assertEqual(reader.find("REQUEST.TXT"), b"first=1")
        self.assertEqual(reader.find("EMPTY"), b"")

    def test_it_is_fat16_by_its_number_of_clusters(self):
        reader = Reader(fat.volume(self.tree))
        clusters = (reader.sectors - reader.data_at // reader.sector) // reader.cluster
        self.assertTrue(4085 <= clusters < 65525, clusters)
        self.assertGreaterEqual(reader.fat_sectors * reader.sector // 2, clusters + 2)
        self.assertEqual(len(reader.image), reader.sectors * reader.sector)
        self.assertEqual(reader.image[510:512], b"\x55\xaa")
        self.assertEqual(reader.next(0), 0xff00 | reader.media)

    def test_both_tables_are_the_same(self):
        reader = Reader(fat.volume(self.tree))
        size = reader.fat_sectors * reader.sector
        first, second = (reader.image[reader.fat_at + copy * size:][:size] for copy in (0, 1))
        self.assertEqual(first, second)

    def test_directories_know_themselves_and_their_parents(self):
        reader = Reader(fat.volume(self.tree))
        efi, boot = reader.find("EFI"), reader.find("EFI/BOOT")
        here, above = (struct.unpack_from("<H", efi, at + 26)[0] for at in (0, 32))
        self.assertEqual((efi[:11], efi[32:43], above), (b".          ", b"..         ", 0))
        self.assertEqual(struct.unpack_from("<H", boot, 32 + 26)[0], here)

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaises(fat.TooLarge):
            fat.volume({"LARGE": bytes(fat.SECTORS * fat.SECTOR)})
        with self.assertRaises(ValueError):
            fat.volume({"toolonganame.efi": b""})


if __name__ == "__main__":
    unittest.main()
