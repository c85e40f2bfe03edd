"""SIGTERM drains, a second one ends at once, the verbs drain and shutdown do as they say; attempts that are cut end
`interrupted` and run again only if they may."""
import os
import signal

from e2e import COSCHEDCTL, LIMIT, Daemon, check, eventually, no_process_left, run


def running(client, spec):
    number = client.call("submit", spec)["id"]
    eventually(lambda: client.call("get", {"id": number, "fields": ["state"]})["state"] == "running", "it runs")
    return number


def term_drains(folder):
    daemon = Daemon(folder).start()
    gate = os.path.join(folder, "gate")
    with daemon.client() as client:
        number = running(client, {"argv": ["sh", "-c", f"until test -e {gate}; do sleep 0.02; done; echo done"]})
        pending = client.send("wait", {"ids": [number]})
        daemon.send_signal(signal.SIGTERM)
        error = eventually(lambda: client.request("submit", {"argv": ["true"]}).get("error"), "submissions stop")
        check(error["data"]["name"] == "shutting_down", error)
        with open(gate, "w"):
            pass
        answer = client.answer(pending)
        check(answer["result"]["jobs"][0]["state"] == "succeeded", answer)
    check(daemon.process.wait(LIMIT) == 0)


def drain_timeout_ends_the_rest(folder):
    daemon = Daemon(folder, "--set", "daemon.drain_timeout=100ms").start()
    with daemon.client() as client:
        once = running(client, {"argv": ["sleep", "1000"]})
        again = running(client, {"kind": "sleep", "args": {"for": "1h"}})
    daemon.stop()
    no_process_left(daemon.state)
    daemon.start()
    with daemon.client() as client:
        job = client.call("get", {"id": once})
        check(job["state"] == "failed" and job["error"]["name"] == "interrupted", job)
        check([a["outcome"] for a in job["attempts"]] == ["interrupted"], job["attempts"])
        eventually(lambda: client.call("get", {"id": again})["attempt"] == 2, "the repeatable one runs again")
        client.call("cancel", {"ids": [again]})
    daemon.stop()


def second_at_once(folder):
    daemon = Daemon(folder, "--set", "daemon.drain_timeout=1h").start()
    with daemon.client() as client:
        running(client, {"kind": "exec", "args": {"argv": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
                                                  "grace": "1h"}})
    daemon.send_signal(signal.SIGTERM)
    check(daemon.alive(), "it drains")
    daemon.stop()  # without drain and grace
    no_process_left(daemon.state)


def verbs(folder):
    daemon = Daemon(folder).start()
    gate = os.path.join(folder, "gate")
    with daemon.client() as client, daemon.client() as other:
        running(other, {"argv": ["sh", "-c", f"until test -e {gate}; do sleep 0.02; done"]})
        pending = client.send("drain")
        error = eventually(lambda: other.request("submit", {"argv": ["true"]}).get("error"), "submissions stop")
        check(error["data"]["name"] == "shutting_down", error)
        with open(gate, "w"):
            pass
        check(client.answer(pending)["result"] == {"drained": True})
        check(other.call("drain", {"undo": True}) == {"drained": False})
        check(other.job({"argv": ["true"]})["state"] == "succeeded")
        check(other.call("shutdown") == {"stopping": True})
    check(daemon.process.wait(LIMIT) == 0)


def reload(folder):
    config = os.path.join(folder, "coschedd.conf")
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        with open(config, "w") as f:
            f.write("[queue default]\nparallel = 17\n[queue extra]\nparallel = 1\n[exec]\nnice = 3\n")
        daemon.send_signal(signal.SIGHUP)
        eventually(lambda: "needs_restart=exec.nice" in daemon.log_text(), "it says what needs a restart")
        queues = {q["name"]: q["parallel"] for q in client.call("queues")["queues"]}
        check(queues == {"default": 17, "extra": 1}, queues)
        check(client.job({"argv": ["true"], "queue": "extra"})["state"] == "succeeded")
        with open(config, "w") as f:
            f.write("[queue default]\nparallel = 3\nnonsense = 1\n")
        daemon.send_signal(signal.SIGHUP)
        eventually(lambda: "settings not taken over" in daemon.log_text(), "all or nothing")
        queues = {q["name"]: q["parallel"] for q in client.call("queues")["queues"]}
        check(queues["default"] == 17, queues)
    daemon.stop(signal.SIGINT)


def reload_verb(folder):
    """The same by the verb: it answers with the fault, or with what needs a restart; limits and retention follow too."""
    config = os.path.join(folder, "coschedd.conf")
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        check(client.error("reload", {"x": 1})["data"]["path"] == "params.x")
        check(client.call("reload") == {"needs_restart": []})
        with open(config, "w") as f:
            f.write("[queue default]\nparallel = 5\nrate = 2.5\n[limits]\nwaits = 1\nsubscriptions = 1\n"
                    "[exec]\nnice = 3\npath = /bin\n[daemon]\nworkers = 2\n")
        answer = client.call("reload")
        check(sorted(answer["needs_restart"]) == ["daemon.workers", "exec.nice", "exec.path"], answer)
        queue = client.call("queues")["queues"][0]
        check((queue["parallel"], queue["rate"]) == (5, 2.5), queue)
        client.call("subscribe", {"events": ["job"]})
        check(client.error("subscribe", {"events": ["job"]})["data"]["limit"] == "subscriptions")
        client.call("queue.set", {"name": "default", "parallel": 9})
        with open(config, "w") as f:
            f.write("[queue default]\nparallel = 3\n[queue extra]\nparallel = 1\nnonsense = 1\n")
        error = client.error("reload")
        check(error["data"]["name"] == "conflict" and "coschedd.conf:5: queue extra.nonsense: unknown key" in
              error["data"]["reason"], error)
        check([q["name"] for q in client.call("queues")["queues"]] == ["default"], "all or nothing")
        with open(config, "w") as f:
            f.write("[queue default]\nparallel = 3\n")
        client.call("reload")
        check(client.call("queues")["queues"][0]["parallel"] == 9, "what was set at run time wins")
        check(client.call("queue.reset", {"name": "default"})["queues"][0]["parallel"] == 3)
        if COSCHEDCTL:
            done = daemon.ctl("reload")
            check(done.returncode == 0 and done.stdout == "reloaded\n", done)
            check(daemon.ctl("reload", "x").returncode == 64)
    daemon.stop()


def main(folder):
    for step in (term_drains, drain_timeout_ends_the_rest, second_at_once, verbs, reload, reload_verb):
        own = os.path.join(folder, step.__name__[:11])
        os.mkdir(own)
        step(own)


run(main)
