"""`edit`: what may be changed until a job starts, every refusal by its path, dependencies given and taken, a lost race is
a conflict, and what was answered is on disk (the daemon is killed)."""
import threading

from e2e import COSCHEDCTL, Daemon, check, eventually, run


def submit(client, **spec):
    return client.call("submit", dict({"argv": ["true"]}, **spec))["id"]


def edit(client, number, **values):
    return client.call("edit", {"id": number, "set": values})["state"]


def refusals(client):
    number = submit(client, delay="1h", priority=3, name="before", labels={"a": "b"})
    before = client.call("get", {"id": number})
    for values, path in (
            ({}, "params.set"), ([], "params.set"), ({"kind": "sleep"}, "params.set.kind"), ({"argv": ["x"]}, "params.set.argv"),
            ({"nonsense": 1}, "params.set.nonsense"), ({"queue": "nowhere"}, "params.set.queue"),
            ({"priority": 101}, "params.set.priority"), ({"priority": "1"}, "params.set.priority"),
            ({"delay": "x"}, "params.set.delay"), ({"at": "now"}, "params.set.at"),
            ({"at": "2040-01-01T00:00:00Z", "delay": "1s"}, "params.set.at"), ({"timeout": "0s"}, "params.set.timeout"),
            ({"deadline": "soon"}, "params.set.deadline"), ({"labels": {"a": 1}}, "params.set.labels.a"),
            ({"name": "x" * 200}, "params.set.name"), ({"after": ["#0"]}, "params.set.after[0]"),
            ({"name": "good", "after": [number]}, "params.set.after[0]"), ({"retry": None}, "params.set.retry")):
        error = client.error("edit", {"id": number, "set": values})
        check(error["code"] == -32602 and error["data"]["path"] == path, values, error)
    error = client.error("edit", {"id": number, "set": {"name": "x", "after": [number, 999999]}})
    check(error["data"]["path"] in ("params.set.after[0]", "params.set.after[1]"), error)
    error = client.error("edit", {"id": number, "set": {"name": "x", "after": [999999]}})
    check(error["data"]["name"] == "not_found" and error["data"]["path"] == "params.set.after[0]", error)
    check(client.error("edit", {"id": number})["data"]["path"] == "params.set")
    check(client.error("edit", {"id": number, "set": {"name": "x"}, "y": 1})["data"]["path"] == "params.y")
    check(client.error("edit", {"id": 999999, "set": {"name": "x"}})["data"]["name"] == "not_found")
    check(client.call("get", {"id": number}) == before, "what was refused changed nothing")
    client.call("cancel", {"ids": [number]})
    check(client.error("edit", {"id": number, "set": {"name": "x"}})["data"]["name"] == "conflict")
    done = client.job({"argv": ["true"]})["id"]
    check(client.error("edit", {"id": done, "set": {"name": "x"}})["data"]["name"] == "conflict")


def everything_changes_and_survives(daemon):
    with daemon.client() as client:
        number = submit(client, delay="1h")
        state = edit(client, number, queue="other", priority=-7, at="2040-01-01T00:00:00Z", timeout="5s", deadline="9d",
                     labels={"k": "v"}, name="after")
        check(state == "delayed", state)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        job = client.call("get", {"id": number})
        spec = job["spec"]
        check((job["queue"], job["priority"], job["name"], job["labels"]) == ("other", -7, "after", {"k": "v"}), job)
        check(job["scheduled"] == "2040-01-01T00:00:00.000000Z" and spec["timeout"] == "5s" and "delay" not in spec, job)
        check([j["id"] for j in client.call("list", {"label": {"k": "v"}, "queue": "other"})["jobs"]] == [number])
        check(edit(client, number, name=None, labels=None, at=None, queue=None) in ("queued", "delayed"))
        job = client.call("wait", {"ids": [number]})["jobs"][0]
        check((job["state"], job["queue"], job["name"], job["labels"]) == ("succeeded", "default", None, {}), job)


def line_and_priority(client):
    client.call("queue.pause", {"name": "other"})
    ids = [submit(client, queue="other") for _ in range(4)]
    check(edit(client, ids[2], priority=5) == "queued")
    check(edit(client, ids[1], name="keeps its place") == "queued")
    places = [client.call("why", {"id": i})["position"] for i in ids]
    check(places == [2, 3, 1, 4], places)
    check(edit(client, ids[0], delay="1h") == "delayed" and edit(client, ids[3], queue="default") in ("queued", "running"))
    check(client.call("wait", {"ids": [ids[3]]})["jobs"][0]["state"] == "succeeded")
    client.call("queue.resume", {"name": "other"})
    client.call("wait", {"ids": ids[1:3]})
    check(edit(client, ids[0], delay="50ms") in ("delayed", "queued", "running"))
    check(client.call("wait", {"ids": ids})["jobs"][0]["state"] == "succeeded")
    late = submit(client, delay="1h")
    edit(client, late, deadline="50ms")
    check(client.call("wait", {"ids": [late]})["jobs"][0]["state"] == "timed_out")


def dependencies(client):
    gate = submit(client, delay="1h")
    number = submit(client, delay="1h")
    check(edit(client, number, after=[gate], delay=None) == "blocked")
    error = client.error("edit", {"id": gate, "set": {"after": [number]}})
    check(error["data"]["path"] == "params.set.after[0]" and "itself" in error["data"]["reason"], error)
    check(client.call("why", {"id": number})["waits_for"] == [{"type": "dependency", "id": gate, "state": "delayed"}])
    edit(client, gate, delay=None)
    check(client.call("wait", {"ids": [number]})["jobs"][0]["state"] == "succeeded")
    bad = client.job({"argv": ["false"]})["id"]
    number, last = submit(client, delay="1h"), None
    last = submit(client, after=[number])
    check(edit(client, number, after=[bad]) == "skipped")
    jobs = client.call("wait", {"ids": [number, last]})["jobs"]
    check([j["state"] for j in jobs] == ["skipped", "skipped"], jobs)


def races(daemon):
    """Edits beside starts: each is either a conflict, or done before the start and seen by it."""
    with daemon.client() as client:
        client.call("queue.set", {"name": "race", "parallel": 4})
    outcome = {"edited": 0, "conflict": 0}

    def play():
        with daemon.client() as client:
            for _ in range(40):
                wanted = client.send("submit", {"argv": ["true"], "queue": "race", "delay": "2ms"})
                number = client.answer(wanted)["result"]["id"]
                answer = client.request("edit", {"id": number, "set": {"name": "edited"}})
                job = client.call("wait", {"ids": [number]})["jobs"][0]
                check(job["state"] == "succeeded" and job["attempt"] == 1, job)
                if "error" in answer:
                    check(answer["error"]["data"]["name"] == "conflict" and job["name"] is None, answer, job)
                    outcome["conflict"] += 1
                else:
                    check(job["name"] == "edited", answer, job)
                    outcome["edited"] += 1

    failures = []

    def guarded():
        try:
            play()
        except Exception as error:  # a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not failures, *failures)
    print(outcome)


def client_program(daemon):
    if not COSCHEDCTL:
        return
    with daemon.client() as client:
        number = submit(client, delay="1h", labels={"old": "1"})
        done = daemon.ctl("edit", str(number), "--name", "n", "--label", "a=b", "--label", "c=d", "--priority", "-3", "--timeout", "1m")
        check(done.returncode == 0 and "delayed" in done.stdout, done)
        job = client.call("get", {"id": number})
        check((job["name"], job["labels"], job["priority"], job["spec"]["timeout"]) == ("n", {"a": "b", "c": "d"}, -3, "1m"), job)
        for words in ([str(number)], ["--name", "x"], [str(number), "--clear", "kind"], [str(number), "--priority", "x"],
                      [str(number), "--after", "x"], [str(number), "--label", "x"], ["x", "--name", "y"]):
            check(daemon.ctl("edit", *words).returncode == 64, words)
        done = daemon.ctl("edit", "--clear", "delay", "--clear", "labels", str(number))
        check(done.returncode == 0, done)
        client.call("wait", {"ids": [number]})
        done = daemon.ctl("edit", "--name", "x", str(number))
        check(done.returncode == 1 and "started or ended" in done.stderr, done)


def main(folder):
    daemon = Daemon(folder, "--set", "queue other.parallel=1").start()
    with daemon.client() as client:
        refusals(client)
    everything_changes_and_survives(daemon)
    with daemon.client() as client:
        line_and_priority(client)
        dependencies(client)
    races(daemon)
    client_program(daemon)
    with daemon.client() as client:
        eventually(lambda: client.call("stats")["jobs"]["running"] == 0, "nothing runs")
    daemon.stop()


run(main)
