/* The watchdog of slices: reports a task that keeps MAIN or a worker for too long (DESIGN D20).
 *
 * A thread of its own looks at the executors as long as any of them runs tasks, as often as the shorter of the two thresholds, and
 * sleeps without a limit when none does: who begins to run tasks then wakes it. On by COSCHED_WATCH_SLICES only. */
#ifndef COS_SCHED_SLICES_H
#define COS_SCHED_SLICES_H
#include <cosched/cosched.h>

#include <pthread.h>

#include "arch/fence.h"
#include "base/atomic.h"
#include "base/clock.h"

struct cosched_runtime;
struct cos_exec;

#define COS_SLICE_REPORTS   5 /* in any minute */
#define COS_SLICE_REPORT_NS (60 * COS_NS_PER_S)

/* Of the watcher: what it knows of one executor. */
struct cos_slice_seen {
    uint64_t at;    /* the slice it is in; ticks */
    int64_t cpu;    /* what its thread had computed when that was seen first */
    int64_t due_ns; /* when it is looked at again */
    bool waits;     /* its thread waited in the kernel at a look */
    bool counted;   /* nothing more to do for it */
};

struct cos_slices {
    bool on;                    /* const while workers run, like the next three */
    int64_t main_ns, worker_ns; /* INT64_MAX: not watched */
    int64_t period_ns;
    pthread_t thread;
    COS_ATOMIC(uint32_t)
    armed; /* futex word: 0 the watcher sleeps, and whoever begins a slice wakes it */
    COS_ATOMIC(uint32_t) quitting;        /* futex word; release by stop, acquire by the watcher */
    COS_ATOMIC(uint64_t) found, reported; /* relaxed: numbers */
    /* the watcher's */
    struct cos_slice_seen seen[1 + COSCHED_WORKERS_MAX];
    int64_t report_ns[COS_SLICE_REPORTS]; /* the last ones; 0: none */
    uint64_t unreported;                  /* since the last report */
};

/* 0, or why there is no thread. Before MAIN and the workers run. */
int cos_slices_start(struct cosched_runtime *rt, const cosched_config *config);
void cos_slices_stop(struct cosched_runtime *rt); /* fine when not started */
void cos_slices_arm(struct cos_slices *s);

/* The first slice of a turn has begun. */
static inline void cos_slices_begin(struct cos_slices *s)
{
    if (COS_UNLIKELY(s->on)) {
        /* Pairs with the heavy fence before the watcher's last look: either it sees our slice or we see that it sleeps. */
        cos_fence_light();
        if (cos_atomic_load(&s->armed, relaxed) == 0) {
            cos_slices_arm(s);
        }
    }
}
#endif
