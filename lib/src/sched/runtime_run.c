/* A runtime at work, as threads outside see it: what keeps it alive, its loop, a call from outside, its stop; and cosched_run,
 * which is all of that. */
#include <errno.h>

#include "arch/futex.h"
#include "base/clock.h"
#include "sched/current.h"
#include "sched/fork.h"
#include "sched/runtime.h"
#include "sched/spawn.h"
#include "sched/survivors.h"

/* --- living tasks that nobody joins ---------------------------------------------------------------------- */

void cos_roots_add(struct cosched_runtime *rt)
{
    /* seq_cst: pairs with stop, which stores refuse_posts and then reads roots. */
    if (cos_atomic_add(&rt->roots, 1, seq_cst) == 0) {
        cos_mainloop_keep(rt);
    }
}

void cos_roots_remove(struct cosched_runtime *rt)
{
    /* acq_rel: what the task did happens before stop returns. */
    if (cos_atomic_sub(&rt->roots, 1, acq_rel) == 1) {
        cos_futex_wake(&rt->roots, INT32_MAX);
        cos_mainloop_ring(rt); /* its loop may have nothing to live for now */
    }
}

/* --- running ----------------------------------------------------------------------------------------------- */

cosched_runtime *cosched_runtime_self(void)
{
    struct cos_exec *e;
    return cos_fiber_current(&e) != NULL ? e->rt : NULL;
}

int cosched_runtime_loop(cosched_runtime *rt)
{
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    if (cos_fiber_current(NULL) != NULL || !cos_mainloop_adopt_thread(rt)) {
        return -EBUSY;
    }
    while (cos_atomic_load(&rt->roots, acquire) != 0) {
        cos_mainloop_turn(rt, true, INT64_MAX);
    }
    return 0;
}

int64_t cosched_runtime_run_expired(cosched_runtime *rt, int64_t budget_ns)
{
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    if (cos_fiber_current(NULL) != NULL || !cos_mainloop_adopt_thread(rt)) {
        return -EBUSY;
    }
    int64_t start = cos_clock_now();
    cos_mainloop_pump(rt, budget_ns);
    cos_mainloop_turn(rt, false, INT64_MAX);
    return cos_clock_now() - start;
}

/* A root task whose end somebody outside waits for, also when it never ran (no memory for its stack). */
struct outside {
    struct cos_group link; /* first: told by cos_task_complete */
    struct cosched_runtime *rt;
    COS_ATOMIC(int64_t) result; /* published by done */
    COS_ATOMIC(uint32_t) done; /* futex word; release by the task's end, acquire by whoever waits */
};

static void outside_done(struct cos_group *link, int64_t result)
{
    struct outside *o = COS_CONTAINER_OF(link, struct outside, link);
    struct cosched_runtime *rt = o->rt;
    COS_ATOMIC(uint32_t) *word = &o->done;
    cos_atomic_store(&o->result, result, relaxed);
    cos_atomic_store(word, 1, release); /* *o may be gone from here on: only its address is used */
    cos_futex_wake(word, 1);
    cos_mainloop_ring(rt);
    cos_roots_remove(rt);
}

static int start_outside(struct outside *o, struct cosched_runtime *rt, cosched_affinity to,
                         cosched_fn fn, void *arg)
{
    o->link.child_done = outside_done;
    o->rt = rt;
    return cos_post(rt, to, fn, arg, 0, &o->link);
}

int cosched_runtime_call(cosched_runtime *rt, cosched_affinity to, cosched_fn fn, void *arg,
                         int64_t *result)
{
    if (cos_exec_current() != NULL) {
        return -EDEADLK;
    }
    struct outside call = {.done = 0};
    int rc = start_outside(&call, rt, to, fn, arg);
    if (rc < 0) {
        return rc;
    }
    while (cos_atomic_load(&call.done, acquire) == 0) {
        cos_futex_wait(&call.done, 0, INT64_MAX);
    }
    if (result != NULL) {
        *result = cos_atomic_load(&call.result, relaxed);
    }
    return 0;
}

/* --- the end ------------------------------------------------------------------------------------------------ */

/* Until no root task lives, or the deadline. */
static void wait_for_roots(struct cosched_runtime *rt, int64_t deadline, bool on_main)
{
    uint32_t n;
    while ((n = cos_atomic_load(&rt->roots, acquire)) != 0 && cos_clock_now() < deadline) {
        if (on_main) {
            cos_mainloop_turn(rt, true, deadline);
        } else {
            cos_futex_wait(&rt->roots, n, deadline);
        }
    }
}

/* Tasks that wait in a wheel for their start are not linked below the root. */
static void cancel_all(struct cosched_runtime *rt)
{
    cos_scope_cancel(&rt->root, 0);
    for (uint32_t i = 0; i <= rt->workers; i++) {
        cos_timers_cancel(&rt->execs[i]->timers);
    }
}

int cosched_runtime_stop(cosched_runtime *rt, int64_t deadline)
{
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    if (cos_fiber_current(NULL) != NULL) {
        return -EDEADLK;
    }
    /* seq_cst: pairs with cosched_runtime_post (refuse then roots here, roots then refuse there). */
    cos_atomic_store(&rt->refuse_posts, 1, seq_cst);
    bool on_main = cos_mainloop_adopt_thread(rt);
    wait_for_roots(rt, deadline, on_main);
    uint32_t left = cos_atomic_load(&rt->roots, seq_cst);
    if (left != 0) {
        if (deadline != COSCHED_NOW) {
            cos_survivors_report(false);
        }
        cancel_all(rt);
        wait_for_roots(rt, cos_clock_add(cos_clock_now(), cos_survivors_grace()), on_main);
        if (cos_atomic_load(&rt->roots, acquire) != 0) {
            cos_survivors_report(true);
            wait_for_roots(rt, INT64_MAX, on_main);
        }
    }
    return (int)left;
}

int64_t cosched_run(const cosched_config *config, cosched_fn fn, void *arg)
{
    cosched_runtime *rt;
    int rc = cosched_runtime_create(&rt, config, NULL);
    if (rc < 0) {
        return rc;
    }
    struct outside body = {.done = 0};
    cos_mainloop_adopt_thread(rt);
    rc = start_outside(&body, rt, COSCHED_MAIN, fn, arg);
    while (rc == 0 && cos_atomic_load(&body.done, acquire) == 0) {
        cos_mainloop_turn(rt, true, INT64_MAX);
    }
    cosched_runtime_stop(rt, COSCHED_NOW);
    int destroyed = cosched_runtime_destroy(rt);
    COS_ASSERT(destroyed == 0);
    return rc < 0 ? rc : cos_atomic_load(&body.result, relaxed);
}
