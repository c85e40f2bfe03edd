"""coschedd, redis and beanstalkd, each private: in a folder of its own, on a Unix socket in it, ended by its pid."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from runner import Failed

PATIENCE_S = 60


class Server:
    """A server as a context manager. A socket's address holds 107 bytes, so everybody uses it from the folder."""

    socket_name = "s"
    question, answer = b"", b""  # what tells that it serves

    def __init__(self, bench, name, realtime=True):
        self.bench = bench
        self.prefix = bench.prefix if realtime else []
        self.folder = tempfile.mkdtemp(prefix=name + ".", dir=os.path.join(bench.build, "tests/bench"))
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder)

    def command(self):
        raise NotImplementedError

    def start(self):
        """Seconds until it serves."""
        command = self.command()
        if not shutil.which(command[0]):
            raise Failed("missing")
        begun = time.monotonic()
        self.process = subprocess.Popen([*self.prefix, *command], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE_S:
                with open(self.log.name, encoding="utf-8", errors="replace") as log:
                    raise Failed(f"{command[0]} does not serve: {log.read()[-200:]}")
            time.sleep(0.001)
        return time.monotonic() - begun

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        if os.path.exists(os.path.join(self.folder, self.socket_name)):
            os.unlink(os.path.join(self.folder, self.socket_name))

    def connect(self):
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.socket_name)
            return connection
        finally:
            os.chdir(here)

    def serves(self):
        try:
            with self.connect() as connection:
                connection.sendall(self.question)
                return self.answer in connection.recv(256)
        except OSError:
            return False

    def memory(self):
        """Bytes of its own that are in memory; the files it maps are everybody's."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(1024.0 * int(line.split()[1]) for line in file if line.startswith("RssAnon:"))

    def resident(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(1024.0 * int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class Coschedd(Server):
    question, answer = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n', b'"pong":true'

    def __init__(self, bench, parallel, *settings, realtime=True):
        super().__init__(bench, "coschedd", realtime)
        self.settings = [f"queue default.parallel={parallel}", "daemon.log_level=error", "limits.jobs_waiting=10000000",
                         "limits.jobs_per_user=10000000", *settings]
        if os.getuid() == 0:
            self.settings.append("daemon.allow_root=yes")

    def command(self):
        sets = [word for setting in self.settings for word in ("--set", setting)]
        return [os.path.join(self.bench.build, "daemon/coschedd"), "--user", "--config", "/dev/null", "--socket", "s",
                "--state-dir", "state", *sets]

    def ask(self, *calls):
        """The result of the last of some calls, (method, params) each."""
        with self.connect() as connection, connection.makefile("rwb") as stream:
            for method, params in calls:
                stream.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.readline())
                if "result" not in answer:
                    raise Failed(json.dumps(answer["error"]))
            return answer["result"]


class Redis(Server):
    """What it offers those who must not lose a job: every append synced before it is answered."""

    question, answer = b"PING\r\n", b"+PONG"  # an error while it loads

    def __init__(self, bench):
        super().__init__(bench, "redis")

    def command(self):
        return ["redis-server", "--port", "0", "--unixsocket", "s", "--appendonly", "yes", "--appendfsync", "always",
                "--save", "", "--dir", self.folder]


class Beanstalkd(Server):
    question, answer = b"stats\r\n", b"OK "

    def __init__(self, bench, sync="-f0"):
        super().__init__(bench, "beanstalkd")
        self.sync = sync

    def command(self):
        os.makedirs(os.path.join(self.folder, "log.d"), exist_ok=True)
        return ["beanstalkd", "-l", "unix:s", "-b", "log.d", *self.sync.split()]
