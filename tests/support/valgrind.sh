#!/bin/sh
# Tests of libcosched under memcheck: what each part does at least once, with every stack known to it. No suppressions.
# Leaks are left to LeakSanitizer: memcheck would read through all 800 MiB of task blocks at the end of every test.
#
# usage: valgrind.sh BUILD-FOLDER    (of a build without sanitizers that has built these tests)
set -u
LC_ALL=C
export LC_ALL
build=${1:?the build folder}
cpus=$(nproc 2>/dev/null || echo 2)

# Not here: what maps more than memcheck can hold (test_stack, test_depth: millions of stacks), what kills itself on purpose
# (test_overflow), what contends for a word (memcheck runs one thread at a time), and what finds its faults by doing things
# a million times, which stress and the sanitizers do faster. And
# test_io_child: Valgrind 3.19 does not know pidfd_open; test_io_pipe: it lowers a limit that Valgrind lives by.
tests="test_base test_context test_context_call test_cpus test_current test_deque test_runtime test_spawn test_event test_barrier test_cond
    test_cancel test_scope test_group test_select test_io_stream test_io_poll test_io_signals test_io_file test_io_resolve
    test_io_passing test_io_names test_defer test_locals"

# In one process (CK_FORK): a child for every test would have all code translated once more.
one='
t=$1 log=$2/valgrind-$t.log
if valgrind -q --fair-sched=try --error-exitcode=99 --leak-check=no "$2/tests/lib/$t" >"$log" 2>&1; then
    echo "ok $t"
else
    echo "FAILED $t"
    grep -E "^==|:[FE]:" "$log" | head -n 40
fi'
began=$(date +%s)
# shellcheck disable=SC2086 # names are words
out=$(printf '%s\n' $tests | CK_FORK=no xargs -P "$cpus" -I '{}' sh -c "$one" one '{}' "$build")
printf '%s\n' "$out" | sort
good=$(printf '%s\n' "$out" | grep -c '^ok ')
bad=$(printf '%s\n' "$out" | grep -c '^FAILED ')
echo "FIGURES valgrind: tests=$((good + bad)) failed=$bad suppressions=0 seconds=$(($(date +%s) - began))"
[ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
