/* The inside of the simulator: virtual threads, and the words that its files share.
 *
 * A virtual thread (MAIN, a worker, a thread of the blocking pool, a foreign thread of a test) is a flow of control with a
 * context of its own, switched by the production code's cos_arch_switch; thread 0 is the process's only OS thread. There is no
 * driver: whoever reaches a choice point or must wait chooses who goes on (choose.c) and switches there. The flow may stand on
 * the stack of a fiber then; its context is wherever it stands. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/context.h"
#include "sim.h"
#include "sim_point.h"

#define SIM_THREADS_MAX  192
#define SIM_WORDS        (SIM_THREADS_MAX / 64)
#define SIM_EPOCH_NS     (INT64_C(1000) * 1000000000)
#define SIM_UNIX_S       INT64_C(1767225600) /* the wall clock of a run starts at 2026-01-01 00:00:00 */
#define SIM_SLICE_POINTS 2000U /* after so many points in a row the others have a turn: fairness */
#define SIM_NEVER        INT64_MAX

enum sim_state {
    SIM_FREE,
    SIM_READY,
    SIM_FUTEX, /* object: the word */
    SIM_MUTEX,
    SIM_COND,
    SIM_JOIN,  /* object: the thread */
    SIM_POLL,  /* epoll: the descriptor */
    SIM_BUSY,  /* computes or sleeps until the deadline */
    SIM_DRAIN, /* thread 0 at the end: until nothing is runnable */
    SIM_DEAD
};

struct cos_exec;

struct sim_thread {
    struct cos_context ctx;
    uint32_t id;
    enum sim_state state;
    bool detached, woken;
    const void *object;  /* what it waits for: compared, never read */
    int64_t deadline;    /* of the wait */
    uint64_t waits_from; /* order of arrival among those that wait for the same */
    int epoll;
    uint32_t points; /* choice points of this thread so far: its place in a schedule */
    uint32_t streak; /* in a row */
    const char *where;
    uint32_t cursor; /* into the schedule that is replayed */
    int32_t priority;
    int64_t cpu_ns;
    /* While others run: */
    struct cos_exec *current;
    int held; /* locks of the library's, counted for an invariant */
    int error;
    /* The stack: owned (not thread 0's). standing: what AddressSanitizer was told, wherever the flow stands. */
    char *stack;
    size_t stack_bytes;
    const void *standing;
    size_t standing_bytes;
    void *(*entry)(void *);
    void *arg, *result;
};

struct sim_world {
    bool active;
    struct sim_thread *self;
    struct sim_thread thread[SIM_THREADS_MAX];
    uint32_t threads; /* ever started */
    uint64_t ready[SIM_WORDS];
    uint32_t ready_count;
    int64_t now, next_deadline; /* next_deadline: may be too early, never too late */
    int64_t stall_ns, within_ns;
    uint64_t waits; /* counts arrivals */
    uint64_t steps, hash, random;
};

extern struct sim_world sim;

/* world.c */
void sim_begin(uint64_t seed);
void sim_end(void); /* back on thread 0: every other thread must have ended */
struct sim_thread *sim_start(void *(*entry)(void *), void *arg, size_t stack_bytes, bool detached);
/* Waits in `state`; true when woken, false when the deadline has passed. */
bool sim_wait(enum sim_state state, const void *object, int64_t deadline);
/* The first in line that waits in that state for that object; NULL: nobody. */
struct sim_thread *sim_waiter(enum sim_state state, const void *object);
void sim_wake(struct sim_thread *t);
int64_t sim_earliest(void);   /* deadline of all that wait */
void sim_advance(int64_t to); /* time passes; who waited no longer than `to` is runnable */
bool sim_is_ready(const struct sim_thread *t);

/* choose.c: who goes on. forced: the running thread must not be the default choice. */
struct sim_thread *sim_choose(bool forced);
void sim_choose_begin(void);
void sim_choose_start(struct sim_thread *t);

/* virtual.c: wakes those whose descriptors have become ready. True: somebody is runnable. */
bool sim_look_at_polls(void);

/* trace.c: a record of the running thread, into the hash and, if asked for, the file. `where` goes into the file only. */
void sim_trace(const char *what, int64_t value, const char *where);
void sim_trace_begin(void);
void sim_trace_end(void);

/* picture.c */
void sim_picture(char *out, size_t size);
#endif
