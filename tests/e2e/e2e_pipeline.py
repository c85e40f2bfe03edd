"""Requests sent in one go, many more than travel together: every answer comes, in the order of the requests, each its own;
ids ascend; what was accepted is on disk when its answer comes (the daemon is killed with half of them unread)."""
import json

from e2e import Daemon, check, eventually, run

COUNT = 1500


def request(number, method, params):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    return json.dumps(message).encode() + b"\n"


def of_every_sort(i):
    """(request, what its answer is like), the i-th of a long line."""
    held = {"argv": ["true"], "queue": "held"}
    if i % 50 == 3:
        return request(i, "submit", dict(held, nonsense=1)), "params.nonsense"
    if i % 50 == 11:
        return request(i, "submit", dict(held, after=[10**9])), "params.after[0]"
    if i % 50 == 17:
        return request(i, "submit", dict(held, name=f"n{i}", key="the same")), "same" if i == 17 else "params.key"
    if i % 50 == 23:
        return request(i, "ping", {}), "pong"
    if i % 50 == 31:
        return request(i, "submit_many", {"jobs": [held, dict(held, after=["#0"])]}), "two"
    if i % 50 == 37:
        return request(i, "submit_many", {"jobs": [held, dict(held, after=[10**9])]}), "params.jobs[1].after[0]"
    if i % 50 == 41:
        return request(i, "nothing", {}), "unknown"
    if i % 50 == 43:
        return request(None, "submit", dict(held, name="silent")), None
    return request(i, "submit", held), "one"


def check_answer(answer, sort, last):
    """The highest id given so far."""
    if sort == "pong":
        check(answer["result"] == {"pong": True}, answer)
    elif sort in ("one", "same"):
        check(answer["result"]["id"] > last and answer["result"]["state"] == "queued", answer, last)
        return answer["result"]["id"]
    elif sort == "two":
        first, second = answer["result"]["ids"]
        check(last < first < second, answer, last)
        return second
    elif sort == "unknown":
        check(answer["error"]["code"] == -32601, answer)
    else:
        check(answer["error"]["data"]["path"] == sort, sort, answer)
    return last


def in_order(daemon):
    with daemon.client() as client:
        sorts = [of_every_sort(i) for i in range(COUNT)]
        client.send_raw(b"".join(text for text, _ in sorts))
        last = 0
        for i, (_, sort) in enumerate(sorts):
            if sort is None:
                continue
            answer = client.line()
            check(answer is not None and answer["id"] == i, i, answer)
            last = check_answer(answer, sort, last)
        silent = sum(sort is None for _, sort in sorts)
        accepted = sum({"one": 1, "same": 1, "two": 2}.get(sort, 0) for _, sort in sorts) + silent
        check(client.call("stats")["jobs"]["submitted"] == accepted, accepted, client.call("stats")["jobs"])
        check(len(client.call("list", {"name": "silent", "limit": 100})["jobs"]) == silent)


def before_a_closing_end(daemon):
    """The client's last request is half a line, and it sends no more: the whole ones are answered."""
    with daemon.client() as client:
        client.send_raw(b"".join(request(i, "submit", {"argv": ["true"], "queue": "held"}) for i in range(100)) + b'{"jsonrpc"')
        client.socket.shutdown(1)
        for i in range(100):
            check(client.line()["id"] == i)
        check(client.line() is None)


def killed_with_answers_unread(daemon):
    with daemon.client() as client:
        client.send_raw(b"".join(request(i, "submit", {"argv": ["true"], "queue": "held"}) for i in range(COUNT)))
        ids = [client.line()["result"]["id"] for _ in range(COUNT // 2)]
        daemon.kill()
    daemon.start()
    with daemon.client() as client:
        check(client.call("get", {"id": ids[0]})["state"] == "queued")
        page = {job["id"] for job in client.call("list", {"queue": "held", "limit": 10000, "fields": ["id"]})["jobs"]}
        check(page.issuperset(ids), sorted(set(ids) - page)[:10])


def main(folder):
    daemon = Daemon(folder, "--set", "queue held.parallel=0").start()
    in_order(daemon)
    before_a_closing_end(daemon)
    killed_with_answers_unread(daemon)
    with daemon.client() as client:
        eventually(lambda: client.call("stats")["jobs"]["running"] == 0, "nothing runs")
    daemon.stop()


run(main)
