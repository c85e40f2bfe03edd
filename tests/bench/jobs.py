"""What the daemon's rows run: servers that are loaded alike, and ways to run /bin/true many times."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from runner import Failed, parse, spawn
from servers import PATIENCE_S, Beanstalkd, Coschedd, Redis

HELD = 0  # parallel: what is submitted waits


def load(server, protocol, count, depth, batch=1):
    path = server.bench.program("submit_load")
    if not os.path.exists(path):
        raise Failed("missing")
    return parse(spawn([*server.prefix, path, protocol, server.socket_name, str(count), str(depth), str(batch)],
                       cwd=server.folder))


# --- submitting ------------------------------------------------------------------------------------------


def held(bench):
    return bench.keep("held", lambda: Coschedd(bench, HELD))


def submit_coschedd(bench, count, depth):
    return load(held(bench), "cosched", count, depth)


def submit_many(bench, count, batch):
    """Two requests under way: one is checked while the other is written."""
    return load(held(bench), "cosched-many", max(count, 2 * batch), 2, batch)


def submit_redis(bench, count, depth):
    return load(bench.keep("redis", lambda: Redis(bench)), "redis", count, depth)


def submit_beanstalkd(bench, count, depth):
    return load(bench.keep("beanstalkd", lambda: Beanstalkd(bench)), "beanstalkd", count, depth)


def submit_to_start(bench, count):
    """{p50: µs from the end of the commit to the first line of the job's kind}, of jobs that find a free slot; as the
    daemon counts it. A fresh one each time: its histogram has nothing else."""
    job = ("submit", {"kind": "sleep", "args": {"for": "0s"}})
    with Coschedd(bench, 2) as server:
        server.ask(*[job] * count)
        return {"p50": float(server.ask(("stats", {}))["latency"]["queue_wait_us"]["p50"])}


def commits_kept(bench, count):
    """{share: submissions a second, one at a time, while jobs saturate every CPU, of what it is without them}. Not at
    real-time priority: nobody outranks anybody there."""
    burn = {"argv": ["/bin/sh", "-c", "while :; do :; done"]}
    cpus = len(os.sched_getaffinity(0))
    with Coschedd(bench, 2 * cpus, realtime=False) as server:
        held_job = ("submit", {"argv": ["/bin/true"], "delay": "1d"})
        server.ask(held_job)
        quiet = _singly(server, held_job, count)
        ids = server.ask(("submit_many", {"jobs": [burn] * 2 * cpus}))["ids"]
        while server.ask(("stats", {}))["jobs"]["running"] < len(ids):
            time.sleep(0.01)
        busy = _singly(server, held_job, count)
        server.ask(("cancel", {"ids": ids}), ("wait", {"ids": ids}))
    return {"share": busy / quiet, "quiet": quiet, "busy": busy}


def _singly(server, job, count):
    begun = time.monotonic()
    server.ask(*[job] * count)
    return count / (time.monotonic() - begun)


# --- running ---------------------------------------------------------------------------------------------


def rate(count, begun):
    return {"rate": count / (time.monotonic() - begun)}


def _run_true(server, count):
    begun = time.monotonic()
    while count > 0:  # a request has at most ten thousand
        some = min(count, 10000)
        jobs = {"jobs": [{"argv": ["/bin/true"]}] * some}
        server.ask(("wait", {"ids": server.ask(("submit_many", jobs))["ids"]}))
        count -= some
    return time.monotonic() - begun


def true_coschedd(bench, count, parallel):
    server = bench.keep(("true", parallel), lambda: Coschedd(bench, parallel, "exec.nice=0"))
    return {"rate": count / _run_true(server, count)}


@contextlib.contextmanager
def _large(bench, parallel):
    """A daemon that holds half a gigabyte: answers that nobody reads."""
    job = {"kind": "exec", "args": {"argv": ["/bin/true"], "stdin": "x" * 16000}, "delay": "1d"}
    with Coschedd(bench, parallel, "exec.nice=0", "limits.answer_bytes=64M") as server:
        for _ in range(15):
            server.ask(("submit_many", {"jobs": [job] * 60}))
        request = b'{"jsonrpc":"2.0","id":1,"method":"list","params":{"limit":900,"fields":["spec"]}}\n'
        with contextlib.ExitStack() as readers:
            begun = time.monotonic()
            while server.memory() < 512e6:
                readers.enter_context(server.connect()).sendall(request)
                time.sleep(0.05)
                if time.monotonic() - begun > PATIENCE_S:
                    raise Failed(f"holds {server.memory() / 1e6:.0f} MB only")
            yield server


def true_large(bench, count, parallel):
    server = bench.keep("large", lambda: _large(bench, parallel))
    return {"rate": count / _run_true(server, count)}


def true_xargs(bench, count, parallel):
    begun = time.monotonic()
    subprocess.run([*bench.prefix, "xargs", f"-P{parallel}", "-n1", "/bin/true"], input="x\n" * count, text=True,
                   check=True)
    return rate(count, begun)


def _loop(bench, program, each, end, environment):
    """A queue that is filled by a program for each job, from a shell's loop, and then waited for."""
    if not shutil.which(program):
        raise Failed("missing")
    begun = time.monotonic()
    spawn([*bench.prefix, "sh", "-c", f"{each}\n{end}"], env=dict(os.environ, **environment))
    return time.monotonic() - begun


def true_tsp(bench, count, parallel):
    with tempfile.TemporaryDirectory(dir=os.path.join(bench.build, "tests/bench")) as folder:
        environment = {"TS_SOCKET": os.path.join(folder, "s"), "TMPDIR": folder, "TS_MAXFINISHED": str(count)}
        took = _loop(bench, "tsp", f"tsp -S {parallel}; for i in $(seq {count}); do tsp /bin/true; done >/dev/null",
                     "while tsp -l | grep -Eq ' (queued|running) '; do tsp -w; done; tsp -K", environment)
        return {"rate": count / took}


def true_nq(bench, count):
    """One at a time: it has no other way."""
    with tempfile.TemporaryDirectory(dir=os.path.join(bench.build, "tests/bench")) as folder:
        took = _loop(bench, "nq", f"for i in $(seq {count}); do nq -q /bin/true; done >/dev/null", "nq -w",
                     {"NQDIR": folder})
        return {"rate": count / took}


# --- waiting, starting, idling ---------------------------------------------------------------------------

KINDS = {
    "coschedd": (lambda bench: Coschedd(bench, HELD), "cosched-many", 2, 1000),
    "redis": (Redis, "redis", 1000, 1),
    "beanstalkd": (lambda bench: Beanstalkd(bench, "-F"), "beanstalkd", 1000, 1),  # filling it is not what is measured
}


@contextlib.contextmanager
def _filled(bench, kind, count):
    make, protocol, depth, batch = KINDS[kind]
    with make(bench) as server:
        empty = server.memory()
        load(server, protocol, count, depth, batch)
        yield server, (server.memory() - empty) / count


def waiting(bench, kind, count):
    """{bytes: of memory for each of so many waiting jobs, restart: seconds until it serves again with them}."""
    server, each = bench.keep(("filled", kind), lambda: _filled(bench, kind, count))
    server.stop()
    return {"bytes": each, "restart": server.start()}


def idle(bench, kind):
    with KINDS[kind][0](bench) as server:
        time.sleep(0.5)
        return {"MB": server.resident() / 1e6}


def _left_alone(bench):
    """After what happens once: tables are looked through, spare threads and stacks are given back."""
    server = Coschedd(bench, 2)
    server.settled_at = time.monotonic() + 25
    return server


def idle_calls(bench, seconds):
    """{calls: system calls of all threads of a daemon that nobody asks for anything}."""
    if not shutil.which("strace"):
        raise Failed("missing")
    server = bench.keep("idle", lambda: _left_alone(bench))
    time.sleep(max(0.0, server.settled_at - time.monotonic()))
    log = os.path.join(server.folder, "strace")
    tracer = subprocess.Popen(["strace", "-f", "-ttt", "-o", log, "-p", str(server.process.pid)], stderr=subprocess.DEVNULL)
    begun = time.time()
    time.sleep(seconds)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    with open(log, encoding="utf-8", errors="replace") as file:
        times = [float(found[1]) for line in file if (found := re.match(r"\d+ +(\d+\.\d+) \w+\(", line))]
    return {"calls": float(sum(begun + 1 < t < begun + seconds - 0.1 for t in times))}
