/* Groups: children that live no longer than a block of their parent's code.
 *
 * `pending` counts the children and, until join, the parent. Whoever brings it to 0 is the last: if that is a child, the
 * parent waits, or will, for `done`, and setting it is the child's last access. */
#include <cosched/cosched.h>

#include <errno.h>
#include <string.h>

#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/scopes.h"
#include "sched/spawn.h"

struct group {
    struct cos_group link; /* first: what children know of it */
    struct cos_scope scope;
    struct cos_task *owner;          /* borrowed: the task that called init */
    cosched_policy policy;           /* const */
    COS_ATOMIC(uint32_t) pending;    /* acq_rel: what children did happens before join returns */
    COS_ATOMIC(uint32_t) failed;     /* published by pending */
    COS_ATOMIC(int64_t) first_error; /* published by pending */
    cosched_event done;
};

COS_STATIC_ASSERT(sizeof(struct group) <= sizeof(cosched_group), "cosched_group is too small");

static struct group *group_of(cosched_group *g)
{
    return (struct group *)(void *)g;
}

static void child_done(struct cos_group *link, int64_t result)
{
    struct group *g = COS_CONTAINER_OF(link, struct group, link);
    if (result < 0) {
        cos_atomic_add(&g->failed, 1, relaxed);
        int64_t none = 0;
        bool first = cos_atomic_cas(&g->first_error, &none, result, relaxed, relaxed);
        if (first && g->policy == COSCHED_FAIL_FAST) {
            cos_scope_cancel(&g->scope, 0);
        }
    }
    if (cos_atomic_sub(&g->pending, 1, acq_rel) == 1) {
        cosched_event_set(&g->done);
    }
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
    if (a.policy != COSCHED_FAIL_FAST && a.policy != COSCHED_COLLECT) {
        return -EINVAL;
    }
    memset(g, 0, sizeof *g);
    g->link.child_done = child_done;
    g->owner = f->current;
    g->policy = a.policy;
    cos_atomic_store(&g->pending, 1, relaxed);
    cos_scope_init(&g->scope, f->scope, 0);
    cos_scope_retain(f->scope);
    return 0;
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
    uint8_t inherit = f->affinity == COSCHED_BLOCKING ? COSCHED_WORKER : f->affinity;
    int rc = cos_task_make(&t, e, &g->scope, inherit, fn, arg, attr);
    if (rc < 0) {
        return rc;
    }
    t->group = &g->link;
    cos_atomic_add(&g->pending, 1, relaxed); /* relaxed: the parent holds one itself */
    rc = cos_task_start(e->rt, e, t);
    if (rc < 0) {
        cos_atomic_sub(&g->pending, 1, relaxed);
    } else {
        COS_COUNT(e, spawned);
    }
    return rc;
}

void cosched_group_cancel(cosched_group *public)
{
    cos_scope_cancel(&group_of(public)->scope, 0);
}

/* Until no child is left; cancels them when the waiting fails, and reports why. */
static int wait_for_children(struct group *g, int64_t deadline)
{
    int rc = cosched_event_wait(&g->done, deadline);
    if (rc < 0) {
        cos_scope_cancel(&g->scope, 0);
        cosched_event_wait_always(&g->done);
    }
    return rc;
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
    cos_scope_release(cos_exec_current(), cos_scope_unlink(&g->scope));
    int64_t failed = cos_atomic_load(&g->failed, relaxed);
    int64_t first = cos_atomic_load(&g->first_error, relaxed);
    g->owner = NULL; /* a second join is found */
    if (rc < 0) {
        return rc;
    }
    return g->policy == COSCHED_FAIL_FAST ? first : failed;
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
