"""Runs the commands of rows and curves, and turns what they print into results."""
import contextlib
import os
import signal
import statistics
import subprocess

import machine
from model import N, X

PATIENCE_S = 60


class Failed(Exception):
    """A command that cannot be measured; the text says why."""


class Bench:
    """What the functions among the commands get: the build folder, things that live through all rounds, other commands."""

    def __init__(self, build, scale, stack):
        self.build = build
        self.scale = scale
        self.prefix = machine.realtime()
        self.noise = machine.Noise()
        self._stack = stack
        self._kept = {}
        self._this_round = {}

    def new_round(self):
        self._this_round = {}

    def keep(self, key, make):
        """make() on the first call with this key, a context manager; it ends with the whole run. The same object after that."""
        if key not in self._kept:
            self._kept[key] = self._stack.enter_context(make())
        return self._kept[key]

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def figures(self, command, realtime=True):
        """{name: value} of a command. In one round a command runs once, whoever asks."""
        key = (command, realtime)
        if key not in self._this_round:
            try:
                self._this_round[key] = self._run(command, realtime)
            except Failed as why:
                self._this_round[key] = why
        found = self._this_round[key]
        if isinstance(found, Failed):
            raise found
        return found

    def value(self, side):
        figures = self.figures(side.command, side.realtime)
        if side.figure not in figures:
            raise Failed(f"prints no {side.figure}")
        return figures[side.figure]

    def _run(self, command, realtime):
        first, *rest = command
        rest = [p.scaled(self.scale) if isinstance(p, N) else p for p in rest]
        if callable(first):
            return first(self, *rest)
        path = self.program(first)
        if not os.path.exists(path):
            raise Failed("missing")
        return parse(spawn([*(self.prefix if realtime else []), path, *map(str, rest)]))


def spawn(command, **options):
    """Standard output of a command that has to end well and soon."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                          **options) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Failed(f"not done after {PATIENCE_S} s") from None
    if process.returncode != 0:
        last = (err.strip() or out.strip()).splitlines()[-1:] or [""]
        raise Failed(f"ended with {process.returncode} {last[0]}".strip())
    return out


def parse(text):
    figures = {}
    for line in text.splitlines():
        name, value, _unit = line.split()
        figures[name] = float(value)
    return figures


def one_round(bench, sides, values, errors):
    """A side that failed once is left out of the rounds that follow."""
    bench.new_round()
    for side in sides:
        if side in errors:
            continue
        try:
            values[side].append(bench.value(side))
        except Failed as why:
            errors[side] = str(why)


def words(command):
    """For people: what to type, or the function's name."""
    shown = [getattr(p, "__name__", p.count if isinstance(p, N) else p) for p in command]
    return " ".join(str(getattr(p, "name", p)) for p in shown)


def summary(side, values, error):
    result = {"name": side.name, "command": words(side.command), "realtime": side.realtime, "values": values,
              "needs": side.needs, "error": error}
    if values and error is None:
        result |= {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return result


def judge(better, value, mark):
    return value <= mark if better == "less" else value >= mark


def conclude(row, values, errors):
    ours, *peers = [summary(side, values[side], errors.get(side)) for side in row.sides]
    if row.mark is not None:
        ours["mark"] = row.mark
        ours["met"] = "median" in ours and judge(row.better, ours["median"], row.mark)
    for peer, side in zip(peers, row.peers):
        if "median" in ours and peer.get("median"):
            peer["ratio"] = ours["median"] / peer["median"]
        if side.mark is not None:
            peer["mark"] = side.mark
            peer["met"] = judge(row.better, peer["ratio"], side.mark) if "ratio" in peer else None
    return {"name": row.name, "label": row.label, "unit": row.unit, "better": row.better, "source": row.source,
            "ours": ours, "peers": peers}


def measure(bench, rows, rounds):
    """The rows of one group."""
    sides = list(dict.fromkeys(side for row in rows for side in row.sides))
    values, errors = {side: [] for side in sides}, {}
    group = machine.Noise()
    with bench.noise, group:
        for _ in range(rounds):
            one_round(bench, sides, values, errors)
    return [conclude(row, values, errors) | {"noise": group.shares()} for row in rows]


def at(command, x):
    return tuple(p.of(x) if isinstance(p, X) else p for p in command)


def measure_curve(bench, curve, xs, rounds):
    lines = [{"name": side.name, "needs": side.needs, "points": [], "error": None} for side in curve.sides]
    with bench.noise:
        for x in xs:
            values = [[] for _ in lines]
            for _ in range(rounds):
                bench.new_round()
                for side, line, found in zip(curve.sides, lines, values):
                    if line["error"] is not None:
                        continue
                    try:
                        found.append(bench.figures(at(side.command, x), side.realtime)[side.figure])
                    except Failed as why:
                        line["error"] = f"at {x}: {why}" if str(why) != "missing" else str(why)
            for line, found in zip(lines, values):
                if found and line["error"] is None:
                    line["points"].append([x, statistics.median(found)])
    return {"name": curve.name, "label": curve.label, "unit": curve.unit, "x": curve.x_label, "lines": lines}
