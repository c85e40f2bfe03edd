"""coschedctl top on a terminal and off it, against a daemon with real jobs: what stands where on the screen, what keys do,
every size, a daemon that goes away and comes back, and a terminal that is left as it was found."""
import os
import re
import signal
import subprocess
import termios
import threading

from e2e import COSCHEDCTL, LIMIT, Daemon, check, eventually, run
from terminal import Terminal

FOOT = r"^ \? help  q quit  / filter  s sort  c cancel  Enter open  p pause$"
EVIL = "evil \x1b]0;title\x07 name"
CLEAN = r"evil \\x1b]0;title\\x07 name"

# A screen of 80 × 24 in full. "#" stands for anything but two spaces in a row, what is in brackets may be missing for want
# of room; sparklines are cut off before.
SCREEN = r"""
 coschedd #   up #   pid #   #   every #
Jobs      #/s submitted  #/s started  #/s ended
          1 running  4 queued  0 delayed  0 blocked
p50/p99   #/# in queue  #/# run  #/# submit
Store     #/s commits of #  #/# each  # db[  # wal]
Memory    # resident  # tasks  # stacks  # reserved
MAIN      # idle  #/# poll gap  #/s slices[  # in line]
Worker 0  # busy  #/s slices  #/s steals  #/s parks
Worker 1  # busy  #/s slices  #/s steals  #/s parks
Queues    default   4 waiting  1 of 1 running  # old
          other   0 waiting  0 of 1 running  # old
      ID STATE▲    QUEUE            TIME  TRY NAME
       # running   default      #    1 evil \x1b#0;title\x07 name
       # queued    default      #    0 job one
       # queued    default      #    0 job two é
       # queued    default      #    0 job 漢字
       # queued    default      #    0 sleep 12345
""".strip("\n").split("\n")


def like(template):
    """A pattern for a line of SCREEN: any number of spaces where there are two or more."""
    known = {"#": r"\S(?: ?\S)*", "[": "(?:", "]": ")?"}
    parts = re.split(r"( {2,}|[#\[\]])", template)
    return "".join(" +" if p.isspace() else known.get(p, re.escape(p)) for p in parts)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LINES", "COLUMNS")}
    env.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
    env.update({k.upper(): v for k, v in more.items()})
    return env


def open_top(daemon, width=80, height=24, options=(), **env):
    return Terminal([COSCHEDCTL, "--socket", daemon.short, "top", "--interval", "100ms", *options], width, height,
                    env=environment(**env))


def submit(client):
    """One runs, the others wait: the queue lets one run at a time."""
    ids = [client.call("submit", spec)["id"] for spec in (
        {"kind": "sleep", "args": {"for": "1h"}, "name": EVIL},
        {"kind": "sleep", "args": {"for": "1h"}, "name": "job one"},
        {"kind": "sleep", "args": {"for": "1h"}, "name": "job two é"},
        {"kind": "sleep", "args": {"for": "1h"}, "name": "job 漢字"},
        {"argv": ["sleep", "12345"]})]
    eventually(lambda: client.call("get", {"id": ids[0]})["state"] == "running", "the first one runs")
    return ids


def left_alone(terminal):
    """Modes of the line, the other screen and the cursor are as they were."""
    check(termios.tcgetattr(terminal.slave) == terminal.before, "the terminal's modes are changed")
    check(not terminal.screen.alternate and terminal.screen.cursor, "the screen is not given back")


def the_screen(daemon):
    top = open_top(daemon)
    templates = [re.compile(like(template)) for template in SCREEN]

    def as_wanted(lines):
        """All at once: what is read may end in the middle of a change."""
        bare = [re.sub("[▁▂▃▄▅▆▇█ ]+$", "", line) for line in lines]
        wrong = [line for template, line in zip(templates, bare) if not template.fullmatch(line)]
        wrong += [line for line in lines[len(SCREEN):-1] if line]
        return not wrong and re.search(FOOT, lines[-1])

    top.until(as_wanted, "\n".join(SCREEN))
    check(top.screen.alternate and not top.screen.cursor and top.screen.seen_colors, "a screen of its own, with colours")
    check(b"\x1b]0;title" not in top.screen.seen_bytes, "a job's name reached the terminal")
    top.press("q")
    check(top.ended() == 0)
    left_alone(top)
    top.close()


def keys(daemon, client, ids):
    top = open_top(daemon)
    top.shows("job one")
    top.press("?")
    top.shows("filter: words that must occur")
    top.hides("job one")
    top.press("q")
    top.shows("job one")
    top.press("/job on")
    top.shows(r"^/job on_$")
    top.press("\x7fn\r")
    top.shows(r"^ 1 of 5 like \"job on\"")
    top.hides("job two|evil")
    top.press("/\x1b")
    top.shows("job two")
    top.press("/queue:other\r")
    top.shows("no job like that")
    top.press("\x1b")
    top.shows("evil")
    top.press("s")
    top.shows(r"ID▲ STATE  ")
    top.press("S")
    top.until(lambda lines: re.search(r"ID▼ STATE.*sleep 12345.*job one.*evil", " ".join(lines)), "the other way round")
    top.press("Ssss")
    top.shows("NAME▲")
    top.press("s")
    top.shows("STATE▲")
    top.press("p")
    top.shows("paused$")
    top.press("p")
    top.shows("every 100ms$")
    top.press("-")
    top.shows("every 200ms$")
    top.press("+")
    top.shows("every 100ms$")
    top.press("G\x1bOA\x1bOA\x1b[A\r")  # the last, and three up: the second
    top.shows(f"^Job {ids[1]}$")
    top.shows("name +job one$")
    top.shows("What it waits for|does not tell what a job waits for")
    top.press("q")
    top.shows("^ +ID STATE")
    cancelling(top, client, ids)
    top.press("\x03")
    check(top.ended() == 0, "Ctrl-C ends it")
    left_alone(top)
    top.close()


def cancelling(top, client, ids):
    """A question, and only a yes cancels; the job really ends."""
    top.press("g")
    top.press("jc")
    top.shows(f"Cancel job {ids[1]}\\? y: yes")
    top.press("n")
    top.shows("not canceled")
    check(client.call("get", {"id": ids[1]})["state"] == "queued", "nothing was canceled")
    top.press("cy")
    top.shows(f"job {ids[1]} is canceled")
    top.hides("job one")
    check(client.call("get", {"id": ids[1]})["state"] == "canceled")
    top.press("gcy")  # the one that runs: the next takes its place
    top.shows(f"job {ids[0]} is canceled")
    top.shows("running +default .* job two é")
    check(client.call("get", {"id": ids[0]})["state"] == "canceled")


def sizes(daemon):
    top = open_top(daemon)
    top.shows("sleep 12345")
    top.resize(120, 40)
    top.shows(r"^ +ID STATE▲ +QUEUE +USER +TIME")
    top.until(lambda lines: re.search(FOOT, lines[39]), "the foot in the last row")
    top.resize(40, 10)
    top.until(lambda lines: re.fullmatch(r" +ID STATE▲ +TIME NAME", lines[6]), "the small table")
    top.until(lambda lines: re.match(r"2 workers? +\S+ busy", lines[5]), "workers in one row")
    top.resize(20, 4)
    top.until(lambda lines: lines[0].startswith(" coschedd") and "running" in lines[2], "a row of jobs")
    for width, height in ((1, 1), (2, 2), (300, 100), (5, 60), (200, 2), (80, 24)):
        top.resize(width, height)
        top.until(lambda lines: lines[0].ljust(width).startswith(" coschedd 0"[:width]), f"{width} × {height}")
    top.shows("sleep 12345")
    top.process.send_signal(signal.SIGTERM)
    check(top.ended() == -signal.SIGTERM, "SIGTERM has its way")
    left_alone(top)
    top.close()


def plain_terminals(daemon):
    """Without colours where those are not wanted or not there; ASCII where the locale knows no more."""
    for env in ({"no_color": "1"}, {"term": "vt100", "lc_all": "C"}):
        top = open_top(daemon, **env)
        top.shows(r"job two")
        top.shows(r"^ +ID STATE" + ("\\^" if "term" in env else "▲"))
        top.press("q")
        check(top.ended() == 0)
        check(not top.screen.seen_colors, "colours:", top.screen.seen_colors)
        check("term" not in env or not any(b >= 0x80 for b in top.screen.seen_bytes), "not ASCII")
        check(termios.tcgetattr(top.slave) == top.before)
        top.close()
    dumb = open_top(daemon, options=("--count", "2"), term="dumb")
    check(dumb.ended() == 0, "a terminal that cannot move its cursor gets lines")
    check(b"\x1b" not in dumb.screen.seen_bytes and b"job two" in dumb.screen.seen_bytes)
    dumb.close()


def plain(daemon):
    done = daemon.ctl("top", "--interval", "10ms", "--count", "3", env=environment())
    check(done.returncode == 0 and done.stderr == "", done)
    blocks = done.stdout.split("\n\n")
    check(len(blocks) == 3 and all(b.startswith("coschedd ") for b in blocks), done.stdout)
    check(all("▁" not in b and "\x1b" not in b and re.search("running +default .*job two é", b) for b in blocks), done.stdout)
    once = daemon.ctl("top", "--once")
    check(once.returncode == 0 and once.stdout.count("coschedd ") == 1, once)
    stats = daemon.ctl("--json", "top", "--interval", "10ms", "--count", "2")
    check(stats.returncode == 0 and stats.stdout.count("\"scheduler\"") == 2, stats)
    for wrong in (("--interval", "0s"), ("--interval", "often"), ("--count", "0"), ("--count", "x"), ("more", )):
        check(daemon.ctl("top", *wrong).returncode == 64, wrong)
    nobody = subprocess.run([COSCHEDCTL, "--socket", "nowhere", "top", "--once"], capture_output=True, text=True,
                            timeout=LIMIT, check=False)
    check(nobody.returncode == 69 and "cannot connect to nowhere" in nobody.stderr, nobody)


def lost_and_found(daemon):
    top = open_top(daemon)
    follower = subprocess.Popen([COSCHEDCTL, "--socket", daemon.short, "top", "--interval", "50ms"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    check("coschedd" in follower.stdout.readline())
    reader = threading.Thread(target=follower.stdout.read)  # a full pipe would hold it up
    reader.start()
    top.shows("job two")
    daemon.process.send_signal(signal.SIGSTOP)
    top.shows("no answer for")
    daemon.kill()
    top.shows(r"^ (lost the daemon at|cannot connect to) \S+: .*; trying again")
    check("lost the daemon at" in follower.stderr.readline(), "lines, too, say that it is gone")
    top.press("?")
    top.shows("filter: words")  # keys are alive
    top.press("q")
    daemon.start()
    top.until(lambda lines: re.search(FOOT, lines[-1]) and any("job two" in line for line in lines), "it is found again")
    top.press("q")
    check(top.ended() == 0)
    top.close()
    follower.terminate()
    check(follower.wait(LIMIT) == -signal.SIGTERM, follower.returncode)
    reader.join()
    follower.stdout.close()
    follower.stderr.close()


def main(folder):
    with open(os.path.join(folder, "coschedd.conf"), "w") as f:
        f.write("[queue default]\nparallel = 1\n[queue other]\nparallel = 1\n")
    daemon = Daemon(folder, "--workers", "2").start()
    with daemon.client() as client:
        ids = submit(client)
    the_screen(daemon)
    with daemon.client() as client:
        keys(daemon, client, ids)
    sizes(daemon)
    plain_terminals(daemon)
    plain(daemon)
    lost_and_found(daemon)
    with daemon.client() as client:
        client.call("cancel", {"ids": ids})
        client.call("wait", {"ids": ids})
    daemon.stop()


run(main)
