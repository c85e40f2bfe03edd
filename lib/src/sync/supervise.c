/* Children of a supervised group: each has a task that runs it again after a failure, while the group permits (repeat.h). What it
 * needs for that is kept in a record of its own, which goes with the task, also if that never ran. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/spawn.h"
#include "sync/group.h"
#include "sync/repeat.h"

struct member {
    struct cos_group link; /* first: told by cos_task_complete */
    struct group *group;   /* borrowed: outlives its children */
    struct cos_repeat run;
};

struct cos_supervise *cos_supervise_create(uint32_t max, int64_t window_ns, int64_t backoff_ns)
{
    size_t ring = window_ns > 0 ? max : 0;
    struct cos_supervise *s = cos_alloc(sizeof *s + ring * sizeof s->when[0]);
    if (s != NULL) {
        s->max = max;
        s->window_ns = window_ns;
        s->backoff_ns = backoff_ns;
    }
    return s;
}

bool cos_supervise_permit(struct cos_supervise *s, int64_t now)
{
    if (s->max == 0) {
        return true;
    }
    if (s->window_ns == 0) {
        return s->count < s->max && ++s->count > 0;
    }
    int64_t *oldest = &s->when[s->count % s->max];
    if (s->count >= s->max && now - *oldest < s->window_ns) {
        return false;
    }
    *oldest = now;
    s->count++;
    return true;
}

static bool permitted(struct group *g)
{
    cos_lock_acquire(&g->lock);
    bool yes = cos_supervise_permit(g->supervise, cos_clock_now());
    cos_lock_release(&g->lock);
    return yes;
}

static int64_t supervised(void *arg)
{
    struct member *m = arg;
    int64_t backoff_ns = m->group->supervise->backoff_ns;
    for (;;) {
        int64_t result = 0;
        int rc = cos_repeat_run(&m->run, &result);
        result = rc < 0 ? rc : result; /* no room to run it: a failure like any other */
        if (result >= 0 || cosched_cancelled() || !permitted(m->group)) {
            return result;
        }
        if (backoff_ns > 0) {
            cosched_sleep_until(cosched_in_ns(backoff_ns));
        } else {
            cosched_yield(); /* a child that fails at once must not keep the others from running */
        }
        if (cosched_cancelled()) {
            return result;
        }
    }
}

static void member_done(struct cos_group *link, int64_t result)
{
    struct member *m = COS_CONTAINER_OF(link, struct member, link);
    struct group *g = m->group;
    cos_free(m);
    cos_group_child_ended(g, result);
}

int cos_supervise_make(struct cos_task **out, struct group *g, struct cos_exec *e, uint8_t inherit,
                       cosched_fn fn, void *arg, const cosched_attr *attr)
{
    struct member *m = cos_alloc(sizeof *m);
    if (m == NULL) {
        return -ENOMEM;
    }
    m->link.child_done = member_done;
    m->group = g;
    int rc = cos_repeat_init(&m->run, fn, arg, attr);
    if (rc == 0) {
        cosched_attr host = cos_repeat_host(&m->run);
        rc = cos_task_make(out, e, &g->scope, inherit, supervised, m, &host);
    }
    if (rc < 0) {
        cos_free(m);
        return rc;
    }
    (*out)->group = &m->link;
    return 0;
}
