/* cosched_await: waiting for a child and taking its result. */
#include <cosched/cosched.h>

#include <errno.h>

#include "sched/finish.h"
#include "sched/join.h"
#include "sched/park.h"

/* The newest entry of our own queue is t: it is ours now, if t has not started. Otherwise it was the right to resume t, which
 * somebody here has just woken, and goes back. */
static bool claim(struct cos_exec *e, struct cos_task *t)
{
    if (!cos_deque_take_bottom_if_owner(&e->deque, t->index)) {
        return false;
    }
    if (COS_LIKELY(t->fiber == NULL)) {
        return true;
    }
    cos_submit(e, t);
    return false;
}

/* The rules of DESIGN D6, on what is constant from spawn; the last of them is the claim itself. */
static bool may_run_inline(const struct cos_fiber *f, const struct cos_task *t, uint32_t generation)
{
    return cos_atomic_load(&t->join, relaxed) == cos_join(generation, COS_JOIN_NONE) &&
           t->affinity == f->affinity && (t->flags & (COSCHED_PINNED | COS_TASK_TIMEOUT)) == 0 &&
           t->stack_kib == 0 && cos_atomic_load(&t->scope.parent, relaxed) == f->scope && !f->pinned;
}

static int await_parked(struct cos_fiber *f, struct cos_task *t, uint32_t generation,
                        int64_t *value, int64_t deadline)
{
    if (cos_join_of_itself(f, t)) {
        return cos_task_handle(t).generation == generation ? -EDEADLK : -ESTALE;
    }
    int rc = cos_join_wait(f, t, generation, deadline, 0);
    if (rc < 0) {
        return rc;
    }
    *value = cos_atomic_load(&t->result, relaxed); /* published by the join word */
    /* it may have resumed on another thread */
    return cos_join_consume(cos_exec_current(), f->current, t,
                            generation); /* -ESTALE: another task used a copy of the handle */
}

int cosched_await(cosched_task *task, int64_t *result, int64_t deadline)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    struct cos_task *t = cos_task_lookup(*task);
    if (COS_UNLIKELY(f == NULL || t == NULL)) {
        return f == NULL ? -EPERM : -ESTALE;
    }
    if (COS_UNLIKELY(cos_scope_canceled(f->scope, &f->base->scope))) {
        return -ECANCELED;
    }
    int64_t value = 0;
    int rc;
    if (deadline == COSCHED_NEVER && may_run_inline(f, t, task->generation) && claim(e, t)) {
        rc = cos_task_run_inline(f, t, task->generation, &value);
    } else {
        rc = await_parked(f, t, task->generation, &value, deadline);
    }
    if (rc < 0) {
        return rc;
    }
    if (result != NULL) {
        *result = value;
    }
    *task = (cosched_task){0, 0};
    return 0;
}
