"""A full disk: new work is refused by name and nothing of it is kept, what runs goes on, its end is committed as soon as
there is room. Needs to mount a tmpfs; skipped (77) where that is not allowed."""
import os
import subprocess
import sys

from e2e import Daemon, check, eventually, no_process_left, run


def fill(path):
    f = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        while os.write(f, b"x" * 4096) == 4096:
            pass
    except OSError:
        pass
    os.close(f)


def tell(daemon, small, folder):
    gate, filler = os.path.join(folder, "gate"), os.path.join(small, "filler")
    with daemon.client() as client:
        number = client.call("submit", {"argv": ["sh", "-c", f"until test -e {gate}; do sleep 0.02; done; echo out"]})["id"]
        # The end takes more room than a submission: where one was refused there is none for it.
        behind = {"kind": "sleep", "args": {"for": "0s"}, "after": [number], "labels": {"filler": "x" * 250}}
        client.call("submit_many", {"jobs": [behind] * 60})
        eventually(lambda: client.call("get", {"id": number})["state"] == "running", "it runs")
        fill(filler)

        def refused():
            message = client.request("submit", {"argv": ["true"], "delay": "1h", "labels": {"filler": "x" * 250}})
            return message.get("error")
        error = eventually(refused, "the disk is full")
        check(error["data"]["name"] == "storage", error)
        open(gate, "w").close()
        eventually(lambda: "waits for the disk" in daemon.log_text(), "the end of the job waits")
        check(client.call("get", {"id": number})["state"] == "running", "nothing is seen before it is on disk")
        check(client.call("ping")["pong"])
        os.unlink(filler)
        ended = client.call("wait", {"ids": [number]})["jobs"][0]
        check(ended["state"] == "succeeded" and ended["attempt"] == 1, ended)
        check(client.job({"argv": ["true"]})["state"] == "succeeded", "it serves as before")


def main(folder):
    small = os.path.join(folder, "small")
    os.mkdir(small)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True, check=False)
    if done.returncode:
        print("cannot mount a tmpfs: skipped")
        os.rmdir(small)
        sys.exit(77)
    try:
        daemon = Daemon(folder, state=os.path.join("small", "state")).start()
        tell(daemon, small, folder)
        daemon.stop()
        no_process_left(daemon.state)
    finally:
        for daemon in Daemon.all:
            if daemon.process and daemon.alive():
                daemon.kill()
        subprocess.run(["umount", "-l", small], check=False)


run(main)
