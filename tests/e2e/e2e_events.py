"""`subscribe`: every step of every job, numbered without holes, also over a kill of the daemon; filters; gaps; a reader that
does not read; queues and metrics at intervals."""
import json
import os
import sqlite3

from e2e import COSCHEDCTL, Daemon, check, eventually, run


def subscribe(client, **params):
    return client.call("subscribe", dict({"events": ["job"]}, **params))["subscription"]


def until(client, condition, what):
    """The next events of subscriptions up to one that fulfils the condition."""
    seen = []
    while True:
        message = client.events.pop(0) if client.events else client.line()
        check(message is not None, "the daemon hung up before", what)
        event = message.get("params", message)
        seen.append(event)
        if condition(event):
            return seen


def ended(number):
    return lambda e: e["type"] == "job" and e["id"] == number and e["state"] in ("succeeded", "failed", "canceled", "timed_out")


def refusals(client):
    for params, path in (
            ({}, "params.events"), ({"events": []}, "params.events"), ({"events": ["job", "x"]}, "params.events[1]"),
            ({"events": ["job"], "x": 1}, "params.x"), ({"events": ["job"], "from_seq": -1}, "params.from_seq"),
            ({"events": ["job"], "from_seq": 1 << 40}, "params.from_seq"),
            ({"events": ["stats"], "from_seq": 0}, "params.from_seq"),
            ({"events": ["stats"], "interval": "1ms"}, "params.interval"), ({"events": ["stats"], "interval": 1}, "params.interval"),
            ({"events": ["job"], "filter": []}, "params.filter"), ({"events": ["job"], "filter": {"x": 1}}, "params.filter.x"),
            ({"events": ["job"], "filter": {"state": ["x"]}}, "params.filter.state[0]"),
            ({"events": ["stats"], "filter": {"queue": "x"}}, "params.filter")):
        error = client.error("subscribe", params)
        check(error["code"] == -32602 and error["data"]["path"] == path, params, error)
    check(client.error("unsubscribe", {})["data"]["path"] == "params.subscription")
    check(client.error("unsubscribe", {"subscription": 7})["data"]["name"] == "not_found")


def steps_of_jobs(daemon):
    with daemon.client() as client, daemon.client() as other:
        number = subscribe(client)
        one = client.call("submit", {"argv": ["true"], "name": "n"})["id"]
        events = until(client, ended(one), "the job's end")
        check([e["state"] for e in events] == ["running", "succeeded"], events)
        check(all(e["subscription"] == number and e["queue"] == "default" and e["kind"] == "exec" and e["name"] == "n" and e["at"]
                  for e in events), events)
        ids = other.call("submit_many", {"jobs": [{"argv": ["true"]}, {"argv": ["false"], "retry": {"max": 1, "backoff": "1ms"}},
                                                  {"argv": ["true"], "after": ["#0"]}]})["ids"]
        other.call("wait", {"ids": ids})
        seqs = [e["seq"] for e in events]
        missing = set(ids)
        while missing:
            more = until(client, lambda e: ended(e["id"])(e), "an end")
            missing.discard(more[-1]["id"])
            events += more
        check([e["seq"] for e in events] == list(range(seqs[0], seqs[0] + len(events))), "seq has no holes", events)
        of_retried = [(e["state"], e["attempt"]) for e in events if e["id"] == ids[1]]
        check([s for s, _ in of_retried][-4:] == ["running", "delayed", "running", "failed"] or
              [s for s, _ in of_retried][-5:] == ["running", "delayed", "queued", "running", "failed"], of_retried)
        check(of_retried[-1] == ("failed", 2), of_retried)
        again = subscribe(client, from_seq=seqs[0] - 1)
        replayed = until(client, lambda e: e["subscription"] == again and e["seq"] == events[-1]["seq"], "the same again")
        strip = lambda e: {k: v for k, v in e.items() if k != "subscription"}
        check([strip(e) for e in replayed] == [strip(e) for e in events], "from_seq tells the same")
        return seqs[0] - 1, len(events)


def survives_a_kill(daemon, base):
    with daemon.client() as client:
        later = client.call("submit", {"argv": ["true"], "delay": "1h"})["id"]
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        subscribe(client, from_seq=base)
        client.call("cancel", {"ids": [later]})
        events = until(client, ended(later), "the cancel")
        check([e["seq"] for e in events] == list(range(base + 1, base + 1 + len(events))), "no holes over a kill")
        check([e["state"] for e in events[-2:]] == ["delayed", "canceled"], events[-2:])


def filters(client):
    cases = [({"state": ["failed"]}, {1}), ({"queue": "other"}, {2}), ({"kind": "sleep"}, {3}), ({"name": "x"}, {4}),
             ({"label": {"k": "v", "l": "w"}}, {5}), ({"queue": "default", "state": ["succeeded"]}, {0, 3, 4, 5, 6})]
    numbers = [subscribe(client, filter=f) for f, _ in cases]
    jobs = [{"argv": ["true"]}, {"argv": ["false"]}, {"argv": ["true"], "queue": "other"},
            {"kind": "sleep", "args": {"for": "1ms"}}, {"argv": ["true"], "name": "x"},
            {"argv": ["true"], "labels": {"k": "v", "l": "w", "m": "x"}}, {"argv": ["true"], "labels": {"k": "v"}}]
    ids = client.call("submit_many", {"jobs": jobs})["ids"]
    client.call("wait", {"ids": ids})
    last = subscribe(client)
    end = client.call("submit", {"argv": ["true"], "queue": "other", "kind": "exec"})["id"]
    until_end = until(client, lambda e: e["subscription"] == last and ended(end)(e), "the end")
    seen = {n: {e["id"] for e in until_end if e["subscription"] == n} - {end} for n in numbers}
    # The others may be a step behind the last one: each is complete when the daemon has nothing more for it.
    for (f, expected), number in zip(cases, numbers):
        wanted = {ids[i] for i in expected}
        while seen[number] != wanted:
            check(seen[number] <= wanted, f, seen[number], wanted)
            event = until(client, lambda e: True, f)[-1]
            if event["id"] != end:
                seen[event["subscription"]].add(event["id"])
    for number in numbers + [last]:
        check(client.call("unsubscribe", {"subscription": number}) == {"subscription": number})
    check(client.error("unsubscribe", {"subscription": last})["data"]["name"] == "not_found")


def bounded(daemon):
    """Sixteen, then the limit; one that nobody reads holds up nobody and is complete in the end."""
    with daemon.client() as client, daemon.client() as lazy:
        for _ in range(16):
            number = subscribe(client)
        error = client.error("subscribe", {"events": ["job"]})
        check(error["data"]["limit"] == "subscriptions", error)
        client.call("unsubscribe", {"subscription": number})
        eventually(lambda: "result" in client.request("subscribe", {"events": ["job"]}), "there is room again")
        lazy.call("subscribe", {"events": ["job"]})
        with daemon.client() as busy:
            ids = []
            for _ in range(5):
                ids += busy.call("submit_many", {"jobs": [{"kind": "sleep", "args": {"for": "0s"}, "delay": "1h"}] * 1000})["ids"]
            busy.call("cancel", {"filter": {"state": ["delayed"], "kind": "sleep"}})
            check(busy.call("ping")["pong"])
        events = until(lazy, ended(ids[0]), "the last one")  # newest first: the oldest is canceled last
        seqs = [e["seq"] for e in events]
        check(seqs == list(range(seqs[0], seqs[0] + len(seqs))) and len(seqs) >= 10000 - 64, len(seqs))
        check({e["type"] for e in events} == {"job"})


def gap(daemon):
    with daemon.client() as client:
        subscribe(client, from_seq=0)
        events = until(client, lambda e: e["seq"] >= 100, "a hundred")
        check(events[0]["seq"] == 1, events[0])
    daemon.stop()
    database = [os.path.join(daemon.state, n) for n in os.listdir(daemon.state) if n.endswith(".db")]
    check(len(database) == 1, os.listdir(daemon.state))
    with sqlite3.connect(database[0]) as db:  # as if more than 100,000 had followed
        db.execute("DELETE FROM events WHERE seq <= 50")  # a row may stand for more
        oldest = db.execute("SELECT min(seq) FROM events").fetchone()[0]
    db.close()
    daemon.start()
    with daemon.client() as client:
        subscribe(client, from_seq=10)
        events = until(client, lambda e: e["seq"] >= oldest + 9, "some after the gap")
        check(oldest > 50 and events[0] == events[0] | {"type": "gap", "from": 11, "to": oldest - 1, "seq": oldest - 1},
              events[0])
        check([e["seq"] for e in events[1:]] == list(range(oldest, oldest + 10)), events)
    return oldest - 1


def queues_and_stats(daemon):
    with daemon.client() as client, daemon.client() as other:
        number = client.call("subscribe", {"events": ["queue", "stats"], "interval": "100ms"})["subscription"]
        until(client, lambda e: e["type"] == "queue" and e["queue"]["name"] == "default", "each queue at first")
        other.call("queue.set", {"name": "new", "parallel": 5})
        seen = until(client, lambda e: e["type"] == "queue" and e["queue"]["name"] == "new", "a new one")
        check(seen[-1]["queue"]["parallel"] == 5 and seen[-1]["subscription"] == number, seen[-1])
        other.call("queue.delete", {"name": "new"})
        seen = until(client, lambda e: e["type"] == "queue" and e["queue"]["name"] == "new", "its end")
        check(seen[-1]["queue"] == {"name": "new", "deleted": True}, seen[-1])
        seen = until(client, lambda e: e["type"] == "stats", "metrics")
        check({"daemon", "jobs", "queues", "latency", "scheduler", "store"} <= set(seen[-1]["stats"]), seen[-1])


def half_closed(daemon):
    """A client that has said its last still hears; one that is gone is noticed."""
    with daemon.client() as client, daemon.client() as other:
        subscribe(client)
        client.socket.shutdown(1)
        number = other.call("submit", {"argv": ["true"]})["id"]
        until(client, ended(number), "the job's end")
        client.close()
        eventually(lambda: other.call("stats")["daemon"]["connections"] == 1, "it is gone")


def stopping(daemon):
    """A daemon that stops does not wait for those who only listen; they hear the last of it."""
    client = daemon.client()
    subscribe(client)
    number = client.call("submit", {"kind": "sleep", "args": {"for": "1h"}})["id"]
    client.call("cancel", {"ids": [number]})
    until(client, ended(number), "the cancel")
    daemon.stop()
    while client.line() is not None:
        pass
    client.close()
    daemon.start()


def client_program(daemon, base):
    if not COSCHEDCTL:
        return
    done = daemon.ctl("--json", "events", "--from-seq", str(base), "--count", "3")
    check(done.returncode == 0 and [json.loads(line)["seq"] for line in done.stdout.splitlines()] ==
          [base + 1, base + 2, base + 3], done)
    done = daemon.ctl("events", "--from-seq", str(base), "--count", "2")
    check(done.returncode == 0 and len(done.stdout.splitlines()) == 2 and " job " in done.stdout, done)
    done = daemon.ctl("events", "--type", "queue,stats", "--interval", "100ms", "--count", "4")
    check(done.returncode == 0 and "queue default" in done.stdout and "stats" in done.stdout, done)
    check(daemon.ctl("events", "x").returncode == 64 and daemon.ctl("events", "--from-seq", "x").returncode == 64)
    check(daemon.ctl("events", "--type", "x").returncode == 1)


def main(folder):
    daemon = Daemon(folder, "--set", "queue other.parallel=1", "--set", "limits.answer_bytes=64K").start()
    with daemon.client() as client:
        refusals(client)
    base, _ = steps_of_jobs(daemon)
    survives_a_kill(daemon, base)
    with daemon.client() as client:
        filters(client)
    bounded(daemon)
    gone = gap(daemon)
    queues_and_stats(daemon)
    half_closed(daemon)
    stopping(daemon)
    client_program(daemon, gone)
    daemon.stop()


run(main)
