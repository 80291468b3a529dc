#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: same.sh FILE COMMAND...: FILE is what COMMAND prints.
file=$1
shift
"$@" | diff -u "$file" - && exit 0
echo "$file is not what the program says: $* > $file"
exit 1
