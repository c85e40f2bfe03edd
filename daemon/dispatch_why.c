/* dispatch_why.c - what a job that has not ended waits for, and its place in line. Looks and changes nothing.
 */
#include "dispatch_internal.h"

#define LOOKS 65536U /* rows compared before others get their turn */

static void add(struct dispatch_why *out, enum dispatch_wait wait)
{
    out->waits |= 1U << (unsigned)wait;
}

/* Why the first of a line does not start; the others wait for those before them too. */
static void look_at_queue(const struct dispatch *d, const struct queue *q, struct dispatch_why *out)
{
    int64_t when_ns = pace_rate_when(&q->rate), now_ns = cosched_now();
    if (q->paused) {
        add(out, DISPATCH_WAIT_PAUSED);
    }
    if (!q->known || q->running >= q->parallel) {
        add(out, DISPATCH_WAIT_QUEUE_LIMIT);
    }
    if (when_ns > now_ns) {
        add(out, DISPATCH_WAIT_RATE);
        out->rate_us = dispatch_wall_us() + (when_ns - now_ns) / 1000;
    }
    if (d->draining) {
        add(out, DISPATCH_WAIT_DRAIN);
    }
}

/* How many stand before it. The line may be a million long and changes while others have their turn: the answer is what it
 * was at some moment of the look for each. */
static int64_t place_in_line(const struct dispatch *d, const struct row *row)
{
    const struct row self = *row; /* the row may go meanwhile */
    const struct row_heap *line = &d->queues[row->queue].line;
    int64_t before = 0;
    for (uint32_t i = 0; i < line->count; i++) {
        if (i % LOOKS == LOOKS - 1) {
            cosched_yield();
        }
        if (i < line->count) {
            before += line->before(line->rows[i], &self);
        }
    }
    return before + 1;
}

int dispatch_why(struct dispatch *d, int64_t id, struct dispatch_why *out)
{
    const struct row *row = dispatch_find(d, id);
    *out = (struct dispatch_why){.state = JOB_GONE};
    if (!row) {
        return STORE_NOT_FOUND;
    }
    const struct queue *q = &d->queues[row->queue];
    *out = (struct dispatch_why){.state = (enum job_state)row->state,
                                 .attempt = row->attempt,
                                 .until_us = row->run_at_us,
                                 .queue = {.depth = q->line.count,
                                           .running = q->running,
                                           .parallel = q->parallel,
                                           .rate = q->rate_per_s,
                                           .weight = q->weight,
                                           .paused = q->paused}};
    switch (out->state) {
    case JOB_BLOCKED:
        add(out, DISPATCH_WAIT_DEPENDENCY);
        if (row->run_at_us > dispatch_wall_us()) {
            add(out, DISPATCH_WAIT_TIME);
        }
        return STORE_OK;
    case JOB_DELAYED:
        if (row->run_at_us > dispatch_wall_us()) {
            add(out, row->attempt ? DISPATCH_WAIT_BACKOFF : DISPATCH_WAIT_TIME);
            return STORE_OK;
        }
        break; /* due: in line already, and on disk in a moment */
    case JOB_QUEUED: break;
    case JOB_RUNNING: {
        const struct running *r = dispatch_running_find(d, id);
        out->pid = r ? r->pid : 0;
        out->since_us = r ? r->started_us : 0;
        out->cancel = (row->flags & ROW_CANCEL) != 0;
        return STORE_OK;
    }
    case JOB_NEW:
    case JOB_SUCCEEDED:
    case JOB_FAILED:
    case JOB_TIMED_OUT:
    case JOB_CANCELED:
    case JOB_SKIPPED:
    case JOB_GONE: return STORE_OK;
    }
    if (row->flags & ROW_STARTING) {
        return STORE_OK; /* its start is being committed */
    }
    look_at_queue(d, q, out);
    out->position = place_in_line(d, row);
    return STORE_OK;
}
