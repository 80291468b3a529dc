# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the record a device wrote (docs/specs/record.rst)."""
import dataclasses
import json
import struct

from . import ui

MAGIC = b"WIREC\r\n\x1a"
VERSION = 1
HEADER = struct.Struct("<8sIIQQ")
RECORD = struct.Struct("<IHHQ")
NONE = 0xFFFFFFFF
SMMUV3, VTD = 1, 2
COMMAND, FAULT, MAP, FINDING, COUNTS, END = 1, 2, 3, 4, 5, 6
DEVICES = {SMMUV3: "winiommu-smmuv3", VTD: "winiommu-vtd"}


@dataclasses.dataclass
class Record:
    device: int
    started_ns: int  # since 1970
    ended: bool = False  # QEMU ended as it should
    cut: int = 0  # bytes of a record that was being written
    last_ns: int = 0
    commands: list = dataclasses.field(default_factory=list)  # (ns, low, high)
    faults: list = dataclasses.field(default_factory=list)
    maps: list = dataclasses.field(default_factory=list)
    findings: list = dataclasses.field(default_factory=list)  # (ns, finding)
    counts: dict = dataclasses.field(default_factory=dict)  # requester: [accesses, refused]


@dataclasses.dataclass
class Fault:
    ns: int
    requester: int
    pasid: int
    address: int
    reason: int
    flags: int  # 1 write, 2 privileged, 4 instruction
    words: tuple
    walk: list  # (address, (doublewords))


@dataclasses.dataclass
class Mapping:
    ns: int
    requester: int
    pasid: int
    domain: int
    space: int
    address: int
    output: int
    log2size: int
    rights: int  # 1 read, 2 write


def _fault(ns, data):
    requester, pasid, address, reason, flags, *words = struct.unpack_from("<IIQII4Q", data)
    count, = struct.unpack_from("<Q", data, 56)
    at, walk = 64, []
    for _ in range(count):
        where, size = struct.unpack_from("<QQ", data, at)
        if size > 8:
            raise struct.error("a structure of more than 64 bytes")
        walk.append((where, struct.unpack_from(f"<{size}Q", data, at + 16)))
        at += 16 + 8 * size
    return Fault(ns, requester, pasid, address, reason, flags, tuple(words), walk)


def _take(record, kind, ns, data):
    record.last_ns = max(record.last_ns, ns)
    if kind == COMMAND:
        record.commands.append((ns, *struct.unpack("<QQ", data)))
    elif kind == FAULT:
        record.faults.append(_fault(ns, data))
    elif kind == MAP:
        record.maps.append(Mapping(ns, *struct.unpack("<IIIIQQII", data)))
    elif kind == FINDING:
        finding = json.loads(data.decode())
        if not isinstance(finding.get("id"), str):
            raise ValueError("a finding without an id")
        record.findings.append((ns, finding))
    elif kind == COUNTS:
        requester, _, accesses, refused = struct.unpack("<IIQQ", data)
        total = record.counts.setdefault(requester, [0, 0])
        total[0] += accesses
        total[1] += refused
    elif kind == END:
        record.ended = True
    # Anything else is of a later version, and is passed over.


def read(path):
    """The record in a file, up to where QEMU stopped writing it."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < HEADER.size or data[:8] != MAGIC:
        raise ui.Error(f"{path} is not a record of a winiommu device",
                       "record one with -device winiommu-smmuv3,record=FILE or "
                       "-device winiommu-vtd,record=FILE")
    _, version, device, started, _ = HEADER.unpack_from(data)
    if version != VERSION or device not in DEVICES:
        raise ui.Error(f"{path} is a record of version {version}; this is for version {VERSION}",
                       "use the winiommu that wrote it")
    record = Record(device, started)
    at = HEADER.size
    while at < len(data):
        if at + RECORD.size > len(data):
            break
        length, kind, _, ns = RECORD.unpack_from(data, at)
        if length < RECORD.size:
            raise ui.Error(f"{path} is damaged at byte {at}: a record of {length} bytes",
                           "record it again")
        if at + length > len(data):
            break
        try:
            _take(record, kind, ns, data[at + RECORD.size:at + length])
        except (struct.error, ValueError, AttributeError) as error:
            raise ui.Error(f"{path} is damaged at byte {at}: {error}", "record it again") from None
        at += length
    record.cut = len(data) - at
    return record
