"""What the end-to-end tests share: a daemon in a folder of its own, a client of the protocol that shares no code with
ours, and waiting for conditions. Standard library only.

COSCHEDD, COSCHEDCTL name the programs; E2E_DIR is where the folders are made.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT = float(os.environ.get("E2E_LIMIT", "180"))  # seconds: generous, a condition is what ends a wait
COSCHEDD = os.environ["COSCHEDD"]
COSCHEDCTL = os.environ.get("COSCHEDCTL", "")


class Failure(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what) or "check failed")


def eventually(condition, what, limit=LIMIT):
    """The condition's first true answer; fails after the limit."""
    end = time.monotonic() + limit
    pause = 0.001
    while True:
        answer = condition()
        if answer:
            return answer
        check(time.monotonic() < end, "gave up waiting:", what)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


class Client:
    """One connection. call() returns the result or raises; events of others are kept in .events."""

    def __init__(self, path, timeout=LIMIT):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""
        self.next_id = 1
        self.events = []

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, method, params=None):
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            message["params"] = params
        self.next_id += 1
        self.send_raw(json.dumps(message).encode() + b"\n")
        return self.next_id - 1

    def line(self):
        """The next message; None at the end of the stream."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(text)

    def answer(self, wanted):
        while True:
            message = self.line()
            check(message is not None, "the daemon hung up")
            if message.get("method") == "event":
                self.events.append(message["params"])
            elif message.get("id") == wanted:
                return message

    def request(self, method, params=None):
        return self.answer(self.send(method, params))

    def call(self, method, params=None):
        message = self.request(method, params)
        check("result" in message, method, params, "->", message)
        return message["result"]

    def error(self, method, params=None):
        message = self.request(method, params)
        check("error" in message, method, params, "should be refused:", message)
        return message["error"]

    def job(self, spec):
        """Submits, waits for the end, returns the whole job."""
        number = self.call("submit", spec)["id"]
        self.call("wait", {"ids": [number]})
        return self.call("get", {"id": number})


class Daemon:
    all = []  # so that a failed test leaves none behind

    def __init__(self, folder, *options, socket_path="s", state="state", env=None, log=None):
        self.folder = folder
        self.socket_path = os.path.join(folder, socket_path)
        self.short = os.path.relpath(self.socket_path)  # a socket address holds 107 bytes
        self.state = os.path.join(folder, state)
        config = os.path.join(folder, "coschedd.conf")
        if not os.path.exists(config):
            open(config, "w").close()
        self.args = [COSCHEDD, "--user", "--config", "coschedd.conf", "--socket", socket_path, "--state-dir", state,
                     "--set", "daemon.allow_root=yes", *options]
        self.env = dict(os.environ, **(env or {}))
        self.log = log or os.path.join(folder, "log")
        self.process = None
        Daemon.all.append(self)

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.args, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        if wait:
            eventually(self.answers, "the daemon answers")
        return self

    def answers(self):
        code = self.process.poll()
        check(code is None, "the daemon ended with", code, self.log_text()[-2000:])
        try:
            with self.client() as client:
                return client.call("ping")["pong"]
        except OSError:
            return False

    def client(self):
        return Client(self.short)

    def log_text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def send_signal(self, number):
        """Sends it, and returns when the daemon says that it came. E2E_LOSES_SIGNALS: ThreadSanitizer keeps a signal that arrives
        while a coroutine runs with that coroutine, and forgets it when that one ends; nothing else needs a second try."""
        name = f"signal name={signal.Signals(number).name[3:]}"
        seen = self.log_text().count(name)
        tries = 12 if os.environ.get("E2E_LOSES_SIGNALS") else 1
        for left in reversed(range(tries)):
            self.process.send_signal(number)
            try:
                eventually(lambda: not self.alive() or self.log_text().count(name) > seen, "the daemon notices " + name,
                           limit=LIMIT / tries)
                return
            except Failure:
                if left == 0:
                    raise

    def stop(self, number=signal.SIGTERM, expect=0):
        self.send_signal(number)
        code = self.process.wait(LIMIT)
        check(expect is None or code == expect, "the daemon ended with", code, self.log_text()[-3000:])
        return code

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT)

    def alive(self):
        return self.process.poll() is None

    def ctl(self, *args, **more):
        return subprocess.run([COSCHEDCTL, "--socket", self.short, *args], capture_output=True, text=True,
                              timeout=LIMIT, check=False, **more)


def processes_with(text):
    """Ids of processes whose environment holds this text."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as f:
                    if text.encode() in f.read():
                        found.append(int(entry))
            except OSError:
                pass
    return found


def instance_of(state):
    """The mark that processes of this state folder's jobs carry."""
    with open(os.path.join(state, "instance")) as f:
        return "COSCHED_INSTANCE=" + f.read().strip()


def no_process_left(state):
    mark = instance_of(state)
    eventually(lambda: not processes_with(mark), "no process of a job is left")


def run(main):
    """Runs main(folder); keeps the folder and shows the log when it failed."""
    base = os.environ.get("E2E_DIR") or tempfile.gettempdir()
    os.makedirs(base, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="e2e.", dir=base)
    try:
        main(folder)
    except SystemExit:
        shutil.rmtree(folder)
        raise
    except BaseException as error:
        print(f"FAILED: {error}; files are in {folder}", file=sys.stderr)
        log = os.path.join(folder, "log")
        if os.path.exists(log):
            with open(log, errors="replace") as f:
                print(f.read()[-4000:], file=sys.stderr)
        raise
    finally:
        for daemon in Daemon.all:
            if daemon.process and daemon.alive():
                daemon.kill()
    shutil.rmtree(folder)
    print("ok")
