/* Running a body and ending a task. On executors. */
#include "sched/finish.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "sched/armed.h"
#include "sched/branch.h"
#include "sched/current.h"
#include "sched/failure.h"
#include "sched/hop.h"
#include "sched/join.h"
#include "sched/keep.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/scopes.h"
#include "sched/spawn.h"

/* --- the children that a task has open ----------------------------------------------------------------- */

/* Any thread. The parent may have ended meanwhile and its block serve another task or scope: the bit harms neither. */
void cos_kids_hint(struct cos_task *parent)
{
    cos_atomic_or(&parent->scope.flags, COS_SCOPE_ZOMBIES, relaxed);
}

/* Frees kids that strangers consumed: a pass over all of them, some at a time. It goes on where it was, or begins anew if that one is no
 * kid of this parent any more. What is consumed meanwhile, behind it, is a hint to the next pass. */
void cos_kids_sweep(struct cos_task *parent)
{
    const uint32_t place = UINT32_MAX << COS_SCOPE_SWEPT_SHIFT;
    uint32_t at = cos_atomic_load(&parent->scope.flags, relaxed) >> COS_SCOPE_SWEPT_SHIFT;
    bool anew = at == 0 || cos_atomic_load(&cos_task_at(at)->parent, relaxed) != parent->index;
    cos_atomic_and(&parent->scope.flags, anew ? ~(place | COS_SCOPE_ZOMBIES) : ~place, relaxed);
    at = anew ? parent->kids : at;
    for (unsigned i = 0; i < 8 && at != 0; i++) {
        struct cos_task *kid = cos_task_at(at);
        at = kid->kid_older;
        /* acquire: pairs with the acq_rel of whoever made it a zombie. */
        if (cos_join_who(cos_atomic_load(&kid->join, acquire)) == COS_JOIN_ZOMBIE) {
            cos_kids_remove(parent, kid);
            cos_task_recycle(&cos_exec_current()->tasks, kid);
        }
    }
    cos_atomic_or(&parent->scope.flags, at << COS_SCOPE_SWEPT_SHIFT, relaxed);
}

/* Another task waits for this kid, or consumes it right now: let it go first. Rare (a handle was passed on), and
 * the kid is cancelled already. */
static void wait_for_stranger(void)
{
    cos_park_begin();
    cos_park(cos_clock_add(cos_clock_now(), COS_NS_PER_MS),
             COS_PARK_NO_CANCEL | COS_PARK_FOR(COSCHED_FOR_CHILDREN));
}

/* Unlists one kid, when it has ended or belongs to nobody. */
static void close_kid(struct cos_fiber *f, struct cos_task *self, struct cos_task *kid)
{
    for (;;) {
        uint64_t j = cos_atomic_load(&kid->join, acquire); /* pairs with cos_task_complete */
        uint32_t generation = cos_join_generation(j);
        switch (cos_join_who(j)) {
        case COS_JOIN_ZOMBIE:
            cos_kids_remove(self, kid);
            cos_task_recycle(&cos_exec_current()->tasks, kid);
            return;
        case COS_JOIN_DETACHED: cos_kids_remove(self, kid); return;
        case COS_JOIN_DETACHED_LISTED:
            /* Unlisted first: once it is DETACHED its block may go at any moment. */
            cos_kids_remove(self, kid);
            cos_scope_release(cos_exec_current(),
                              cos_scope_move(&kid->scope, &self->scope, &cos_runtime()->root));
            if (cos_atomic_cas(&kid->join, &j, cos_join(generation, COS_JOIN_DETACHED), acq_rel,
                               acquire)) {
                return;
            }
            cos_task_recycle(&cos_exec_current()->tasks, kid); /* it ended in between: ZOMBIE */
            return;
        case COS_JOIN_NONE:
        case COS_JOIN_DONE:
            if (cos_join_wait(f, kid, generation, COSCHED_NEVER, COS_PARK_ALWAYS) == 0 &&
                cos_join_consume(cos_exec_current(), self, kid, generation) == 0) {
                return;
            }
            break; /* a stranger came in between: look again */
        default: wait_for_stranger(); break;
        }
    }
}

static bool gone(const struct cos_task *kid)
{
    uint32_t who = cos_join_who(cos_atomic_load(&kid->join, relaxed));
    return who == COS_JOIN_DETACHED || who == COS_JOIN_DETACHED_LISTED || who == COS_JOIN_ZOMBIE;
}

void cos_kids_close(struct cos_fiber *f, struct cos_task *self)
{
    for (uint32_t at = self->kids; at != 0; at = cos_task_at(at)->kid_older) {
        struct cos_task *kid = cos_task_at(at);
        if (!gone(kid)) { /* a stranger's detach may still come between: then it is cancelled as well */
            cos_scope_cancel(&kid->scope, 0);
        }
    }
    while (self->kids != 0) {
        close_kid(f, self, cos_task_at(self->kids));
    }
}

/* --- the life of a task on a fiber -------------------------------------------------------------------- */

static void publish_end(struct cos_exec *e, struct cos_task *t, int64_t result);

static int64_t run_body(struct cos_fiber *f, struct cos_task *t, void *arg)
{
    int error;
    int64_t result = cos_fiber_run(f, t, t->fn, arg, false, &error);
    return error < 0 ? error : result;
}

static int64_t run_with_timeout(struct cos_fiber *f, struct cos_task *t, void *arg,
                                int64_t timeout_ns)
{
    cosched_scope scope;
    int rc = cosched_scope_begin(&scope, cos_clock_add(cos_clock_now(), timeout_ns), 0);
    if (rc < 0) {
        return rc;
    }
    int64_t result = run_body(f, t, arg);
    if (f->scope != &t->scope) { /* a panic has ended it */
        cosched_scope_end(&scope);
    }
    return result;
}

/* The thread's floating-point environment waits in the executor meanwhile; the body may end on another thread. */
static int64_t run_with_settings(struct cos_fiber *f, struct cos_task *t, void *arg,
                                 int64_t timeout_ns)
{
    f->own_fpenv = (t->flags & COSCHED_FPENV) != 0;
    cos_fiber_rules(f);
    if (f->own_fpenv) {
        cos_arch_fpenv_save(&cos_exec_current()->fpenv);
    }
    int64_t result = timeout_ns > 0 ? run_with_timeout(f, t, arg, timeout_ns) : run_body(f, t, arg);
    if (f->own_fpenv) {
        f->own_fpenv = false;
        cos_fiber_rules(f);
        cos_arch_fpenv_restore(&cos_exec_current()->fpenv);
    }
    return result;
}

void cos_task_run(struct cos_exec *e, struct cos_fiber *f, struct cos_task *t)
{
    cos_atomic_store(&t->fiber, f, relaxed);
    f->current = t;
    f->scope = &t->scope;
    f->anchor = &cos_scope_unknown;
    cos_atomic_store(&f->look_up, 0, relaxed);
    f->pinned = (t->flags & COSCHED_PINNED) != 0;
    f->traits = (uint16_t)((t->flags & COS_FIBER_OF_BASE) | e->rt->traits);
    cos_fiber_rules(f);
    void *arg = cos_atomic_load(&t->arg, relaxed);
    int64_t timeout_ns = 0;
    bool off = false;
    if ((t->flags & (COS_TASK_ARG_COPY | COS_TASK_TIMEOUT | COS_TASK_ARMED)) != 0) {
        if ((t->flags & COS_TASK_ARMED) != 0) {
            off = !cos_task_unarm(t);
        }
        if ((t->flags & COS_TASK_ARG_COPY) != 0) {
            arg = memcpy(f->arg, t->arg_copy, sizeof f->arg);
        }
        if ((t->flags & COS_TASK_TIMEOUT) != 0) {
            timeout_ns = (int64_t)cos_atomic_load(&t->joining,
                                                  relaxed); /* before the start: the spawner's */
            cos_atomic_store(&t->joining, 0, relaxed);
        }
    }
    t->timer = (struct cos_timer){.armed = false};
    int64_t result;
    if (off || cos_task_skips(f, t)) {
        result = -ECANCELED;
    } else if ((t->flags & (COS_TASK_TIMEOUT | COSCHED_FPENV)) != 0) {
        result = run_with_settings(f, t, arg, timeout_ns);
    } else {
        result = run_body(f, t, arg);
    }
    result = cos_task_close(f, t, result);
    e = cos_exec_current();
    COS_ASSERT(e != NULL && "a forked child ends by exec or _exit");
    cos_task_complete(e, t, result);
}

int cos_task_end_wanted(struct cos_exec *e, struct cos_task *self, struct cos_task *t,
                        uint32_t generation, int64_t value)
{
    uint64_t j = cos_join(generation, COS_JOIN_NONE);
    /* acq_rel: as in cos_join_consume. */
    if (cos_atomic_cas(&t->join, &j, cos_join(generation + 1, COS_JOIN_NONE), acq_rel, relaxed)) {
        cos_kids_remove(self, t);
        cos_task_recycle(&e->tasks, t);
        return 0;
    }
    bool detached = cos_join_who(j) == COS_JOIN_DETACHED_LISTED;
    cos_atomic_store(&t->result, value, relaxed);
    publish_end(e, t, value);
    return detached ? -ESTALE : -EBUSY;
}

/* The last change of the join word. t belongs to somebody else, or to nobody, afterwards. */
static void publish_end(struct cos_exec *e, struct cos_task *t, int64_t result)
{
    cosched_task handle = cos_task_handle(t);
    uint64_t j = cos_atomic_load(&t->join, relaxed);
    for (;;) {
        uint32_t who = cos_join_who(j);
        bool listed = who == COS_JOIN_DETACHED_LISTED;
        if (COS_UNLIKELY(result < 0) && (who == COS_JOIN_DETACHED || listed)) {
            cos_failure_of_root(e, t, result);
            result = 0; /* once */
        }
        if (who == COS_JOIN_DETACHED) { /* nobody else moves it from here */
            cos_task_free(&e->tasks, t);
            cos_roots_remove(e->rt);
            return;
        }
        uint64_t end = listed ? cos_join(handle.generation + 1, COS_JOIN_ZOMBIE)
                              : cos_join(handle.generation, COS_JOIN_DONE);
        if (listed) {
            cos_kids_hint(cos_task_at(cos_atomic_load(&t->parent, relaxed)));
        }
        /* release: pairs with the acquire in cos_join_wait; publishes the result. acquire: pairs with the waiter's
         * CAS there; its joining and wait word are visible. */
        if (cos_atomic_cas(&t->join, &j, end, acq_rel, relaxed)) {
            if (listed) {
                cos_roots_remove(e->rt);
            } else if (who != COS_JOIN_NONE) {
                cos_join_wake(e, who, handle);
            }
            return;
        }
    }
}

void cos_task_complete(struct cos_exec *e, struct cos_task *t, int64_t result)
{
    COS_COUNT_END(e);
    cos_atomic_store(&t->result, result, relaxed); /* published by the join word */
    cos_scope_release(e, cos_scope_unlink(&t->scope));
    struct cos_group *group = t->group;
    if (group == NULL) {
        publish_end(e, t, result);
        return;
    }
    bool forked = (t->flags & COS_TASK_FORKED) != 0;
    bool panicked = (cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_PANICKED) != 0;
    cos_task_free(&e->tasks, t);
    if (forked) {
        cos_branch_end(e, (struct cos_branch *)(void *)group, result, panicked);
    } else {
        group->child_done(group, result);
    }
}
