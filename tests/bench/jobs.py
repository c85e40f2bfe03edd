"""What the daemon's rows run: a private coschedd spoken to over its socket, and its peers."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Daemon:
    """A private coschedd in a folder of its own; lives as long as the run (bench.keep)."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="jobs.", dir=os.path.join(build, "tests/bench"))
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
                    raise SystemExit("bench: coschedd did not start: " + open(self.log.name).read()) from None
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


def daemon(bench):
    return bench.keep("coschedd", lambda: contextlib.closing(Daemon(bench.build)))


WAITING = {"kind": "sleep", "args": {"for": "1s"}, "delay": "1d"}


def rate(n, start):
    return {"rate": n / (time.monotonic() - start)}


def submit_singly(bench, n):
    asked = daemon(bench)
    start = time.monotonic()
    for _ in range(n):
        asked.call("submit", WAITING)
    return rate(n, start)


def submit_pipelined(bench, n, window=100):
    asked = daemon(bench)
    start = time.monotonic()
    sent = 0
    for received in range(n):
        while sent < n and sent - received < window:
            asked.send("submit", WAITING, sent)
            sent += 1
        asked.connection.flush()
        asked.receive()
    return rate(n, start)


def submit_many(bench, n):
    asked = daemon(bench)
    start = time.monotonic()
    asked.call("submit_many", {"jobs": [WAITING] * n})
    return rate(n, start)


def true_jobs(bench, n):
    asked = daemon(bench)
    start = time.monotonic()
    ids = asked.call("submit_many", {"jobs": [{"argv": ["/bin/true"]}] * n})["ids"]
    asked.call("wait", {"ids": ids})
    return rate(n, start)


def true_xargs(_bench, n):
    start = time.monotonic()
    subprocess.run(["xargs", "-P2", "-n1", "/bin/true"], input="x\n" * n, text=True, check=True)
    return rate(n, start)
