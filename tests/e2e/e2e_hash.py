"""A thousand files of /usr/include through kind hash, pipelined as NDJSON, against sha256sum; the work must have been
spread: every worker ran slices, and tasks hopped both ways."""
import hashlib
import json
import os

from e2e import COSCHEDCTL, Daemon, check, eventually, run

COUNT = int(os.environ.get("E2E_HASHES", "1000"))
WORKERS = 4


def some_files():
    found = []
    for folder in ("/usr/include", "/usr/share", "/usr/lib"):
        for where, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                path = os.path.join(where, name)
                if os.path.isfile(path) and os.access(path, os.R_OK) and path.isascii() and os.path.getsize(path) < 1 << 22:
                    found.append(path)
                    if len(found) == COUNT:
                        return found
    return found


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def pipelined(daemon, paths):
    ids = {}
    with daemon.client() as client:
        for start in range(0, len(paths), 100):
            part = paths[start:start + 100]
            for path in part:
                client.send("submit", {"kind": "hash", "args": {"path": path, "algo": "sha256"}})
            for path in part:
                ids[client.line()["result"]["id"]] = path
        check(list(ids) == sorted(ids), "ids ascend in the order of the requests")
        jobs = client.call("wait", {"ids": list(ids), "fields": ["state", "result"]})["jobs"]
    for job in jobs:
        path = ids[job["id"]]
        check(job["state"] == "succeeded" and job["result"]["digest"] == digest(path), path, job)
        check(job["result"]["bytes"] == os.path.getsize(path), path, job)
    check(len(jobs) == len(paths))


def by_the_client(daemon, folder, paths):
    """The same by `submit --spec FILE`."""
    if not COSCHEDCTL:
        return
    spec = os.path.join(folder, "specs")
    with open(spec, "w") as f:
        for path in paths:
            f.write(json.dumps({"kind": "hash", "args": {"path": path, "algo": "xxh3"}}) + "\n")
    done = daemon.ctl("submit", "--spec", spec)
    check(done.returncode == 0 and len(done.stdout.split()) == len(paths), done.stderr)


def everybody_works(daemon, folder):
    """Which thread takes what is chance: larger files, many at once, until each worker had some."""
    big = os.path.join(folder, "big")
    with open(big, "wb") as f:
        f.write(os.urandom(1 << 20) * 16)
    with daemon.client() as client:
        def all_worked():
            ids = client.call("submit_many", {"jobs": [{"kind": "hash", "args": {"path": big}}] * 16})["ids"]
            client.call("wait", {"ids": ids})
            workers = client.call("stats")["scheduler"]["workers"]
            check(len(workers) == WORKERS, workers)
            return all(w["slices"] > 0 for w in workers)
        eventually(all_worked, "work on every worker")


def main(folder):
    daemon = Daemon(folder, "--workers", str(WORKERS), "--set", "queue default.parallel=16").start()
    paths = some_files()
    pipelined(daemon, paths)
    by_the_client(daemon, folder, paths[:50])
    everybody_works(daemon, folder)
    with daemon.client() as client:
        hops = client.call("stats")["scheduler"]["hops"]
    check(hops["main_to_worker"] >= len(paths) and hops["worker_to_main"] >= len(paths), hops)
    daemon.stop()


run(main)
