#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's first and only program. It drives the devices behind the IOMMU and tells the host what it saw;
# it judges nothing: the host compares digests, reads the kernel's log and decides.
#
# A line for the host starts with '%' and the nonce of this run, so that nothing else on the console can be
# taken for one. A file travels as base64 between 'begin' and 'end'; the latter carries its SHA-256.

export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1

nonce=none mode=check mib=64 bad= forged=
for word in $(cat /proc/cmdline); do
    case "$word" in
    winiommu.nonce=*) nonce=${word#*=} ;;
    winiommu.mode=*) mode=${word#*=} ;;
    winiommu.mib=*) mib=${word#*=} ;;
    winiommu.bad=*) bad=${word#*=} ;;
    winiommu.forged=*) forged=${word#*=} ;;
    esac
done

say() { echo "%$nonce $*"; }

send() { # name file
    say begin "$1"
    gzip -c "$2" >/tmp/send.gz
    base64 -w 96 /tmp/send.gz | sed "s/^/%$nonce data /"
    say end "$1" "$(sha256sum <"$2" | cut -d ' ' -f 1)"
}

milliseconds() { # since boot
    read -r up idle </proc/uptime
    # The 1 keeps 08 and 09 from being read as octal.
    echo $((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}

load_modules() {
    for module in $(cat /lib/modules/order); do
        insmod "/lib/modules/$module" || say failed "insmod $module"
    done
}

wait_for() { # path
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -gt 200 ] && return 1
        usleep 50000
    done
}

link_name() { # symbolic link -> last part of its target, or -
    target=$(readlink "$1") || { echo -; return; }
    echo "${target##*/}"
}

tell_iommu() { # PCI function's directory
    [ -L "$1/iommu" ] && say behind "${1##*/}" "$(link_name "$1/iommu")"
}

tell_devices() {
    for path in /sys/bus/pci/devices/*; do
        kind=-
        [ -r "$path/iommu_group/type" ] && kind=$(cat "$path/iommu_group/type")
        say pci "${path##*/}" "$(cat "$path/vendor")" "$(cat "$path/device")" \
            "$(link_name "$path/driver")" "$(link_name "$path/iommu_group")" "$kind"
        case "$(cat "$path/class")" in
        0x01* | 0x00ff*) # a disk's, the endpoint's
            cat "$path/config" >/tmp/config
            send "config/${path##*/}" /tmp/config
            ;;
        esac
        tell_iommu "$path"
        [ -r "$path/removable" ] && say removable "${path##*/}" "$(cat "$path/removable")"
    done
    for path in /sys/class/iommu/*; do
        [ -e "$path" ] && say iommu "${path##*/}" "$(link_name "$path/device")"
    done
}

tell_firmware() {
    [ -d /sys/firmware/efi ] && say firmware efi
    [ -d /sys/firmware/acpi/tables ] && say firmware acpi
    [ -d /proc/device-tree/soc ] || [ -d /proc/device-tree/chosen ] && say firmware devicetree
    for path in /sys/firmware/acpi/tables/*; do
        table=${path##*/}
        case "$table" in IORT | DMAR | APIC | MCFG | FACP | DSDT | SSDT*) ;; *) continue ;; esac
        cat "$path" >/tmp/table
        send "acpi/$table" /tmp/table
    done
    if [ -r /sys/firmware/fdt ] && [ ! -d /sys/firmware/acpi/tables ]; then
        cat /sys/firmware/fdt >/tmp/fdt
        send fdt /tmp/fdt
    fi
}

# The PCI function a block device sits on: the last bus address in the path of its sysfs directory.
pci_of() { # block device
    readlink -f "/sys/block/$1" | tr / '\n' | grep -E '^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$' | tail -n 1
}

timed_dd() { # what, then the arguments of dd
    what=$1
    shift
    start=$(milliseconds)
    errors=/tmp/dd.${what##*/}
    if dd "$@" 2>"$errors"; then
        say "time" "$what" $(($(milliseconds) - start))
    else
        say failed "dd $*: $(tr '\n' ' ' <"$errors")"
    fi
}

digest() { # what file
    say digest "$1" "$(sha256sum <"$2" | cut -d ' ' -f 1)"
}

# The first half of each disk comes from the host. It is read, and written to the second half of the other.
# All transfers bypass the page cache, so every byte passes the device, and the device's DMA the IOMMU.
exercise_disks() {
    for disk in nvme0n1 vda; do
        wait_for /dev/$disk || { say failed "/dev/$disk did not appear"; return; }
        say disk $disk "$(pci_of $disk)" "$(cat /sys/block/$disk/size)"
        timed_dd read/$disk if=/dev/$disk of=/tmp/$disk.in bs=1M count="$mib" iflag=direct
        digest read/$disk /tmp/$disk.in
    done
    for pair in nvme0n1:vda vda:nvme0n1; do
        disk=${pair%:*} source=${pair#*:}
        timed_dd write/$disk if=/tmp/$source.in of=/dev/$disk bs=1M seek="$mib" count="$mib" oflag=direct conv=notrunc,fsync
    done
    rm -f /tmp/*.in
    # Both at once: QEMU's main thread and its I/O thread translate side by side.
    for disk in nvme0n1 vda; do
        timed_dd readback/$disk if=/dev/$disk of=/tmp/$disk.back bs=1M skip="$mib" count="$mib" iflag=direct &
    done
    wait
    for disk in nvme0n1 vda; do
        digest readback/$disk /tmp/$disk.back
    done
    rm -f /tmp/*.back
}

# Takes the disks from their drivers. Linux otherwise powers off with the virtio queues still set up but the IOMMU
# already off, and QEMU's virtio-blk then waits for ever: its I/O thread, whose queue lies at an address that is
# no longer memory, for QEMU's big lock, which the thread that ends QEMU holds while it waits for the I/O thread.
release_disks() {
    for disk in nvme0n1 vda; do
        place=$(pci_of $disk)
        [ -n "$place" ] || continue
        echo "$place" >"/sys/bus/pci/devices/$place/driver/unbind" || say failed "unbind $place"
        [ -e /sys/block/$disk ] && say failed "$disk is still there"
    done
}

send_log() { # name
    dmesg -c -r >/tmp/log
    send "$1" /tmp/log
}

check() {
    say start "$(uname -m)" "$(uname -r)"
    load_modules
    tell_firmware
    exercise_disks
    tell_devices
    cat /proc/interrupts >/tmp/interrupts
    send interrupts /tmp/interrupts
    release_disks
    send_log log
    if [ -n "$bad" ]; then
        . /bad-dma.sh
        bad_dma
        send_log log-after-bad-dma
    fi
    say done
    poweroff -f
}

if [ "$mode" = shell ]; then
    say() { echo "$*"; }
    /bin/busybox --install -s /bin
    load_modules
    tell_devices
    echo
    echo 'A shell in the guest: disks /dev/nvme0n1 and /dev/vda are behind the IOMMU; "poweroff -f" leaves.'
    while :; do
        setsid cttyhack sh -l
    done
fi

dmesg -n 1
check
