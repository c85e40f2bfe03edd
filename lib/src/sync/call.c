/* cosched_call, _hop, _yield, _tail, _sleep_until and what a task may ask about itself. */
#include <cosched/cosched.h>

#include <errno.h>

#include "sched/hop.h"
#include "sched/park.h"
#include "sched/runtime.h"

static int call_here(struct cos_fiber *f, int64_t *result, cosched_fn fn, void *arg)
{
    int error = 0;
    int64_t value = cos_fiber_call(f, fn, arg, &error);
    if (error == 0 && result != NULL) {
        *result = value;
    }
    return error;
}

/* The same for a tree that is bound to this executor, from here down. */
static int call_bound(struct cos_fiber *f, int64_t *result, cosched_fn fn, void *arg)
{
    f->traits |= COSCHED_ONE_EXECUTOR;
    cos_fiber_rules(f);
    int rc = call_here(f, result, fn, arg);
    f->traits &= (uint16_t)~COSCHED_ONE_EXECUTOR;
    cos_fiber_rules(f);
    return rc;
}

typedef int call_fn(struct cos_fiber *f, int64_t *result, cosched_fn fn, void *arg);

/* The caller hops: the same fiber goes, runs fn there and comes back. */
static int call_there(struct cos_fiber *f, int64_t *result, cosched_affinity where, cosched_fn fn,
                      void *arg, int64_t deadline, call_fn *call)
{
    cosched_affinity home = (cosched_affinity)f->affinity;
    int rc = cos_hop_until(where, deadline);
    if (rc < 0) {
        return rc;
    }
    rc = call(f, result, fn, arg);
    if (f->affinity != home) {
        cos_hop(home);
    }
    cos_hop_home(f);
    return rc;
}

static __attribute__((noinline)) int call_any(int64_t *result, cosched_affinity where,
                                              cosched_fn fn, void *arg, int64_t deadline)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    if (where == COSCHED_INHERIT || f->affinity == where) {
        return call_here(f, result, fn, arg);
    }
    if (where != COSCHED_MAIN && where != COSCHED_WORKER) {
        return -EINVAL;
    }
    if ((f->traits & COSCHED_ONE_EXECUTOR) != 0) {
        return call_here(f, result, fn, arg);
    }
    if (f->pinned) {
        return -EPERM;
    }
    return call_there(f, result, where, fn, arg, deadline, call_here);
}

/* What stays here and has room on this stack is little more than a call. */
__attribute__((no_stack_protector)) int cosched_call(int64_t *result, cosched_affinity where,
                                                     cosched_fn fn, void *arg, int64_t deadline)
{
    const struct cos_exec *e = cos_exec_here();
    struct cos_fiber *f = COS_LIKELY(e != NULL) ? e->running : NULL;
    if (COS_UNLIKELY(f == NULL) || (where != COSCHED_INHERIT && f->affinity != where) ||
        COS_UNLIKELY(!cos_fiber_has_room(f))) {
        return call_any(result, where, fn, arg, deadline);
    }
    struct cos_frame frame = {f->frames, fn, NULL};
    f->frames = &frame;
    int64_t value = fn(arg);
    if (COS_UNLIKELY(f->tail_fn != NULL)) {
        value = cos_fiber_tails(f);
    }
    f->frames = frame.outer;
    if (result != NULL) {
        *result = value;
    }
    return 0;
}

int cosched_call_all(int64_t *result, cosched_affinity where, cosched_fn fn, void *arg,
                     int64_t deadline)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    if ((unsigned)where > COSCHED_WORKER) {
        return -EINVAL;
    }
    if ((f->traits & COSCHED_ONE_EXECUTOR) != 0) {
        return call_here(f, result, fn, arg);
    }
    if (f->affinity == COSCHED_BLOCKING) {
        return -EPERM;
    }
    bool here = where == COSCHED_INHERIT || f->affinity == where;
    if (!here && f->pinned) {
        return -EPERM;
    }
    return here ? call_bound(f, result, fn, arg)
                : call_there(f, result, where, fn, arg, deadline, call_bound);
}

cosched_affinity cosched_hop(cosched_affinity to)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return COSCHED_INHERIT;
    }
    cosched_affinity was = (cosched_affinity)f->affinity;
    bool stays = f->pinned || (f->traits & COSCHED_ONE_EXECUTOR) != 0;
    if (!stays && was != to && (to == COSCHED_MAIN || to == COSCHED_WORKER)) {
        cos_hop(to);
    }
    return was;
}

int64_t cosched_tail(cosched_fn fn, void *arg)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return fn(arg);
    }
    COS_ASSERT(f->tail_fn == NULL && "return what cosched_tail returned at once");
    f->tail_fn = fn;
    f->tail_arg = arg;
    return 0;
}

static void commit_yield(struct cos_exec *e, struct cos_fiber *left)
{
    cos_resubmit(e, left->base);
}

void cosched_yield(void)
{
    struct cos_exec *e;
    if (cos_fiber_current(&e) != NULL) {
        COS_COUNT(e, yields);
        cos_leave(e, commit_yield);
    }
}

int cosched_sleep_until(int64_t deadline)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    cos_park_begin();
    return cos_park(deadline, COS_PARK_FOR(COSCHED_FOR_TIME)) == COS_TIMED_OUT ? 0 : -ECANCELED;
}

bool cosched_cancelled(void)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    return f != NULL && cos_scope_canceled(f->scope, &f->base->scope);
}

cosched_task cosched_self(void)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    return f != NULL ? cos_task_handle(f->current) : (cosched_task){0, 0};
}

cosched_affinity cosched_where(void)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    return f != NULL ? (cosched_affinity)f->affinity : COSCHED_INHERIT;
}

size_t cosched_stack_left(void)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    const char *here = __builtin_frame_address(0);
    return f != NULL && here > f->stack_lo ? (size_t)(here - f->stack_lo) : 0;
}
