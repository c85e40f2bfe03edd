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

/* Its parent runs it, and it has ended, wherever that was: f stands in its parent again. No stranger can change its join word any
 * more but one who came before it began, because whoever comes now sees INLINE (cos_join_stranger). 0, or as
 * cos_task_end_wanted. */
static int end_inline(struct cos_fiber *f, struct cos_task *t, int64_t value)
{
    struct cos_exec *e = cos_exec_current();
    COS_COUNT_END(e);
    /* relaxed: since the light fence a stranger sees us, or we see STRANGERS. */
    uint32_t flags = cos_atomic_load(&t->scope.flags, relaxed);
    if ((flags & COS_SCOPE_LINKED) != 0) {
        f->anchor = f->scope; /* see fiber.h */
        cos_scope_release(e, cos_scope_unlink(&t->scope));
    } else { /* not linked, and nobody may detach it: no exchange is needed */
        cos_scope_release(e, cos_atomic_load(&t->scope.parent, relaxed));
    }
    uint64_t j = cos_atomic_load(&t->join, relaxed);
    uint32_t generation = cos_join_generation(j);
    if ((flags & COS_SCOPE_STRANGERS) != 0) {
        return cos_task_end_wanted(e, f->current, t, generation, value);
    }
    /* release: for a stranger's look at the generation. Not a locked operation. */
    cos_atomic_store(&t->join, cos_join(generation + 1, COS_JOIN_NONE), release);
    cos_kids_remove(f->current, t);
    cos_task_recycle(&e->tasks, t);
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

/* What is left of an await while the child runs inline: nothing stays in registers but what the guard keeps, so that the price of
 * saving them is paid once. */
struct inline_run {
    struct cos_body body;
    struct cos_fiber *fiber;
    cosched_task *task; /* borrowed, like result: its caller's */
    int64_t *result;
};

/* Between the claim of its queue entry and the body of an unstarted task: f stands in it from here on. */
static inline void begin_inline(struct cos_fiber *f, struct cos_task *t, bool fence_is_free)
{
    cos_atomic_store(&t->fiber, f, relaxed);
    /* release: t->fiber comes with it. The light fence has its partner, the heavy one, in cos_join_stranger. */
    cos_atomic_store(&t->joining, COS_JOINING_INLINE, release);
    if (fence_is_free) {
        cos_fence_light_free();
    } else {
        cos_fence_light();
    }
    uint32_t flags = cos_atomic_load(&t->scope.flags, relaxed);
    if (COS_UNLIKELY((flags & (COS_SCOPE_STRANGERS | COS_SCOPE_CANCELED)) != 0)) {
        /* relaxed: our own. It may have been a canceler that did not see us, or its parent, before this. */
        cos_atomic_store(&f->look_up, 1, relaxed);
    }
    f->current = t;
    f->scope = &t->scope;
}

/* After the body: f stands in the parent again, and where that was. */
static int go_on(struct cos_fiber *f, struct cos_task *t, struct cos_task *self,
                 struct cos_scope *scope, cosched_task *task, int64_t *result, int64_t value)
{
    f->current = self;
    f->scope = scope;
    cos_fiber_rules(f);
    if (COS_UNLIKELY(f->affinity != t->affinity)) {
        cos_hop(
            (cosched_affinity)t->affinity); /* it ended elsewhere; its parent stays where it was (I5) */
    }
    return answer(end_inline(f, t, value), task, result, value);
}

/* Runs an unstarted task, whose queue entry the running fiber has just claimed back, as a call on its stack. The handle is
 * consumed with it. 0, or as cos_task_end_wanted. */
static __attribute__((noinline)) int run_inline(struct cos_fiber *f, struct cos_task *t,
                                                cosched_task *task, int64_t *result)
{
    struct cos_task *self = f->current;
    struct cos_scope *scope = f->scope;
    uint16_t traits = f->traits;
    begin_inline(f, t, false);
    cos_fiber_rules(f);
    void *arg = cos_atomic_load(&t->arg, relaxed);
    char copy[COSCHED_ARG_MAX];
    if ((t->flags & COS_TASK_ARG_COPY) != 0) {
        arg = memcpy(copy, t->arg_copy, sizeof copy);
    }
    int error = 0;
    int64_t value =
        cos_task_skips(f, t) ? -ECANCELED : cos_fiber_run(f, t, t->fn, arg, false, &error);
    if (error < 0) {
        value = error;      /* a panic; or no stack for it, as for a task that never got one */
        f->traits = traits; /* a panic may have left a cosched_call_all */
    }
    value = cos_task_close(f, t, value);
    return go_on(f, t, self, scope, task, result, value);
}

/* The end of one that run_plain began, and that is not so plain any more: it has left something to do. */
static COS_COLD int end_with_care(struct inline_run *run, int64_t value)
{
    struct cos_fiber *f = run->fiber;
    struct cos_task *t = run->body.frame.task;
    int error = 0;
    if (f->tail_fn != NULL) {
        value = cos_body_run_tails(f, &run->body, &error);
    }
    if (error < 0) {
        value = error;
        f->traits = 0; /* as in run_inline */
    }
    cos_body_end(f, &run->body);
    value = cos_task_close(f, t, value);
    struct cos_scope *scope = cos_atomic_load(&t->scope.parent, relaxed); /* as in run_plain */
    return go_on(f, t, cos_task_of(scope), scope, run->task, run->result, value);
}

/* All is said: where its block goes is left. */
static COS_COLD int recycle_slowly(struct cos_task_cache *cache, struct cos_task *t)
{
    cos_task_recycle_slow(cache, t);
    return 0;
}

/* The same as run_inline for a child that is what f->child_what says, below the task's own scope, with room on the stack. After the
 * body nothing is called but at the end: then the compiler needs no registers that it had to save. */
static inline __attribute__((always_inline)) int run_plain(struct cos_fiber *f, struct cos_task *t,
                                                           cosched_task *task, int64_t *result)
{
    struct inline_run run;
    run.fiber = f;
    run.task = task;
    run.result = result;
    begin_inline(f, t, true);
    cosched_fn fn = t->fn;
    cos_body_begin(f, &run.body, t, fn);
    int64_t value = cos_arch_guard(cos_atomic_load(&t->arg, relaxed), fn, &run.body.sp);
    f = run.fiber;
    t = run.body.frame.task;
    /* relaxed: since the light fence a stranger sees us, or we see STRANGERS. Without one the join word is as it was. */
    uint32_t flags = cos_atomic_load(&t->scope.flags, relaxed);
    uint32_t left = flags & (COS_SCOPE_LINKED | COS_SCOPE_STRANGERS);
    left |= t->kids | (f->child_what ^ t->what);
    if (COS_UNLIKELY(left != 0) || COS_UNLIKELY(f->tail_fn != NULL) ||
        COS_UNLIKELY(f->keep != NULL)) {
        return end_with_care(&run, value);
    }
    cos_body_end(f, &run.body);
    COS_ASSERT(f->scope == &t->scope && "a scope or group was left open");
    struct cos_scope *scope = cos_atomic_load(&t->scope.parent, relaxed); /* nobody may detach it */
    f->scope = scope;
    f->current = cos_task_of(scope);
    struct cos_exec *e = cos_exec_here(); /* the body may have ended on another thread */
    COS_COUNT_END(e);
    const uint64_t life = cos_join(1, COS_JOIN_NONE);
    uint64_t join = cos_atomic_load(&t->join, relaxed) + life, after;
    /* release: for a stranger's look at the generation. Not a locked operation, and there is none since the spawn. */
    cos_atomic_store(&t->join, join, release);
    cos_kids_remove(cos_task_of(scope), t);
    if (run.result != NULL) {
        *run.result = value;
    }
    *run.task = (cosched_task){0, 0};
    cos_fence_light_free(); /* as in cos_task_recycle */
    if (COS_UNLIKELY(!cos_task_is_left(t)) ||
        COS_UNLIKELY(__builtin_add_overflow(join, life, &after)) || /* its last generation */
        COS_UNLIKELY(e->tasks.count >= cos_tasks_cache_max)) {
        return recycle_slowly(&e->tasks, t);
    }
    t->kind = COS_TASK_FREE; /* at rest: nothing else has changed */
    cos_atomic_store(&t->fiber, NULL, relaxed);
    cos_atomic_store(&t->joining, 0, relaxed);
    cos_task_cache_push(&e->tasks, t);
    return 0;
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
        return run_inline(f, t, task, result);
    }
    int64_t value = 0;
    int rc = await_parked(f, t, task->generation, &value, deadline);
    return answer(rc, task, result, value);
}

/* A child with the default attributes that stands where its spawn has put it, and nothing in the way: most awaits of a fork-join
 * tree. The rules are those of may_run_inline, for a task without flags: f->child_what says the rest of them. Its parent is
 * the running task: no other makes children below f->scope, which is its own, and who takes a living child out of its parent's hands
 * changes its scope or its join word. The join word comes first: while it says that it lives, no other task is in its block. */
static inline __attribute__((always_inline)) bool waits_here(const struct cos_fiber *f,
                                                             const struct cos_task *t,
                                                             uint32_t generation)
{
    return cos_atomic_load(&t->join, relaxed) == cos_join(generation, COS_JOIN_NONE) &&
           cos_atomic_load(&t->scope.parent, relaxed) == f->scope && t->what == f->child_what &&
           cos_task_fiber(t) == NULL;
}

/* The newest entry was claimed, and thieves are about. */
static __attribute__((noinline)) int await_contested(struct cos_exec *e, int64_t b,
                                                     cosched_task *task, int64_t *result)
{
    int64_t top = cos_atomic_load(&e->deque.top, relaxed); /* relaxed: the CAS decides */
    if (cos_deque_take_last_owner(&e->deque, b, top) == 0) {
        return await_any(task, result, COSCHED_NEVER);
    }
    return run_inline(e->running, cos_task_at(task->index), task, result);
}

/* The budget is spent, and this one was taken off it all the same. */
static COS_COLD int await_without_budget(struct cos_exec *e, cosched_task *task, int64_t *result)
{
    e->budget = 0;
    return await_any(task, result, COSCHED_NEVER);
}

/* Marked because a body may suspend in there, like everything that calls one: the stack protector would only cost. */
__attribute__((no_stack_protector)) int cosched_await(cosched_task *task, int64_t *result,
                                                      int64_t deadline)
{
    struct cos_exec *e = cos_exec_here();
    struct cos_fiber *f;
    if (COS_UNLIKELY(deadline != COSCHED_NEVER || e == NULL || (f = e->running) == NULL ||
                     !cos_deque_newest_was_owner(&e->deque, task->index))) {
        return await_any(task, result, deadline);
    }
    struct cos_task *t = cos_task_at(task->index); /* it was in our own deque: it lives, or did */
    if (COS_UNLIKELY(!cos_fiber_calm(f) || !waits_here(f, t, task->generation) ||
                     !cos_fiber_has_room(f))) {
        return await_any(task, result, COSCHED_NEVER);
    }
    if (COS_UNLIKELY((int32_t)--e->budget < 0)) {
        return await_without_budget(e, task, result);
    }
    int64_t b = cos_atomic_load(&e->deque.bottom, relaxed) - 1; /* relaxed: own store */
    if (COS_UNLIKELY(!cos_deque_claim_alone_free_owner(&e->deque, b))) {
        return await_contested(e, b, task, result);
    }
    return run_plain(f, t, task, result);
}
