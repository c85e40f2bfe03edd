#!/bin/sh
# Builds and runs the benchmarks beside their peers.  usage: tests/bench/run.sh [--rounds N] [switch|core|hop|echo|jobs]...
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${COSCHED_BUILD:-$root/build}/bench
sh "$root/config/setup.sh" build bench
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCOSCHED_BENCH=ON >"$build.log" 2>&1 ||
    { cat "$build.log" >&2; exit 1; }
cmake --build "$build" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
exec python3 "$root/tests/bench/table.py" "$build" "$@"
