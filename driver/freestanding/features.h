/*
 * For targets without a C library: what the C++ headers ask of <features.h>.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#pragma once
#define __GLIBC_PREREQ(major, minor) 0
