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

/* It is not linked, is plain, and no stranger asks for it: then none can change its join word any more, because whoever comes
 * now sees INLINE (cos_join_stranger), and its end is a store. */
static inline __attribute__((always_inline)) int end_inline(struct cos_task *self,
                                                            struct cos_task *t, uint32_t generation,
                                                            int64_t value)
{
    struct cos_exec *e = cos_exec_here(); /* the body may have ended on another thread */
    COS_COUNT_END(e);
    /* relaxed: since the light fence a stranger sees us, or we see STRANGERS. */
    uint32_t flags = cos_atomic_load(&t->scope.flags, relaxed);
    if (COS_UNLIKELY((flags & COS_SCOPE_LINKED) != 0)) {
        cos_scope_release(e, cos_scope_unlink(&t->scope));
    } else { /* not linked, and nobody may detach it: no exchange is needed */
        cos_scope_release(e, cos_atomic_load(&t->scope.parent, relaxed));
    }
    if (COS_UNLIKELY((flags & COS_SCOPE_STRANGERS) != 0)) {
        return cos_task_end_wanted(e, self, t, generation, value);
    }
    uint64_t join = cos_join(generation + 1, COS_JOIN_NONE);
    /* release: for a stranger's look at the generation. Not a locked operation, and there is none since the spawn. */
    cos_atomic_store(&t->join, join, release);
    cos_kids_remove(self, t);
    cos_task_recycle_as(&e->tasks, t, join);
    return 0;
}

/* What an awaiter gets. */
static inline int answer(int rc, cosched_task *task, int64_t *result, int64_t value)
{
    if (COS_LIKELY(rc == 0)) {
        if (result != NULL) {
            *result = value;
        }
        *task = (cosched_task){0, 0};
    }
    return rc;
}

/* Runs an unstarted task, whose queue entry the running fiber has just claimed back, as a call on its stack. The handle is
 * consumed with it. 0, or as cos_task_end_wanted. plain: it has no flags, and f no traits. */
static inline __attribute__((always_inline)) int run_inline(struct cos_fiber *f, struct cos_task *t,
                                                            cosched_task *task, int64_t *result,
                                                            bool plain)
{
    uint32_t generation = task->generation;
    struct cos_task *self = f->current;
    struct cos_scope *scope = f->scope, *anchor = f->anchor;
    uint32_t unlinked = f->unlinked;
    uint16_t traits = plain ? 0 : f->traits;
    cos_atomic_store(&t->fiber, f, relaxed);
    /* release: t->fiber comes with it. The light fence has its partner, the heavy one, in cos_join_stranger. */
    cos_atomic_store(&t->joining, COS_JOINING_INLINE, release);
    cos_fence_light();
    if (COS_UNLIKELY((cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_STRANGERS) != 0)) {
        /* relaxed: our own. It may have been a canceler that did not see us. */
        cos_atomic_store(&f->look_up, 1, relaxed);
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
    if (!plain && (t->flags & COS_TASK_ARG_COPY) != 0) {
        arg = memcpy(copy, t->arg_copy, sizeof copy);
    }
    int error = 0;
    int64_t value = !plain && cos_task_skips(f, t) ? -ECANCELED
                                                   : cos_fiber_run(f, t, t->fn, arg, false, &error);
    if (COS_UNLIKELY(error < 0)) {
        value = error;      /* a panic; or no stack for it, as for a task that never got one */
        f->traits = traits; /* a panic may have left a cosched_call_all */
    }
    value = cos_task_close(f, t, value);
    f->current = self;
    f->scope = scope;
    f->anchor = anchor;
    f->unlinked = unlinked;
    if (COS_UNLIKELY(f->affinity != t->affinity)) {
        cos_hop(
            (cosched_affinity)t->affinity); /* it ended elsewhere; its parent stays where it was (I5) */
    }
    return answer(end_inline(self, t, generation, value), task, result, value);
}

/* Marked because a body may suspend in there, like everything that calls one: the stack protector would only cost. */
static __attribute__((noinline, no_stack_protector)) int run_plain(struct cos_fiber *f,
                                                                   struct cos_task *t,
                                                                   cosched_task *task,
                                                                   int64_t *result)
{
    return run_inline(f, t, task, result, true);
}

static __attribute__((noinline)) int run_with_flags(struct cos_fiber *f, struct cos_task *t,
                                                    cosched_task *task, int64_t *result)
{
    return run_inline(f, t, task, result, false);
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

static int await_any(cosched_task *task, int64_t *result, int64_t deadline);

/* The budget is spent: others of this executor come first. */
static COS_COLD int await_in_turn(struct cos_exec *e, cosched_task *task, int64_t *result)
{
    e->budget = 0;
    cos_exec_turn(e);
    return await_any(task, result, COSCHED_NEVER); /* once: there is a budget now */
}

static __attribute__((noinline)) int await_any(cosched_task *task, int64_t *result, int64_t deadline)
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
    bool here = deadline == COSCHED_NEVER && may_run_inline(f, t, task->generation);
    if (here && COS_UNLIKELY(e->budget-- == 0)) {
        return await_in_turn(e, task, result);
    }
    if (here && claim(e, t)) {
        return run_with_flags(f, t, task, result);
    }
    int64_t value = 0;
    int rc = await_parked(f, t, task->generation, &value, deadline);
    return answer(rc, task, result, value);
}

/* A child with the default attributes that stands where its spawn has put it, and nothing in the way: most awaits of a fork-join
 * tree. The rules are those of may_run_inline, for a task without flags. */
static inline __attribute__((always_inline)) bool waits_here(const struct cos_exec *e,
                                                             const struct cos_fiber *f,
                                                             const struct cos_task *t,
                                                             uint32_t generation)
{
    return cos_atomic_load(&t->parent, relaxed) == f->current->index &&
           cos_atomic_load(&t->join, relaxed) == cos_join(generation, COS_JOIN_NONE) &&
           cos_atomic_load(&t->scope.parent, relaxed) == f->scope && t->affinity == f->affinity &&
           (t->flags | f->traits | t->stack_kib | f->pinned | f->own_fpenv) == 0 &&
           cos_task_fiber(t) == NULL && e->budget > 0;
}

/* The newest entry was claimed, and thieves are about. */
static __attribute__((noinline)) int await_contested(struct cos_exec *e, int64_t b,
                                                     cosched_task *task, int64_t *result)
{
    int64_t top = cos_atomic_load(&e->deque.top, relaxed); /* relaxed: the CAS decides */
    if (cos_deque_take_last_owner(&e->deque, b, top) == 0) {
        return await_any(task, result, COSCHED_NEVER);
    }
    return run_with_flags(e->running, cos_task_at(task->index), task, result);
}

int cosched_await(cosched_task *task, int64_t *result, int64_t deadline)
{
    struct cos_exec *e = cos_exec_here();
    struct cos_fiber *f;
    if (COS_UNLIKELY(deadline != COSCHED_NEVER || e == NULL || (f = e->running) == NULL ||
                     !cos_deque_newest_is_owner(&e->deque, task->index))) {
        return await_any(task, result, deadline);
    }
    struct cos_task *t =
        cos_task_at(task->index); /* in our own deque: one that lives, or did just now */
    if (COS_UNLIKELY(!cos_fiber_calm(f) || !waits_here(e, f, t, task->generation))) {
        return await_any(task, result, COSCHED_NEVER);
    }
    e->budget--;
    int64_t b = cos_atomic_load(&e->deque.bottom, relaxed) - 1; /* relaxed: own store */
    if (COS_UNLIKELY(!cos_deque_claim_alone_owner(&e->deque, b))) {
        return await_contested(e, b, task, result);
    }
    return run_plain(f, t, task, result);
}
