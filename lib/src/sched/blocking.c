/* Threads that may block. The pool's requests lie on the asking tasks' stacks; a task that is cancelled before its request
 * started takes it back under the mutex, and one whose request runs waits for it. */
#include "sched/blocking.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "arch/futex.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/current.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/thread.h"

#define THREAD_STACK_BYTES ((size_t)1024 * 1024)
#define IDLE_SECONDS \
    10 /* a thread without work ends after so long: an idle process has none, and no wake-ups */

struct request {
    struct cos_list link;
    cosched_fn fn;
    void *arg;
    int64_t result;
    cosched_event done;
};

int cos_blocking_init(struct cos_blocking *b, uint32_t threads_max)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_mutex_init(&b->mutex, NULL);
    rc = rc != 0 ? rc : pthread_cond_init(&b->work, &attr);
    rc = rc != 0 ? rc : pthread_cond_init(&b->quiet, &attr);
    pthread_condattr_destroy(&attr);
    cos_list_init(&b->queue);
    b->threads_max = threads_max != 0 ? threads_max : COS_BLOCKING_THREADS_DEFAULT;
    return -rc;
}

void cos_blocking_fini(struct cos_blocking *b)
{
    pthread_mutex_lock(&b->mutex);
    b->quitting = true;
    pthread_cond_broadcast(&b->work);
    while (b->threads > 0 || b->own > 0) {
        pthread_cond_wait(&b->quiet, &b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    pthread_cond_destroy(&b->work);
    pthread_cond_destroy(&b->quiet);
    pthread_mutex_destroy(&b->mutex);
}

void cos_blocking_levels(struct cos_blocking *b, uint64_t *threads, uint64_t *queued)
{
    pthread_mutex_lock(&b->mutex);
    *threads = b->threads + b->own;
    *queued = b->queued;
    pthread_mutex_unlock(&b->mutex);
}

/* Under the mutex. NULL: this thread shall end. */
static struct request *next_request(struct cos_blocking *b)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    for (;;) {
        struct cos_list *node = cos_list_pop_front(&b->queue);
        if (node != NULL) {
            b->queued--;
            return COS_CONTAINER_OF(node, struct request, link);
        }
        if (b->quitting) {
            return NULL;
        }
        b->idle++;
        int rc = pthread_cond_timedwait(&b->work, &b->mutex, &until);
        b->idle--;
        if (rc == ETIMEDOUT && cos_list_empty(&b->queue)) {
            return NULL;
        }
    }
}

static void *pool_main(void *arg)
{
    struct cos_blocking *b = arg;
    pthread_mutex_lock(&b->mutex);
    struct request *r;
    while ((r = next_request(b)) != NULL) {
        pthread_mutex_unlock(&b->mutex);
        r->result = r->fn(r->arg);
        cosched_event_set(&r->done); /* r is gone from here on */
        pthread_mutex_lock(&b->mutex);
    }
    b->threads--;
    pthread_cond_broadcast(&b->quiet);
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

/* 0, or the error when there is no thread at all to run it. */
static int enqueue(struct cos_blocking *b, struct request *r)
{
    pthread_mutex_lock(&b->mutex);
    cos_list_push_back(&b->queue, &r->link);
    b->queued++;
    int rc = 0;
    if (b->idle >= b->queued) {
        pthread_cond_signal(&b->work);
    } else if (b->threads < b->threads_max) {
        b->threads++;
        rc = cos_thread_start(NULL, THREAD_STACK_BYTES, pool_main, b);
        if (rc < 0 && --b->threads > 0) {
            rc = 0; /* one of the others will come to it */
        }
        if (rc < 0) {
            cos_list_remove(&r->link);
            b->queued--;
        }
    }
    pthread_mutex_unlock(&b->mutex);
    return rc;
}

static bool withdraw(struct cos_blocking *b, struct request *r)
{
    pthread_mutex_lock(&b->mutex);
    bool waiting = !cos_list_empty(&r->link);
    if (waiting) {
        cos_list_remove(&r->link);
        b->queued--;
    }
    pthread_mutex_unlock(&b->mutex);
    return waiting;
}

int cosched_blocking(int64_t *result, cosched_fn fn, void *arg)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL) {
        return -EPERM;
    }
    if (cos_scope_canceled(f->scope, &f->base->scope)) {
        return -ECANCELED;
    }
    struct cos_blocking *b = &e->rt->blocking;
    struct request r = {.fn = fn, .arg = arg};
    cos_list_init(&r.link);
    cosched_event_init(&r.done);
    int rc = enqueue(b, &r);
    if (rc < 0) {
        return rc;
    }
    rc = cosched_event_wait(&r.done, COSCHED_NEVER);
    if (rc < 0) {
        if (withdraw(b, &r)) {
            return rc;
        }
        cosched_event_wait_always(&r.done);
    }
    if (result != NULL) {
        *result = r.result;
    }
    return 0;
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
        rc = cos_thread_start(NULL, THREAD_STACK_BYTES, own_main, e);
    }
    pthread_mutex_unlock(&b->mutex);
    if (e != NULL && rc < 0) {
        cos_inbox_drain(&e->inbox);
        leave_own(e);
    }
    return rc;
}
