/* Tasks that own a thread, and the beginning and end of all threads that may block. */
#include "sched/blocking.h"

#include <errno.h>
#include <string.h>

#include "arch/futex.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/current.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/thread.h"

int cos_blocking_init(struct cos_blocking *b, uint32_t threads_max)
{
    int rc = pthread_mutex_init(&b->mutex, NULL);
    rc = rc != 0 ? rc : pthread_cond_init(&b->quiet, NULL);
    return rc != 0 ? -rc : cos_crew_init(&b->crew, threads_max);
}

void cos_blocking_fini(struct cos_blocking *b)
{
    pthread_mutex_lock(&b->mutex);
    while (b->own > 0) {
        pthread_cond_wait(&b->quiet, &b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    cos_crew_fini(&b->crew);
    pthread_cond_destroy(&b->quiet);
    pthread_mutex_destroy(&b->mutex);
}

void cos_blocking_levels(struct cos_blocking *b, uint64_t *threads, uint64_t *queued)
{
    cos_crew_levels(&b->crew, threads, queued);
    pthread_mutex_lock(&b->mutex);
    *threads += b->own;
    pthread_mutex_unlock(&b->mutex);
}

/* --- tasks that own a thread ---------------------------------------------------------------------------- */

void cos_own_thread_wake(struct cos_exec *e)
{
    /* seq_cst: with the exchange in sleep_own. The push came before, its look at the inbox comes after. */
    if (cos_atomic_exchange(&e->bell, 1, seq_cst) == 0) {
        cos_futex_wake(&e->bell, 1);
    }
}

static void sleep_own(struct cos_exec *e)
{
    (void)cos_atomic_exchange(&e->bell, 0, seq_cst);
    if (cos_inbox_empty(&e->inbox)) {
        cos_futex_wait(&e->bell, 0, cos_timers_next(&e->timers));
    }
}

/* Counters that its successor continues would show a task twice: they are added to those of all that have ended. */
static void keep_counters(struct cosched_runtime *rt, struct cos_exec *e)
{
    cos_counters_add(&rt->gone, &e->count);
    memset(&e->count, 0, sizeof e->count);
}

/* The last act of an own thread, or of the attempt to start one. */
static void leave_own(struct cos_exec *e)
{
    struct cosched_runtime *rt = e->rt;
    struct cos_blocking *b = &rt->blocking;
    cos_exec_fini(e);
    pthread_mutex_lock(&b->mutex);
    keep_counters(rt, e);
    b->own_in_use &= ~(UINT64_C(1) << (e->id - 1 - COSCHED_WORKERS_MAX));
    b->own--;
    pthread_cond_broadcast(&b->quiet);
    pthread_mutex_unlock(&b->mutex);
}

static void *own_main(void *arg)
{
    struct cos_exec *e = arg;
    cos_arch_fpenv_restore(&e->rt->blocking.crew.fpenv); /* as inherited it may be a task's */
    cos_exec_thread_begin(e);
    while (!e->own_done) {
        e->budget = COS_EXEC_BUDGET;
        cos_exec_drain_inbox(e);
        cos_timers_fire(&e->timers, cos_clock_now());
        uint32_t index = cos_deque_take_top_owner(&e->deque);
        if (index != 0) {
            cos_exec_run(e, index);
        } else {
            sleep_own(e);
        }
    }
    cos_exec_thread_end(e);
    leave_own(e);
    return NULL;
}

/* Under the mutex. A slot without a thread; its executor stays allocated for the runtime's life, because a waker of the task
 * that has just ended may still ring its bell. NULL: all are in use, or no memory (*rc). */
static struct cos_exec *take_own(struct cosched_runtime *rt, int *rc)
{
    struct cos_blocking *b = &rt->blocking;
    *rc = -EAGAIN;
    if (b->own_in_use == UINT64_MAX) {
        return NULL;
    }
    uint32_t i = (uint32_t)__builtin_ctzll(~b->own_in_use);
    uint32_t id = 1 + COSCHED_WORKERS_MAX + i;
    struct cos_exec *e = rt->execs[id];
    if (e == NULL) {
        e = cos_alloc_aligned(_Alignof(struct cos_exec), sizeof *e);
        rt->execs[id] = e;
    }
    *rc = e == NULL ? -ENOMEM : cos_exec_init(e, rt, COS_EXEC_OWN, id);
    if (*rc < 0) {
        return NULL;
    }
    e->own_done = false;
    b->own_in_use |= UINT64_C(1) << i;
    b->own++;
    return e;
}

int cos_own_thread_start(struct cosched_runtime *rt, struct cos_task *t)
{
    struct cos_blocking *b = &rt->blocking;
    int rc;
    pthread_mutex_lock(&b->mutex);
    struct cos_exec *e = take_own(rt, &rc);
    if (e != NULL) {
        cos_inbox_push(&e->inbox, &t->inbox);
        rc = cos_thread_start(NULL, COS_BLOCKING_STACK_BYTES, own_main, e);
    }
    pthread_mutex_unlock(&b->mutex);
    if (e != NULL && rc < 0) {
        cos_inbox_drain(&e->inbox);
        leave_own(e);
    }
    return rc;
}
