"""A terminal for tests: a pseudo-terminal with a program on it, and an emulator that keeps the screen. It knows what
ncurses sends for xterm and vt100, and fails on whatever it does not know. Standard library only."""
import codecs
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

from e2e import LIMIT, Failure, check


class Screen:
    """ECMA-48 as far as it is needed. .lines() is what one sees; .seen_colors what was asked for of colours."""

    TOKEN = re.compile("\x1b\\[([?>]?)([0-9;]*)([@-~])|\x1b\\][^\x07]*\x07|\x1b[()][A-Z0-9]|\x1b([^\\[\\]()])|([\x00-\x1f\x7f])|([^\x00-\x1f\x7f]+)")

    def __init__(self, width, height):
        self.decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self.pending = ""
        self.alternate, self.cursor, self.seen_colors, self.seen_bytes = False, True, set(), bytearray()
        self.x = self.y = 0
        self.wrap_next = False
        self.resize(width, height)

    def resize(self, width, height):
        self.width, self.height = width, height
        self.top, self.bottom = 0, height - 1
        self.cells = [[" "] * width for _ in range(height)]
        self.x, self.y = min(self.x, width - 1), min(self.y, height - 1)

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, data):
        self.seen_bytes += data
        text = self.pending + self.decoder.decode(data)
        at = 0
        while at < len(text):
            token = self.TOKEN.match(text, at)
            if token is None or (token.group(4) is None and token.end() == len(text) and text[at:] == "\x1b"):
                break  # the rest of it is on its way
            private, numbers, final, escape, control, plain = token.groups()
            if final is not None:
                self.sequence(private, [int(n) if n else 0 for n in numbers.split(";")], final)
            elif escape is not None:
                self.escape(escape)
            elif control is not None:
                self.control(control)
            elif plain is not None:
                for c in plain:
                    self.put(c)
            at = token.end()
        self.pending = text[at:]
        check(len(self.pending) < 32, "unknown sequence:", repr(self.pending[:40]))

    def put(self, c):
        width = 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        if width == 0:
            return
        if self.wrap_next:
            self.wrap_next = False
            self.x = 0
            self.line_feed()
        self.cells[self.y][self.x] = c
        if width == 2 and self.x + 1 < self.width:
            self.cells[self.y][self.x + 1] = ""
        self.last = c
        self.x += width
        if self.x >= self.width:
            self.x, self.wrap_next = self.width - 1, True

    def line_feed(self):
        if self.y == self.bottom:
            self.scroll(1)
        else:
            self.y = min(self.y + 1, self.height - 1)

    def scroll(self, n):
        for _ in range(abs(n)):
            if n > 0:
                self.cells.pop(self.top)
                self.cells.insert(self.bottom, [" "] * self.width)
            else:
                self.cells.pop(self.bottom)
                self.cells.insert(self.top, [" "] * self.width)

    def control(self, c):
        self.wrap_next = False
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.line_feed()
        elif c == "\b":
            self.x = max(0, self.x - 1)
        elif c == "\t":
            self.x = min(self.width - 1, (self.x // 8 + 1) * 8)
        else:
            check(c in "\x00\x07\x0e\x0f", "unknown control", repr(c))

    def escape(self, c):
        if c == "M":
            if self.y == self.top:
                self.scroll(-1)
            else:
                self.y -= 1
        elif c == "D":
            self.line_feed()
        elif c == "7":
            self.saved = (self.x, self.y)
        elif c == "8":
            self.x, self.y = self.saved
        else:
            check(c in "=>", "unknown escape", repr(c))

    def erase(self, y, first, last):
        for x in range(first, last):
            self.cells[y][x] = " "

    def sequence(self, private, numbers, final):
        n = max(1, numbers[0])
        if final not in "m":
            self.wrap_next = False
        if private or final in "hl":
            self.mode(numbers, final)
        elif final in "Hf":
            column = numbers[1] if len(numbers) > 1 else 1
            self.y, self.x = min(n, self.height) - 1, min(max(1, column), self.width) - 1
        elif final in "ABCDEFGd`a":
            self.move(n, final)
        elif final == "J":
            kind = numbers[0]
            self.erase(self.y, 0 if kind else self.x, self.width if kind != 1 else self.x + 1)
            for y in range(0 if kind else self.y + 1, self.y if kind == 1 else self.height):
                self.erase(y, 0, self.width)
        elif final == "K":
            self.erase(self.y, 0 if numbers[0] else self.x, self.x + 1 if numbers[0] == 1 else self.width)
        elif final == "X":
            self.erase(self.y, self.x, min(self.width, self.x + n))
        elif final in "P@":
            row = self.cells[self.y]
            for _ in range(min(n, self.width - self.x)):
                if final == "P":
                    row.pop(self.x)
                    row.append(" ")
                else:
                    row.insert(self.x, " ")
                    row.pop()
        elif final in "LM":
            kept, self.top = self.top, self.y
            self.scroll(n if final == "M" else -n)
            self.top = kept
        elif final in "ST":
            self.scroll(n if final == "S" else -n)
        elif final == "r":
            # Of the size before, perhaps: what was on its way when it was resized.
            bottom = min(numbers[1] if len(numbers) > 1 and numbers[1] else self.height, self.height)
            self.top, self.bottom = (n - 1, bottom - 1) if n < bottom else (0, self.height - 1)
            self.x = self.y = 0
        elif final == "b":
            for _ in range(n):
                self.put(self.last)
        elif final == "m":
            self.seen_colors |= {k for k in numbers if 30 <= k <= 49 and k not in (39, 49) or 90 <= k <= 107}
        else:
            check(final in "tn", "unknown sequence", numbers, final)

    def move(self, n, final):
        if final in "AF":
            self.y = max(0, self.y - n)
        elif final in "BE":
            self.y = min(self.height - 1, self.y + n)
        elif final in "Ca":
            self.x = min(self.width - 1, self.x + n)
        elif final == "D":
            self.x = max(0, self.x - n)
        elif final in "G`":
            self.x = min(n, self.width) - 1
        elif final == "d":
            self.y = min(n, self.height) - 1
        if final in "EF":
            self.x = 0

    def mode(self, numbers, final):
        for k in numbers:
            if k in (47, 1047, 1049):
                self.alternate = final == "h"
            elif k == 25:
                self.cursor = final == "h"
            else:  # keys, insertion off, autowrap, blinking, meta
                check(k in (0, 1, 3, 4, 5, 6, 7, 12, 1034, 2004, 22) or final in "cqp", "unknown mode", k, final)


class Terminal:
    """A program on a pseudo-terminal that it controls."""

    def __init__(self, args, width=80, height=24, env=None, **more):
        self.master, self.slave = os.openpty()
        self.screen = Screen(width, height)
        self.set_size(width, height)
        self.before = termios.tcgetattr(self.slave)

        def control():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(args, stdin=self.slave, stdout=self.slave, stderr=self.slave, close_fds=True,
                                        start_new_session=True, preexec_fn=control, env=env, **more)

    def set_size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width, height):
        """As a terminal does: its own screen first, then the news, by which the kernel sends SIGWINCH."""
        self.screen.resize(width, height)
        self.set_size(width, height)

    def press(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def read(self, limit=0.05):
        """What came. False: nothing for so long, or never again."""
        ready, _, _ = select.select([self.master], [], [], limit)
        if not ready:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.screen.feed(data)
        return bool(data)

    def until(self, condition, what):
        """Reads until the screen is as wanted: the condition's first true answer."""
        end = time.monotonic() + LIMIT
        while True:
            answer = condition(self.screen.lines())
            if answer:
                return answer
            if not self.read() and time.monotonic() > end:
                raise Failure(f"gave up waiting for {what}; the screen:\n" + "\n".join(self.screen.lines()))

    def shows(self, pattern):
        """A line that has the pattern."""
        wanted = re.compile(pattern)
        return self.until(lambda lines: next((m for m in map(wanted.search, lines) if m), None), f"/{pattern}/")

    def hides(self, pattern):
        wanted = re.compile(pattern)
        self.until(lambda lines: not any(wanted.search(line) for line in lines), f"no /{pattern}/")

    def ended(self):
        """Its exit status, once everything it wrote was read."""
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            self.read()
            check(time.monotonic() < end, "it does not end:", "\n".join(self.screen.lines()))
        while self.read(0.01):
            pass
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)
