/* dispatch_task.c - the task that owns the jobs group: it starts what may start, and the tasks beside it. See dispatch_internal.h. */
#include <errno.h>

#include "dispatch_internal.h"
#include "log.h"

static void spawn_attempt(struct dispatch *d, cosched_group *group, struct running *r)
{
    const cosched_attr attr = {.struct_size = sizeof attr, .name = "job", .affinity = COSCHED_MAIN};
    int rc = cosched_group_spawn(group, dispatch_run_task, r, &attr);
    if (rc == 0) {
        return;
    }
    /* Out of tasks: what is committed as running must run, so it runs here and now; nothing else starts meanwhile. */
    log_error("no task for a job: it runs alone", LOG_INT("id", r->id), LOG_ERR(rc));
    dispatch_run_task(r);
    (void)d;
}

static void start_claimed(struct dispatch *d, cosched_group *group)
{
    while (d->claimed) {
        struct running *r = d->claimed;
        d->claimed = r->next_claimed;
        if (!d->claimed) {
            d->claimed_tail = &d->claimed;
        }
        spawn_attempt(d, group, r);
    }
}

static bool start_one(struct dispatch *d, cosched_group *group, struct queue *queue)
{
    struct row *row = row_heap_first(&queue->line);
    struct running *r = dispatch_running_new(d, (uint16_t)(queue - d->queues));
    if (!r) {
        return false;
    }
    r->id = row->id;
    r->attempt = row->attempt + 1;
    r->uid = row->uid;
    r->deadline_us = row->deadline_us;
    r->ready_us = row->order;
    row_heap_remove(&queue->line, row);
    row->flags |= ROW_STARTING;
    spawn_attempt(d, group, r);
    return true;
}

/* What may start now, queues by their weights. Answers when a rate lets the next one go. */
static int64_t start_lines(struct dispatch *d, cosched_group *group)
{
    int64_t wake_ns = COSCHED_NEVER, now_ns = cosched_now();
    struct queue *queue;
    while ((queue = dispatch_queue_next(d, now_ns, &wake_ns)) != NULL) {
        if (!start_one(d, group, queue)) {
            break;
        }
    }
    return wake_ns;
}

static void start_movers(struct dispatch *d, cosched_group *group)
{
    const cosched_attr attr = {.struct_size = sizeof attr, .name = "mover", .affinity = COSCHED_MAIN};
    while (d->movers < DISPATCH_MOVERS_MAX && d->movers < d->move_count) {
        if (cosched_group_spawn(group, dispatch_mover_task, d, &attr) < 0) {
            return;
        }
        d->movers++;
    }
}

int64_t dispatch_task(void *arg)
{
    struct dispatch *d = arg;
    cosched_group group;
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "dispatch", .affinity = COSCHED_MAIN};
    int rc = cosched_group_init(&group, &collect);
    if (rc < 0) {
        return rc;
    }
    rc = cosched_group_spawn(&group, dispatch_time_task, d, &attr);
    if (rc == 0) {
        rc = cosched_group_spawn(&group, dispatch_tend_task, d, &attr);
    }
    if (rc == 0) {
        rc = cosched_group_spawn(&group, dispatch_expire_task, d, &attr);
    }
    while (rc == 0 && !(d->stopping && d->running_count == 0)) {
        start_claimed(d, &group);
        bool hold = d->store_again_ns > cosched_now();
        int64_t wake_ns = hold ? d->store_again_ns : COSCHED_NEVER;
        if (!d->draining && !hold) {
            wake_ns = start_lines(d, &group);
        }
        start_movers(d, &group);
        rc = bell_wait(&d->kick, wake_ns);
        rc = rc == -ETIMEDOUT ? 0 : rc;
    }
    cosched_group_cancel(&group);
    cosched_group_join(&group, COSCHED_NEVER);
    return rc;
}

void dispatch_stop(struct dispatch *d)
{
    d->stopping = true;
    bell_ring(&d->kick);
}
