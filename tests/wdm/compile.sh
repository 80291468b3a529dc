#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Compiles the contract's headers as C11 and C++20 for each compiler and target we promise.
# usage: compile.sh SOURCE_DIR COMPILER...   (77: a compiler is missing)
source_dir=$1
flags="-Wall -Wextra -Werror -ffreestanding -fsyntax-only -I$source_dir/include"
fail=0
try() {
    "$@" $flags "$source_dir/tests/wdm/abi.c" && echo "ok: $*" || { echo "FAILED: $*"; fail=1; }
}
command -v clang >/dev/null || { echo "clang is not installed: apt-get install clang"; exit 77; }
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    try "$compiler" -std=c11 -Wpedantic -x c
    try "$compiler" -std=c++20 -x c++
done
for target in aarch64-unknown-windows x86_64-unknown-windows aarch64-linux-gnu; do
    try clang "--target=$target" -std=c11 -Wpedantic -x c
    try clang "--target=$target" -std=c++20 -x c++
done
exit $fail
