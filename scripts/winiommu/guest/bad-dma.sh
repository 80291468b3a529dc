# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by init: makes the test endpoint winiommu-dma access addresses that nothing has mapped.
# Registers: docs/specs/winiommu-dma.rst.

register() { # offset -> its value
    devmem $((bar + $1)) 32
}

program() { # offset value
    devmem $((bar + $1)) 32 "$2"
}

program64() { # offset value
    program "$1" $(($2 & 0xffffffff))
    program $(($1 + 4)) $(($2 >> 32 & 0xffffffff))
}

find_endpoint() {
    for path in /sys/bus/pci/devices/*; do
        [ "$(cat "$path/vendor"):$(cat "$path/device")" = 0x1234:0x10dd ] && { endpoint=$path; return 0; }
    done
    return 1
}

# Arm's IOMMU driver gives a function its domain when a driver claims it; vfio-pci does nothing more.
claim_endpoint() {
    echo vfio-pci >"$endpoint/driver_override"
    echo "${endpoint##*/}" >/sys/bus/pci/drivers_probe
    [ -e "$endpoint/driver" ] || say failed "vfio-pci did not claim ${endpoint##*/}"
    tell_iommu "$endpoint"
    # PCI command register: memory space and bus master.
    printf '\006\000' | dd of="$endpoint/config" bs=2 seek=2 count=1 conv=notrunc 2>/dev/null
    read -r bar rest <"$endpoint/resource"
}

# ATTR: past the cache that a function with ATS asks, which would be told "no right" and not even try.
go_untranslated() {
    [ $(($(register 8) >> 8 & 1)) = 0 ] || program 0x4c 0x20
}

attempt() { # read|write iova
    case $1 in
    read) program64 0x20 "$2"; command=6 ;; # SRC, CHECKSUM
    write) program64 0x28 "$2"; command=4 ;; # DST, FILL
    esac
    # LENGTH: QEMU cuts a refused DMA into pieces of 4 bytes, each of which is an access that the IOMMU refuses.
    program 0x30 4
    program 0x10 $command
    tries=0
    while [ "$(register 0x14)" = 0x00000001 ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        usleep 10000
    done
    low=$(register 0x88)
    high=$(register 0x8c)
    say bad-dma "$1" "${endpoint##*/}" "$2" status=$(($(register 0x14))) bytes=$(($(register 0x80))) \
        "fail=$(printf 0x%x $((high << 32 | low)))"
}

# An interrupt is a write of 4 bytes; what becomes of it is the host's to judge from the kernel's log.
forge() { # address
    program64 0x28 "$1"
    program64 0x50 0x41 # PATTERN: vector 0x41
    program 0x30 4
    program 0x10 4 # FILL
    say forged "${endpoint##*/}" "$1" status=$(($(register 0x14)))
}

bad_dma() {
    find_endpoint || { say failed "no winiommu-dma function"; return; }
    claim_endpoint
    [ "$(register 0)" = 0x414D4457 ] || say failed "winiommu-dma ID reads $(register 0)"
    go_untranslated
    for one in $(echo "$bad" | tr , ' '); do
        attempt "${one%:*}" "${one#*:}"
    done
    # Linux's DMAR driver logs at most ten lines in five seconds, and counts three for a fault.
    [ -z "$forged" ] || sleep 6
    for one in $(echo "$forged" | tr , ' '); do
        forge "$one"
    done
    # The driver logs events from a threaded interrupt.
    sleep 1
}
