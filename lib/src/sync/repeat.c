/* Running one body again and again, for tokens and supervised children. Inside tasks only. */
#include "sync/repeat.h"

#include <errno.h>
#include <string.h>

#include "sched/join.h"
#include "sched/park.h"
#include "sched/spawn.h"

int cos_repeat_init(struct cos_repeat *r, cosched_fn fn, const void *arg, const cosched_attr *attr)
{
    cosched_attr copy;
    const cosched_attr *a = cos_attr_read(&copy, attr);
    if (a == NULL || fn == NULL) {
        return -EINVAL;
    }
    r->attr = *a;
    r->fn = fn;
    r->arg = (void *)(uintptr_t)arg;
    if (a->arg_size > 0) {
        memcpy(r->copy, arg, a->arg_size);
        r->arg = r->copy;
    }
    return 0;
}

cosched_attr cos_repeat_host(const struct cos_repeat *r)
{
    return (cosched_attr){
        .struct_size = sizeof(cosched_attr),
        .name = r->attr.name,
        .affinity = r->attr.affinity == COSCHED_BLOCKING ? COSCHED_WORKER : r->attr.affinity,
        .flags = COSCHED_NO_HELP, /* one function for bodies of every cost */
        .priority = r->attr.priority,
    };
}

/* The waiter is cancelled, and its child with it: what that makes of it still counts. */
static int join_always(cosched_task *kid, int64_t *result)
{
    struct cos_fiber *f = cos_fiber_self(NULL);
    struct cos_task *t = cos_task_lookup(*kid);
    int rc = cos_join_wait(f, t, kid->generation, COSCHED_NEVER, COS_PARK_ALWAYS);
    if (rc < 0) {
        return rc;
    }
    *result = cos_atomic_load(&t->result, relaxed); /* published by the join word */
    return cos_join_consume(cos_exec_current(), f->current, t, kid->generation);
}

int cos_repeat_run(struct cos_repeat *r, int64_t *result)
{
    cosched_task kid;
    int rc = cosched_spawn(&kid, r->fn, r->arg, &r->attr);
    if (rc < 0) {
        return rc;
    }
    rc = cosched_await(&kid, result, COSCHED_NEVER);
    if (rc == -ECANCELED) {
        rc = join_always(&kid, result);
    }
    if (rc < 0) { /* it gave its own handle away: whoever uses that has the result, and we an error */
        *result = rc;
    }
    return 0;
}
