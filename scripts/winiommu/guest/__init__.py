# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests behind our devices: what they boot from, the machine they run on, and what is checked.

    store      kernels, busybox and firmware, from Debian packages
    cpio, initramfs   the guest's first root
    machine    QEMU's command line for one case
    console    a guest that runs: its output, time-outs, what its init says
    kernel_log, acpi  reading what came out of the guest
    checks     one case: runs it and judges it
    report     the results as text, JSON, TAP, JUnit
"""
