"""The daemon's rows. A command is a function of jobs.py or a program."""
import jobs
from model import N, Row, Side


def coschedd(function, count, figure):
    return Side("coschedd", (function, N(count, 10)), figure, realtime=False)


ROWS = [
    Row("submit/one", "submit, one at a time", "/s", coschedd(jobs.submit_singly, 400, "rate"), better="more"),
    Row("submit/pipelined", "submit, 100 under way", "/s", coschedd(jobs.submit_pipelined, 20000, "rate"), better="more"),
    Row("submit/many", "submit_many, one call", "/s", coschedd(jobs.submit_many, 10000, "rate"), better="more",
        mark=300000, source="PEERS: Jobs"),
    Row("exec/true", "/bin/true, output kept, states durable", "/s", coschedd(jobs.true_jobs, 1000, "rate"),
        (Side("xargs -P2", (jobs.true_xargs, N(1000, 10)), "rate", 1.4, realtime=False),), "more",
        source="PEERS: Jobs"),
]

CURVES = []
