"""Who may what in a system instance: another user's job looks like none to every verb, admins' verbs are refused, events and
why cover own jobs only. Needs to be root: clients of two users."""
import json
import os
import subprocess
import sys

from e2e import Daemon, check, run

OTHER = 65534  # nobody: no member of any group of ours

CALL = """
import json, os, socket, sys
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile()
for line in sys.stdin:
    method, params, wanted = json.loads(line)
    s.sendall(json.dumps({{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}}).encode() + b"\\n")
    got = []
    while True:
        message = json.loads(f.readline())
        got.append(message)
        if wanted is None and message.get("id") == 1 or wanted is not None and len(got) > wanted:
            break
    print(json.dumps(got), flush=True)
"""


class Nobody:
    """A client that is another user: a process of its own, for the kernel says who connects."""

    def __init__(self, daemon):
        # Named from within its folder: the ones above it may be closed to that user.
        self.process = subprocess.Popen([sys.executable, "-c", CALL.format(uid=OTHER), os.path.basename(daemon.socket_path)],
                                        cwd=daemon.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def messages(self, method, params=None, wanted=None):
        self.process.stdin.write(json.dumps([method, params or {}, wanted]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        check(line, "the other user's client ended")
        return json.loads(line)

    def call(self, method, params=None):
        message = self.messages(method, params)[-1]
        check("result" in message, method, params, message)
        return message["result"]

    def error(self, method, params=None):
        message = self.messages(method, params)[-1]
        check("error" in message, method, params, message)
        return message["error"]["data"]["name"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main(folder):
    if os.geteuid() != 0:
        print("not root: skipped")
        sys.exit(77)
    daemon = Daemon(folder)
    daemon.args.remove("--user")
    daemon.start()
    os.chmod(folder, 0o711)
    os.chmod(daemon.socket_path, 0o777)
    other = Nobody(daemon)
    check(other.call("ping")["pong"])
    with daemon.client() as admin:
        theirs = admin.call("submit", {"argv": ["true"], "delay": "1h"})["id"]
        mine = other.call("submit", {"kind": "sleep", "args": {"for": "1ms"}, "delay": "1h", "name": "mine"})["id"]
        for method, params in (("get", {"id": theirs}), ("why", {"id": theirs}), ("edit", {"id": theirs, "set": {"name": "x"}}),
                               ("signal", {"id": theirs, "signal": "TERM"}), ("logs", {"id": theirs}),
                               ("edit", {"id": mine, "set": {"after": [theirs]}})):
            check(other.error(method, params) == "not_found", method)
        check(other.call("cancel", {"ids": [theirs]})["not_found"] == [theirs])
        for method, params in (("metrics", {}), ("reload", {}), ("drain", {}), ("shutdown", {}), ("queue.set", {"name": "x"}),
                               ("queue.pause", {"name": "default"}), ("queue.resume", {"name": "default"}),
                               ("queue.reset", {"name": "default"}), ("queue.delete", {"name": "x"})):
            check(other.error(method, params) == "not_permitted", method)
        check(other.error("edit", {"id": mine, "set": {"priority": 1}}) == "not_permitted")
        check(all("name" not in q for q in other.call("stats")["queues"]), "stats without names")
        check(admin.call("edit", {"id": mine, "set": {"priority": 1}})["state"] == "delayed")
        check(other.call("edit", {"id": mine, "set": {"name": "edited"}})["state"] == "delayed", "what it has may stay")
        check(other.call("why", {"id": mine})["waits_for"][0]["type"] == "time")
        # An admin makes it wait for somebody else's job: only how many is told.
        admin.call("edit", {"id": mine, "set": {"after": [theirs]}})
        check(other.call("why", {"id": mine})["waits_for"][0] == {"type": "dependency", "others": 1})
        check(admin.call("why", {"id": mine})["waits_for"][0]["id"] == theirs)
        admin.call("edit", {"id": mine, "set": {"after": None}})
        check(other.error("subscribe", {"events": ["job"], "filter": {"owner": 0}}) == "not_permitted")
        seen = [m["params"] for m in other.messages("subscribe", {"events": ["job"], "from_seq": 0}, wanted=2)[1:]]
        check(len(seen) == 2 and all(e["id"] == mine for e in seen), seen)
        admin.call("cancel", {"ids": [theirs, mine]})
    other.close()
    daemon.stop()


run(main)
