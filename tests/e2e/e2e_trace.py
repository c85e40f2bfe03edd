"""A trace of the daemon while jobs come and go, taken by coschedctl, held to what a trace must be (tests/lib/check_trace.py): jobs and
commits are in the picture, jobs enclose the slices of their tasks, hops lead from MAIN to workers."""
import json
import os
import subprocess
import sys

from e2e import COSCHEDCTL, Daemon, check, eventually, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from check_trace import Trace  # noqa: E402

WORKERS = 2
MAIN = 1


def work(client, path):
    """One of each kind, to the end; their ids."""
    specs = [{"argv": ["true"]}, {"kind": "sleep", "args": {"for": "2ms"}}, {"kind": "hash", "args": {"path": path}}]
    ids = [client.call("submit", spec)["id"] for spec in specs]
    for job in client.call("wait", {"ids": ids, "fields": ["state"]})["jobs"]:
        check(job["state"] == "succeeded", job)
    return ids


def check_jobs(trace, ids, under_way):
    spans = {int(key[1]): found for key, found in trace.spans.items() if key[0] == "job"}
    check(all(len(found) == 1 for found in spans.values()), "one attempt, one span", spans)
    found = whole(trace, ids)
    check(len(found) >= 6, "jobs in the trace:", len(found), "of", len(ids))
    for number in found:
        name, since, to, args, _ = spans[number][0]
        check(name == "job")
        slices = trace.slices_of(args["task"])
        check(slices and slices[0][0] <= since <= slices[0][1], "a job begins in a slice of its task", number)
        check(since <= to and all(s[0] <= to for s in slices), "a job ends after its slices began", number)
    check(under_way in spans, "the job that was under way", spans.keys())
    _, since, to, args, _ = spans[under_way][0]
    check("task" not in args and to - since > 500000, "it was all the time:", spans[under_way])


def check_commits(trace):
    commits = [s for key, found in trace.spans.items() if key[0] == "commit" for s in found]
    check(len(commits) >= 3, "commits:", len(commits))
    own = [tid for tid, name in trace.tracks.items() if name.startswith("own thread")]
    check(own, "the store's thread has a track", trace.tracks)
    for name, since, to, args, _ in commits:
        if "task" in args:
            check(any(a <= since and to <= b for tid in own for a, b, _, task in trace.slices[tid]
                      if task == args["task"]), "a commit lies in a slice of the store")


def check_hops(trace):
    hops = [a for a in trace.arrows if a[0] == "hop"]
    check(any(a[1] == MAIN and 2 <= a[3] <= WORKERS + 1 for a in hops), "nobody hops to a worker")
    check(any(a[3] == MAIN and 2 <= a[1] <= WORKERS + 1 for a in hops), "nobody comes home")


def whole(trace, ids):
    """Those of the jobs that the trace has from begin to end."""
    return [number for number in ids if any("task" in span[3] for span in trace.spans.get(("job", str(number)), []))]


def one_trace(daemon, client, path, out, seconds):
    """What it says, the trace, and the jobs that were done meanwhile."""
    ids = []
    with subprocess.Popen([COSCHEDCTL, "--socket", daemon.short, "trace", "--for", f"{seconds}s", "-o", out],
                          stdout=subprocess.PIPE, text=True) as tracing:
        while tracing.poll() is None:
            ids += work(client, path)
        said = tracing.stdout.read()
    check(tracing.returncode == 0 and "events" in said, tracing.returncode, said)
    trace = Trace(out)
    check(said.split()[0] == str(len(trace.events)), said, len(trace.events))
    check(trace.tracks[MAIN] == "MAIN", trace.tracks)
    return said, trace, ids


def by_the_client(daemon, folder, path):
    out = os.path.join(folder, "trace.json")
    with daemon.client() as client:
        under_way = client.call("submit", {"kind": "sleep", "args": {"for": "1h"}})["id"]
        eventually(lambda: client.call("get", {"id": under_way})["state"] == "running", "it runs")
        for seconds in (1, 4, 16, 64):  # how much is done meanwhile is the machine's to say
            said, trace, ids = one_trace(daemon, client, path, out, seconds)
            if "lost" in said or len(whole(trace, ids)) >= 6:
                break
        client.call("cancel", {"ids": [under_way]})
    if "lost" not in said:
        check_jobs(trace, ids, under_way)
        check_commits(trace)
        check_hops(trace)


def by_the_protocol(daemon, folder, path):
    with daemon.client() as client:
        work(client, path)
        answer = client.call("trace", {"for": "0s"})
        events = [e for event in client.events for e in event["events"]]
        check(all(event["type"] == "trace" for event in client.events))
        check(answer["events"] == len(events) > 10 and answer["records"] > 10, answer, len(events))
        check(answer["lost"] <= 3, "lost of what is only remembered", answer)
        # What is remembered is a whole trace, too.
        out = os.path.join(folder, "remembered.json")
        with open(out, "w") as file:
            json.dump({"traceEvents": events}, file)
        check(any(key[0] == "commit" for key in Trace(out).spans), "no commit is remembered")
        # A request behind it does not wait for it.
        first = client.send("trace", {"for": "10m"})
        check(client.call("ping")["pong"])
        for params, wrong in (({"for": "11m"}, "params.for"), ({"for": 3}, "params.for"), ({"since": 1}, "params.since")):
            error = client.error("trace", params)
            check(error["code"] == -32602 and error["data"]["path"] == wrong, params, error)
        check(first > 0)
    # That client went away in the middle of ten minutes: nothing of it stays.
    with daemon.client() as client:
        eventually(lambda: client.call("stats")["daemon"]["connections"] == 1, "the reader is gone")


def on_standard_output(daemon):
    done = daemon.ctl("trace", "--for", "50ms")
    check(done.returncode == 0 and json.loads(done.stdout)["traceEvents"], done.stderr)
    done = daemon.ctl("--json", "trace", "--for", "0s")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check(done.returncode == 0 and lines[-1]["events"] == sum(len(e["events"]) for e in lines[:-1]), done.stderr)
    done = daemon.ctl("trace", "-o", "/dev/full", "--for", "1ms")
    check(done.returncode == 1 and "cannot write the trace" in done.stderr, done)
    check(daemon.ctl("trace", "--for", "soon").returncode == 1)
    check(daemon.ctl("trace", "here").returncode == 64)


def long_slices(folder, path):
    """With a share of 50 us, hashing a big file on a worker is too long: logged with its place, and counted."""
    daemon = Daemon(folder, "--workers", "1", "--set", "daemon.slice_worker=50us", "--set", "daemon.slice_main=0s",
                    state="slices", log=os.path.join(folder, "slices.log")).start()
    with open(path, "ab") as file:
        file.write(bytes(32 << 20))

    def found():
        with daemon.client() as client:
            client.job({"kind": "hash", "args": {"path": path, "algo": "sha256"}})
            return client.call("stats")["scheduler"]["long_slices"]["found"]
    eventually(found, "a long slice is found")
    text = eventually(lambda: "has kept worker 1 for" in daemon.log_text() and daemon.log_text(), "it is logged")
    line = next(line for line in text.splitlines() if "has kept worker" in line)
    check("its share is" in line and (", on CPU" in line or ", in system call" in line), line)
    daemon.stop()


def main(folder):
    daemon = Daemon(folder, "--workers", str(WORKERS)).start()
    path = os.path.join(folder, "file")
    with open(path, "wb") as file:
        file.write(os.urandom(100000))
    by_the_protocol(daemon, folder, path)
    if COSCHEDCTL:
        by_the_client(daemon, folder, path)
        on_standard_output(daemon)
    daemon.stop()
    long_slices(folder, path)


run(main)
