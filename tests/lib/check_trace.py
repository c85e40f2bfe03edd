"""What a trace must be, whoever made it: check(path) returns the events and what was found in them, or raises.

Every E has its B, on its track and in order of time; every arrow has two ends, each in a slice; every span that begins ends, and what
is nested in it lies in it; names are known; times are numbers."""
import collections
import json

PHASES = set("MBEXsfbein")


class Wrong(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Wrong(" ".join(map(str, what)))


class Trace:
    """slices[tid]: [(from, to, name, task)], arrows: [(name, tid, ts, tid, ts)], spans[(cat, id)]: [(name, from, to, args, depth)]"""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.events = json.load(file)["traceEvents"]
        self.tracks = {}
        self.slices = collections.defaultdict(list)
        self.spans = collections.defaultdict(list)
        self.instants = []
        self.arrows = []
        self._open = collections.defaultdict(list)
        self._open_spans = collections.defaultdict(list)
        self._last = collections.defaultdict(float)
        self._last_span = collections.defaultdict(float)
        self._starts, self._ends = {}, {}
        for event in self.events:
            self._take(event)
        for tid, left in self._open.items():
            need(not left, "track", tid, "ends inside", left)
        for key, left in self._open_spans.items():
            need(not left, "span", key, "has no end:", left)
        self._pair()

    def _take(self, e):
        need(e["ph"] in PHASES, "phase", e)
        if e["ph"] == "M":
            if e["name"] == "thread_name":
                need(e["tid"] not in self.tracks, "named twice", e)
                self.tracks[e["tid"]] = e["args"]["name"]
            return
        need(type(e["ts"]) in (int, float) and e["ts"] > 0, "time", e)
        if e["ph"] in "BEXi":
            need(e["tid"] in self.tracks, "a track without a name", e)
            need(e["ts"] >= self._last[e["tid"]], "back in time on a track", e)
            self._last[e["tid"]] = e["ts"]
        getattr(self, "_on_" + e["ph"])(e)

    def _on_B(self, e):
        need(e["name"], "no name", e)
        need(not self._open[e["tid"]], "a slice in a slice", e)
        self._open[e["tid"]].append(e)

    def _on_E(self, e):
        need(self._open[e["tid"]], "an end without its beginning", e)
        b = self._open[e["tid"]].pop()
        self.slices[e["tid"]].append((b["ts"], e["ts"], b["name"], b.get("args", {}).get("task")))

    def _on_X(self, e):
        need(not self._open[e["tid"]], "a dot in a slice", e)
        self.slices[e["tid"]].append((e["ts"], e["ts"] + e["dur"], e["name"], None))

    def _on_i(self, e):
        self.instants.append(e)

    def _on_s(self, e):
        need(e["id"] not in self._starts, "two arrows with one number", e)
        self._starts[e["id"]] = e

    def _on_f(self, e):
        need(e["id"] not in self._ends and e.get("bp") == "e", "an arrow's end", e)
        self._ends[e["id"]] = e

    def _span(self, e):
        key = (e["cat"], e["id"])
        need(e["ts"] >= self._last_span[key], "back in time in a span", e)
        self._last_span[key] = e["ts"]
        return key, self._open_spans[key]

    def _on_b(self, e):
        key, stack = self._span(e)
        stack.append(e)

    def _on_e(self, e):
        key, stack = self._span(e)
        need(stack, "a span's end without its beginning", e)
        b = stack.pop()
        self.spans[key].append((b["name"], b["ts"], e["ts"], b.get("args", {}), len(stack)))

    def _on_n(self, e):
        self.instants.append(e)

    def _in_slice(self, tid, ts):
        return any(a <= ts <= b for a, b, _, _ in self.slices[tid])

    def _pair(self):
        need(self._starts.keys() == self._ends.keys(), "arrows without a partner",
             sorted(self._starts.keys() ^ self._ends.keys())[:5])
        for number, s in self._starts.items():
            f = self._ends[number]
            need(s["name"] == f["name"] and s["ts"] <= f["ts"], "an arrow back in time", s, f)
            need(self._in_slice(s["tid"], s["ts"]), "an arrow from nowhere", s)
            need(self._in_slice(f["tid"], f["ts"]), "an arrow to nowhere", f)
            self.arrows.append((s["name"], s["tid"], s["ts"], f["tid"], f["ts"]))

    def slices_of(self, task):
        """All slices of a task, on whatever track, in order of time."""
        return sorted(s for slices in self.slices.values() for s in slices if s[3] == task)
