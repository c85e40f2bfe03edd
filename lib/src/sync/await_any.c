/* cosched_await_any: waiting for the first of several tasks.
 *
 * The waiter puts its index into every join word and says COS_JOINING_ANY in its own control block; which tasks are meant
 * lies in the caller's array only, which no ender ever touches. So an ender cannot tell this wait from a later one of the same
 * kind: it may wake that too often, never too seldom, and whoever wakes here looks at all join words before it believes
 * anything. A late ender of this wait finds any other later wait with `joining` cleared (join.c). */
#include <cosched/cosched.h>

#include <errno.h>

#include "sched/join.h"
#include "sched/park.h"

/* The first that has ended, consumed: its index. -EAGAIN: none has. */
static int take_ended(struct cos_fiber *f, cosched_task *tasks, size_t n, int64_t *result)
{
    for (size_t i = 0; i < n; i++) {
        struct cos_task *t = cos_task_lookup(tasks[i]);
        uint32_t generation = tasks[i].generation;
        /* acquire: pairs with the acq_rel in cos_task_complete; DONE publishes the result. */
        if (t == NULL || cos_atomic_load(&t->join, acquire) != cos_join(generation, COS_JOIN_DONE)) {
            continue;
        }
        int64_t value = cos_atomic_load(&t->result, relaxed);
        if (cos_join_consume(cos_exec_current(), f->current, t, generation) == 0) {
            tasks[i] = (cosched_task){0, 0};
            if (result != NULL) {
                *result = value;
            }
            return (int)i;
        }
    }
    return -EAGAIN;
}

static void withdraw(struct cos_fiber *f, const cosched_task *tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cos_task *t = cos_task_lookup(tasks[i]);
        if (t != NULL) {
            cos_join_withdraw(f, t, tasks[i].generation);
        }
    }
}

/* 0: in every list; 1: one has ended meanwhile; or what is wrong with one of the handles. Empty ones are passed over. */
static int enlist(struct cos_fiber *f, const cosched_task *tasks, size_t n)
{
    int rc = -ESTALE; /* nothing but empty ones */
    for (size_t i = 0; i < n; i++) {
        if (tasks[i].index == 0) {
            continue;
        }
        struct cos_task *t = cos_task_lookup(tasks[i]);
        if (t == NULL) {
            return -ESTALE;
        }
        if (cos_join_of_itself(f, t)) {
            return cos_task_handle(t).generation == tasks[i].generation ? -EDEADLK : -ESTALE;
        }
        rc = cos_join_enlist(f, t, tasks[i].generation);
        if (rc != 0) {
            return rc;
        }
    }
    return rc;
}

/* One wait. 1: look again; 0 or less: why it ended. */
static int wait_for_any(struct cos_fiber *f, const cosched_task *tasks, size_t n, int64_t deadline)
{
    struct cos_task *base = f->base;
    /* relaxed: published by the release of cos_wait_begin and of the CASes in cos_join_enlist; see cos_join_wake. */
    cos_atomic_store(&base->joining, COS_JOINING_ANY, relaxed);
    cos_park_begin();
    int rc = enlist(f, tasks, n);
    if (rc == 0) {
        enum cos_cause cause = cos_park_on((uintptr_t)tasks, deadline,
                                           COS_PARK_FOR(COSCHED_FOR_ANY_TASK) | COS_PARK_OF(n));
        rc = cause == COS_WOKEN ? 1 : cos_cause_error(cause);
    } else {
        cos_park_abort();
    }
    cos_atomic_store(&base->joining, 0, relaxed);
    withdraw(f, tasks, n);
    return rc;
}

int cosched_await_any(cosched_task *tasks, size_t n, int64_t *result, int64_t deadline)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    if (n == 0 || n > COSCHED_ANY_MAX) {
        return -EINVAL;
    }
    if (cos_scope_canceled(f->scope, &f->base->scope)) {
        return -ECANCELED;
    }
    for (;;) {
        int index = take_ended(f, tasks, n, result);
        if (index >= 0) {
            return index;
        }
        int rc = wait_for_any(f, tasks, n, deadline);
        if (rc < 0) {
            /* Completion wins; and once we are in no list, nobody else can be woken in our place. */
            index = take_ended(f, tasks, n, result);
            return index >= 0 ? index : rc;
        }
    }
}
