#!/bin/sh
# Tests of libcosched under memcheck: what each part does at least once, with every stack known to it. No suppressions.
#
# usage: valgrind.sh BUILD-FOLDER    (of a build without sanitizers that has built these tests)
set -u
LC_ALL=C
export LC_ALL
build=${1:?the build folder}
cpus=$(nproc 2>/dev/null || echo 2)

# Not here: what maps more than memcheck can hold (test_stack, test_depth: millions of stacks), what kills itself on purpose
# (test_overflow), and what finds its faults by doing things a million times, which stress and the sanitizers do faster.
tests="test_base test_context test_wheel test_deque test_injector test_inbox test_task test_lock test_current
    test_runtime test_spawn test_join test_call test_scope test_timers test_event test_blocking test_mainloop test_stats
    test_group test_supervise test_select test_mutex test_cond test_sem test_rwlock test_barrier test_once
    test_io_source test_io_stream test_io_listener test_io_poll test_io_signals test_io_child test_io_file test_io_resolve
    test_io_passing test_io_changes"

# Every test of check runs in a child, which is checked at its own end.
one='
t=$1 log=$2/valgrind-$t.log
if valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
    "$2/tests/lib/$t" >"$log" 2>&1; then
    echo "ok $t"
else
    echo "FAILED $t"
    grep -E "^==|:[FE]:" "$log" | head -n 40
fi'
began=$(date +%s)
# shellcheck disable=SC2086 # names are words
out=$(printf '%s\n' $tests | CK_TIMEOUT_MULTIPLIER=20 xargs -P "$cpus" -I '{}' sh -c "$one" one '{}' "$build")
printf '%s\n' "$out" | sort
good=$(printf '%s\n' "$out" | grep -c '^ok ')
bad=$(printf '%s\n' "$out" | grep -c '^FAILED ')
echo "FIGURES valgrind: tests=$((good + bad)) failed=$bad suppressions=0 seconds=$(($(date +%s) - began))"
[ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
