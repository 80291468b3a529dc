# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a cpio archive in the "newc" form the kernel unpacks as its first root.

The same entries always give the same bytes: order by name, times zero, owner root, inode numbers by
position. Layout of a member (Linux Documentation, early-userspace/buffer-format): the magic 070701, then
thirteen fields of eight hexadecimal digits, the name with its NUL, padding to four bytes, the content,
padding to four bytes. A member named TRAILER!!! ends the archive.
"""

import dataclasses
import stat

MAGIC = "070701"
TRAILER = "TRAILER!!!"
BLOCK = 512


@dataclasses.dataclass(frozen=True)
class Entry:
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


class Archive:
    """A tree of files, directories, links and device nodes, by path without a leading slash."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def _add(self, path: str, entry: Entry) -> None:
        path = path.strip("/")
        if not path or any(part in ("", ".", "..") for part in path.split("/")):
            raise ValueError(f"not a path inside an archive: {path!r}")
        parent = path.rpartition("/")[0]
        if parent:
            held = self._entries.get(parent)
            if held is None:
                self.directory(parent)
            elif not stat.S_ISDIR(held.mode):
                raise ValueError(f"{path}: {parent} is not a directory")
        held = self._entries.get(path)
        if held is not None and held != entry:
            raise ValueError(f"{path} is added twice with different content")
        self._entries[path] = entry

    def directory(self, path: str, mode: int = 0o755) -> None:
        self._add(path, Entry(stat.S_IFDIR | mode))

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._add(path, Entry(stat.S_IFREG | mode, content))

    def link(self, path: str, target: str) -> None:
        self._add(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def character_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        self._add(path, Entry(stat.S_IFCHR | mode, device=(major, minor)))

    def serialise(self) -> bytes:
        # A directory sorts before what it holds: its name is a prefix.
        out = bytearray()
        for inode, path in enumerate(sorted(self._entries), start=1):
            out += _member(inode, path, self._entries[path])
        out += _member(0, TRAILER, Entry(0))
        return bytes(_padded(out, BLOCK))


def _padded(data: bytes, unit: int) -> bytes:
    return data + b"\0" * (-len(data) % unit)


def _member(inode: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        inode, entry.mode, 0, 0, links, 0, len(entry.content),
        0, 0, entry.device[0], entry.device[1], len(name), 0,
    )
    header = MAGIC + "".join(f"{field:08x}" for field in fields)
    return _padded(_padded(header.encode() + name, 4) + entry.content, 4)
