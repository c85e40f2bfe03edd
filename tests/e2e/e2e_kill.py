"""kill -9 of the daemon, again and again, while clients submit: no acknowledged job is lost, none runs twice, no process
of a dead attempt is left when the next daemon serves.

Each job appends its id to a file (O_APPEND: one write, never torn). E2E_KILLS: rounds, 5 by default.
"""
import os
import random
import threading
import time

from e2e import Client, Daemon, check, eventually, no_process_left, run

ROUNDS = int(os.environ.get("E2E_KILLS", "5"))
SEED = int(os.environ.get("COSCHED_SEED", str(int(time.time()))))
CLIENTS = 4


class Submitter(threading.Thread):
    """Submits until told to stop; keeps what was acknowledged."""

    def __init__(self, daemon, ran, number):
        super().__init__()
        self.daemon_, self.ran, self.number = daemon, ran, number
        self.acknowledged, self.stop, self.count = [], False, 0

    def spec(self):
        self.count += 1
        slow = "sleep 0.05; " if self.count % 5 == 0 else ""
        return {"argv": ["sh", "-c", f"echo $COSCHED_JOB_ID >> {self.ran}; {slow}:"], "labels": {"c": str(self.number)}}

    def run(self):
        while not self.stop:
            try:
                with Client(self.daemon_.short, timeout=10) as client:
                    while not self.stop:
                        wanted = [client.send("submit", self.spec()) for _ in range(8)]
                        for w in wanted:
                            message = client.line()
                            if message is None:
                                raise ConnectionError
                            if "result" in message:
                                self.acknowledged.append(message["result"]["id"])
                        if len(self.acknowledged) > 100 * (1 + ROUNDS):
                            time.sleep(0.01)
            except (OSError, ConnectionError):
                time.sleep(0.01)


def main(folder):
    print(f"COSCHED_SEED={SEED} E2E_KILLS={ROUNDS}")
    rng = random.Random(SEED)
    ran = os.path.join(folder, "ran")
    open(ran, "w").close()
    daemon = Daemon(folder, "--set", "queue default.parallel=8").start()
    submitters = [Submitter(daemon, ran, i) for i in range(CLIENTS)]
    for s in submitters:
        s.start()
    try:
        for _ in range(ROUNDS):
            time.sleep(rng.uniform(0.05, 0.5))  # when the axe falls: chance is the point here
            daemon.kill()
            daemon.start()
    finally:
        for s in submitters:
            s.stop = True
        for s in submitters:
            s.join()
    acknowledged = sorted(i for s in submitters for i in s.acknowledged)
    check(len(set(acknowledged)) == len(acknowledged), "an id was given twice")
    with daemon.client() as client:
        eventually(lambda: not client.call("list", {"state": ["queued", "running", "delayed", "blocked"], "limit": 1})["jobs"],
                   "all jobs have ended", limit=600)
        verify(client, ran, acknowledged)
    no_process_left(daemon.state)
    daemon.stop()
    print(f"{len(acknowledged)} acknowledged")


def verify(client, ran, acknowledged):
    states, before = {}, None
    while True:
        page = client.call("list", dict({"limit": 1000, "fields": ["state", "error", "attempt"]},
                                        **({"before": before} if before else {})))
        for job in page["jobs"]:
            states[job["id"]] = job
        if not page["more"]:
            break
        before = page["jobs"][-1]["id"]
    lost = [i for i in acknowledged if i not in states]
    check(not lost, "acknowledged and gone:", lost[:10])
    with open(ran) as f:
        lines = [int(line) for line in f.read().split()]
    twice = sorted({i for i in lines if lines.count(i) > 1}) if len(lines) != len(set(lines)) else []
    check(not twice, "ran twice:", twice[:10])
    done = set(lines)
    for number, job in states.items():
        check(job["attempt"] <= 1, "a second attempt that nobody asked for:", job)
        if job["state"] == "succeeded":
            check(number in done, "succeeded and never ran:", job)
        else:
            check(job["state"] == "failed" and job["error"]["name"] == "interrupted", job)
    interrupted = sum(job["state"] == "failed" for job in states.values())
    print(f"{len(states)} jobs, {len(lines)} ran, {interrupted} interrupted")


run(main)
