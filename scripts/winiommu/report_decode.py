# SPDX-License-Identifier: GPL-2.0-or-later
"""Names for what a record holds: commands, fault reasons, and the structures of a walk."""
from .report_file import NONE, SMMUV3

# SMMU 4.1.1; VT-d 6.5.2.
SMMU_COMMANDS = {
    0x01: "CMD_PREFETCH_CONFIG", 0x02: "CMD_PREFETCH_ADDR", 0x03: "CMD_CFGI_STE",
    0x04: "CMD_CFGI_STE_RANGE", 0x05: "CMD_CFGI_CD", 0x06: "CMD_CFGI_CD_ALL",
    0x10: "CMD_TLBI_NH_ALL", 0x11: "CMD_TLBI_NH_ASID", 0x12: "CMD_TLBI_NH_VA",
    0x13: "CMD_TLBI_NH_VAA", 0x28: "CMD_TLBI_S12_VMALL", 0x2A: "CMD_TLBI_S2_IPA",
    0x30: "CMD_TLBI_NSNH_ALL", 0x40: "CMD_ATC_INV", 0x41: "CMD_PRI_RESP", 0x44: "CMD_RESUME",
    0x46: "CMD_SYNC"}
VTD_DESCRIPTORS = {
    1: "context-cache", 2: "IOTLB", 3: "Device-TLB", 4: "interrupt entry cache", 5: "wait",
    6: "PASID-based IOTLB", 7: "PASID-cache", 8: "PASID-based Device-TLB", 9: "page response"}
# SMMU 7.3.
SMMU_EVENTS = {
    0x01: "F_UUT", 0x02: "C_BAD_STREAMID", 0x03: "F_STE_FETCH", 0x04: "C_BAD_STE",
    0x05: "F_BAD_ATS_TREQ", 0x06: "F_STREAM_DISABLED", 0x07: "F_TRANSL_FORBIDDEN",
    0x08: "C_BAD_SUBSTREAMID", 0x09: "F_CD_FETCH", 0x0A: "C_BAD_CD", 0x0B: "F_WALK_EABT",
    0x10: "F_TRANSLATION", 0x11: "F_ADDR_SIZE", 0x12: "F_ACCESS", 0x13: "F_PERMISSION",
    0x20: "F_TLB_CONFLICT", 0x21: "F_CFG_CONFLICT", 0x24: "E_PAGE_REQUEST"}
# VT-d 7.1.3.
VTD_REASONS = {
    0x01: "root entry not present", 0x02: "context entry not present",
    0x03: "context entry invalid", 0x04: "address beyond the width", 0x05: "write not allowed",
    0x06: "read not allowed", 0x07: "paging entry cannot be read",
    0x08: "root entry cannot be read", 0x09: "context entry cannot be read",
    0x0A: "reserved bit in the root entry", 0x0B: "reserved bit in the context entry",
    0x0C: "reserved bit in a paging entry", 0x22: "IRTE not present", 0x24: "reserved bit in an IRTE",
    0x25: "compatibility-format interrupt blocked", 0x26: "interrupt of another source",
    0x39: "root entry not present", 0x41: "context entry not present",
    0x51: "PASID directory entry not present", 0x59: "PASID-table entry not present",
    0x5B: "PASID-table entry invalid", 0x71: "first-stage entry not present",
    0x72: "reserved bit in a first-stage entry", 0x79: "second-stage entry not present",
    0x7A: "reserved bit in a second-stage entry", 0x81: "user access not allowed",
    0x85: "write not allowed", 0x86: "read not allowed"}


def name_of_command(device, low):
    if device == SMMUV3:
        return SMMU_COMMANDS.get(low & 0xFF, f"opcode 0x{low & 0xff:02x}")
    kind = (low & 0xF) | (low >> 9 & 7) << 4
    return VTD_DESCRIPTORS.get(kind, f"descriptor {kind}")


def invalidates(device, low):
    """Not a CMD_SYNC, a wait descriptor or a prefetch."""
    if device == SMMUV3:
        return low & 0xFF not in (0x01, 0x02, 0x46, 0x41, 0x44)
    return low & 0xF != 5


def name_of_fault(device, reason):
    if device == SMMUV3:
        return SMMU_EVENTS.get(reason, f"event 0x{reason:02x}")
    return f"{reason:02X}h {VTD_REASONS.get(reason, '')}".strip()


def name_of_requester(device, requester):
    bdf = f"{requester >> 8 & 0xff:02x}:{requester >> 3 & 0x1f:02x}.{requester & 7}"
    return f"0x{requester:x} ({bdf})" if device == SMMUV3 else bdf


def name_of_space(device, domain, space):
    if device == SMMUV3:
        return f"VMID {domain}" if space == NONE else f"VMID {domain}, ASID {space}"
    return f"domain {domain}" if space == NONE else f"domain {domain}, PASID {space}"


def bits(words, high, low):
    return words[low // 64] >> low % 64 & (1 << high - low + 1) - 1


def _ste(w):
    config = {0b100: "bypass", 0b101: "stage 1", 0b110: "stage 2", 0b111: "nested"}
    return [("V", bits(w, 0, 0)), ("Config", config.get(bits(w, 3, 1), "abort")),
            ("S1ContextPtr", hex(bits(w, 55, 6) << 6)), ("S1CDMax", bits(w, 63, 59)),
            ("S2VMID", bits(w, 143, 128)), ("S2TTB", hex(bits(w, 243, 196) << 4))]


def _cd(w):
    return [("V", bits(w, 31, 31)), ("ASID", bits(w, 63, 48)), ("T0SZ", bits(w, 5, 0)),
            ("EPD0", bits(w, 14, 14)), ("AA64", bits(w, 41, 41)), ("R", bits(w, 45, 45)),
            ("TTB0", hex(bits(w, 115, 68) << 4)), ("TTB1", hex(bits(w, 179, 132) << 4))]


def _arm_descriptor(w):
    raw = w[0]
    if not raw & 1:
        return [("valid", 0)]
    return [("valid", 1), ("table or page", raw >> 1 & 1), ("address", hex(raw & 0xFFFFFFFFF000)),
            ("AP[2:1] or S2AP", raw >> 6 & 3), ("AF", raw >> 10 & 1), ("nG", raw >> 11 & 1),
            ("contiguous", raw >> 52 & 1)]


def _vtd_entry(w):
    raw = w[0]
    return [("R or P", raw & 1), ("W or RW", raw >> 1 & 1), ("U/S or X", raw >> 2 & 1),
            ("A", raw >> 5 & 1), ("D", raw >> 6 & 1), ("PS", raw >> 7 & 1),
            ("address", hex(raw & 0xFFFFFFFFFF000))]


def _vtd_context(w):
    return [("P", bits(w, 0, 0)), ("TT", bits(w, 3, 2)), ("SSPTPTR", hex(w[0] & ~0xFFF)),
            ("AW", bits(w, 66, 64)), ("DID", bits(w, 87, 72))]


def _vtd_scalable(w):
    return [("P", bits(w, 0, 0)), ("PASIDE", bits(w, 3, 3)), ("PDTS", bits(w, 11, 9)),
            ("PASIDDIRPTR", hex(w[0] & ~0xFFF)), ("RID_PASID", bits(w, 83, 64))]


def _vtd_pasid(w):
    kinds = {1: "first stage", 2: "second stage", 3: "nested", 4: "pass-through"}
    return [("P", bits(w, 0, 0)), ("PGTT", kinds.get(bits(w, 8, 6), bits(w, 8, 6))),
            ("SSPTPTR", hex(w[0] & ~0xFFF)), ("DID", bits(w, 79, 64)),
            ("FSPTPTR", hex(w[2] & ~0xFFF))]


def walk(device, steps):
    """[(name, address, doublewords, [(field, value)])] of the structures a walk read."""
    out, large, pairs = [], 0, 0
    for at, words in steps:
        if device == SMMUV3:
            if len(words) == 8:
                large += 1
                name, fields = ("STE", _ste) if large == 1 else ("CD", _cd)
            else:
                name, fields = "descriptor", _arm_descriptor
        elif len(words) == 2:
            pairs += 1
            name, fields = (("root entry", lambda w: [("P", w[0] & 1), ("CTP", hex(w[0] & ~0xFFF))])
                            if pairs == 1 else ("context entry", _vtd_context))
        elif len(words) == 4:
            name, fields = "context entry", _vtd_scalable
        elif len(words) == 8:
            name, fields = "PASID-table entry", _vtd_pasid
        else:
            name, fields = "entry", _vtd_entry
        out.append((name, at, words, fields(words) if words else []))
    return out
