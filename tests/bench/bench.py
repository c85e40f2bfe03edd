#!/usr/bin/env python3
"""Runs benchmarks beside their peers, interleaved, and says which marks are met.

usage: bench.py BUILD [--rounds N] [--scale X] [--curves] [--out FOLDER] [NAME…]
       bench.py --list | --sections [NAME…]

NAME is a group (switch, spawn, …) or a row (spawn/await); without any: all of them. Every round runs each command of a
group once, so that a disturbance meets all sides alike; medians are compared. results.json has every value, plots/ the
pictures. Nothing here is a gate: the exit status speaks of mistakes, not of marks.

  --rounds N    how many rounds (5)
  --scale X     counts times X: 0.001 to see that all works
  --curves      all points of the curves, not a few
  --out FOLDER  where both go, instead of BUILD
  --list        the rows, their marks and where those come from
  --sections    the sections of config/dependencies.txt that the names need
"""
import argparse
import contextlib
import json
import os
import sys
import time

import machine
import report
import rows_jobs
import rows_runtime
import runner

ROWS = [*rows_runtime.ROWS, *rows_jobs.ROWS]
CURVES = [*rows_runtime.CURVES, *rows_jobs.CURVES]


def chosen(names):
    """Rows and curves that the names speak of, in the order of the list."""
    if not names:
        return ROWS, CURVES
    known = {row.group for row in ROWS} | {row.name for row in ROWS} | {curve.name for curve in CURVES} | {"curves"}
    unknown = [name for name in names if name not in known]
    if unknown:
        groups = dict.fromkeys([row.group for row in ROWS] + ["curves"])
        raise SystemExit(f"bench: no such benchmark: {' '.join(unknown)} (there are: {' '.join(groups)})")
    return ([row for row in ROWS if row.group in names or row.name in names],
            [curve for curve in CURVES if "curves" in names or curve.name in names])


def arguments():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    for flag in ("--curves", "--list", "--sections", "--help", "-h"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out")
    parser.add_argument("words", nargs="*")
    given = parser.parse_intermixed_args()
    if given.help or given.h:
        raise SystemExit(__doc__)
    return given


def main():
    given = arguments()
    if given.sections:
        rows, curves = chosen(given.words)
        needs = dict.fromkeys(side.needs for one in [*rows, *curves] for side in one.sides)
        print(" ".join(need for need in needs if need))
        return
    if given.list:
        report.list_rows(ROWS)
        return
    if not given.words or given.rounds < 1 or given.scale <= 0:
        raise SystemExit(__doc__)
    build, names = os.path.abspath(given.words[0]), given.words[1:]
    out = given.out or build
    rows, curves = chosen(names)
    with contextlib.ExitStack() as stack:
        bench = runner.Bench(build, given.scale, stack)
        result = {"date": time.strftime("%Y-%m-%d"), "machine": machine.describe(), "realtime": bool(bench.prefix),
                  "rounds": given.rounds, "scale": given.scale, "rows": [], "curves": []}
        report.heading(result)
        for group in dict.fromkeys(row.group for row in rows):
            measured = runner.measure(bench, [row for row in rows if row.group == group], given.rounds)
            for one in measured:
                report.show(one)
            report.plot_rows(out, group, measured)
            result["rows"] += measured
        for curve in curves:
            points = runner.measure_curve(bench, curve, curve.xs if given.curves else curve.few, min(3, given.rounds))
            report.show_curve(points)
            report.plot_curve(out, points)
            result["curves"].append(points)
        result["noise"] = bench.noise.shares()
    report.ending(result)
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    sys.exit(main())
