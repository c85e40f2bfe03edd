"""Queues at run time: set, pause, resume, reset, delete; who may; that changes are on disk when they are answered (the
daemon is killed, not stopped) and win over the configuration until reset."""
import json

from e2e import COSCHEDCTL, Daemon, check, eventually, run


def named(answer, name):
    found = [q for q in answer["queues"] if q["name"] == name]
    return found[0] if found else None


def refusals(client):
    for method, params, path in (
            ("queue.set", {}, "params.name"), ("queue.set", {"name": "a b"}, "params.name"),
            ("queue.set", {"name": "x", "parallel": -1}, "params.parallel"),
            ("queue.set", {"name": "x", "parallel": 10001}, "params.parallel"),
            ("queue.set", {"name": "x", "rate": -1}, "params.rate"), ("queue.set", {"name": "x", "rate": "1"}, "params.rate"),
            ("queue.set", {"name": "x", "rate": 0.0001}, "params.rate"),
            ("queue.set", {"name": "x", "weight": 0}, "params.weight"),
            ("queue.set", {"name": "x", "paused": True}, "params.paused"),
            ("queue.pause", {"name": 3}, "params.name"), ("queue.resume", {"name": "x", "y": 1}, "params.y"),
            ("queue.delete", {"name": "default"}, "params.name"),
            ("queue.delete", {"name": "default", "move_to": "other"}, "params.name"),
            ("queue.delete", {"name": "other", "move_to": "other"}, "params.move_to"),
            ("queue.delete", {"name": "other", "move_to": "nowhere"}, "params.move_to"),
            ("queues", {"x": 1}, "params.x")):
        error = client.error(method, params)
        check(error["code"] == -32602 and error["data"]["path"] == path, method, params, error)
    for method in ("queue.pause", "queue.resume", "queue.reset", "queue.delete"):
        error = client.error(method, {"name": "nowhere"})
        check(error["data"]["name"] == "not_found" and error["data"]["path"] == "params.name", method, error)
    check(named(client.call("queues"), "x") is None, "a refused request made no queue")


def pause_survives_a_kill(daemon):
    with daemon.client() as client:
        check(named(client.call("queue.pause", {"name": "other"}), "other")["paused"])
        held = client.call("submit", {"argv": ["true"], "queue": "other"})
        check(held["state"] == "queued", held)
        answer = client.call("queue.set", {"name": "made", "parallel": 3, "rate": 0.5, "weight": 7})
        queue = named(answer, "made")
        check((queue["parallel"], queue["rate"], queue["weight"], queue["paused"]) == (3, 0.5, 7, False), queue)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        queues = client.call("queues")
        check(named(queues, "other")["paused"] and named(queues, "other")["depth"] == 1, queues)
        check(named(queues, "made") == dict(queue, oldest_s=named(queues, "made")["oldest_s"]), queues)
        check(client.job({"argv": ["true"]})["state"] == "succeeded", "the others go on")
        check(client.call("get", {"id": held["id"]})["state"] == "queued")
        check(not named(client.call("queue.resume", {"name": "other"}), "other")["paused"])
        check(client.call("wait", {"ids": [held["id"]]})["jobs"][0]["state"] == "succeeded")


def reset_goes_back(daemon):
    with daemon.client() as client:
        check(named(client.call("queue.set", {"name": "other", "parallel": 9}), "other")["parallel"] == 9)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        check(named(client.call("queues"), "other")["parallel"] == 9)
        check(named(client.call("queue.reset", {"name": "other"}), "other")["parallel"] == 2)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        check(named(client.call("queues"), "other")["parallel"] == 2)


def holding(daemon):
    with daemon.client() as client:
        client.call("queue.set", {"name": "other", "parallel": 0})
        held = client.call("submit", {"argv": ["true"], "queue": "other"})
        check(held["state"] == "queued")
        client.call("queue.set", {"name": "other", "parallel": 2})
        client.call("wait", {"ids": [held["id"]]})


def deleting(daemon):
    with daemon.client() as client:
        client.call("queue.pause", {"name": "other"})
        ids = [client.call("submit", {"argv": ["true"], "queue": "other"})["id"] for _ in range(5)]
        later = client.call("submit", {"argv": ["true"], "queue": "other", "delay": "1h"})["id"]
        error = client.error("queue.delete", {"name": "other"})
        check(error["data"]["name"] == "conflict", error)
        answer = client.call("queue.delete", {"name": "other", "move_to": "default"})
        check(answer["moved"] == 6 and named(answer, "other") is None, answer)
        jobs = client.call("wait", {"ids": ids})["jobs"]
        check(all(j["state"] == "succeeded" and j["queue"] == "default" for j in jobs), jobs)
        error = client.error("submit", {"argv": ["true"], "queue": "other"})
        check(error["data"]["path"] == "params.queue", error)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        check(named(client.call("queues"), "other") is None, "configured, and deleted all the same")
        job = client.call("get", {"id": later})
        check(job["queue"] == "default" and job["state"] == "delayed" and job["spec"].get("queue", "default") == "default", job)
        client.call("cancel", {"ids": [later]})
        check(named(client.call("queue.reset", {"name": "other"}), "other")["parallel"] == 2)
        check(client.job({"argv": ["true"], "queue": "other"})["queue"] == "other")


def client_program(daemon):
    if not COSCHEDCTL:
        return
    for words in (["queue"], ["queue", "fly"], ["queue", "set"], ["queue", "pause", "a", "b"], ["queue", "list", "a"],
                  ["queue", "pause", "other", "--rate", "1"], ["queue", "set", "other", "--rate", "1e3"],
                  ["queue", "set", "other", "--move-to", "default"]):
        check(daemon.ctl(*words).returncode == 64, words)
    done = daemon.ctl("queue", "set", "other", "--parallel", "4", "--rate", "2.5", "--weight", "3")
    check(done.returncode == 0 and "other" in done.stdout, done)
    queue = [q for q in json.loads(daemon.ctl("--json", "queue", "list").stdout) if q["name"] == "other"][0]
    check((queue["parallel"], queue["rate"], queue["weight"]) == (4, 2.5, 3), queue)
    check(daemon.ctl("queue", "pause", "other").returncode == 0)
    check("yes" in daemon.ctl("queue", "list").stdout)
    check(daemon.ctl("queue", "resume", "other").returncode == 0 and daemon.ctl("queue", "reset", "other").returncode == 0)
    done = daemon.ctl("queue", "delete", "nowhere")
    check(done.returncode == 1 and "no such queue" in done.stderr, done)
    done = daemon.ctl("queue", "delete", "made", "--move-to", "other")
    check(done.returncode == 0, done)


def rate_limits(daemon):
    """Six at 20 a second: five gaps of 50 ms, however slow the machine; nothing bounds it from above."""
    with daemon.client() as client:
        client.call("queue.set", {"name": "paced", "parallel": 100, "rate": 20})
        ids = client.call("submit_many", {"jobs": [{"kind": "sleep", "args": {"for": "1ms"}, "queue": "paced"}] * 6})["ids"]
        client.call("wait", {"ids": ids})
        stamps = sorted(client.call("get", {"id": i})["started"] for i in ids)
        check(len(set(stamps)) == 6, stamps)
        client.call("queue.set", {"name": "paced", "rate": 0.01})
        ids = [client.call("submit", {"argv": ["true"], "queue": "paced"})["id"] for _ in range(2)]
        states = [client.call("get", {"id": i, "fields": ["state"]})["state"] for i in ids]
        check(states[1] == "queued", states)
        client.call("queue.set", {"name": "paced", "rate": 0})
        eventually(lambda: client.call("wait", {"ids": ids}), "no limit any more")


def main(folder):
    daemon = Daemon(folder, "--set", "queue other.parallel=2").start()
    with daemon.client() as client:
        refusals(client)
    pause_survives_a_kill(daemon)
    reset_goes_back(daemon)
    holding(daemon)
    deleting(daemon)
    client_program(daemon)
    rate_limits(daemon)
    daemon.stop()


run(main)
