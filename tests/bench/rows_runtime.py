"""The library's rows. Marks on a peer are ratios in one run; those on a row are in its unit, for a quiet machine of the kind
that PEERS speaks of. What waits by spinning, or outnumbers the CPUs, does without real-time priority."""
import echo
import idle
from model import N, Curve, Row, Side, X


def ours(workload, count, workers=0, extra=0, figure=None, realtime=True, name="cosched"):
    return Side(name, ("bench_ours", workload, count, workers, extra), figure or workload, realtime=realtime)


def peer(name, needs, program, *command, figure=None, mark=None, realtime=True):
    return Side(name, (program, *command), figure or command[0], mark, needs, realtime)


def cpp(name, program, *command, **more):
    return peer(name, "bench-cpp", program, *command, **more)


def go(*command, name="Go", **more):
    return peer(name, "bench-go", "peer_go", *command, **more)


def tokio(*command, name="tokio", **more):
    return peer(name, "bench-rust", "peer_tokio", *command, **more)


def rayon(*command, **more):
    return peer("rayon join", "bench-rust", "peer_rayon", *command, **more)


def speedup(bench, one, two):
    """How much faster on two threads."""
    return {"speedup": bench.value(one) / bench.value(two)}


# --- switch: the bare change of stacks, and the same through a scheduler

SWITCHES = N(20_000_000)


def bare(figure):
    return Side("cosched", ("bench_switch", "switch", SWITCHES), figure)


def boost_context(mark):
    return cpp("Boost.Context", "peer_boost_context", "switch", SWITCHES, mark=mark)


SWITCH = [
    Row("switch/inline", "a switch, one way, inline", "ns", bare("inline"), (
        boost_context(0.2),
        cpp("C++20 transfer, g++", "peer_cxx20_gcc", "switch", SWITCHES, mark=1.5),
        cpp("C++20 transfer, clang", "peer_cxx20_clang", "switch", SWITCHES)),
        source="PEERS: switch; the same compiler's C++20"),
    Row("switch/plain", "a switch, one way, out of line", "ns", bare("plain"), (boost_context(0.7),),
        source="PEERS: switch"),
    Row("switch/yield", "a yield through the scheduler, two tasks", "ns", ours("yield", N(3_000_000)), (
        go("yield", N(3_000_000)), tokio("yield", N(3_000_000)),
        cpp("Boost.Fiber", "peer_boost_fiber", "yield", N(1_000_000)))),
]

# --- call, spawn, fib, skynet

CALL = [
    Row("call/same", "call of a function on the same executor", "ns", ours("call", N(20_000_000)), (
        tokio("call", N(20_000_000), name="tokio, boxed future", mark=0.75),
        cpp("C++20, frame by malloc", "peer_cxx20_gcc", "call", N(20_000_000))),
        mark=6, source="PEERS: call"),
]

SPAWN = [
    Row("spawn/await", "spawn + await, one thread", "ns", ours("await", N(5_000_000)), (
        rayon("await", N(5_000_000), 1, mark=0.4),
        tokio("await", N(1_000_000), mark=0.1),
        cpp("TBB task_group", "peer_tbb", "await", N(1_000_000), 1),
        cpp("OpenMP, gcc", "peer_openmp_gcc", "await", N(1_000_000), 1),
        cpp("OpenMP, clang", "peer_openmp_clang", "await", N(1_000_000), 1),
        cpp("Boost.Fiber", "peer_boost_fiber", "await", N(500_000)),
        go("await", N(500_000), 1)), mark=12, source="PEERS: spawn + await"),
    Row("spawn/bunch", "many spawned, then waited for, a task", "ns", ours("bunch", N(1_000_000), 1), (
        tokio("bunch", N(1_000_000)), go("bunch", N(1_000_000), 1))),
]

FIB = N(30, 12)
FIB_SLOW = N(26, 12)  # for those who need a hundred times as long


def fib_row(threads, mark, rayon_mark, tbb_mark):
    return Row(f"fib/{threads}", f"fib, a call, {threads} thread{'s' if threads > 1 else ''}", "ns", ours("fib", FIB, threads), (
        rayon("fib", FIB, threads, mark=rayon_mark),
        cpp("TBB", "peer_tbb", "fib", FIB, threads, mark=tbb_mark),
        cpp("OpenMP, gcc", "peer_openmp_gcc", "fib", FIB_SLOW, threads),
        cpp("OpenMP, clang", "peer_openmp_clang", "fib", FIB_SLOW, threads),
        tokio("fib", FIB_SLOW, threads), go("fib", FIB_SLOW, threads)), mark=mark, source="PEERS: fib")


def fib_await_row(threads):
    return Row(f"fib-await/{threads}", f"the same by spawn and await, {threads} thread{'s' if threads > 1 else ''}", "ns",
               Side("cosched", ("bench_ours", "fib_await", FIB, threads), "fib"), (rayon("fib", FIB, threads),))


FIB_ROWS = [
    fib_row(1, 5, 0.4, 0.1),
    fib_row(2, 2.6, None, None),
    fib_await_row(1),
    fib_await_row(2),
    Row("fib/speedup", "fib, so much faster on two threads", "x",
        Side("cosched", (speedup, ours("fib", FIB, 1), ours("fib", FIB, 2)), "speedup"),
        (Side("rayon join", (speedup, rayon("fib", FIB, 1), rayon("fib", FIB, 2)), "speedup", 0.95, "bench-rust"),),
        better="more", source="PEERS: fib"),
]

LEAVES = N(1_000_000, 10, powers_of=10)


def skynet_row(threads, mark, rayon_mark):
    return Row(f"skynet/{threads}", f"skynet, 10^6 leaves, {threads} thread{'s' if threads > 1 else ''}", "ms",
               ours("skynet", LEAVES, threads), (
                   rayon("skynet", LEAVES, threads, mark=rayon_mark), cpp("TBB", "peer_tbb", "skynet", LEAVES, threads),
                   tokio("skynet", LEAVES, threads), go("skynet", LEAVES, threads)), mark=mark, source="PEERS: skynet")


SKYNET = [
    skynet_row(1, 12, None),
    skynet_row(2, 6, 0.35),
    Row("skynet-await/2", "the same by spawn and await, 2 threads", "ms",
        Side("cosched", ("bench_ours", "skynet_await", LEAVES, 2), "skynet"), (rayon("skynet", LEAVES, 2),)),
    Row("skynet/memory", "skynet, most memory", "MB", ours("skynet", LEAVES, 2, figure="memory"), (
        rayon("skynet", LEAVES, 2, figure="memory"), cpp("TBB", "peer_tbb", "skynet", LEAVES, 2, figure="memory"),
        tokio("skynet", LEAVES, 2, figure="memory"), go("skynet", LEAVES, 2, figure="memory")), mark=8,
        source="PEERS: skynet"),
]

# --- hop, channel

HOPS = N(20_000)
TAIL = (N(2_000, 100), 1, 2)

HOP = [
    Row("hop/parked", "MAIN to a worker and back, asleep each time", "ns",
        Side("cosched, never spinning", ("bench_ours_no_spin", "hop", HOPS, 1), "hop"), (
            Side("futex ping-pong", ("peer_threads", "futex", HOPS), "hop", 1.15),
            tokio("hop", HOPS, name="tokio, two runtimes"), go("hop", HOPS, 2, name="Go, locked threads")),
        source="PEERS: round trip"),
    Row("hop/spinning", "the same as it is, spinning where that pays", "ns", ours("hop", N(200_000), 1), (
        Side("raw atomics", ("peer_threads", "atomics", N(1_000_000)), "hop", 3),), source="PEERS: round trip"),
    Row("hop/many", "a hop, 100 under way", "ns", ours("hops", N(1_000_000), 1, 100), mark=100, source="PEERS: round trip"),
    Row("hop/busy", "99th percentile of a hop, every CPU busy", "ns", ours("hop_tail", *TAIL, figure="p99", realtime=False), (
        Side("the same, never spinning", ("bench_ours_no_spin", "hop_tail", *TAIL), "p99", 1.1, realtime=False),)),
]

VALUES = N(3_000_000)

CHANNEL = [
    Row("channel/one", "channel, send + receive, one executor", "ns", ours("channel", VALUES), (
        tokio("channel", VALUES), go("channel", VALUES, 1),
        cpp("Boost.Fiber", "peer_boost_fiber", "channel", N(1_000_000))), mark=30, source="PEERS: channel"),
    Row("channel/across", "channel from MAIN to a worker", "ns", ours("across", N(1_000_000), 1, figure="channel"), (
        tokio("across", N(1_000_000), figure="channel", name="tokio, two runtimes", mark=1.0),
        go("channel", N(1_000_000), 2)), source="PEERS: channel"),
]

# --- queue: the injector as a queue of its own


def queues(label, name, unit, better, figure, marks, *command, bulk=False, realtime=True):
    def other(title, program, **more):
        return cpp(title, program, *command, figure=figure, **more)

    peers = [other("moodycamel" + (", bulk" if bulk else "") + ", tokens", "peer_moodycamel", mark=marks, realtime=realtime)]
    if not bulk:
        # A thread that spins inside the ring's code and outranks the one it waits for would wait forever.
        peers += [other("ck_ring", "peer_ck", realtime=realtime and figure == "pair"),
                  other("urcu wfcqueue", "peer_urcu", realtime=realtime), other("TBB", "peer_tbb_queue", realtime=realtime)]
    return Row(name, label, unit, Side("cosched injector", ("bench_queue", *command), figure, realtime=realtime),
               tuple(peers), better, source="PEERS: MPMC queue")


QUEUE = [
    queues("queue, put + take, one thread", "queue/pair", "ns", "less", "pair", 1.0, "pair", N(5_000_000)),
    queues("queue, 1 producer, 1 consumer", "queue/1x1", "M/s", "more", "rate", None, "pass", N(4_000_000), 1, 1),
    queues("queue, 2 producers, 2 consumers", "queue/2x2", "M/s", "more", "rate", 1.5, "pass", N(4_000_000), 2, 2),
    queues("the same in batches of 32", "queue/2x2-batch", "M/s", "more", "rate", 0.8, "pass", N(4_000_000), 2, 2, 32, bulk=True),
    queues("queue, 4 x 4: ends at all", "queue/4x4", "M/s", "more", "rate", None, "pass", N(400_000), 4, 4, realtime=False),
]

# --- very many

MANY = N(1_000_000, 1000)


def suspended(label, name, unit, figure, mark):
    others = (go("suspended", MANY, 1, figure=figure), tokio("suspended", MANY, figure=figure),
              cpp("Boost.Fiber, 16 KiB", "peer_boost_fiber", "suspended", N(200_000, 1000), figure=figure),
              cpp("C++20, g++", "peer_cxx20_gcc", "suspended", MANY, figure=figure))
    # A fifth of the tasks for Boost.Fiber, whose million takes longer than all others together: only the bytes compare.
    return Row(f"suspended/{name}", label, unit, ours("suspended", MANY, figure=figure),
               others if figure == "memory" else tuple(o for o in others if "Boost" not in o.name),
               mark=mark, source="PEERS: 10^6 suspended")


SUSPENDED = [
    suspended("10^6 suspended, a task", "memory", "B", "memory", 4300),
    suspended("10^6 suspended, their creation", "create", "ms", "create", 2500),
    suspended("10^6 suspended, their waking and end", "wake", "ms", "wake", 250),
    Row("suspended/tables", "10^6 suspended, page tables, a task", "B", ours("suspended", MANY, figure="tables")),
    Row("suspended/queued", "10^6 spawned and not started, a task", "B", ours("queued", MANY, figure="memory"), mark=216,
        source="PEERS: 10^6 suspended"),
    Row("suspended/back", "memory 2 s after all that, to what it was before", "x", ours("memory_back", MANY, figure="back"),
        mark=1.1),
]


def sleepers(figure, peak, tokio_mark):
    label = {"wall": "until the last has woken", "cpu": "CPU time"}[figure]
    peers = (tokio("sleepers", MANY, figure=figure, mark=tokio_mark), go("sleepers", MANY, 1, figure=figure),
             go("timers", MANY, 1, figure=figure, name="Go, AfterFunc"),
             peer("libuv timers", "", "peer_uv", "sleepers", MANY, figure=figure))
    return [Row(f"sleepers/{how}-{figure}", f"10^6 sleepers over 1 s, {what}, {label}", "ms",
                ours("sleepers", MANY, 0, extra, figure=figure), peers, mark=peak, source="PEERS: 10^6 sleepers")
            for how, what, extra in (("armed", "cosched_after", 1), ("tasks", "a task each", 0))]


SLEEPERS = [*sleepers("wall", 1060, None), *sleepers("cpu", 400, 0.25)]

IDLE = [
    Row("idle/cpu", "idle with 32 workers, CPU", "%", ours("idle", N(5_000, 500), 32, figure="cpu"), mark=0.1),
    Row("idle/calls", "idle with 32 workers, system calls of its own accord", "calls",
        Side("cosched", (idle.system_calls, "bench_ours", "idle", N(5_000, 3_000), 32), "calls", needs="bench-idle"), mark=0),
    Row("idle/memory", "idle with 32 workers, memory", "MB", ours("idle", N(5_000, 500), 32, figure="memory")),
]


def echoes(connections, mark):
    def side(name, server, *arguments, mark=None):
        return Side(name, (echo.measure, server, arguments, connections, N(200_000, 2_000)), "rate", mark)

    return Row(f"echo/{connections}", f"echo server, {connections:,} connection{'s' if connections > 1 else ''}", "/s", side("cosched", "echo_cosched"),
               (side("libuv by hand", "echo_uv", mark=mark), side("cosched on a worker", "echo_cosched", "1")), "more",
               source="PEERS")


# --- eyes: what counting, recording and looking cost


def record(bench, with_trace, without):
    """What a switch takes more for being recorded."""
    return {"record": bench.value(with_trace) - bench.value(without)}


LOOK = N(100_000, 1_000)


def built(how, workload, count, name="cosched", mark=None):
    """A library built apart, and linked statically as its fellows are."""
    return Side(name, (f"bench_ours_{how}", workload, count), workload, mark)



EYES = [
    Row("eyes/counting", "spawn + await, counted", "ns", built("whole", "await", N(5_000_000)), (
        built("no_counts", "await", N(5_000_000), "not counted", 1.02),)),
    Row("eyes/record", "a record of the trace, beside a yield that leaves none", "ns",
        Side("cosched", (record, *(built(how, "yield", N(3_000_000)) for how in ("whole", "no_trace"))), "record"), mark=10),
    Row("eyes/look", "100,000 tasks written out with calls and frames", "ms", ours("look", LOOK, 1), mark=1000),
    Row("eyes/lost", "what a busy worker loses to that once a second", "%", ours("look", LOOK, 1, figure="lost"), mark=1),
    Row("eyes/lost-constantly", "the same, one look after the other", "%", ours("look", LOOK, 1, figure="lost_constantly")),
]

ECHO = [echoes(1, None), echoes(1000, 0.95), echoes(10000, None)]

ROWS = [*SWITCH, *CALL, *SPAWN, *FIB_ROWS, *SKYNET, *HOP, *CHANNEL, *QUEUE, *SUSPENDED, *SLEEPERS, *IDLE, *EYES, *ECHO]

# --- how cost grows

THREADS, SOME_THREADS = (1, 2, 4, 8, 16, 32, 64), (1, 2, 8)
TASKS, SOME_TASKS = (100, 1_000, 10_000, 100_000, 1_000_000), (100, 10_000)


def over_threads(name, label, unit, *sides):
    return Curve(f"curve/{name}-threads", label, unit, "threads", THREADS, SOME_THREADS, sides)


def over_tasks(name, label, unit, *sides):
    return Curve(f"curve/{name}-tasks", label, unit, "tasks", TASKS, SOME_TASKS, sides)


T = X()

CURVES = [
    over_threads("fib", "fib, a call", "ns",
                 ours("fib", N(25, 12), T), rayon("fib", N(25, 12), T), cpp("TBB", "peer_tbb", "fib", N(25, 12), T),
                 tokio("fib", N(20, 12), T), go("fib", N(20, 12), T)),
    over_threads("skynet", "skynet, 10^5 leaves", "ms",
                 ours("skynet", 100_000, T), rayon("skynet", 100_000, T), cpp("TBB", "peer_tbb", "skynet", 100_000, T),
                 tokio("skynet", 100_000, T), go("skynet", 100_000, T)),
    over_threads("bunch", "10^5 spawned, then waited for, a task", "ns",
                 ours("bunch", 100_000, T), tokio("bunch", 100_000, T), go("bunch", 100_000, T)),
    over_threads("queue", "queue, as many producers as consumers", "M/s", *(
        cpp(title, program, "pass", N(640_000), T, T, figure="rate")
        for title, program in (("cosched injector", "bench_queue"), ("moodycamel, tokens", "peer_moodycamel"),
                               ("urcu wfcqueue", "peer_urcu"), ("TBB", "peer_tbb_queue")))),
    over_tasks("hop", "a hop, so many under way", "ns", ours("hops", N(1_000_000), 1, T)),
    over_tasks("bunch", "so many spawned, then waited for, a task", "ns", ours("bunch", T, 1), tokio("bunch", T), go("bunch", T, 1)),
    over_tasks("skynet", "skynet, so many leaves", "ms", ours("skynet", T, 2), rayon("skynet", T, 2),
               cpp("TBB", "peer_tbb", "skynet", T, 2), tokio("skynet", T, 2), go("skynet", T, 2)),
    over_tasks("suspended", "so many suspended, a task", "B", ours("suspended", T, figure="memory"),
               tokio("suspended", T, figure="memory"), go("suspended", T, 1, figure="memory")),
    over_tasks("create", "so many suspended, their creation", "ms", ours("suspended", T, figure="create"),
               tokio("suspended", T, figure="create"), go("suspended", T, 1, figure="create")),
    over_tasks("sleepers", "so many sleepers over a second, CPU time", "ms", ours("sleepers", T, 0, 1, figure="cpu"),
               tokio("sleepers", T, figure="cpu"), go("sleepers", T, 1, figure="cpu"),
               peer("libuv timers", "", "peer_uv", "sleepers", T, figure="cpu")),
]
