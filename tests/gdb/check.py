"""The gdb script in batch mode: it is found by itself, lists every task of gdb_probe.c, shows the functions that each is
in, leaves the program as it was, and does the same on a core file. 77: gdb or ptrace is not to be had here."""
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

LIMIT = float(os.environ.get("E2E_LIMIT", "240"))
SHARED, STATIC = os.environ["PROBE_SHARED"], os.environ["PROBE_STATIC"]
LIBRARY, SCRIPT = os.environ["LIBRARY"], os.environ["SCRIPT"]
SANITIZE = os.environ.get("SANITIZE", "")
DEEP = 48  # of gdb_probe.c

# Functions from the inside out: part of the back trace in this order, by name of the task.
CHAINS = {
    "reader": ["cosched_chan_recv", "waits_for_value", "cosched_call", "reads_channel", "cos_fiber_entry"],
    "locker": ["cosched_mutex_lock", "locks", "cos_fiber_entry"],
    "deep": ["cosched_event_wait"] + ["goes_deep"] * DEEP + ["cos_fiber_entry"],
    "child": ["cosched_sleep_until", "child_sleeps", "awaits_inline", "cos_fiber_entry"],
    "evil ?[31m": ["cosched_sleep_until", "sleeps_on_worker", "cos_fiber_entry"],
    "busy": ["keeps_worker_busy", "cos_fiber_entry"],
    "-": ["everybody_waits", "starts_all", "cos_fiber_entry"],
}
# State (a pattern), what it waits for (a pattern), affinity, function.
ROWS = {
    "reader": ("waiting", r"recv 0x[0-9a-f]+", "MAIN", "reads_channel"),
    "locker": ("waiting", r"mutex 0x[0-9a-f]+", "MAIN", "locks"),
    "deep": ("waiting", r"event 0x[0-9a-f]+", "MAIN", "goes_deep"),
    "child": ("waiting", "time", "MAIN", "child_sleeps"),
    "inliner": ("waiting", r"inline #\d+", "MAIN", "awaits_inline"),
    "evil ?[31m": ("waiting", "time", "WORKER", "sleeps_on_worker"),
    "busy": ("on worker 0", "-", "WORKER", "keeps_worker_busy"),
    "late": ("not started", "-", "MAIN", "never_starts"),
    "-": ("on MAIN", "-", "MAIN", "starts_all"),
}


class Failure(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


def environment():
    """Leaks cannot be looked for under ptrace."""
    env = dict(os.environ, LC_ALL="C", NO_COLOR="1")
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


def gdb(*arguments, commands):
    """Runs the commands; their outputs by the names that commands gives them."""
    args = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "set width 0", "-ex", "set pagination off"]
    for name, command in commands:
        args += ["-ex", f"echo \\n@@{name}\\n", "-ex", command]
    done = subprocess.run([*args, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT, check=False, env=environment(), text=True, errors="replace")
    said = re.sub(r"^warning: Section .* in core file too small\.\n", "", done.stdout, flags=re.M)  # of floating-point state
    parts = re.split(r"^@@(.*)\n", said, flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2]))
    check(all(name in found for name, _ in commands), "gdb ended early:", done.stdout[-4000:])
    check("Traceback (most recent" not in done.stdout, done.stdout[-4000:])
    return found


def possible():
    if shutil.which("gdb") is None:
        print("skipped: no gdb")
        return False
    found = gdb("/bin/true", commands=[("run", "run")])
    if "exited normally" not in found["run"]:
        print("skipped: gdb cannot run programs here:", found["run"].strip()[-300:])
        return False
    return True


def table(text):
    """Rows by name; of two with one name the last counts. Columns are apart by two spaces at least."""
    lines = text.strip("\n").split("\n")
    titles = lines[0]
    starts = [m.start() for m in re.finditer(r"(?<=  )\S|^\S", titles)]
    rows = {}
    for line in lines[1:]:
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None])]
        rows.setdefault(cells[1], []).append(cells)
    return titles, rows


def check_tasks(text, since):
    titles, rows = table(text)
    check(re.split("  +", titles.strip()) == ["INDEX", "NAME", "STATE", "WAITS FOR", since, "AFFINITY", "FUNCTION"], titles)
    check(sorted(rows) == sorted(ROWS), "names:", sorted(rows), text)
    check(len(rows["reader"]) == 2, "two readers:", text)
    for name, (state, waits, affinity, function) in ROWS.items():
        for cells in rows[name]:
            check(cells[2] == state and re.fullmatch(waits, cells[3]) and cells[5:] == [affinity, function], name, cells)
            check(bool(cells[4]) == (state == "waiting"), "since when, if it waits:", cells)
    check(rows["inliner"][0][3] == "inline #" + rows["child"][0][0], "the inliner waits for its child", text)
    return {name: [cells[0] for cells in found] for name, found in rows.items()}


def traces_of(text):
    """(titles, functions) of each trace."""
    for part in re.split(r"\n\n+", text.strip("\n")):
        lines = part.split("\n")
        titles = [line for line in lines if line.startswith("task ")]
        yield titles, re.findall(r"^#\d+ .* in (\S+) \(", part, flags=re.M)


def in_order(wanted, functions):
    rest = iter(functions)
    return all(name in rest for name in wanted)


def check_traces(text, indices):
    seen = {}
    for titles, functions in traces_of(text):
        for title in titles:
            seen[re.match(r"task (\d+)", title).group(1)] = (functions, len(titles))
    check(sorted(seen) == sorted(i for found in indices.values() for i in found), "each task once", text)
    for name, wanted in CHAINS.items():
        for index in indices[name]:
            check(in_order(wanted, seen[index][0]), name, "is not in", wanted, "but in", seen[index][0])
    check(seen[indices["deep"][0]][0].count("goes_deep") == DEEP, "goes deep", text)
    check(seen[indices["reader"][0]] == seen[indices["reader"][1]] and seen[indices["reader"][0]][1] == 2,
          "equal traces are shown once", text)
    check(seen[indices["inliner"][0]] == seen[indices["child"][0]], "a child on its parent's stack", text)
    check(seen[indices["late"][0]][0] == [], "what has not started has no frames", text)


def check_workers(text):
    lines = text.strip().split("\n")
    check(re.match(r"MAIN +\d+ \(\d+\) +1 .* starts_all$", lines[1]), text)
    check(re.match(r"worker 0 +\d+ \(\d+\) +0 .* busy$", lines[2]), text)


LOOK = [("tasks", "cosched tasks"), ("workers", "cosched workers"), ("all", "cosched bt all")]


def check_look(found, since):
    indices = check_tasks(found["tasks"], since)
    check_traces(found["all"], indices)
    check_workers(found["workers"])
    return indices


def live(program, *options):
    """Twice the same back trace of the thread, and a program that goes on to its end: nothing was changed by looking."""
    found = gdb(*options, program, commands=[("run", "run"), ("before", "bt"), *LOOK, ("after", "bt"), ("on", "signal 0")])
    check_look(found, "SINCE")
    check("everybody_waits" in found["before"] and found["before"] == found["after"], found["before"], found["after"])
    check("exited normally" in found["on"], "the program goes on:", found["on"])


def selecting(program, *options):
    """Frames of a task as gdb's own commands see them; whoever is named but cannot be shown."""
    indices = check_tasks(gdb(*options, program, commands=[("run", "run"), ("tasks", "cosched tasks")])["tasks"], "SINCE")
    reader, busy = indices["reader"][0], indices["busy"][0]
    found = gdb(*options, program, commands=[
        ("run", "run"), ("before", "bt"), ("select", f"cosched select {reader}"), ("bt", "bt"),
        ("up", "frame function reads_channel"), ("locals", "info locals"), ("busy", f"cosched select {busy}"),
        ("thread", "bt"), ("again", f"cosched select {reader}"), ("none", "cosched select"), ("main", "thread 1"),
        ("back", "bt"), ("one", f"cosched bt {reader} {busy}"), ("stranger", "cosched bt 999999"),
        ("word", "cosched bt seven"), ("nothing", "cosched bt"), ("late", f"cosched select {indices['late'][0]}"),
        ("chosen", f"cosched select {reader}"), ("on", "signal 0")])
    check(in_order(["waits_for_value", "reads_channel"], re.findall(r"\w+", found["bt"])), found["bt"])
    check("reads_channel" in found["up"] and re.search(r"^result = 0$", found["locals"], re.M), found["up"], found["locals"])
    check("keeps_worker_busy" in found["thread"] and "reads_channel" not in found["thread"], found["thread"])
    check(found["back"] == found["before"], "the thread itself again:", found["back"])
    check([t[0][0].split()[1] for t in traces_of(found["one"])] == [reader, busy], found["one"])
    check("no task 999999 lives" in found["stranger"], found["stranger"])
    check("\"seven\" is no index" in found["word"] and "which task?" in found["nothing"], found["word"], found["nothing"])
    check("not started" in found["late"], found["late"])
    check("exited normally" in found["on"], "a choice ends when the program goes on:", found["on"])


def core_of(program, folder):
    """By the kernel where it writes one here, else by gdb, which writes all that was ever reserved. None: what gdb wrote it
    cannot read itself."""
    def before():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    subprocess.run([program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=LIMIT, check=False, preexec_fn=before)
    cores = glob.glob(os.path.join(folder, "core*"))
    if not cores:
        gdb(program, commands=[("run", "run"), ("core", f"gcore {os.path.join(folder, 'core')}"), ("kill", "kill")])
        cores = glob.glob(os.path.join(folder, "core*"))
        if not cores or "everybody_waits" not in gdb(program, cores[0], commands=[("bt", "bt")])["bt"]:
            return None
    return cores[0]


def on_core(folder):
    core = core_of(SHARED, folder)
    if core is None:
        print("left out: the kernel writes no core file here, and gdb none that it can read")
        return
    found = gdb("-iex", f"add-auto-load-safe-path {os.path.dirname(LIBRARY)}", SHARED, core, commands=LOOK)
    check_look(found, "AT LEAST SINCE")


def without_library():
    found = gdb("-iex", f"source {SCRIPT}", "/bin/true", commands=[("tasks", "cosched tasks"), ("workers", "cosched workers")])
    check("no debug information of libcosched" in found["tasks"] + found["workers"], found)


def main():
    if not possible():
        sys.exit(77)
    by_itself = ("-iex", f"add-auto-load-safe-path {os.path.dirname(os.path.realpath(LIBRARY))}")
    by_hand = ("-iex", f"source {SCRIPT}")
    live(SHARED, *by_itself)
    live(STATIC, *by_hand)
    selecting(SHARED, *by_itself)
    without_library()
    if not SANITIZE:  # they keep their shadow out of core files, or forbid those
        with tempfile.TemporaryDirectory(dir=os.environ["WORK"]) as folder:
            on_core(folder)
    print("ok")


main()
