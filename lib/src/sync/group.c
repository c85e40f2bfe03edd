/* Groups: children that live no longer than a block of their parent's code.
 *
 * `pending` counts the children and, until join, the parent. Whoever brings it to 0 is the last: if that is a child, the
 * parent waits, or will, for `done`, and setting it is the child's last access. A child that waits for its turn is a task that
 * was made and not submitted: it needs no memory then, and whoever ends before it starts it. */
#include "sync/group.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/event.h"
#include "sched/panic.h"
#include "sched/runtime.h"
#include "sched/scopes.h"
#include "sched/spawn.h"

COS_STATIC_ASSERT(sizeof(struct group) <= sizeof(cosched_group), "cosched_group is too small");

static struct group *group_of(cosched_group *g)
{
    return (struct group *)(void *)g;
}

/* --- the end of a child ---------------------------------------------------------------------------------- */

/* Counts a result and, if the policy is served by it, cancels the rest. relaxed throughout: published by pending. */
static void note(struct group *g, int64_t result)
{
    bool failed = result < 0;
    uint32_t before = cos_atomic_add(failed ? &g->failed : &g->good, 1, relaxed);
    bool decides = false;
    switch (g->policy) {
    case COSCHED_FAIL_FAST:
    case COSCHED_SUPERVISE: decides = failed; break;
    case COSCHED_COLLECT: break;
    case COSCHED_RACE: decides = true; break;
    case COSCHED_FIRST_N: decides = !failed && before + 1 == g->first_n; break;
    }
    uint32_t no = 0;
    if (decides && cos_atomic_cas(&g->decided, &no, 1, relaxed, relaxed)) {
        cos_atomic_store(&g->outcome, result, relaxed);
        cos_scope_cancel(&g->scope, 0);
    }
}

/* The place of a child that has ended: to the next in line, or free. */
static struct cos_task *next_in_line(struct group *g)
{
    struct cos_task *t = NULL;
    cos_lock_acquire(&g->lock);
    if (g->first == 0) {
        g->running--;
    } else {
        t = cos_task_at(g->first);
        g->first = cos_atomic_load(&t->link, relaxed); /* guarded by the lock */
    }
    cos_lock_release(&g->lock);
    return t;
}

void cos_group_child_ended(struct group *g, int64_t result)
{
    struct cos_exec *e = cos_exec_current();
    uint32_t ended = 1; /* we, and those after us that cannot be started */
    note(g, result);
    if (g->parallel_max > 0) {
        struct cos_task *t;
        int rc = -EAGAIN;
        while (rc < 0 && (t = next_in_line(g)) != NULL) {
            rc = cos_task_start(e->rt, e, t);
            if (rc < 0) {
                note(g, rc);
                ended++;
            }
        }
    }
    /* acq_rel: pairs with join. */
    if (cos_atomic_sub(&g->pending, ended, acq_rel) == ended) {
        cosched_event_set(&g->done);
    }
}

static void child_done(struct cos_group *link, int64_t result)
{
    cos_group_child_ended(COS_CONTAINER_OF(link, struct group, link), result);
}

/* --- its life --------------------------------------------------------------------------------------------- */

static bool valid(const cosched_group_attr *a)
{
    bool supervise = a->policy == COSCHED_SUPERVISE;
    return (unsigned)a->policy <= COSCHED_SUPERVISE &&
           (a->policy != COSCHED_FIRST_N || a->first_n > 0) && a->restart_window_ns >= 0 &&
           a->backoff_ns >= 0 &&
           (!supervise || a->restart_window_ns == 0 || a->restarts_max <= COSCHED_RESTARTS_MAX);
}

static void undo(struct cos_unwind *u)
{
    cosched_group *public = (cosched_group *)(void *)COS_CONTAINER_OF(u, struct group, unwind);
    cosched_group_cancel(public);
    (void)cosched_group_join(public, COSCHED_NEVER);
}

int cosched_group_init(cosched_group *public, const cosched_group_attr *attr)
{
    struct group *g = group_of(public);
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    cosched_group_attr a = {.struct_size = sizeof a};
    if (attr != NULL) {
        if (attr->struct_size == 0 || attr->struct_size > sizeof a) {
            return -EINVAL;
        }
        memcpy(&a, attr, attr->struct_size);
    }
    if (!valid(&a)) {
        return -EINVAL;
    }
    memset(g, 0, sizeof *g);
    if (a.policy == COSCHED_SUPERVISE) {
        g->supervise = cos_supervise_create(a.restarts_max, a.restart_window_ns, a.backoff_ns);
        if (g->supervise == NULL) {
            return -ENOMEM;
        }
    }
    g->link.child_done = child_done;
    g->owner = f->current;
    g->policy = a.policy;
    g->first_n = a.first_n;
    g->parallel_max = a.max_parallel;
    cos_atomic_store(&g->pending, 1, relaxed);
    cos_scope_init(&g->scope, f->scope, 0);
    cos_scope_retain(f->scope);
    cos_unwind_push(f, &g->unwind, undo);
    return 0;
}

static int make_child(struct cos_task **out, struct group *g, struct cos_exec *e,
                      const struct cos_fiber *f, cosched_fn fn, void *arg, const cosched_attr *attr)
{
    uint8_t inherit = f->affinity == COSCHED_BLOCKING ? COSCHED_WORKER : f->affinity;
    int rc = g->supervise != NULL ? cos_supervise_make(out, g, e, inherit, fn, arg, attr)
                                  : cos_task_make(out, e, &g->scope, inherit, fn, arg, attr);
    if (rc < 0) {
        return rc;
    }
    cos_task_bind(f, *out);
    /* Its end is the group's to hear of: who was given its handle can neither await it nor let it go. */
    cos_task_make_detached(*out);
    if (g->supervise == NULL) {
        (*out)->group = &g->link;
    }
    return 0;
}

/* True: there is a place for t now. False: it is in line, and whoever starts it may have done so already. */
static bool take_place(struct group *g, struct cos_task *t)
{
    if (g->parallel_max == 0) {
        return true;
    }
    cos_lock_acquire(&g->lock);
    bool free = g->running < g->parallel_max;
    if (free) {
        g->running++;
    } else {
        cos_atomic_store(&t->link, 0, relaxed); /* guarded by the lock */
        if (g->first == 0) {
            g->first = t->index;
        } else {
            cos_atomic_store(&cos_task_at(g->last)->link, t->index, relaxed);
        }
        g->last = t->index;
    }
    cos_lock_release(&g->lock);
    return free;
}

int cosched_group_spawn(cosched_group *public, cosched_fn fn, void *arg, const cosched_attr *attr)
{
    struct group *g = group_of(public);
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL || f->current != g->owner) {
        return -EPERM;
    }
    if (cos_scope_canceled(&g->scope, &f->base->scope)) {
        return -ECANCELED;
    }
    struct cos_task *t;
    int rc = make_child(&t, g, e, f, fn, arg, attr);
    if (rc < 0) {
        return rc;
    }
    cos_atomic_add(&g->pending, 1, relaxed); /* relaxed: the parent holds one itself */
    if (take_place(g, t)) {
        rc = cos_task_start(e->rt, e, t);
        if (rc < 0) {
            if (g->parallel_max > 0) {
                /* only we put any there, when no place was free */
                struct cos_task *none = next_in_line(g);
                COS_ASSERT(none == NULL);
            }
            cos_atomic_sub(&g->pending, 1, relaxed);
            return rc;
        }
    }
    COS_COUNT(e, spawned);
    return 0;
}

void cosched_group_cancel(cosched_group *public)
{
    cos_scope_cancel(&group_of(public)->scope, 0);
}

/* Until no child is left; cancels them when the waiting fails, and reports why. */
static int wait_for_children(struct group *g, int64_t deadline)
{
    unsigned why = COS_PARK_FOR(COSCHED_FOR_GROUP);
    int rc = cos_event_wait(&g->done, (uintptr_t)g, deadline, why);
    if (rc < 0) {
        cos_scope_cancel(&g->scope, 0);
        cos_event_wait_always(&g->done, (uintptr_t)g, why);
    }
    return rc;
}

static int64_t outcome(struct group *g)
{
    uint32_t good = cos_atomic_load(&g->good, relaxed);
    switch (g->policy) {
    case COSCHED_FAIL_FAST:
    case COSCHED_RACE:
    case COSCHED_SUPERVISE: return cos_atomic_load(&g->outcome, relaxed);
    case COSCHED_COLLECT: return cos_atomic_load(&g->failed, relaxed);
    case COSCHED_FIRST_N: return good < g->first_n ? good : g->first_n;
    }
    COS_UNREACHABLE();
}

int64_t cosched_group_join(cosched_group *public, int64_t deadline)
{
    struct group *g = group_of(public);
    struct cos_fiber *f = cos_fiber_current(NULL);
    COS_ASSERT(f != NULL && f->current == g->owner && "a group is joined by the task that opened it");
    int rc = 0;
    if (cos_atomic_sub(&g->pending, 1, acq_rel) != 1) {
        rc = wait_for_children(g, deadline);
    }
    cos_unwind_remove(f, &g->unwind);
    cos_scope_release(cos_exec_current(), cos_scope_unlink(&g->scope));
    cos_free(g->supervise);
    g->supervise = NULL;
    g->owner = NULL; /* a second join is found */
    return rc < 0 ? rc : outcome(g);
}

int64_t cosched_group_run(const cosched_group_attr *attr, int64_t (*body)(cosched_group *, void *),
                          void *arg)
{
    cosched_group g;
    int rc = cosched_group_init(&g, attr);
    if (rc < 0) {
        return rc;
    }
    int64_t result = body(&g, arg);
    if (result < 0) {
        cosched_group_cancel(&g);
    }
    int64_t joined = cosched_group_join(&g, COSCHED_NEVER);
    return result < 0 ? result : joined;
}
