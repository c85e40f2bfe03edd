"""The table of coverage.sh from gcovr's summaries, and whether lib reaches what is asked of it."""
import collections
import json
import re
import sys


# Whose branches are all to be taken: what moves tasks between threads, and between stacks.
WHOLE = re.compile(r"/(queue/(deque|injector|inbox|parker)|sched/switch)\.[ch]$")


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def show(path, where):
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    for item in sorted(summary["files"], key=lambda f: f["filename"]):
        if item["line_total"]:
            print(f'{item["filename"]:44} {item["line_covered"]:5}/{item["line_total"]:<5} '
                  f'{percent(item["line_covered"], item["line_total"]):6.1f} %  '
                  f'{item["branch_covered"]:5}/{item["branch_total"]:<5} '
                  f'{percent(item["branch_covered"], item["branch_total"]):6.1f} %')
    lines = percent(summary["line_covered"], summary["line_total"])
    branches = percent(summary["branch_covered"], summary["branch_total"])
    print(f'{where + ", all of it":44} {summary["line_covered"]:5}/{summary["line_total"]:<5} {lines:6.1f} %  '
          f'{summary["branch_covered"]:5}/{summary["branch_total"]:<5} {branches:6.1f} %\n')
    return lines, branches


def floors(path):
    """Per cent of lines and branches of each folder of lib/src."""
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for item in summary["files"]:
        for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            sums[item["filename"].split("/")[2]][i] += item[key]
    for floor, (lines, of, branches, among) in sorted(sums.items()):
        print(f"lib/src/{floor:36} {lines:5}/{of:<5} {percent(lines, of):6.1f} %  "
              f"{branches:5}/{among:<5} {percent(branches, among):6.1f} %")
    return [item["filename"] for item in summary["files"]
            if WHOLE.search(item["filename"]) and item["branch_covered"] < item["branch_total"]]


def main():
    lines_least, branches_least = float(sys.argv[1]), float(sys.argv[2])
    print(f'{"file":44} {"lines":>20}  {"branches":>20}')
    lib = show(sys.argv[3], "lib")
    partly = floors(sys.argv[3])
    print()
    daemon = show(sys.argv[4], "daemon")
    print(f"FIGURES coverage: lib_lines={lib[0]:.1f}% lib_branches={lib[1]:.1f}% "
          f"daemon_lines={daemon[0]:.1f}% daemon_branches={daemon[1]:.1f}%")
    if lib[0] < lines_least or lib[1] < branches_least:
        print(f"coverage: lib must reach {lines_least:.0f} % of lines and {branches_least:.0f} % of branches")
        return 1
    if partly:
        print(f"coverage: not every branch of {', '.join(partly)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
