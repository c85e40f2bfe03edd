"""The machine that the figures belong to, and what others did to it meanwhile."""
import os
import platform
import shutil
import subprocess


def realtime():
    """What to put before a command so that neighbours do not come between, where that is allowed."""
    prefix = ["chrt", "-f", "20"]
    if shutil.which("chrt") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
        return prefix
    return []


def describe():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    system = "unknown system"
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release", encoding="utf-8") as file:
            fields = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
        system = fields.get("PRETTY_NAME", system).strip('"')
    return {"processor": model, "cpus": len(os.sched_getaffinity(0)), "system": system, "kernel": platform.release()}


def _family():
    """Ticks of this process and all its descendants, those included that have ended and were waited for."""
    parent, ticks = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it has just ended
            parent[int(entry)], ticks[int(entry)] = int(fields[1]), sum(map(int, fields[11:15]))

    def ours(pid):
        while pid in parent and pid != os.getpid():
            pid = parent[pid]
        return pid == os.getpid()

    return sum(ticks[pid] for pid in ticks if ours(pid))


class Noise:
    """CPU time of a stretch: what its own processes took, what others did, and what the hypervisor kept for itself."""

    def __init__(self):
        self.wall = self.own = self.others = self.steal = 0.0

    @staticmethod
    def _now():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
        hz = os.sysconf("SC_CLK_TCK")
        busy = (user + nice + system + irq + softirq) / hz
        return {"busy": busy, "steal": steal / hz, "all": busy + (idle + iowait + steal) / hz,
                "own": _family() / hz}

    def __enter__(self):
        self._before = self._now()
        return self

    def __exit__(self, *_):
        after = self._now()
        spent = {key: after[key] - self._before[key] for key in after}
        self.wall += spent["all"]
        self.own += spent["own"]
        self.others += max(0.0, spent["busy"] - spent["own"])
        self.steal += spent["steal"]

    def shares(self):
        """Of all CPUs' time, in percent."""
        if self.wall == 0:
            return {"own": 0.0, "others": 0.0, "steal": 0.0}
        return {name: round(100 * value / self.wall, 1)
                for name, value in (("own", self.own), ("others", self.others), ("steal", self.steal))}
