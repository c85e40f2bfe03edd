"""The daemon's rows. A command is a function of jobs.py or a program."""
import jobs
from model import N, Row, Side


def side(name, function, *parameters, figure="rate", mark=None):
    return Side(name, (function, *parameters), figure, mark, needs="bench-jobs")


def ours(function, *parameters, figure="rate", realtime=True):
    return Side("coschedd", (function, *parameters), figure, realtime=realtime)


ONE, MANY = N(2000, 10), N(100_000, 200)
TRUE = N(1000, 10)
WAITING = N(1_000_000, 2000)

ROWS = [
    Row("submit/one", "durable submissions, one at a time", "/s", ours(jobs.submit_coschedd, ONE, 1),
        (side("redis, AOF always", jobs.submit_redis, ONE, 1, mark=0.9),
         side("beanstalkd -b -f0", jobs.submit_beanstalkd, ONE, 1)), "more", source="PEERS: Jobs"),
    Row("submit/pipelined", "durable submissions, 100 under way", "/s", ours(jobs.submit_coschedd, MANY, 100),
        (side("redis, AOF always", jobs.submit_redis, MANY, 100, mark=1),
         side("beanstalkd -b -f0", jobs.submit_beanstalkd, N(5000, 200), 100, mark=20)), "more", source="PEERS: Jobs"),
    Row("submit/many", "durable submissions, 1,000 a request", "/s", ours(jobs.submit_many, MANY, 1000), better="more",
        mark=300_000, source="PEERS: Jobs"),
    Row("submit/start", "from the commit to the start, median", "us", ours(jobs.submit_to_start, N(500, 10), figure="p50"),
        mark=40, source="PEERS: Jobs"),
    Row("submit/saturated", "commits kept while jobs take every CPU", "share",
        ours(jobs.commits_kept, N(300, 10), figure="share", realtime=False), better="more", mark=0.5, source="PEERS: Jobs"),

    Row("exec/true", "/bin/true, output kept, states durable; 2 at a time", "/s", ours(jobs.true_coschedd, TRUE, 2),
        (side("xargs -P2", jobs.true_xargs, TRUE, 2, mark=1.4), side("tsp -S 2", jobs.true_tsp, N(300, 10), 2),
         side("nq", jobs.true_nq, N(300, 10))), "more", source="PEERS: Jobs"),
    Row("exec/true-4", "the same, 4 at a time", "/s", ours(jobs.true_coschedd, TRUE, 4),
        (side("xargs -P4", jobs.true_xargs, TRUE, 4), side("xargs -P2", jobs.true_xargs, TRUE, 2)), "more"),
    Row("exec/true-large", "2 at a time, by a daemon that holds 512 MB", "/s", ours(jobs.true_large, TRUE, 2),
        (side("a small one", jobs.true_coschedd, TRUE, 2, mark=0.95),), "more", source="PEERS: Jobs"),

    Row("waiting/memory", "a waiting job, of a million", "bytes", ours(jobs.waiting, "coschedd", WAITING, figure="bytes"),
        (side("redis", jobs.waiting, "redis", WAITING, figure="bytes"),
         side("beanstalkd", jobs.waiting, "beanstalkd", WAITING, figure="bytes")), mark=200, source="PEERS: Jobs"),
    Row("waiting/restart", "until it serves again with them", "s", ours(jobs.waiting, "coschedd", WAITING, figure="restart"),
        (side("redis", jobs.waiting, "redis", WAITING, figure="restart"),
         side("beanstalkd", jobs.waiting, "beanstalkd", WAITING, figure="restart")), mark=0.5, source="PEERS: Jobs"),

    Row("daemon/memory", "an idle daemon", "MB", ours(jobs.idle, "coschedd", figure="MB"),
        (side("redis", jobs.idle, "redis", figure="MB"), side("beanstalkd", jobs.idle, "beanstalkd", figure="MB")),
        mark=8, source="PEERS: Jobs"),
    Row("daemon/calls", "its system calls of its own accord", "calls", ours(jobs.idle_calls, 6, figure="calls"), mark=0,
        source="PEERS: Jobs"),
]

CURVES = []
