#!/bin/sh
# Which lines and branches of lib and daemon the tests run: a table by file, and totals.
#
# usage: coverage.sh BUILD-FOLDER [CTEST-OPTION…]    (folder: of the preset "coverage", built; it is created when missing)
#
# Not counted: what an assertion or an invariant does when it fails (COS_ASSERT and its kin end the process), lines that the
# compiler has no code for, and the branches that gcc 12 sees in an atomic access on a line without a condition ($plain). A
# process that is killed takes its counts with it; one that ends by a fault writes them first (last_counts.c). Nor what the
# explorer and the simulator made of these sources: with atomics of their own, and optimised, a line has other branches there.
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname -- "$0")/../.." || exit 70
build=${1:-build/coverage}
[ $# -gt 0 ] && shift
cpus=$(nproc 2>/dev/null || echo 2)
# What lib must reach, in per cent of lines and of branches.
lines_least=95
branches_least=85
plain='(?!.*(\b(if|while|for)\b|\?|&&|\|\||return\b.*[=!<>]=)).*\b(cos_atomic_\w+|COS_COUNT\w*)\(.*'

command -v gcovr >/dev/null || { echo "coverage: gcovr is missing; see [full] in config/dependencies.txt"; exit 77; }
if [ ! -f "$build/CMakeCache.txt" ]; then
    cmake --preset coverage -B "$build" -DBUILD_TESTING=ON || exit 1
fi
cmake --build "$build" || exit 1
find "$build" -name '*.gcda' -exec rm -f {} +

# Without the preset: a test is left out only if every -LE matches, and the preset has one of its own.
CK_TIMEOUT_MULTIPLIER=10 ctest --test-dir "$build" -j "$cpus" --output-on-failure --no-tests=error \
    -LE 'nightly|lint|install|stage|mutants|timing|bench|cross|explore|sim' "$@"
tested=$?

report()
{
    gcovr --root . --object-directory "$build" --gcov-ignore-parse-errors \
        --exclude-branches-by-pattern ".*\\b(COS_ASSERT|COS_INVARIANT|COS_PANIC|COS_UNREACHABLE)\\b.*|$plain" \
        --exclude-lines-by-pattern '.*\b(COS_PANIC|COS_UNREACHABLE)\b.*' \
        --exclude-directories '.*/tests/explore.*' --exclude-directories '.*/tests/sim.*' \
        --exclude-unreachable-branches "$@" "$build" 2>"$build/gcovr.log"
}

for part in lib/src daemon; do
    report --filter "$part/" --json-summary "$build/coverage-$(basename "$part").json" || { cat "$build/gcovr.log"; exit 1; }
done
report --filter 'lib/src/' --filter 'daemon/' --json "$build/coverage.json"
python3 tests/support/coverage.py "$lines_least" "$branches_least" "$build/coverage-src.json" "$build/coverage-daemon.json"
covered=$?
[ "$tested" -eq 0 ] && [ "$covered" -eq 0 ]
