"""Starting: every way in which it cannot be, with its exit code and one line that says what is wrong; readiness,
inherited sockets, a stale socket, --check-config."""
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

from e2e import COSCHEDD, LIMIT, Client, Daemon, check, eventually, run


def ends_with(folder, code, text, *options, env=None, user=None, replace=None):
    """The daemon ends at once with this code and says this text."""
    args = replace or [COSCHEDD, "--user", "--config", "coschedd.conf", "--socket", "x.sock", "--state-dir", "x.state",
                       "--set", "daemon.allow_root=yes", *options]
    done = subprocess.run(args, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False,
                          env=dict(os.environ, **(env or {})), user=user)
    check(done.returncode == code and text in done.stderr, args[1:], "->", done)


def configuration(folder):
    bad = os.path.join(folder, "bad.conf")
    with open(bad, "w") as f:
        f.write("[daemon]\nworkerz = 1\n")
    ends_with(folder, 78, "bad.conf:2: daemon.workerz: unknown key", "--config", "bad.conf")
    ends_with(folder, 78, "daemon.workers", "--workers", "many")
    ends_with(folder, 78, "unknown option", "--bogus")
    ends_with(folder, 78, "must be SECTION.KEY=VALUE", "--set", "nonsense")
    ends_with(folder, 78, "missing.conf", "--config", "missing.conf")
    ends_with(folder, 0, "", "--check-config")
    ends_with(folder, 78, "unknown key", "--check-config", "--config", "bad.conf")


def sockets(folder):
    ends_with(folder, 78, "socket path is too long", "--socket", "y" * 108)
    ends_with(folder, 77, "cannot listen", "--socket", "no/such/folder/s")
    with open(os.path.join(folder, "plain"), "w"):
        pass
    ends_with(folder, 78, "cannot listen", "--socket", "plain")
    check(os.path.isfile(os.path.join(folder, "plain")), "what is no socket is not removed")


def state_folders(folder):
    ends_with(folder, 77, "cannot use the state folder", "--state-dir", "/proc/nothing")
    with open(os.path.join(folder, "file"), "w"):
        pass
    ends_with(folder, 77, "cannot use the state folder", "--state-dir", "file")
    if os.geteuid() != 0:
        os.mkdir(os.path.join(folder, "shut"), 0o500)
        ends_with(folder, 77, "cannot use the state folder", "--state-dir", "shut/state")


def second_daemon(folder):
    first = Daemon(folder).start()
    ends_with(folder, 75, "cannot open the store", "--state-dir", "state", "--socket", "other")
    ends_with(folder, 75, "a live daemon has this socket", "--state-dir", "other", "--socket", "s")
    with first.client() as client:
        check(client.call("ping")["pong"], "the first one did not notice")
    first.stop()
    check(not os.path.exists(first.socket_path), "its socket goes with it")


def stale_socket(folder):
    daemon = Daemon(folder).start()
    daemon.kill()
    check(os.path.exists(daemon.socket_path), "a killed daemon leaves its socket")
    daemon.start()
    check("removing a stale socket" in daemon.log_text())
    check(os.stat(daemon.socket_path).st_mode & 0o777 == 0o600, "mode of a user instance's socket")
    check(os.stat(daemon.state).st_mode & 0o777 == 0o700, "mode of the state folder")
    daemon.stop()


REMAINS = """
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind("s")
s.listen(1)  # it is soon full of who has gone again
s.settimeout(60)
if os.fork() == 0:
    os.close(1)
    for _ in range(2):  # the daemon looks who is there, more than once
        s.accept()
"""


def remains_of_a_socket(folder):
    """A killed daemon's listener lives on in a child that is becoming a command: that is waited for."""
    with subprocess.Popen([sys.executable, "-c", REMAINS], cwd=folder, stdout=subprocess.PIPE) as former:
        former.stdout.read()
    check(former.returncode == 0)
    daemon = Daemon(folder).start(wait=False)
    eventually(lambda: not daemon.alive() or "removing a stale socket" in daemon.log_text(), "it has the socket")
    eventually(daemon.answers, "the daemon answers")
    daemon.stop()


def root(folder):
    if os.geteuid() != 0:
        return
    args = [COSCHEDD, "--user", "--config", "coschedd.conf", "--socket", "x.sock", "--state-dir", "x.state"]
    ends_with(folder, 77, "refusing to run as root", replace=args)


def other_users(folder):
    """A user instance takes its own uid only; root can play another user."""
    if os.geteuid() != 0:
        return
    daemon = Daemon(folder).start()
    os.chmod(folder, 0o711)
    os.chmod(daemon.socket_path, 0o666)  # the mode already keeps them out; this tests the second wall
    nobody = pwd.getpwnam("nobody").pw_uid
    script = ("import socket,sys\ns=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\n"
              "sys.stdout.write(s.recv(4096).decode())")
    reached = subprocess.run(["python3", "-c", script, "s"], cwd=folder, user=nobody, capture_output=True, text=True,
                             timeout=LIMIT, check=False)
    if reached.returncode == 0:  # folders above may be closed to others
        check('"not_permitted"' in reached.stdout, reached)
    daemon.stop()


class Manager:
    """What systemd does: a datagram socket for sd_notify."""

    def __init__(self, folder):
        self.path = os.path.join(os.path.relpath(folder), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(LIMIT)
        self.env = {"NOTIFY_SOCKET": os.path.join(folder, "notify")}

    def expect(self, text):
        while True:
            said = self.socket.recv(4096).decode()
            if text in said:
                return said


def under_a_manager(folder):
    if len(os.path.join(folder, "notify")) > 107:
        manager_folder = os.path.relpath(folder)
        check(len(manager_folder) < 100, "no room for a socket's name")
        return
    manager = Manager(folder)
    env = dict(manager.env, WATCHDOG_USEC="200000")
    daemon = Daemon(folder, env=env).start(wait=False)
    manager.expect("READY=1")
    manager.expect("WATCHDOG=1")
    manager.expect("WATCHDOG=1")
    daemon.send_signal(signal.SIGHUP)
    manager.expect("RELOADING=1")
    manager.expect("READY=1")
    daemon.send_signal(signal.SIGTERM)
    manager.expect("STOPPING=1")
    check(daemon.process.wait(LIMIT) == 0)


def inherited_socket(folder):
    """LISTEN_FDS: the listener outlives the daemon and is not removed by it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = os.path.join(os.path.relpath(folder), "inherited")
    listener.bind(path)
    listener.listen()
    daemon = Daemon(folder)
    script = ('import os,sys\nos.dup2(int(sys.argv[1]),3)\nos.set_inheritable(3,True)\n'
              'os.environ.update(LISTEN_FDS="1",LISTEN_PID=str(os.getpid()))\nos.execv(sys.argv[2],sys.argv[2:])')
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen(["python3", "-c", script, str(listener.fileno()), *daemon.args], cwd=folder,
                                          stderr=log, pass_fds=[listener.fileno()])
    with Client(path) as client:
        check(client.call("ping")["pong"])
    daemon.stop()
    check(os.path.exists(path), "the manager's socket stays")


def limits(folder):
    daemon = Daemon(folder, "--set", "limits.connections_per_user=3", "--set", "limits.jobs_waiting=2").start()
    clients = [daemon.client()]
    eventually(lambda: clients[0].call("stats")["daemon"]["connections"] == 1, "the probe of start() is gone")
    clients += [daemon.client() for _ in range(2)]
    for client in clients:
        client.call("ping")
    extra = daemon.client()
    check(extra.line()["error"]["data"]["limit"] == "connections_per_user")
    for _ in range(2):
        clients[0].call("submit", {"argv": ["true"], "delay": "1h"})
    error = clients[0].error("submit", {"argv": ["true"]})
    check(error["data"]["name"] == "limit" and error["data"]["limit"] == "jobs_waiting", error)
    clients[1].close()
    eventually(lambda: clients[0].call("stats")["daemon"]["connections"] == 2, "a place is free again")
    check(daemon.client().call("ping")["pong"])
    daemon.stop()


def out_of_descriptors(folder):
    """Accepting pauses instead of spinning, and goes on."""
    daemon = Daemon(folder)
    daemon.args = ["prlimit", "--nofile=40:40", *daemon.args]
    daemon.start()
    clients = [daemon.client() for _ in range(40)]
    eventually(lambda: "cannot accept" in daemon.log_text(), "out of descriptors")
    usage = [open(f"/proc/{daemon.process.pid}/stat").read().rsplit(")", 1)[1].split()[11:13] for _ in range(1)][0]
    time.sleep(1)
    later = open(f"/proc/{daemon.process.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]
    ticks = sum(map(int, later)) - sum(map(int, usage))
    check(ticks < 30, "the loop spins:", ticks, "ticks in a second")
    for client in clients:
        client.close()
    with daemon.client() as client:
        check(client.call("ping")["pong"])
    daemon.stop()


def main(folder):
    with open(os.path.join(folder, "coschedd.conf"), "w"):
        pass
    steps = [configuration, sockets, state_folders, second_daemon, stale_socket, remains_of_a_socket, root, other_users, under_a_manager,
             inherited_socket, limits, out_of_descriptors]
    for step in steps:
        own = os.path.join(folder, step.__name__[:8])
        os.mkdir(own)
        with open(os.path.join(own, "coschedd.conf"), "w"):
            pass
        step(own)


run(main)
