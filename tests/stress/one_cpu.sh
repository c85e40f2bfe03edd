#!/bin/sh
# A program on one CPU, the first that we may use: whoever spins for somebody else gets nowhere by itself.
#
# usage: one_cpu.sh PROGRAM [ARGUMENT…]
set -eu
first=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
exec taskset -c "$first" "$@"
