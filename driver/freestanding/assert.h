/*
 * For targets without a C library: an assertion that fails stops the processor.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#pragma once
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : __builtin_trap())
#endif
