"""What people see: the table on the terminal and the pictures."""
import os
import sys

import plot

BOLD, DIM, GREEN, RED, PLAIN = "", "", "", "", ""
if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
    BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"


def number(value):
    """Three digits or more, none of them idle."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 100 else f"{value:.2f}"


def why_missing(side):
    if side["error"] == "missing" and side["needs"]:
        return f"missing: section {side['needs']} of config/dependencies.txt"
    return side["error"]


def heading(result):
    where = result["machine"]
    print(f"{BOLD}{where['cpus']} CPUs ({where['processor']}), {where['system']}, {where['kernel']}; {result['date']}{PLAIN}")
    priority = "real-time priority" if result["realtime"] else "no real-time priority (chrt -f is refused): expect noise"
    print(f"median of {result['rounds']} rounds (min … max); {priority}"
          + (f"; counts × {result['scale']:g}: no measurement" if result["scale"] != 1 else ""), flush=True)


def verdict(side, better):
    if "mark" not in side:
        return ""
    sign = "≤" if better == "less" else "≥"
    said = {True: f"{GREEN}met{PLAIN}", False: f"{RED}missed{PLAIN}", None: "not compared"}[side["met"]]
    return f"  {sign} {side['mark']:g}: {said}"


def line(side, better, style=""):
    if "median" not in side:
        return f"  {side['name']:30} {DIM}{why_missing(side)}{PLAIN}"
    ratio = f"{side['ratio']:.2f} ×" if "ratio" in side else ""
    spread = f"({number(side['min'])} … {number(side['max'])})"
    return f"  {style}{side['name']:30} {number(side['median']):>12}{PLAIN}  {spread:25} {ratio:>8}{verdict(side, better)}".rstrip()


def show(row):
    common = "" if row["ours"]["realtime"] else ", at everybody's priority"
    print(f"\n{BOLD}{row['label']}{PLAIN}, {row['unit']}{common}  {DIM}{row['name']}{PLAIN}")
    print(line(row["ours"], row["better"], BOLD))
    for peer in row["peers"]:
        print(line(peer, row["better"]))
    sys.stdout.flush()


def show_curve(curve):
    print(f"\n{BOLD}{curve['label']}{PLAIN}, {curve['unit']}, over {curve['x']}  {DIM}{curve['name']}{PLAIN}")
    for one in curve["lines"]:
        points = "  ".join(f"{x:g}: {number(y)}" for x, y in one["points"])
        why = f" {DIM}{why_missing(one)}{PLAIN}" if one["error"] else ""
        print(f"  {one['name']:30} {points}{why}")
    sys.stdout.flush()


def ending(result):
    noise = result["noise"]
    print(f"\nthe machine: other processes took {noise['others']} % of the CPUs, the hypervisor {noise['steal']} %"
          f" (these benchmarks {noise['own']} %)")
    judged = [side["met"] for row in result["rows"] for side in [row["ours"], *row["peers"]] if "mark" in side]
    print(f"marks: {judged.count(True)} met, {judged.count(False)} missed, {judged.count(None)} not compared")


def list_rows(rows):
    for row in rows:
        sign = "≤" if row.better == "less" else "≥"
        marks = [f"{sign} {row.mark:g} {row.unit}"] if row.mark is not None else []
        marks += [f"{sign} {side.mark:g} × {side.name}" for side in row.peers if side.mark is not None]
        print(f"{row.name:24} {row.label} ({row.unit}){': ' if marks else ''}{', '.join(marks)}"
              + (f" [{row.source}]" if row.source else ""))


def save(build, name, text):
    folder = os.path.join(build, "plots")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name.replace("/", "-") + ".svg"), "w", encoding="utf-8") as file:
        file.write(text)


def plot_rows(build, group, rows):
    save(build, group, plot.bars(rows))


def plot_curve(build, curve):
    save(build, curve["name"], plot.curves(curve))
