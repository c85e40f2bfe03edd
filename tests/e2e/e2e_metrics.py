"""`metrics`: promtool accepts the page (where Debian's prometheus is installed), a parser of our own reads it, and it
agrees with `stats`; both count what was really done."""
import json
import re
import shutil
import subprocess

from e2e import COSCHEDCTL, Daemon, check, run

SERIES = re.compile(r'(cosched_[a-z0-9_]+)(?:\{([a-z]+)="([^"]*)"\})? (-?[0-9.]+)$')


def parse(text):
    """{(name, label, value): number}; fails on anything that is not the text format, version 0.0.4."""
    page, family, kind = {}, None, None
    announced = set()
    check(text.endswith("\n"), "the last line ends")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            check(family not in announced and len(line.split(" ", 3)) == 4, line)
            announced.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name == family and kind in ("counter", "gauge", "histogram"), line)
        else:
            match = SERIES.match(line)
            check(match, "not a series:", line)
            name, label, value, number = match.groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if kind == "histogram" else name
            check(base == family, line, "stands under", family)
            check(label in (None, "kind", "queue", "state") or (label == "le" and kind == "histogram"), line)
            check((name, label, value) not in page, "twice:", line)
            page[name, label, value] = float(number)
    return page


def histograms_add_up(page):
    names = sorted({name[:-len("_bucket")] for name, label, _ in page if label == "le"})
    check(len(names) >= 6, names)
    for name in names:
        buckets = sorted((float(le), n) for (what, _, le), n in page.items() if what == name + "_bucket")
        counts = [n for _, n in buckets]
        check(counts == sorted(counts) and buckets[-1][0] == float("inf"), name, buckets)
        check(counts[-1] == page[name + "_count", None, None], name)


def agree(page, stats, jobs):
    for state in ("succeeded", "failed", "timed_out", "canceled", "skipped"):
        check(page["cosched_jobs_ended_total", "state", state] == stats["jobs"][state], state)
    for state in ("running", "queued", "delayed", "blocked"):
        check(page["cosched_jobs", "state", state] == stats["jobs"][state], state)
    check(page["cosched_jobs_submitted_total", None, None] == stats["jobs"]["submitted"] == jobs)
    started = {kind: n for (name, _, kind), n in page.items() if name == "cosched_attempts_started_total"}
    check(sum(started.values()) == stats["jobs"]["started"] and started["sleep"] == 1, started)
    for queue in stats["queues"]:
        for member in ("depth", "running", "parallel", "paused"):
            check(page["cosched_queue_" + member, "queue", queue["name"]] == queue[member], queue)
    check(page["cosched_run_seconds_count", None, None] == stats["jobs"]["started"])
    check(page["cosched_store_commits_total", None, None] <= stats["store"]["commits"])
    check(page["cosched_main_poll_gap_seconds_count", None, None] > 0 and stats["scheduler"]["main"]["poll_gap_us"]["max"] > 0)


def main(folder):
    daemon = Daemon(folder, "--set", "queue night.parallel=1", "--set", "queue night.paused=yes").start()
    with daemon.client() as client:
        check(client.error("metrics", {"x": 1})["data"]["path"] == "params.x")
        ids = [client.call("submit", spec)["id"] for spec in (
            {"argv": ["true"]}, {"argv": ["false"]}, {"kind": "sleep", "args": {"for": "1ms"}},
            {"argv": ["true"], "delay": "1h"}, {"argv": ["true"], "queue": "night"})]
        client.call("wait", {"ids": ids[:3]})
        answer = client.call("metrics")
        check(list(answer) == ["text"], list(answer))
        page = parse(answer["text"])
        histograms_add_up(page)
        agree(page, client.call("stats"), len(ids))
        check(page["cosched_queue_paused", "queue", "night"] == 1 and page["cosched_queue_depth", "queue", "night"] == 1)
        before, page = page, parse(client.call("metrics")["text"])
        for key, value in page.items():
            if key[0].endswith("_total"):
                check(value >= before[key], "a counter went back:", key)
    if COSCHEDCTL:
        shown = daemon.ctl("metrics")
        check(shown.returncode == 0 and parse(shown.stdout), shown)
        check(parse(json.loads(daemon.ctl("--json", "metrics").stdout)["text"]))
    promtool = shutil.which("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=answer["text"], capture_output=True, text=True,
                              check=False)
        check(done.returncode == 0 and not done.stderr.strip(), "promtool:", done.stdout, done.stderr)
    else:
        print("promtool is not installed (Debian: prometheus): only our own parser looked")
    daemon.stop()


run(main)
