/* cosched_await: waiting for a child and taking its result. */
#include <cosched/cosched.h>

#include <errno.h>
#include <string.h>

#include "arch/fence.h"
#include "sched/finish.h"
#include "sched/hop.h"
#include "sched/join.h"
#include "sched/keep.h"
#include "sched/park.h"
#include "sched/scopes.h"

/* The newest entry of our own queue is t: it is ours now, if t has not started. Otherwise it was the right to resume t, which
 * somebody here has just woken, and goes back. */
static bool claim(struct cos_exec *e, struct cos_task *t)
{
    if (!cos_deque_take_bottom_if_owner(&e->deque, t->index)) {
        return COS_UNLIKELY(e->held != 0) && cos_exec_take_held(e, t);
    }
    if (COS_LIKELY(cos_task_fiber(t) == NULL)) {
        return true;
    }
    cos_submit(e, t);
    return false;
}

/* The rules of DESIGN D6, on what is constant from spawn; the last of them is the claim itself. Only its parent may look at the
 * rest: under a stranger's eyes the block may become another task. */
static bool may_run_inline(const struct cos_fiber *f, const struct cos_task *t, uint32_t generation)
{
    return cos_atomic_load(&t->parent, relaxed) == f->current->index &&
           cos_atomic_load(&t->join, relaxed) == cos_join(generation, COS_JOIN_NONE) &&
           t->affinity == f->affinity && ((t->flags ^ f->traits) & COS_FIBER_AGREES) == 0 &&
           t->stack_kib == 0 && cos_atomic_load(&t->scope.parent, relaxed) == f->scope &&
           !f->pinned && !f->own_fpenv;
}

/* alone: no stranger had asked for the handle when it began, and none can change the join word since (cos_join_stranger). */
static inline int end_inline(struct cos_task *self, struct cos_task *t, uint32_t generation,
                             int64_t value, bool alone)
{
    struct cos_exec *e = cos_exec_current(); /* the body may have ended on another thread */
    COS_COUNT_END(e);
    if (COS_UNLIKELY((cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_LINKED) != 0)) {
        cos_scope_release(e, cos_scope_unlink(&t->scope));
    } else { /* not linked, and nobody may detach it: no exchange is needed */
        cos_scope_release(e, cos_atomic_load(&t->scope.parent, relaxed));
    }
    if (COS_UNLIKELY(!alone)) {
        return cos_task_end_wanted(e, self, t, generation, value);
    }
    /* release: for a stranger's look at the generation. Not a locked operation: the claim of a last entry is the only one
     * from a spawn to the end of its await. */
    cos_atomic_store(&t->join, cos_join(generation + 1, COS_JOIN_NONE), release);
    cos_kids_remove(self, t);
    cos_task_recycle(&e->tasks, t);
    return 0;
}

/* Runs an unstarted task, whose queue entry the running fiber has just claimed back, as a call on its stack. The handle is
 * consumed with it. 0, or as cos_task_end_wanted. */
static inline int run_inline(struct cos_fiber *f, struct cos_task *t, uint32_t generation,
                             int64_t *result)
{
    struct cos_task *self = f->current;
    struct cos_scope *scope = f->scope, *anchor = f->anchor;
    uint32_t unlinked = f->unlinked;
    uint16_t traits = f->traits;
    cosched_affinity home = (cosched_affinity)f->affinity;
    cos_atomic_store(&t->fiber, f, relaxed);
    /* release: t->fiber comes with it. The light fence has its partner, the heavy one, in cos_join_stranger. */
    cos_atomic_store(&t->joining, COS_JOINING_INLINE, release);
    cos_fence_light();
    bool alone = (cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_STRANGERS) == 0;
    if (COS_UNLIKELY(!alone)) {
        cos_atomic_store(&f->look_up, 1,
                         relaxed); /* it may have been a canceler that did not see us */
    }
    f->current = t;
    f->scope = &t->scope;
    f->unlinked = unlinked + 1;
    if ((cos_atomic_load(&scope->flags, relaxed) & COS_SCOPE_LINKED) != 0) {
        f->anchor = scope;
        f->unlinked = 1;
    }
    void *arg = cos_atomic_load(&t->arg, relaxed);
    char copy[COSCHED_ARG_MAX];
    if (COS_UNLIKELY((t->flags & COS_TASK_ARG_COPY) != 0)) {
        arg = memcpy(copy, t->arg_copy, sizeof copy);
    }
    int error = 0;
    int64_t value = COS_UNLIKELY(cos_task_skips(f, t))
                        ? -ECANCELED
                        : cos_fiber_run(f, t, t->fn, arg, false, &error);
    if (COS_UNLIKELY(error < 0)) {
        value = error; /* a panic; or no stack for it, as for a task that never got one */
    }
    value = cos_task_close(f, t, value);
    f->current = self;
    f->scope = scope;
    f->anchor = anchor;
    f->unlinked = unlinked;
    f->traits = traits; /* a panic may have left a cosched_call_all */
    if (COS_UNLIKELY(f->affinity != home)) {
        cos_hop(home); /* the child ended elsewhere; its parent stays where it was (I5) */
    }
    *result = value;
    return end_inline(self, t, generation, value, alone);
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

/* The budget is spent: others of this executor come first. */
static COS_COLD int await_in_turn(struct cos_exec *e, cosched_task *task, int64_t *result)
{
    e->budget = 0;
    cos_exec_turn(e);
    return cosched_await(task, result, COSCHED_NEVER); /* once: there is a budget now */
}

int cosched_await(cosched_task *task, int64_t *result, int64_t deadline)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    struct cos_task *t = cos_task_lookup(*task);
    if (COS_UNLIKELY(f == NULL || t == NULL)) {
        return f == NULL ? -EPERM : -ESTALE;
    }
    if (COS_UNLIKELY(cos_fiber_canceled(f))) {
        return -ECANCELED;
    }
    int64_t value = 0;
    int rc;
    bool here = deadline == COSCHED_NEVER && may_run_inline(f, t, task->generation);
    if (here && COS_UNLIKELY(e->budget-- == 0)) {
        return await_in_turn(e, task, result);
    }
    if (here && claim(e, t)) {
        rc = run_inline(f, t, task->generation, &value);
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
