#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The driver and the rules, without a C library, for the targets on which a Windows driver
# or a UEFI application runs them.
# usage: compile.sh SOURCE_DIR   (77: there is no clang or no libstdc++)
cd "$1" || exit 1
compiler=$(command -v clang++ || command -v clang++-14)
[ -n "$compiler" ] || { echo "clang is not installed: apt-get install clang"; exit 77; }
version=$(ls /usr/include/c++ 2>/dev/null | sort -n | tail -1)
machine=$(gcc -print-multiarch 2>/dev/null)
[ -n "$version" ] || { echo "libstdc++ is not installed: apt-get install g++"; exit 77; }
flags="-std=gnu++20 -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics
       -Wall -Wextra -Wshadow -Werror -nostdinc++ -isystem driver/freestanding
       -isystem /usr/include/c++/$version -isystem /usr/include/$machine/c++/$version
       -Iinclude -I. -fsyntax-only"
for target in aarch64-unknown-windows x86_64-unknown-windows; do
    for file in driver/*.cpp driver/*/*.cpp contract/test.cpp contract/catalogue.cpp \
                contract/catalogue/*.cpp contract/rules/*.cpp; do
        "$compiler" --target=$target $flags "$file" || exit 1
    done
    echo "ok: $target"
done
