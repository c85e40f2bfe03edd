/* The runtime: one per process at a time. Everything that executors share. */
#ifndef COS_SCHED_RUNTIME_H
#define COS_SCHED_RUNTIME_H
#include <cosched/cosched.h>

#include <pthread.h>

#include "queue/injector.h"
#include "queue/parker.h"
#include "sched/blocking.h"
#include "sched/exec.h"
#include "sched/help.h"
#include "sched/mainloop.h"
#include "sched/marks.h"
#include "sched/slices.h"

#define COS_EXECS_MAX (1 + COSCHED_WORKERS_MAX + COS_OWN_THREADS_MAX)

struct cosched_runtime {
    uint32_t workers;   /* const after create, like the next four */
    size_t stack_bytes; /* what cos_stack_get is asked for by default */
    uint32_t flags;
    bool may_spin;   /* const: more than one CPU */
    uint16_t traits; /* const: COS_FIBER_TESTER bits of every fiber */
    bool host_loop;
    struct cos_exec *main;                 /* owned */
    struct cos_exec *execs[COS_EXECS_MAX]; /* owned; MAIN, workers, then own threads (blocking.c's lock) */
    pthread_t worker_threads[COSCHED_WORKERS_MAX];
    uint32_t worker_threads_started;

    struct cos_scope root; /* the scope of detached and posted tasks */
    struct cos_mainloop loop;
    struct cos_blocking blocking;
    struct cos_injector injector;
    struct cos_lines lines[COS_EXEC_OWN + 1]; /* by kind of executor; an own thread's are always empty */
    struct cos_help help;
    struct cos_parker parker;
    struct cos_doorbell bell; /* MAIN sleeps in its poll */
    COS_ATOMIC(int64_t)
    watched_until; /* when a sleeping worker looks at all timers next; INT64_MAX never */
    COS_ATOMIC(int64_t) trim_at;   /* when idle stacks are looked at again; INT64_MAX never */
    COS_ATOMIC(uint32_t) quitting; /* workers leave their loops (release; acquire in the loops) */
    COS_ATOMIC(uint32_t) main_adopted; /* some thread is MAIN */
    COS_ATOMIC(uint32_t) refuse_posts; /* after stop */
    COS_ATOMIC(uint32_t) roots;        /* living tasks that nobody joins; futex word of stop */
    struct cos_trace_shared others;    /* the trace of threads that are neither MAIN nor workers */
    struct cos_slices slices;
    struct cos_marks *marks;         /* owned; NULL: stacks are not measured. const */
    struct cos_counters gone;        /* of own threads that have ended; guarded by blocking.mutex */
    COS_ATOMIC(uint64_t) posted;     /* tasks made by post */
    COS_ATOMIC(uint64_t) tasks_peak; /* the most that a look at the statistics has seen alive */
};

/* The one that exists, or NULL. Set before its first thread starts, cleared after its last has ended. */
struct cosched_runtime *cos_runtime(void);

void cos_roots_add(struct cosched_runtime *rt);
void cos_roots_remove(struct cosched_runtime *rt);

/* worker.c: the thread function. */
void *cos_worker_main(void *arg);
/* A timer was armed on e: if it is due before any sleeper would look, one is woken to look earlier. */
void cos_worker_watch(struct cos_exec *e, int64_t deadline);

static inline bool cos_runs_on_main(const struct cosched_runtime *rt, uint8_t affinity)
{
    return affinity == COSCHED_MAIN || (affinity == COSCHED_WORKER && rt->workers == 0);
}
#endif
