#!/usr/bin/env python3
"""Runs the benchmarks beside their peers, interleaved, and prints medians and ratios.

usage: table.py BUILD_DIR [--rounds N] [NAME...]     NAME: a row or a group (switch core hop echo jobs)

Machines are shared and noisy: what counts is the ratio within one run. Nothing here is a gate.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
REALTIME = []


def probe_realtime():
    """chrt -f for the one-threaded rows, where it is allowed."""
    if shutil.which("chrt") and subprocess.run(["chrt", "-f", "20", "true"], capture_output=True).returncode == 0:
        return ["chrt", "-f", "20"]
    return []


def number(command):
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


class Bench:
    def __init__(self, build):
        self.build = build
        self.core = os.path.join(build, "tests/bench/bench_core")

    # --- the library ----------------------------------------------------------------------------

    def switches(self):
        out = subprocess.run(REALTIME + [os.path.join(self.build, "tests/bench/bench_switch"), "10000000", "1"],
                             check=True, capture_output=True, text=True).stdout
        values = dict(line.split() for line in out.splitlines())
        return {k: float(v) for k, v in values.items()}

    def core_ns(self, name):
        realtime = REALTIME if name not in ("hop", "futex", "fib2") else []
        return number(realtime + [self.core, name])


class Daemon:
    """A private coschedd in a folder of its own."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="jobs.", dir=os.path.join(build, "tests/bench"))
        self.socket_path = os.path.join(self.folder, "s")
        command = [os.path.join(build, "daemon/coschedd"), "--socket", "s", "--state-dir", "state", "--set",
                   "daemon.log_level=error", "--set", "queue default.parallel=2"]
        if os.getuid() == 0:
            command += ["--set", "daemon.allow_root=yes"]
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(command, cwd=self.folder, stderr=self.log, stdout=self.log)
        while True:
            try:
                self.connection = self.connect()
                break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("bench: coschedd did not start: " + open(self.log.name).read())
                time.sleep(0.01)

    def connect(self):
        here = os.getcwd()
        os.chdir(self.folder)  # a socket address holds 107 bytes
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect("s")
            return s.makefile("rwb", buffering=1 << 16)
        finally:
            os.chdir(here)

    def send(self, method, params, ident):
        line = json.dumps({"jsonrpc": "2.0", "id": ident, "method": method, "params": params})
        self.connection.write(line.encode() + b"\n")

    def receive(self):
        answer = json.loads(self.connection.readline())
        if "error" in answer:
            raise SystemExit("bench: " + json.dumps(answer["error"]))
        return answer["result"]

    def call(self, method, params):
        self.send(method, params, 1)
        self.connection.flush()
        return self.receive()

    def close(self):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder)


WAITING = {"kind": "sleep", "args": {"for": "1s"}, "delay": "1d"}


def submit_singly(daemon, n=400):
    start = time.monotonic()
    for _ in range(n):
        daemon.call("submit", WAITING)
    return n / (time.monotonic() - start)


def submit_pipelined(daemon, n=20000, window=100):
    start = time.monotonic()
    sent = 0
    for received in range(n):
        while sent < n and sent - received < window:
            daemon.send("submit", WAITING, sent)
            sent += 1
        daemon.connection.flush()
        daemon.receive()
    return n / (time.monotonic() - start)


def submit_many(daemon, n=10000):
    jobs = {"jobs": [WAITING] * n}
    start = time.monotonic()
    daemon.call("submit_many", jobs)
    return n / (time.monotonic() - start)


def true_jobs(daemon, n=1000):
    jobs = [{"argv": ["/bin/true"]}] * n
    start = time.monotonic()
    ids = daemon.call("submit_many", {"jobs": jobs})["ids"]
    daemon.call("wait", {"ids": ids})
    return n / (time.monotonic() - start)


def true_xargs(n=1000):
    start = time.monotonic()
    subprocess.run(["xargs", "-P2", "-n1", "/bin/true"], input="x\n" * n, text=True, check=True)
    return n / (time.monotonic() - start)


class Echo:
    """A server of its own for each round: messages a second, and its processor time for one message in ns."""

    def __init__(self, build, server, arguments=()):
        # Server and load have a thread each: with real-time priority others do not come between the two.
        realtime = [] if arguments else REALTIME
        self.load = [*realtime, os.path.join(build, "tests/bench/bench_echo_load")]
        self.server = [*realtime, os.path.join(build, "tests/bench", server), *arguments]

    def measure(self, connections, messages):
        server = subprocess.Popen(self.server, stdout=subprocess.PIPE, text=True)
        try:
            port = server.stdout.readline().strip()
            rate = number([*self.load, port, str(connections), str(messages)])
        finally:
            server.send_signal(signal.SIGTERM)
            usage = os.wait4(server.pid, 0)[2]
            server.returncode = 0
            server.stdout.close()
        return rate, (usage.ru_utime + usage.ru_stime) / messages * 1e9


def spread(values):
    return f"{min(values):,.2f} … {max(values):,.2f}"


def row(name, unit, ours, peer_name="", peer=None, mark=None, higher_is_better=False):
    mine = statistics.median(ours)
    text = f"{name:32} {mine:12,.2f} {unit:8} ({spread(ours)})"
    if peer:
        theirs = statistics.median(peer)
        ratio = mine / theirs
        text += f"   {peer_name} {theirs:,.2f} ({spread(peer)})   ratio {ratio:.2f}"
        if mark is not None:
            met = ratio >= mark if higher_is_better else ratio <= mark
            text += f"   mark {'≥' if higher_is_better else '≤'} {mark}: {'met' if met else 'missed'}"
    elif mark is not None:
        text += f"   mark ≤ {mark}: {'met' if mine <= mark else 'missed'}"
    print(text, flush=True)


def run_switch(bench):
    rounds = [bench.switches() for _ in range(ROUNDS)]
    boost = [r["switch_boost_context_ns"] for r in rounds]
    row("switch, inline", "ns", [r["switch_inline_ns"] for r in rounds], "Boost.Context", boost, 0.2)
    row("switch, out of line", "ns", [r["switch_plain_ns"] for r in rounds], "Boost.Context", boost, 0.7)


def run_core(bench):
    for name, label, mark in (("call", "call, same affinity", 6), ("spawn_await", "spawn + await", 12),
                              ("fib1", "fib, a call, 1 worker", 5), ("fib2", "fib, a call, 2 workers", 2.6),
                              ("yield", "yield", None), ("chan", "channel send + receive", 30)):
        row(label, "ns", [bench.core_ns(name) for _ in range(ROUNDS)], mark=mark)


def run_hop(bench):
    pairs = [(bench.core_ns("hop"), bench.core_ns("futex")) for _ in range(ROUNDS)]
    row("hop round trip", "ns", [a for a, _ in pairs], "futex ping-pong", [b for _, b in pairs], 1.15)


def run_echo(bench, messages=200000):
    ours, peer = Echo(bench.build, "bench_echo_cosched"), Echo(bench.build, "bench_echo_uv")
    workers = Echo(bench.build, "bench_echo_cosched", ["1"])
    for connections in (1, 1000, 10000):
        count = messages if connections > 1 else messages // 10
        rounds = [(ours.measure(connections, count), peer.measure(connections, count),
                   workers.measure(connections, count)) for _ in range(ROUNDS)]
        label = f"echo, {connections:,} connections"
        mark = 0.95 if connections >= 1000 else None
        row(label, "/s", [a[0] for a, _, _ in rounds], "libuv", [b[0] for _, b, _ in rounds], mark, True)
        row("  server time a message", "ns", [a[1] for a, _, _ in rounds], "libuv", [b[1] for _, b, _ in rounds])
        row("  the same on a worker", "/s", [c[0] for _, _, c in rounds])


def run_jobs(bench):
    daemon = Daemon(bench.build)
    try:
        daemon.call("ping", {})
        row("submit, one at a time", "/s", [submit_singly(daemon) for _ in range(ROUNDS)])
        row("submit, pipelined 100", "/s", [submit_pipelined(daemon) for _ in range(ROUNDS)])
        row("submit_many, 10,000 a call", "/s", [submit_many(daemon) for _ in range(ROUNDS)])
        pairs = [(true_jobs(daemon), true_xargs()) for _ in range(ROUNDS)]
        row("/bin/true jobs", "/s", [a for a, _ in pairs], "xargs -P2", [b for _, b in pairs], 1.4, True)
    finally:
        daemon.close()


GROUPS = {"switch": run_switch, "core": run_core, "hop": run_hop, "echo": run_echo, "jobs": run_jobs}


def main():
    global ROUNDS, REALTIME
    arguments = sys.argv[1:]
    if not arguments:
        raise SystemExit(__doc__)
    bench = Bench(os.path.abspath(arguments.pop(0)))
    if arguments[:1] == ["--rounds"]:
        ROUNDS = max(1, int(arguments[1]))
        arguments = arguments[2:]
    unknown = [name for name in arguments if name not in GROUPS]
    if unknown:
        raise SystemExit(f"bench: no such benchmark: {' '.join(unknown)} (there are: {' '.join(GROUPS)})")
    REALTIME = probe_realtime()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.1f}, {time.strftime('%Y-%m-%d')}, median of {ROUNDS} (min … max), "
          f"{'real-time priority' if REALTIME else 'no real-time priority: expect noise'}")
    for name in arguments or GROUPS:
        GROUPS[name](bench)


if __name__ == "__main__":
    main()
