/* cosched_scope_begin and _end. A scope is a control block (kind COS_TASK_SCOPE), so that tasks spawned inside may outlive
 * the block of code: they go on under whatever encloses it. On the owner task, but for retain and release. */
#include "sched/scopes.h"

#include <errno.h>

#include "sched/current.h"
#include "sched/runtime.h"

struct open_scope {         /* what lies in a cosched_scope */
    struct cos_task *block; /* counted: one reference is this */
    struct cos_scope *outer;
    bool armed; /* it has a deadline */
};

COS_STATIC_ASSERT(sizeof(struct open_scope) <= sizeof(cosched_scope), "cosched_scope is too small");

static struct cos_task *block_of(struct cos_scope *s)
{
    return COS_CONTAINER_OF(s, struct cos_task, scope);
}

void cos_scope_release_block(struct cos_exec *e, struct cos_scope *s)
{
    while (s != NULL && (cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_NODE) != 0) {
        struct cos_task *block = block_of(s);
        /* acq_rel: whoever drops the last one sees all that the others did inside. */
        if (cos_atomic_sub(&block->refs, 1, acq_rel) != 1) {
            return;
        }
        struct cos_scope *above = cos_scope_unlink(s);
        cos_task_free(e != NULL ? &e->tasks : NULL, block);
        s = above;
    }
}

int cosched_scope_begin(cosched_scope *scope, int64_t deadline, unsigned flags)
{
    struct open_scope *o = (struct open_scope *)(void *)scope;
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL) {
        return -EPERM;
    }
    bool shield = (flags & COSCHED_SHIELD) != 0;
    if ((flags & ~(unsigned)COSCHED_SHIELD) != 0 || (shield && deadline == COSCHED_NEVER)) {
        return -EINVAL;
    }
    struct cos_task *block = cos_task_alloc(&e->tasks);
    if (block == NULL) {
        return -ENOMEM;
    }
    block->kind = COS_TASK_SCOPE;
    cos_atomic_store(&block->refs, 1, relaxed);
    block->timer = (struct cos_timer){.armed = false};
    block->timer_exec = e->id;
    cos_scope_init(&block->scope, f->scope, COS_SCOPE_NODE | (shield ? COS_SCOPE_SHIELD : 0U));
    cos_scope_retain(f->scope);
    *o = (struct open_scope){.block = block, .outer = f->scope};
    cos_scope_link(&block->scope);
    f->scope = f->anchor = &block->scope;
    cos_fiber_rules(f);
    if (deadline != COSCHED_NEVER) {
        o->armed = true;
        cos_timers_arm(&e->timers, block, deadline);
        cos_worker_watch(e, deadline);
        if (deadline <= cosched_now()) {
            cos_scope_cancel(&block->scope, COS_SCOPE_EXPIRED);
        }
    }
    return 0;
}

/* True: its own deadline had passed. */
static bool end_block(struct cos_exec *e, struct cos_task *block, bool armed)
{
    if (armed) {
        cos_timers_disarm(&e->rt->execs[block->timer_exec]->timers, block);
    }
    bool expired = (cos_atomic_load(&block->scope.flags, acquire) & COS_SCOPE_EXPIRED) != 0;
    if ((cos_atomic_load(&block->scope.flags, relaxed) & COS_SCOPE_SHIELD) != 0) {
        cos_scope_lift_shield(&block->scope); /* whoever lives on in it is not protected for ever */
    }
    return expired;
}

void cos_scopes_end_all(struct cos_fiber *f, struct cos_scope *to)
{
    while (f->scope != to) {
        struct cos_exec *e = cos_exec_current();
        struct cos_scope *s = f->scope;
        struct cos_scope *outer = cos_atomic_load(&s->parent, relaxed); /* of a block: const */
        (void)end_block(e, block_of(s), true);
        f->scope = f->anchor = outer; /* linked, as what is above a block is */
        cos_scope_release(e, s);
    }
    cos_fiber_rules(f);
}

bool cosched_scope_end(cosched_scope *scope)
{
    struct open_scope *o = (struct open_scope *)(void *)scope;
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    COS_ASSERT(f != NULL && f->scope == &o->block->scope &&
               "scopes end in reverse order, on the task that began them");
    bool expired = end_block(e, o->block, o->armed);
    f->scope = f->anchor = o->outer; /* linked, as what is above a block is */
    cos_fiber_rules(f);
    cos_scope_release(e, &o->block->scope);
    *o = (struct open_scope){0};
    return expired;
}
