"""A runtime with nothing to do: which system calls it makes, and how often."""
import os
import re
import shutil
import subprocess
import tempfile

from runner import PATIENCE_S, Failed


def system_calls(bench, program, *arguments):
    """{calls: system calls of all threads in the second half of the time that it idles}; arguments[1]: milliseconds.

    The first half has what happens once: stacks are given back a second after the last work."""
    path = bench.program(program)
    if not os.path.exists(path) or not shutil.which("strace"):
        raise Failed("missing")
    idle_s = int(arguments[1]) / 1000
    with tempfile.NamedTemporaryFile("r", dir=os.path.dirname(path)) as log:
        subprocess.run(["strace", "-f", "-ttt", "-o", log.name, path, *map(str, arguments)], check=True,
                       stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
        times = [float(found[1]) for line in log if (found := re.match(r"\d+ +(\d+\.\d+) (?!\+\+\+|---|<\.\.\.)", line))]
    # The end of the sleep is the last long silence's end.
    end = max(range(1, len(times)), key=lambda i: times[i] - times[i - 1])
    quiet_until = times[end]
    return {"calls": float(sum(quiet_until - 0.5 * idle_s < t < quiet_until for t in times))}
