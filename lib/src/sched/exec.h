/* Executors: MAIN, the workers, and the threads that BLOCKING tasks own.
 *
 * Each has a loop (worker.c, mainloop.c, blocking.c) on its thread's stack, and runs fibers from it. A fiber that leaves
 * picks the next runnable one itself and switches to it directly (symmetric transfer); it goes through the loop when
 * there is none, or when the budget of direct transfers is spent, so that inbox, injector, timers and I/O get their turn. */
#ifndef COS_SCHED_EXEC_H
#define COS_SCHED_EXEC_H
#include "arch/overflow.h"
#include "base/histogram.h"
#include "queue/deque.h"
#include "queue/inbox.h"
#include "sched/current.h"
#include "sched/fiber.h"
#include "sched/lines.h"
#include "sched/sample.h"
#include "sched/spin.h"
#include "sched/timers.h"
#include "sched/trace.h"

#define COS_EXEC_BUDGET \
    61 /* slices between two looks at everything else; prime, so that patterns do not lock in */

enum cos_exec_kind { COS_EXEC_MAIN, COS_EXEC_WORKER, COS_EXEC_OWN };

/* Written by the owner with relaxed stores (no lock, a cache line of its own), read by anybody. */
struct cos_counters {
    COS_ATOMIC(uint64_t)
    slices, spawned, completed, switches, grown, yields, steals, stolen_from, busy_ns, polls;
    COS_ATOMIC(uint64_t) hops_to_worker, hops_to_main, failed, helped;
};

/* sum += one. */
void cos_counters_add(struct cos_counters *sum, const struct cos_counters *one);

/* For `completed`. release: pairs with the acquire in cos_counters_add; whoever sees a task counted as ended also sees
 * what it did. */
#if defined(COS_NO_COUNTS) /* a benchmark's library, to see what counting costs */
#define COS_COUNT_END(e)    ((void)(e))
#define COS_COUNT(e, field) ((void)(e))
#elif defined(COS_ATOMIC_OWN_INCREMENT)
#define COS_COUNT_END(e)    COS_ATOMIC_OWN_INCREMENT(&(e)->count.completed)
#define COS_COUNT(e, field) COS_ATOMIC_OWN_INCREMENT(&(e)->count.field)
#else
#define COS_COUNT_END(e)                                                                         \
    cos_atomic_store(&(e)->count.completed, cos_atomic_load(&(e)->count.completed, relaxed) + 1, \
                     release)

#define COS_COUNT(e, field) \
    cos_atomic_store(&(e)->count.field, cos_atomic_load(&(e)->count.field, relaxed) + 1, relaxed)
#endif

struct cos_exec {
    enum cos_exec_kind kind;    /* const */
    uint32_t id;                /* const; index in the runtime's table */
    struct cosched_runtime *rt; /* const */
    struct cos_fiber *running;  /* owner thread; NULL in the loop */
    uint32_t child_what; /* const: of fibers that say this of their children, they stand in line here; UINT32_MAX: none do */
    struct cos_parker
        *parker; /* const; borrowed: whose sleepers a push here concerns; nobody's, or the pool's */
    uint32_t next; /* a waiter just woken by an ending task: runs next. Owner; 0 outside of that moment */
    uint32_t budget;    /* slices, or inline awaits in one, left before the loop has its turn */
    uint32_t allowance; /* MAIN and workers: what the next turn's budget is */
    uint64_t renewed; /* budgets that this turn has spent before the one it has now: nobody waited */
    int64_t turn_end;        /* MAIN: when its poll wants it */
    struct cos_lines *lines; /* const; borrowed: of tasks with a priority, shared by all of its kind */
    uint32_t high_run;       /* slices of high priority in a row; owner */
    uint32_t low_passed;     /* slices since one of low priority had its turn; owner */
    uint32_t held; /* ALWAYS_INLINE: newest child that its parent, which runs here, may still await; by `link`, 0 none */
    struct cos_sample sample;
    struct cos_context loop;
    struct cos_fpenv fpenv; /* the thread's own, while a task with COSCHED_FPENV runs */
    struct cos_task_cache tasks;
    struct cos_stack_cache stacks;
    struct cos_overflow_thread overflow;
    uint64_t rng;
    struct cos_deque deque; /* tasks in line here. A worker's may be stolen by other workers; MAIN's and an
                             * own thread's may not: what only that thread may run */
    struct cos_inbox inbox; /* MAIN and own threads: from other threads */
    struct cos_timers timers;
    struct cos_spin spin;
    COS_ATOMIC(uint32_t) bell; /* own threads: futex word, 1 once something came in */
    bool own_done;             /* own threads: the task has ended */
    int64_t awake_since;       /* workers: for busy_ns */
    int64_t watching; /* workers: until when this sleeper watches all timers; INT64_MAX: it does not */
    int64_t trim_look_at; /* trim.c: when it looks whether it has been idle; INT64_MAX: nothing is at hand */
    uint64_t trim_slices; /* the work that had been done when it looked last */
    _Alignas(COS_CACHE_LINE) struct cos_counters count;
    COS_ATOMIC(int32_t) tid; /* of its thread. relaxed: a number */
    COS_ATOMIC(uint64_t)
    slice_at; /* ticks: since when its task runs; 0: none does. relaxed: a time */
    struct cos_trace_ring trace; /* MAIN and workers */
    struct cos_histogram hops;   /* that ended here, in ticks */
};

int cos_exec_init(struct cos_exec *e, struct cosched_runtime *rt, enum cos_exec_kind kind,
                  uint32_t id);
void cos_exec_drop_leftovers(struct cos_exec *e); /* nothing runs any more */
void cos_exec_fini(struct cos_exec *e);
void cos_exec_thread_begin(struct cos_exec *e); /* on its thread: becomes current */
void cos_exec_thread_end(struct cos_exec *e);

/* Makes a task (unstarted, or its parked fiber) or a hop runnable where it belongs. The caller holds the only right to do
 * so and gives it away: the task may be gone when this returns. e: the executor of this thread or NULL. */
void cos_submit(struct cos_exec *e, struct cos_task *t);
/* For a task that steps back behind the others of this executor; alone there, it wakes nobody. */
void cos_resubmit(struct cos_exec *e, struct cos_task *t);
/* The same for the waiter that an ending task wakes: it may run next on this executor. */
void cos_submit_next(struct cos_exec *e, struct cos_task *t);
/* An unstarted child in the testers' modes: out of reach of an inline await (traits say OWN), or held for one. */
void cos_submit_tested(struct cos_exec *e, const struct cos_fiber *f, struct cos_task *t);
/* Takes a held child back: true, it is the caller's to run. */
bool cos_exec_take_held(struct cos_exec *e, const struct cos_task *t);

/* After a turn that took ns, with all the budgets it has had: how many slices the next one may have, so that it takes turn_ns at most if they are like these. A
 * fiber that leaves hands over to the next without a look at the clock, so this is what bounds a turn of long slices. */
void cos_exec_turn_took(struct cos_exec *e, int64_t ns, int64_t turn_ns);

/* Runs t and what follows it directly, until the budget is spent or nothing is ready. From the loop. */
void cos_exec_run(struct cos_exec *e, uint32_t index);
/* The next in line on e, by priority and age; 0: none, or none but low priority. */
uint32_t cos_exec_take(struct cos_exec *e);
/* The budget is spent in the middle of a slice: lets the loop have its turn, if anything wants it. May suspend the running
 * task: e is dead to the caller afterwards. Leaves a budget of 1 at least. */
void cos_exec_turn(struct cos_exec *e);

/* The running fiber leaves; commit runs on the other side. Returns when somebody switches back, maybe on another
 * thread: e is dead to the caller afterwards. */
void cos_leave(struct cos_exec *e, cos_commit_fn commit);

/* For switch.c: the next fiber for a direct transfer, or NULL: the loop's turn. */
struct cos_fiber *cos_exec_pick(struct cos_exec *e);
/* For switch.c: an ended task's fiber takes over the next task in line if that has not started and fits. */
bool cos_exec_next_on(struct cos_exec *e, struct cos_fiber *f);
void cos_exec_switch_in(struct cos_exec *e, struct cos_fiber *to);

/* The running task of this thread, or NULL outside tasks. The executor goes to *e (may be NULL outside threads of ours). */
static inline struct cos_fiber *cos_fiber_current(struct cos_exec **out)
{
    struct cos_exec *e = cos_exec_current();
    if (out != NULL) {
        *out = e;
    }
    return e != NULL ? e->running : NULL;
}

/* The same where it is known to run inside a task. */
static inline struct cos_fiber *cos_fiber_self(struct cos_exec **out)
{
    struct cos_exec *e = cos_exec_current();
    if (out != NULL) {
        *out = e;
    }
    return e->running;
}

void cos_exec_drain_inbox(struct cos_exec *e); /* into the deque */

#endif
