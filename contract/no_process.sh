#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: no_process.sh WINIOMMU_CONTRACT
# A rule that gets no process of its own has failed, and says why; the others are tried.
report=$(sh -c 'ulimit -n 4; exec "$0" --rule 1 --rule 2 --format json' "$1")
status=$?
if [ $status -ne 1 ]; then
    echo "rules that nobody ran passed (status $status)"
    exit 1
fi
[ "$(echo "$report" | grep -c '"failed", "message": "no process for the rule"')" -eq 2 ] && exit 0
echo "not both rules say that there was no process for them:"
echo "$report"
exit 1
