#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: by-hand.sh SOURCE_DIR BUILD_DIR
# The compiler's command line in docs/system/contract.rst makes a provider that conforms.
cd "$1" || exit 1
build=$2 provider=$2/contract/by-hand.so
command=$(sed -n 's/^    \(g++ .*\)/\1/p' docs/system/contract.rst |
          sed "s|build-core|$build|g; s|my-driver.so|$provider|g")
[ -n "$command" ] || { echo "the page has no such command"; exit 1; }
echo "$command"
$command && "$build/contract/winiommu-contract" --provider "$provider"
