#!/bin/sh
# Builds the benchmarks and their peers, and runs them beside each other. For options and names: run.sh --help
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
here=$root/tests/bench
build=${COSCHED_BUILD:-$root/build}/bench
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
case " $* " in
*' --help '* | *' -h '* | *' --list '*) exec python3 "$here/bench.py" "$@" ;;
esac

sh "$root/config/setup.sh" build
# Whose packages cannot be installed is said to be missing in the table.
for section in $(python3 "$here/bench.py" --sections "$@"); do
    sh "$root/config/setup.sh" "$section" || echo "bench: goes on without section $section" >&2
done
mkdir -p "$build"
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCOSCHED_BENCH=ON >"$build.log" 2>&1 ||
    { cat "$build.log" >&2; exit 1; }
# A peer that does not build takes nobody with it.
cmake --build "$build" -- -k 0 >"$build.log" 2>&1 || grep -E '^FAILED|error:' "$build.log" >&2 || :
exec python3 "$here/bench.py" "$build" "$@"
