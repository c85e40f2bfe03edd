"""The file that cosched_trace_* makes, held to what the program in it did (trace_sample.c).

usage: test_trace.py SAMPLE FOLDER WORKERS..."""
import os
import subprocess
import sys

from check_trace import Trace, need

MAIN = 1


def tasks(trace, name):
    return [key[1] for key, spans in trace.spans.items()
            if key[0] == "task" for span in spans if span[0] == name and span[4] == 0]


def check_tasks(trace, workers):
    for name, count in {"hopper": 2, "sleeper": 2, "blocker": 1, "own": 1}.items():
        need(len(tasks(trace, name)) == count, name, "is there", len(tasks(trace, name)), "times")
    slept = 0
    for task in tasks(trace, "sleeper"):
        inner = [s for s in trace.spans[("task", task)] if s[0] == "sleeps"]
        begins = {s[0] for s in trace.slices_of(task)}
        woken = [a for a in trace.arrows if a[0] == "wake" and a[4] in begins and a[3:] in
                 [(tid, s[0]) for tid, slices in trace.slices.items() for s in slices if s[3] == task]]
        # A thread that is held up long enough does not sleep at all.
        need(len(inner) == len(woken) <= 3, "a sleeper slept", len(inner), "times and was woken", len(woken), "times")
        slept += len(inner)
    need(slept > 0, "nobody slept")
    for key, spans in trace.spans.items():
        if key[0] != "task":
            continue
        outer = [s for s in spans if s[4] == 0]
        for name, since, to, _, depth in spans:
            need(depth < 2 and (depth == 0 or any(o[1] <= since and to <= o[2] for o in outer)), "nesting", spans)
        for since, to, name, _ in trace.slices_of(key[1]):
            need(any(o[1] <= since and to <= o[2] for o in outer), "a slice outside of its task", key)


def check_hops(trace, workers):
    hops = [a for a in trace.arrows if a[0] == "hop"]
    if workers == 0:
        need(not hops, "hops without workers")
        return
    there = [a for a in hops if a[1] == MAIN]
    back = [a for a in hops if a[3] == MAIN]
    need(len(there) == len(back) == 10, "hops:", len(there), len(back))
    need(all(2 <= a[3] <= workers + 1 for a in there), "a hop to a worker ends elsewhere:", there)
    need(all(2 <= a[1] <= workers + 1 for a in back), "a hop to MAIN begins elsewhere:", back)


def check_marks(trace):
    for number in ("1", "2"):
        (job,) = trace.spans[("job", number)]
        name, since, to, args, _ = job
        need(name == "job", "the name of a job:", name)
        inside = [s for s in trace.slices_of(args["task"]) if s[1] > since and s[0] < to]
        need(len(inside) >= 1, "no slice in a job")
        whole = trace.slices_of(args["task"])
        need(whole[0][0] <= since <= whole[0][1] and whole[-1][0] <= to <= whole[-1][1],
             "a job begins in its task's first slice and ends in its last:", job, whole)
    need(sum(len(s) for k, s in trace.spans.items() if k[0] == "commit") == 3, "commits")
    # A millisecond by another clock, whose rate each read knows a little better.
    need(all(to - since >= 990 for k, spans in trace.spans.items() if k[0] == "commit" for _, since, to, _, _ in spans),
         "a commit is shorter than it was")
    here = [e for e in trace.instants if e["name"] == "here"]
    need(len(here) == 1 and here[0]["args"]["value"] == 7, "here:", here)
    calls = [s for k, spans in trace.spans.items() if "nothing" in k[0] or "trace_sample" in k[0] for s in spans]
    need(len(calls) == 5, "blocking calls:", len(calls), sorted({k[0] for k in trace.spans}))


def main():
    sample, folder, *rounds = sys.argv[1:]
    for workers in map(int, rounds):
        for mode in ([], ["streamed"]):
            path = os.path.join(folder, f"trace_{workers}{''.join(mode)}.{os.getpid()}.json")
            subprocess.run([sample, str(workers), path, *mode], check=True, timeout=60)
            trace = Trace(path)
            need(not any(e["name"] == "lost records" for e in trace.instants), "records are lost")
            need(trace.tracks[MAIN] == "MAIN", "tracks:", trace.tracks)
            need(all(trace.tracks.get(w + 1) in (None, f"worker {w}") for w in range(1, workers + 1)), trace.tracks)
            check_tasks(trace, workers)
            check_hops(trace, workers)
            check_marks(trace)
            os.unlink(path)
            print(f"{workers} workers{' '.join(['', *mode])}: {len(trace.events)} events, {len(trace.arrows)} arrows")


if __name__ == "__main__":
    main()
