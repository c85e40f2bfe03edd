"""What a benchmark is: rows, each with our side and those it is measured beside."""
import math
from dataclasses import dataclass
from typing import Callable, Optional


@dataclass(frozen=True)
class N:
    """A count among the parameters of a command. `--scale` makes it smaller, for a run that only shows that all works; to a
    power of `powers_of`, if that is given."""
    count: int
    least: int = 1
    powers_of: int = 0

    def scaled(self, scale):
        wanted = max(self.least, round(self.count * scale))
        return self.powers_of ** int(math.log(wanted * 1.0001, self.powers_of)) if self.powers_of else wanted


@dataclass(frozen=True)
class Side:
    """One way to do a row's work.

    command: (PROGRAM, WORKLOAD, PARAM…), a program of the build folder that prints one line `name value unit` for each of
             its figures; or (FUNCTION, PARAM…), called as FUNCTION(bench, PARAM…), which returns {name: value}.
    figure:  which of them this row shows.
    mark:    what our value divided by this side's is to be at most (or at least, where more is better).
    needs:   the section of config/dependencies.txt that brings it.
    realtime: run by `chrt -f`. Not for what waits by spinning with more threads than CPUs.
    """
    name: str
    command: tuple
    figure: str
    mark: Optional[float] = None
    needs: str = ""
    realtime: bool = True


@dataclass(frozen=True)
class Row:
    """name is GROUP/WHAT. mark is for our value itself, in its unit; source says where the marks come from."""
    name: str
    label: str
    unit: str
    ours: Side
    peers: tuple = ()
    better: str = "less"
    mark: Optional[float] = None
    source: str = ""

    @property
    def group(self):
        return self.name.split("/")[0]

    @property
    def sides(self):
        return (self.ours, *self.peers)


@dataclass(frozen=True)
class Curve:
    """One workload over a range: each side's command has the value of x where it says X."""
    name: str
    label: str
    unit: str
    x_label: str
    xs: tuple       # all of them, with --curves
    few: tuple      # the others' share
    sides: tuple = ()


class X:
    """Stands for a curve's x among the parameters of a command: as it is, or what `of` makes of it."""

    def __init__(self, of: Callable[[int], object] = int):
        self.of = of
