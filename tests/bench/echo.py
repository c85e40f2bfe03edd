"""The echo servers: a server of its own for each round, and the load that all get."""
import os
import signal
import subprocess

from runner import Failed, parse, spawn


def measure(bench, server, arguments, connections, messages):
    """{rate: messages a second, cpu: the server's processor time for one in ns}."""
    paths = [bench.program(server), bench.program("echo_load")]
    if not all(map(os.path.exists, paths)):
        raise Failed("missing")
    # Server and load have a thread each: with real-time priority others do not come between the two.
    realtime = [] if arguments else bench.prefix
    process = subprocess.Popen([*realtime, paths[0], *arguments], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip()
        figures = parse(spawn([*realtime, paths[1], port, str(connections), str(messages)]))
    finally:
        process.send_signal(signal.SIGTERM)
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        process.stdout.close()
    return figures | {"cpu": (usage.ru_utime + usage.ru_stime) / messages * 1e9}
