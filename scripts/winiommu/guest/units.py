# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with two IOMMUs: which one each function is behind, and which one's driver reports a fault.

NVMe and the test endpoint are behind the second, virtio-blk behind the first. What firmware said about it is read from
the IORT the guest has, what Linux made of it from /sys/class/iommu, whose names hold an SMMU's address.
"""

import struct

from . import kernel_log

# DEN 0049 "Node types".
ROOT_COMPLEX, SMMUV3 = 2, 4


def _nodes(table):
    """DEN 0049 "IORT table" and "Node format": the nodes by their offset."""
    count, at = struct.unpack_from("<II", table, 36)
    for _ in range(count):
        length = struct.unpack_from("<H", table, at + 1)[0]
        if length < 16 or at + length > len(table):
            return
        yield at, table[at:at + length]
        at += length


def _mappings(node):
    """DEN 0049 "ID mapping format": first input ID, how many less one, first output ID, the output's node."""
    count, at = struct.unpack_from("<II", node, 8)
    return [struct.unpack_from("<IIII", node, at + 20 * number) for number in range(count)]


def iort_smmu(table, requester):
    """The address of the SMMUv3 that a requester's accesses go to first; None if they go to none."""
    try:
        nodes = dict(_nodes(table))
        found = [nodes[leads_to] for node in nodes.values() if node[0] == ROOT_COMPLEX
                 for first, more, _, leads_to in _mappings(node) if first <= requester <= first + more]
        bases = [struct.unpack_from("<Q", node, 16)[0] for node in found if node[0] == SMMUV3]
    except (struct.error, IndexError, KeyError):
        return None
    return bases[0] if len(found) == len(bases) == 1 else None


def _check_disks(result, transcript):
    behind = transcript.pairs("behind")
    names = [behind.get(words[1], "-") for words in transcript.all("disk") if len(words) == 3]
    result.add("each disk is behind an IOMMU of its own", len(names) == len(set(names)) == 2 and "-" not in names,
               " ".join(names) or "no disk was found")


def check_reporter(result, transcript):
    """SMMUv3: the SMMU that the IORT puts the endpoint behind is the one that Linux does, and whose driver has logged."""
    iommus = transcript.pairs("iommu")
    places = {words[1] for words in transcript.all("bad-dma") if len(words) == 6}
    place = places.pop() if len(places) == 1 else None
    base = iort_smmu(transcript.files.get("acpi/IORT", b""), kernel_log.parse_requester(place)) if place else None
    wanted = "-" if base is None else f"smmu3.{base:#018x}"
    reported = {fault.reporter for fault in kernel_log.faults(transcript.files.get("log-after-bad-dma", b"").decode(errors="replace"))}
    name = transcript.pairs("behind").get(place, "-")
    result.add("the SMMU above the endpoint reports it", base is not None and name == wanted and reported == {iommus.get(name)},
               f"IORT: {place} to {wanted}; Linux: {name}, {iommus.get(name, '-')}; logged by {' '.join(sorted(reported)) or 'nobody'}")


def check(result, transcript, attempts):
    _check_disks(result, transcript)
    if attempts is not None and result.case.machine.name == "virt":
        check_reporter(result, transcript)
