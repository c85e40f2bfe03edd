"""The table of coverage.sh from gcovr's summaries, and whether lib reaches what is asked of it."""
import json
import sys


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


def main():
    lines_least, branches_least = float(sys.argv[1]), float(sys.argv[2])
    print(f'{"file":44} {"lines":>20}  {"branches":>20}')
    lib = show(sys.argv[3], "lib")
    daemon = show(sys.argv[4], "daemon")
    print(f"FIGURES coverage: lib_lines={lib[0]:.1f}% lib_branches={lib[1]:.1f}% "
          f"daemon_lines={daemon[0]:.1f}% daemon_branches={daemon[1]:.1f}%")
    if lib[0] < lines_least or lib[1] < branches_least:
        print(f"coverage: lib must reach {lines_least:.0f} % of lines and {branches_least:.0f} % of branches")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
