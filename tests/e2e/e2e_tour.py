"""A walk through what everybody does: run, its exit codes and streams, timeouts, logs, wait, cancel, retry, restart."""
import json
import os

from e2e import COSCHEDCTL, Daemon, check, eventually, no_process_left, run


def streams_and_exit_code(client):
    job = client.job({"argv": ["sh", "-c", "echo out; echo err >&2; exit 3"]})
    check(job["state"] == "failed" and job["exit_code"] == 3, job)
    check(job["output"]["stdout"]["bytes"] == 4 and job["output"]["stderr"]["bytes"] == 4, job["output"])
    check([a["outcome"] for a in job["attempts"]] == ["failed"], job["attempts"])
    client.events.clear()
    answer = client.call("logs", {"id": job["id"], "stream": "both"})
    check(answer["state"] == "failed", answer)
    text = {e["stream"]: e["data"] for e in client.events if e["type"] == "log"}
    check(text == {"stdout": "out\n", "stderr": "err\n"}, client.events)


def timeout_leaves_nothing(client, daemon):
    job = client.job({"kind": "exec", "timeout": "200ms",
                      "args": {"argv": ["sh", "-c", "sleep 10000 & sleep 10000"], "grace": "1h"}})
    check(job["state"] == "timed_out" and job["signal"] != "KILL", "TERM was enough", job)
    no_process_left(daemon.state)


def cancel_wins(client):
    number = client.call("submit", {"argv": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]})["id"]
    eventually(lambda: client.call("get", {"id": number})["state"] == "running", "it runs")
    answer = client.call("cancel", {"ids": [number, 999999]})
    check(answer == {"canceled": [number], "not_cancelable": [], "not_found": [999999]}, answer)
    client.call("wait", {"ids": [number]})
    check(client.call("get", {"id": number})["state"] == "canceled", "the first cause decides")
    check(client.call("cancel", {"ids": [number]})["not_cancelable"] == [number])


def follow_to_the_end(client):
    number = client.call("submit", {"argv": ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done"]})["id"]
    client.events.clear()
    answer = client.call("logs", {"id": number, "stream": "stdout", "follow": True})
    check(answer["state"] == "succeeded", answer)
    check("".join(e["data"] for e in client.events) == "1\n2\n3\n", client.events)


def retries(client, folder):
    counter = os.path.join(folder, "count")
    script = f"echo x >> {counter}; test $(wc -l < {counter}) -ge 3"
    job = client.job({"argv": ["sh", "-c", script], "retry": {"max": 5, "backoff": "20ms"}})
    check(job["state"] == "succeeded" and job["attempt"] == 3, job)
    check([a["outcome"] for a in job["attempts"]] == ["failed", "failed", "succeeded"], job["attempts"])


def dependencies_and_delays(client):
    ids = client.call("submit_many", {"jobs": [
        {"argv": ["true"], "delay": "50ms"}, {"argv": ["true"], "after": ["#0"]},
        {"argv": ["false"]}, {"argv": ["true"], "after": ["#2"]},
        {"argv": ["true"], "after": ["#2"], "after_policy": "any"}]})["ids"]
    check(ids == sorted(ids), "ids ascend in order", ids)
    jobs = client.call("wait", {"ids": ids})["jobs"]
    check([j["state"] for j in jobs] == ["succeeded", "succeeded", "failed", "skipped", "succeeded"], jobs)


def deadlines(client):
    number = client.call("submit", {"argv": ["true"], "delay": "1h", "deadline": "80ms"})["id"]
    job = client.call("wait", {"ids": [number]})["jobs"][0]
    check(job["state"] == "timed_out", job)
    # It counts from the submission: on a busy machine it may pass before the start.
    job, deadline = {"attempt": 0}, 200
    while job["attempt"] == 0:
        job = client.job({"argv": ["sleep", "10000"], "deadline": f"{deadline}ms", "retry": {"max": 9, "on": ["timed_out"]}})
        check(job["state"] == "timed_out" and job["error"]["name"] == "deadline" and job["attempt"] <= 1, job)
        deadline *= 2


def keys(client):
    spec = {"argv": ["true"], "key": "once"}
    first = client.call("submit", spec)
    again = client.call("submit", spec)
    check(again["existing"] and again["id"] == first["id"] and not first["existing"], first, again)
    error = client.error("submit", {"argv": ["false"], "key": "once"})
    check(error["data"]["name"] == "conflict" and error["data"]["id"] == first["id"], error)


def waiting(client):
    slow = client.call("submit", {"kind": "sleep", "args": {"for": "1h"}})["id"]
    error = client.error("wait", {"ids": [slow], "timeout": "0s"})
    check(error["data"]["name"] == "timeout" and error["data"]["jobs"] == [], error)
    fast = client.call("submit", {"argv": ["true"]})["id"]
    jobs = client.call("wait", {"ids": [slow, fast], "mode": "any"})["jobs"]
    check([j["id"] for j in jobs] == [fast], jobs)
    check(client.error("wait", {"ids": [fast, 1 << 50]})["data"]["name"] == "not_found")
    # A waiting request is overtaken by later ones.
    pending = client.send("wait", {"ids": [slow]})
    check(client.call("ping")["pong"])
    client.call("cancel", {"ids": [slow]})
    check(client.answer(pending)["result"]["jobs"][0]["state"] == "canceled")


def verbs(client):
    job = client.job({"argv": ["false"], "labels": {"k": "v"}, "name": "n"})
    listed = client.call("list", {"label": {"k": "v"}, "state": ["failed"]})
    check([j["id"] for j in listed["jobs"]] == [job["id"]] and not listed["more"], listed)
    check("spec" not in listed["jobs"][0] and "spec" in job, "list omits the specification")
    check(client.call("retry", {"ids": [job["id"]]})["retried"] == [job["id"]])
    client.call("wait", {"ids": [job["id"]]})
    check(client.call("get", {"id": job["id"]})["attempt"] == 2)
    check(client.call("remove", {"ids": [job["id"]]})["removed"] == [job["id"]])
    check(client.error("get", {"id": job["id"]})["data"]["name"] == "not_found")
    check({k["name"] for k in client.call("kinds")["kinds"]} >= {"exec", "sleep", "hash"})
    stats = client.call("stats")
    check(stats["jobs"]["succeeded"] > 0 and stats["store"]["commits"] > 0, stats)
    check(client.call("hello")["protocol"] == 1)
    job = client.job({"kind": "exec", "args": {
        "argv": ["sh", "-c", "echo $COSCHED_JOB_ID $SECRET"], "env": {"SECRET": "s3cret"}}})
    check(job["spec"]["args"]["env"]["SECRET"] == "***", job["spec"])


def client_program(daemon):
    """The same through coschedctl: CONTRACT's exit codes."""
    if not COSCHEDCTL:
        return
    done = daemon.ctl("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    check((done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n"), done)
    done = daemon.ctl("run", "--timeout", "200ms", "--", "sleep", "100")
    check(done.returncode == 124, done)
    no_process_left(daemon.state)
    check(daemon.ctl("run", "--", "sh", "-c", "kill -KILL $$").returncode == 137)
    check(daemon.ctl("run", "--", "/nonexistent/program").returncode == 127)
    number = daemon.ctl("submit", "--", "sleep", "100").stdout.strip()
    check(daemon.ctl("cancel", number).returncode == 0)
    check(daemon.ctl("wait", number).returncode == 130)
    check(daemon.ctl("ping").returncode == 0)
    jobs = json.loads(daemon.ctl("--json", "list").stdout)
    check(len(jobs) > 0, jobs)


def restart_keeps_everything(daemon):
    with daemon.client() as client:
        done = client.job({"argv": ["sh", "-c", "echo kept"]})
        later = client.call("submit", {"argv": ["true"], "delay": "1h"})["id"]
    daemon.stop()
    daemon.start()
    with daemon.client() as client:
        check(client.call("get", {"id": done["id"]})["state"] == "succeeded")
        client.events.clear()
        client.call("logs", {"id": done["id"]})
        check(client.events[0]["data"] == "kept\n", client.events)
        check(client.call("get", {"id": later})["state"] == "delayed")


def main(folder):
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        streams_and_exit_code(client)
        timeout_leaves_nothing(client, daemon)
        cancel_wins(client)
        follow_to_the_end(client)
        retries(client, folder)
        dependencies_and_delays(client)
        deadlines(client)
        keys(client)
        waiting(client)
        verbs(client)
    client_program(daemon)
    restart_keeps_everything(daemon)
    daemon.stop()
    no_process_left(daemon.state)


run(main)
