"""`why`: what a job waits for, in every state it can wait in, and where it stands in line."""
import os

from e2e import COSCHEDCTL, Daemon, check, eventually, run


def why(client, number):
    answer = client.call("why", {"id": number})
    check(answer["id"] == number and isinstance(answer["waits_for"], list) and "position" in answer, answer)
    return answer


def types(answer):
    return [w["type"] for w in answer["waits_for"]]


def submit(client, **spec):
    return client.call("submit", dict({"argv": ["true"]}, **spec))["id"]


def dependencies_and_times(client):
    later = submit(client, delay="1h")
    after = submit(client, after=[later])
    both = submit(client, after=[later, after], delay="2h")
    answer = why(client, later)
    check(types(answer) == ["time"] and answer["waits_for"][0]["until"] and answer["position"] is None, answer)
    answer = why(client, after)
    check(answer["state"] == "blocked" and answer["waits_for"] == [
        {"type": "dependency", "id": later, "state": "delayed"}], answer)
    answer = why(client, both)
    check(types(answer) == ["dependency", "dependency", "time"], answer)
    check([w["id"] for w in answer["waits_for"][:2]] == [later, after], answer)
    client.call("cancel", {"ids": [later]})
    answer = why(client, after)
    check(answer["state"] == "skipped" and answer["waits_for"] == [] and answer["position"] is None, answer)


def backoff(client):
    number = client.call("submit", {"argv": ["false"], "retry": {"max": 1, "backoff": "1h"}})["id"]
    answer = eventually(lambda: (a := why(client, number))["state"] == "delayed" and a, "it waits for its second attempt")
    check(types(answer) == ["backoff"] and answer["attempt"] == 1, answer)
    client.call("cancel", {"ids": [number]})


def in_line(client, folder):
    gate = os.path.join(folder, "gate")
    runs = submit(client, argv=["sh", "-c", f"until test -e {gate}; do sleep 0.02; done"], queue="one")
    line = [submit(client, queue="one", priority=p) for p in (0, 0, 5)]
    places = [why(client, n) for n in line]
    check([a["position"] for a in places] == [2, 3, 1], places)
    check(places[0]["waits_for"] == [{"type": "queue_limit", "queue": "one", "running": 1, "parallel": 1}], places)
    client.call("queue.pause", {"name": "one"})
    check(types(why(client, line[0])) == ["queue_limit", "paused"])
    client.call("queue.resume", {"name": "one"})
    eventually(lambda: why(client, runs)["running"]["pid"], "it has a process")
    answer = why(client, runs)
    check(answer["state"] == "running" and answer["waits_for"] == [] and answer["attempt"] == 1, answer)
    check(answer["running"]["since"] and not answer["running"]["cancel_requested"], answer)
    os.kill(answer["running"]["pid"], 0)
    eventually(lambda: why(client, runs)["running"]["awaits"][-1].get("waits_for", {}).get("what") == "child process",
               "its chain of awaits ends with the process")
    with open(gate, "w"):
        pass
    client.call("wait", {"ids": line})
    check(why(client, runs)["state"] == "succeeded")


def rate_and_drain(daemon, client):
    client.call("queue.set", {"name": "slow", "parallel": 9, "rate": 0.001})
    first = submit(client, queue="slow")
    client.call("wait", {"ids": [first]})
    number = submit(client, queue="slow")
    answer = why(client, number)
    check(types(answer) == ["rate"] and answer["waits_for"][0]["rate"] == 0.001 and answer["position"] == 1, answer)
    client.call("drain")
    check(types(why(client, number)) == ["rate", "drain"])
    client.call("drain", {"undo": True})
    if COSCHEDCTL:
        done = daemon.ctl("why", str(number))
        check(done.returncode == 0 and "number 1 in line of queue slow" in done.stdout and
              "by its rate starts the next one at 20" in done.stdout, done)
        check(daemon.ctl("why").returncode == 64 and daemon.ctl("why", "1", "2").returncode == 64)
        done = daemon.ctl("why", "999999")
        check(done.returncode == 1 and "no such job" in done.stderr, done)
    client.call("queue.set", {"name": "slow", "rate": 0})
    client.call("wait", {"ids": [number]})


def main(folder):
    daemon = Daemon(folder, "--set", "queue one.parallel=1").start()
    with daemon.client() as client:
        check(client.error("why", {"id": 12345})["data"]["name"] == "not_found")
        check(client.error("why", {})["data"]["path"] == "params.id")
        check(client.error("why", {"id": 1, "x": 2})["data"]["path"] == "params.x")
        dependencies_and_times(client)
        backoff(client)
        in_line(client, folder)
        rate_and_drain(daemon, client)
    daemon.stop()


run(main)
