"""The library's rows. Marks are ratios in one run; those in a row's own unit are for a quiet machine of the kind of PEERS."""
from model import N, Row, Side


def ours(workload, count, workers=0, extra=0, figure=None, realtime=True, name="cosched"):
    command = ("bench_ours", workload, count, workers, extra)
    return Side(name, command, figure or workload, realtime=realtime)


ROWS = [
    Row("switch/inline", "a switch, one way, inline", "ns", Side("cosched", ("bench_switch", "switch", N(20_000_000)), "inline")),
    Row("call/same", "call of a function on the same executor", "ns", ours("call", N(20_000_000))),
    Row("spawn/await", "spawn + await, one thread", "ns", ours("await", N(5_000_000))),
    Row("hop/parked", "MAIN to a worker and back", "ns", ours("hop", N(20_000), 1, realtime=False),
        (Side("futex ping-pong", ("peer_threads", "futex", N(20_000)), "hop", 1.15, realtime=False),)),
]

CURVES = []
