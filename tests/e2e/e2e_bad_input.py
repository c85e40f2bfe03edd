"""What a careless or hostile client can send: each is answered by name, the connection lives on, and others never notice."""
import os
import socket
import time

from e2e import Client, Daemon, check, eventually, run

BAD_SPECS = [
    ({"argv": "true"}, "params.argv"), ({"argv": []}, "argv"), ({"argv": ["true", 1]}, "argv[1]"),
    ({"argv": ["true"], "kind": 7}, "kind"), ({"kind": "nonsense", "args": {}}, "kind"),
    ({"argv": ["true"], "args": []}, "args"), ({"argv": ["true"], "name": 1}, "name"),
    ({"argv": ["true"], "name": "x" * 129}, "name"), ({"argv": ["true"], "queue": 1}, "queue"),
    ({"argv": ["true"], "queue": "nowhere"}, "queue"), ({"argv": ["true"], "priority": "high"}, "priority"),
    ({"argv": ["true"], "priority": 101}, "priority"), ({"argv": ["true"], "priority": 1.5}, "priority"),
    ({"argv": ["true"], "delay": 5}, "delay"), ({"argv": ["true"], "delay": "5 parsecs"}, "delay"),
    ({"argv": ["true"], "at": "tomorrow"}, "at"), ({"argv": ["true"], "after": 1}, "after"),
    ({"argv": ["true"], "after": ["x"]}, "after[0]"), ({"argv": ["true"], "timeout": -1}, "timeout"),
    ({"argv": ["true"], "deadline": []}, "deadline"), ({"argv": ["true"], "retry": 3}, "retry"),
    ({"argv": ["true"], "retry": {"max": "3"}}, "retry.max"), ({"argv": ["true"], "retry": {"on": ["never"]}}, "retry.on"),
    ({"argv": ["true"], "retry": {"tries": 1}}, "retry.tries"), ({"argv": ["true"], "key": {}}, "key"),
    ({"argv": ["true"], "labels": []}, "labels"), ({"argv": ["true"], "labels": {"a": 1}}, "labels.a"),
    ({"argv": ["true"], "keep": 1}, "keep"), ({"argv": ["true"], "nice": 1}, "nice"),
    ({"argv": ["true"], "every": "1h"}, "every"), ({"argv": ["true"], "uses": {"gpu": 1}}, "uses"),
    ({"kind": "sleep", "args": {"for": 1}}, "args.for"), ({"kind": "sleep", "args": {"for": "1s", "x": 1}}, "args.x"),
    ({"kind": "hash", "args": {"algo": "md5", "path": "/x"}}, "args.algo"), ({"kind": "hash", "args": {}}, "args.path"),
    ({}, "params"),
]

BAD_LINES = [
    b"not json", b"{", b"[]", b"1", b'"x"', b"null", b'{"jsonrpc":"2.0","id":1,"method":"ping"} x',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b'{"jsonrpc":"2.0","id":1,"method":"pi\\u0000ng"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}', b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
    b'{"jsonrpc":"1.0","id":1,"method":"ping"}', b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1}', b'{"jsonrpc":"2.0","id":1,"method":"ping","x":1}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', b'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', b'{"a":' * 100 + b"1" + b"}" * 100, b"\x00", b"\x7f\x1b[2J",
]

BAD_CALLS = [
    ("get", None, "params.id"), ("get", {"id": "1"}, "params.id"), ("get", {"id": 0}, "params.id"),
    ("get", {"id": 1, "x": 1}, "params.x"), ("get", {"id": 1, "fields": ["nope"]}, "params.fields[0]"),
    ("list", {"state": "running"}, "params.state"), ("list", {"state": ["nope"]}, "params.state[0]"),
    ("list", {"limit": 0}, "params.limit"), ("list", {"owner": "no-such-user-here"}, "params.owner"),
    ("list", {"label": {"a": 1}}, "params.label.a"), ("wait", {"ids": []}, "params.ids"),
    ("wait", {"ids": [1], "mode": "some"}, "params.mode"), ("wait", {"ids": [1], "timeout": 1}, "params.timeout"),
    ("cancel", {}, "params.ids"), ("cancel", {"filter": {}}, "params.filter"),
    ("cancel", {"filter": {"nope": 1}}, "params.filter.nope"), ("cancel", {"ids": [1, "x"]}, "params.ids[1]"),
    ("logs", {"id": 1, "stream": "stdin"}, "params.stream"), ("logs", {"id": 1, "follow": 1}, "params.follow"),
    ("submit_many", {"jobs": {}}, "params.jobs"), ("submit_many", {"jobs": []}, "params.jobs"),
    ("submit_many", {"jobs": [{"argv": ["true"]}, {"argv": []}]}, "params.jobs[1].argv"),
    ("signal", {"id": 1, "signal": "NOPE"}, "params.signal"), ("ping", {"x": 1}, "params.x"),
]


def specs(client):
    for spec, path in BAD_SPECS:
        error = client.error("submit", spec)
        check(error["code"] == -32602 and path in error["data"]["path"], spec, "->", error)
    for method, params, path in BAD_CALLS:
        error = client.error(method, params)
        check(error["code"] == -32602 and error["data"]["path"] == path, method, params, "->", error)
    check(client.error("nonsense")["code"] == -32601)


def lines(daemon):
    for line in BAD_LINES:
        with daemon.client() as client:
            client.send_raw(line + b"\n")
            answer = client.line()
            check(answer and answer["error"]["code"] in (-32700, -32600, -32602), line, "->", answer)
            check(client.call("ping")["pong"], "the connection lives on after", line)
    with daemon.client() as client:
        client.send_raw(b"\n\r\n  \n" + b'{"jsonrpc":"2.0","id":7,"method":"ping"}\r\n')
        check(client.line() == {"jsonrpc": "2.0", "id": 7, "result": {"pong": True}}, "CRLF and blank lines")
        client.send_raw(b'{"jsonrpc":"2.0","method":"ping"}\n{"jsonrpc":"2.0","method":"nonsense"}\n')
        check(client.call("ping")["pong"], "notifications are not answered")


def two_mebibytes(daemon):
    with daemon.client() as client:
        client.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * (2 << 20) + b'"}}\n')
        answer = client.line()
        check(answer["error"]["code"] == -32600 and answer["id"] is None, answer)
        check(client.call("ping")["pong"], "after an over-long line")


def programs(client, folder):
    job = client.job({"argv": ["/nonexistent/program"]})
    check(job["state"] == "failed" and job["exit_code"] == 127 and job["error"]["name"] == "exec_failed", job)
    job = client.job({"argv": ["/etc/passwd"]})
    check(job["state"] == "failed" and job["exit_code"] == 126, job)
    job = client.job({"kind": "hash", "args": {"path": "/nonexistent"}})
    check(job["state"] == "failed" and job["error"], job)
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    for path in (fifo, folder, "/dev/zero"):
        job = client.job({"kind": "hash", "args": {"path": path}})
        check(job["state"] == "failed", path, job)


def half_a_line(daemon):
    with daemon.client() as other:
        before = other.call("list", {"limit": 1})["jobs"]
        with daemon.client() as client:
            client.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"submit","params":{"argv":["true"]}}')
        with daemon.client() as client:
            client.send_raw(b'{"jsonrpc":"2.0","id":1,"meth')
        eventually(lambda: other.call("stats")["daemon"]["connections"] == 1, "the others are gone")
        check(other.call("list", {"limit": 1})["jobs"] == before, "half a line is nothing")


def closes_one_direction(daemon):
    """As `printf … | nc -U` does: the answers still come."""
    client = daemon.client()
    client.send("submit", {"argv": ["sleep", "0.2"]})
    number = client.line()["result"]["id"]
    wanted = client.send("wait", {"ids": [number]})
    client.socket.shutdown(socket.SHUT_WR)
    check(client.answer(wanted)["result"]["jobs"][0]["state"] == "succeeded")
    check(client.line() is None, "then the daemon hangs up")
    client.close()


def hangs_up_while_waiting(daemon):
    with daemon.client() as other:
        number = other.call("submit", {"kind": "sleep", "args": {"for": "1h"}})["id"]
        client = daemon.client()
        client.send("wait", {"ids": [number]})
        client.send("logs", {"id": number, "follow": True})
        client.close()
        eventually(lambda: other.call("stats")["daemon"]["connections"] == 1, "what waited is given up")
        other.call("cancel", {"ids": [number]})


def never_reads(daemon):
    """Asks for ever and reads nothing: the daemon stops reading it, its memory stays, others are served."""
    with daemon.client() as other:
        greedy = daemon.client()
        greedy.socket.setblocking(False)
        request = b'{"jsonrpc":"2.0","id":1,"method":"kinds"}\n' * 100
        sent, quiet_since = 0, time.monotonic()
        while time.monotonic() - quiet_since < 1 and sent < (64 << 20):
            try:
                sent += greedy.socket.send(request)
                quiet_since = time.monotonic()
            except BlockingIOError:
                check(other.call("ping")["pong"])
        check(sent < (64 << 20), "the daemon went on reading", sent)
        rss = other.call("stats")["daemon"]["rss_bytes"]
        check(rss < (256 << 20), "memory of the daemon:", rss)
        for _ in range(100):
            check(other.call("ping")["pong"], "others are served")
        greedy.close()
        eventually(lambda: other.call("stats")["daemon"]["connections"] == 1, "the greedy one is gone")


def descriptors_sent_along(daemon):
    with daemon.client() as client, open("/dev/null") as null:
        before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        for _ in range(50):
            socket.send_fds(client.socket, [b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'], [null.fileno()] * 4)
            client.line()
        after = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        check(after <= before + 1, "descriptors stay open:", before, after)


def main(folder):
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        specs(client)
        programs(client, folder)
    lines(daemon)
    two_mebibytes(daemon)
    half_a_line(daemon)
    closes_one_direction(daemon)
    hangs_up_while_waiting(daemon)
    never_reads(daemon)
    descriptors_sent_along(daemon)
    check(daemon.alive(), "the daemon is alive")
    with Client(daemon.short) as client:
        check(client.job({"argv": ["true"]})["state"] == "succeeded")
    daemon.stop()


run(main)
