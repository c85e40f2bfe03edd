"""`tasks`: every task of the daemon with what it waits for, those of a job below it; owners see their own; the command shows
a tree, and JSON that agrees with the protocol."""
import json
import os
import pwd
import subprocess

from e2e import COSCHEDCTL, LIMIT, Daemon, Failure, check, eventually, run


def tasks(client, **params):
    """(events, answer): the events of this request only, all of them before the answer."""
    client.events.clear()
    number = client.send("tasks", params)
    answer = client.answer(number)
    check("result" in answer, answer)
    check(all(e["type"] == "task" and e["request"] == number for e in client.events), client.events)
    return list(client.events), answer["result"]


def waiting(client, job, what):
    """The task of that job that waits for that, once it does."""
    def look():
        for event in tasks(client, id=job)[0]:
            if event.get("waits_for", {}).get("what") == what:
                return event
        return None
    return eventually(look, f"job {job} waits for {what}")


def command_line(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read()


def whole(daemon):
    with daemon.client() as client:
        check("tasks" in client.call("hello")["features"])
        sleeper = client.call("submit", {"argv": ["sleep", "1000"]})["id"]
        pause = client.call("submit", {"kind": "sleep", "args": {"for": "1000s"}})["id"]
        process = waiting(client, sleeper, "child process")
        job = client.call("get", {"id": sleeper})
        check(job["state"] == "running", job)
        eventually(lambda: b"sleep\x001000" in command_line(process["waits_for"]["pid"]), "it has become the command")
        check(process["name"] == "attempt" and process["stack"]["used"] > 0, process)
        timer = waiting(client, pause, "its time")
        check(0 < timer["waits_for"]["until_ms"] <= 1000000, timer)

        events, answer = tasks(client)
        check(answer == {"tasks": len(events), "others": 0}, answer)
        by_task = {e["task"]: e for e in events}
        check(len(by_task) == len(events), "a task was told twice")
        names = {e.get("name") for e in events}
        check({"server", "dispatch", "store", "signals", "conn", "tasks", "job", "attempt"} <= names, names)
        roots = [e for e in events if "parent" not in e]
        check(all(e["parent"] in by_task for e in events if "parent" in e), "a parent that is not there")
        check(len(roots) >= 1 and any(e.get("name") == "store" for e in roots), roots)
        attempt = next(e for e in events if e.get("id") == sleeper and e["name"] == "attempt")
        parent = by_task[attempt["parent"]]
        check(parent["name"] == "job" and parent["id"] == sleeper, parent)
        check(parent["waits_for"]["task"] == attempt["task"], "the chain of awaits", parent)
        check(all(e.get("id") in (None, sleeper, pause) for e in events))
        check(any("frames" in e for e in events) and any("calls" in e for e in events))

        own, answer = tasks(client, id=pause, frames=False)
        check(own and all(e["id"] == pause and "frames" not in e for e in own), own)
        check(answer["tasks"] == len(own), answer)

        for _ in range(3):
            client.call("submit", {"kind": "sleep", "args": {"for": "1000s"}})
        eventually(lambda: sum(e.get("name") == "attempt" for e in tasks(client)[0]) == 5, "five attempts")
        # Without back traces: AddressSanitizer keeps some frames elsewhere, and then they go on to where the stack begins.
        alike = eventually(lambda: [e for e in tasks(client, fold=True, frames=False)[0] if e.get("count", 1) == 4
                                    and e.get("name") == "attempt"], "four alike")
        check(len(alike) == 1, alike)
        events, answer = tasks(client, stuck=True)
        check(events == [] and answer == {"tasks": 0, "stuck_sets": 0}, events, answer)

        check(client.error("tasks", {"id": 4711})["data"]["name"] == "not_found")
        check(client.error("tasks", {"x": 1})["data"]["path"] == "params.x")
        check(client.error("tasks", {"fold": 1})["data"]["path"] == "params.fold")
        check(client.error("tasks", {"fold": True, "stuck": True})["data"]["path"] == "params.fold")
        client.call("cancel", {"ids": [sleeper]})
        client.call("wait", {"ids": [sleeper]})
        eventually(lambda: tasks(client, id=sleeper)[0] == [], "an ended job has no tasks")
    return pause


def command(daemon, job):
    done = daemon.ctl("tasks")
    check(done.returncode == 0, done.stderr)
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if f"job {job}," in line)
    check(lines[at].lstrip().startswith("job ") and lines[at + 1].lstrip().startswith("attempt "), done.stdout)
    depth = len(lines[at]) - len(lines[at].lstrip())
    check(len(lines[at + 1]) - len(lines[at + 1].lstrip()) == depth + 2, "a child is indented", done.stdout)
    check("waits for its time" in lines[at + 1], lines[at + 1])
    check(any(line.lstrip().startswith("store ") for line in lines), done.stdout)

    done = daemon.ctl("tasks", str(job), "--frames")
    check(done.returncode == 0 and all(f"job {job}," in line for line in done.stdout.splitlines()
                                       if not line.lstrip().startswith("at ")), done.stdout)
    check("at " in done.stdout, done.stdout)
    done = daemon.ctl("tasks", "--json", str(job))
    values = [json.loads(line) for line in done.stdout.splitlines()]
    check(values[-1] == {"tasks": len(values) - 1, "others": 0}, values[-1])
    check(all(v["id"] == job and v["type"] == "task" for v in values[:-1]), values)
    done = daemon.ctl("tasks", "--stuck")
    check(done.returncode == 0 and done.stdout == "no task is stuck\n", done)
    for arguments, code in ((["4711"], 1), (["x"], 64), (["1", "2"], 64), (["--fold", "--stuck"], 64)):
        done = daemon.ctl("tasks", *arguments)
        check(done.returncode == code and done.stdout == "", arguments, done)


AS_NOBODY = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("s"); f = s.makefile("rw")
def ask(n, method, params):
    f.write(json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": params}) + "\\n"); f.flush()
    events = []
    while True:
        message = json.loads(f.readline())
        if message.get("id") == n:
            return [events, message]
        events.append(message["params"])
mine = ask(1, "submit", {"kind": "sleep", "args": {"for": "1000s"}})[1]["result"]["id"]
while True:
    seen = ask(2, "tasks", {})
    if any(e.get("waits_for", {}).get("what") == "its time" for e in seen[0]):
        break
print(json.dumps({"mine": mine, "seen": seen, "other": ask(3, "tasks", {"id": int(sys.argv[1])})}))
"""


def others(folder):
    """Owners see the tasks of their own jobs, and of the others how many there are."""
    if os.geteuid() != 0:
        return
    daemon = Daemon(folder, "--set", "daemon.drain_timeout=1ms")
    daemon.args.remove("--user")
    daemon.start()
    os.chmod(folder, 0o711)
    os.chmod(daemon.socket_path, 0o666)
    with daemon.client() as client:
        job = client.call("submit", {"kind": "sleep", "args": {"for": "1000s"}})["id"]
        waiting(client, job, "its time")
        try:
            done = subprocess.run(["python3", "-c", AS_NOBODY, str(job)], cwd=folder, user=pwd.getpwnam("nobody").pw_uid,
                                  capture_output=True, text=True, timeout=LIMIT, check=False)
        except PermissionError:  # folders above may be closed to others
            done = None
        if done is not None and done.returncode == 0:
            told = json.loads(done.stdout)
            events, answer = told["seen"]
            check(events and all(e["id"] == told["mine"] for e in events), events)
            check(answer["result"]["tasks"] == len(events) and answer["result"]["others"] > len(events), answer)
            check(told["other"][0] == [] and told["other"][1]["error"]["data"]["name"] == "not_found", told["other"])
        elif done is not None and "PermissionError" not in done.stderr:
            raise Failure(done.stderr)
    daemon.stop()


def main(folder):
    daemon = Daemon(folder, "--set", "queue default.parallel=8", "--set", "daemon.drain_timeout=1ms").start()
    job = whole(daemon)
    if COSCHEDCTL:
        command(daemon, job)
    daemon.stop()
    other = os.path.join(folder, "system")
    os.mkdir(other)
    others(other)


run(main)
