#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: check.sh WINIOMMU_CONTRACT PROVIDER none|RULE [OPTION]...
# none: the provider conforms.  RULE: it does not, and RULE says so.
contract=$1 provider=$2 rule=$3
shift 3
only=
# What is wrong with these two would show in many rules, each after the time limit.
case $rule-$provider in
rule-129-*hangs*|rule-129-*crashes*) only="--rule 129 --rule 60 --time-limit 2" ;;
esac
report=$("$contract" --provider "$provider" --strict --format json $only "$@")
status=$?
if [ "$rule" = none ]; then
    [ $status -eq 0 ] && exit 0
    echo "a conforming provider was refused:"
    echo "$report" | grep '"failed"'
    exit 1
fi
if [ $status -ne 1 ]; then
    echo "a broken provider was let pass (status $status)"
    exit 1
fi
echo "$report" | grep "\"name\": \"$rule\"" | grep -E '"(failed|proposal-failed)"' && exit 0
echo "$rule did not find the mistake; what failed:"
echo "$report" | grep '"failed"'
exit 1
