#!/bin/sh
# Every function of the public headers is named in tests/lib/test_outside*.c: what it answers outside a task is decided and tested.
#
# usage: outside.sh [TREE]
set -eu
LC_ALL=C
export LC_ALL
tree=${1:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
cd "$tree"

tests=$(echo tests/lib/test_outside*.c)
failed=0
for name in $(grep -hoE '\bcosched_[a-z_0-9]+\(' lib/include/cosched/*.h | tr -d '(' | sort -u); do
    # shellcheck disable=SC2086 # several files
    if ! grep -qE "\b$name\b" $tests; then
        echo "outside: $name is not in $tests: what does it answer outside a task?"
        failed=1
    fi
done
exit $failed
