#!/usr/bin/env python3
"""That the benchmarks still run: a few rows, tiny, against the list of rows. Says nothing of how fast anything is.

usage: smoke.py BUILD"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import bench
import runner
from model import Row, Side

ROWS = ["spawn/await", "fib/speedup", "queue/pair"]
CURVE = "curve/bunch-tasks"


def expect(truth, what):
    if not truth:
        raise SystemExit(f"smoke: {what}")


def check_row(found, row):
    for field in ("name", "label", "unit", "better"):
        expect(found[field] == getattr(row, field), f"{row.name}: {field} is {found[field]}")
    ours = found["ours"]
    expect(ours["error"] is None and len(ours["values"]) == 1 and ours["median"] > 0, f"{row.name}: {ours}")
    expect(ours.get("mark") == row.mark and ("met" in ours) == (row.mark is not None), f"{row.name}: the mark of ours: {ours}")
    expect([side["name"] for side in found["peers"]] == [side.name for side in row.peers], f"{row.name}: other peers")
    for peer, side in zip(found["peers"], row.peers):
        expect(peer["error"] == "missing" or peer["ratio"] > 0, f"{row.name}: {peer}")
        expect(peer.get("mark") == side.mark, f"{row.name}: {side.name} has another mark: {peer}")
        expect(side.mark is None or peer["met"] in ((None,) if peer["error"] else (True, False)), f"{row.name}: {peer}")


def check_lists():
    names = [one.name for one in [*bench.ROWS, *bench.CURVES]]
    expect(len(names) == len(set(names)), f"two of a name among {names}")
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../config/dependencies.txt"), encoding="utf-8") as file:
        sections = {line[1:].split("]")[0] for line in file if line.startswith("[")}
    for one in [*bench.ROWS, *bench.CURVES]:
        for side in one.sides:
            expect(side.needs == "" or side.needs in sections, f"{one.name}: no section {side.needs}")


def check_arithmetic():
    """With figures that are known: the tests' machine has no peers."""
    ours, twice, gone = (Side(name, (name,), "f", mark) for name, mark in (("ours", None), ("twice", 0.5), ("gone", 1)))
    for better in ("less", "more"):
        row = Row("a/b", "", "ns", ours, (twice, gone), better, 10)
        found = runner.conclude(row, {ours: [9, 10, 90], twice: [20, 1, 21], gone: []}, {gone: "missing"})
        expect(found["ours"]["median"] == 10 and found["ours"]["met"] is True, f"median and mark: {found['ours']}")
        expect(found["peers"][0]["ratio"] == 0.5 and found["peers"][0]["met"] is True, f"ratio: {found['peers'][0]}")
        expect(found["peers"][1]["met"] is None and "ratio" not in found["peers"][1], f"missing: {found['peers'][1]}")
    expect(not runner.judge("less", 2, 1) and not runner.judge("more", 1, 2), "every mark is met")


def main():
    build = sys.argv[1]
    check_lists()
    check_arithmetic()
    driver = [sys.executable, bench.__file__]
    with tempfile.TemporaryDirectory(dir=build) as folder:
        ran = subprocess.run([*driver, build, "--rounds", "1", "--scale", "0.001", "--out", folder, *ROWS, CURVE],
                             stdout=subprocess.PIPE, text=True, check=True)
        with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
            result = json.load(file)
        for picture in ("spawn", "fib", "queue", CURVE.replace("/", "-")):
            xml.etree.ElementTree.parse(os.path.join(folder, "plots", picture + ".svg"))
    wanted = [row for row in bench.ROWS if row.name in ROWS]
    expect([found["name"] for found in result["rows"]] == [row.name for row in wanted], "not the rows that were asked for")
    for found, row in zip(result["rows"], wanted):
        check_row(found, row)
        expect(row.label in ran.stdout, f"{row.name} is not in the table")
    points = result["curves"][0]["lines"][0]["points"]
    curve = next(one for one in bench.CURVES if one.name == CURVE)
    expect(tuple(x for x, _ in points) == curve.few, f"{CURVE}: {points}")
    refused = subprocess.run([*driver, build, "no-such-row"], capture_output=True, text=True)
    expect(refused.returncode == 1 and "no-such-row" in refused.stderr, "takes a name that does not exist")


if __name__ == "__main__":
    main()
