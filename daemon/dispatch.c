/* dispatch.c - memory follows the store: rows, lines and counts.
 *
 * Late news. Every change is a commit first, and the tasks that asked for two commits on the same job may wake in the
 * other order. So each commit carries an event number (seq), a row remembers the last one applied, and older news is
 * dropped. A job that ended has no row to remember it: its row stays as a tombstone until every call that was in the
 * store when it ended has come back (epochs, as in epoch-based reclamation: a call enters the present epoch; a tombstone
 * goes when its epoch and the ones before it are empty).
 *
 * Not taken: one sequencer that applies all events strictly in order. A single number lost on an error path would stop
 * everything; here it costs nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatch_internal.h"
#include "log.h"
#include "probe.h"

int64_t dispatch_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* For jitter only: xorshift64*. */
uint32_t dispatch_random(struct dispatch *d)
{
    d->random ^= d->random >> 12;
    d->random ^= d->random << 25;
    d->random ^= d->random >> 27;
    return (uint32_t)((d->random * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

/* --- epochs ------------------------------------------------------------------------------------------- */

unsigned dispatch_enter(struct dispatch *d)
{
    d->in_flight[d->epoch % 3]++;
    return d->epoch;
}

static void bury(struct dispatch *d, struct tombs *tombs)
{
    uint8_t epoch = (uint8_t)(tombs - d->tombs);
    for (size_t i = 0; i < tombs->count; i++) {
        struct row *row = rows_find(&d->rows, tombs->ids[i]);
        if (row && (row->flags & ROW_TOMBSTONE) && row->epoch == epoch) {
            rows_remove(&d->rows, row);
        }
    }
    tombs->count = 0;
    if (tombs->room > 4096) {
        free(tombs->ids);
        *tombs = (struct tombs){NULL, 0, 0};
    }
}

void dispatch_leave(struct dispatch *d, unsigned epoch)
{
    d->in_flight[epoch % 3]--;
    /* At most two turns: the epoch before, then the one this call may have been the last of. */
    for (int turn = 0; turn < 2; turn++) {
        unsigned before = (d->epoch + 2) % 3;
        if (d->in_flight[before] != 0) {
            return;
        }
        bury(d, &d->tombs[before]);
        if (d->tombs[d->epoch % 3].count == 0) {
            return;
        }
        d->epoch++;
    }
}

static void make_tombstone(struct dispatch *d, struct row *row)
{
    struct tombs *tombs = &d->tombs[d->epoch % 3];
    if (tombs->count == tombs->room) {
        size_t room = tombs->room ? tombs->room * 2 : 64;
        int64_t *grown = realloc(tombs->ids, room * sizeof *grown);
        if (!grown) {
            /* Out of memory: forgetting at once is nearly always right, and never loses a job. */
            rows_remove(&d->rows, row);
            return;
        }
        tombs->ids = grown;
        tombs->room = room;
    }
    tombs->ids[tombs->count++] = row->id;
    row->flags = ROW_TOMBSTONE;
    row->epoch = (uint8_t)(d->epoch % 3);
}

/* --- order, and users --------------------------------------------------------------------------------- */

static bool first_due(const struct row *a, const struct row *b)
{
    return a->run_at_us != b->run_at_us ? a->run_at_us < b->run_at_us : a->id < b->id;
}

static bool first_over(const struct row *a, const struct row *b)
{
    return a->deadline_us != b->deadline_us ? a->deadline_us < b->deadline_us : a->id < b->id;
}

struct user *dispatch_user(struct dispatch *d, uint32_t uid)
{
    static struct user nobody; /* out of memory: limits per user are then not kept */
    for (size_t i = 0; i < d->user_count; i++) {
        if (d->users[i].uid == uid) {
            return &d->users[i];
        }
    }
    struct user *grown = realloc(d->users, (d->user_count + 1) * sizeof *grown);
    if (!grown) {
        return &nobody;
    }
    d->users = grown;
    d->users[d->user_count] = (struct user){.uid = uid};
    return &d->users[d->user_count++];
}

/* --- applying news ------------------------------------------------------------------------------------- */

void dispatch_line_push(struct dispatch *d, struct row *row)
{
    /* A heap that cannot grow leaves the row out of line; the job is on disk and runs after a restart. */
    if (row_heap_push(&d->queues[row->queue].line, row) < 0) {
        log_error("out of memory: a job waits for a restart", LOG_INT("id", row->id));
    }
    if (!d->loading) {
        bell_ring(&d->kick);
    }
}

void dispatch_deadline_push(struct dispatch *d, struct row *row)
{
    if (row->deadline_us == 0 || row->at[ROW_IN_DEADLINES] != ROW_NOWHERE) {
        return;
    }
    if (row_heap_push(&d->deadlines, row) < 0) {
        log_error("out of memory: a deadline is not kept", LOG_INT("id", row->id));
    }
    if (row_heap_first(&d->deadlines) == row) {
        dispatch_time_arm(d);
    }
}

static void count_state(struct dispatch *d, struct row *row, enum job_state state)
{
    bool was_open = row->state != JOB_NEW && !job_final(row->state);
    bool is_open = !job_final(state);
    if (was_open) {
        d->by_state[row->state]--;
    }
    if (is_open) {
        d->by_state[state]++;
    }
    if (was_open != is_open) {
        uint64_t *jobs = &dispatch_user(d, row->uid)->jobs;
        *jobs = is_open ? *jobs + 1 : *jobs - (*jobs > 0);
    }
    row->state = (uint8_t)state;
}

static void count_in_queue(struct dispatch *d, const struct row *row, int by)
{
    if (row->state != JOB_NEW && !job_final((enum job_state)row->state)) {
        d->queues[row->queue].jobs += (uint32_t)by;
    }
}

/* Answers the row's place in line, 0 when it had none: what was due and is committed as queued keeps it. */
static int64_t leave_heaps(struct dispatch *d, struct row *row)
{
    int64_t order = 0;
    if (row->at[ROW_IN_LINE] != ROW_NOWHERE) {
        struct row_heap *line = &d->queues[row->queue].line;
        bool in_line = row->at[ROW_IN_LINE] < line->count && line->rows[row->at[ROW_IN_LINE]] == row;
        order = in_line ? row->order : 0;
        row_heap_remove(in_line ? line : &d->delayed, row);
    }
    row_heap_remove(&d->deadlines, row);
    return order;
}

int64_t dispatch_next_order(struct dispatch *d)
{
    int64_t now_us = d->loading ? 0 : cosched_now() / 1000;
    d->last_order = now_us > d->last_order ? now_us : d->last_order + 1;
    return d->last_order;
}

static void enter_heaps(struct dispatch *d, struct row *row, int64_t kept_order, bool line)
{
    int rc = 0;
    if (row->state == JOB_QUEUED && line) {
        row->order = kept_order ? kept_order : dispatch_next_order(d);
        dispatch_line_push(d, row);
    } else if (row->state == JOB_DELAYED) {
        rc = row_heap_push(&d->delayed, row);
    }
    if (rc < 0) {
        log_error("out of memory: a job waits for a restart", LOG_INT("id", row->id));
    }
    if (row->state != JOB_RUNNING) {
        dispatch_deadline_push(d, row);
    }
    if (row_heap_first(&d->delayed) == row) {
        dispatch_time_arm(d); /* it is the next one due */
    }
}

static struct row *row_for_news(struct dispatch *d, const struct job_row *news, int64_t seq)
{
    struct row *row = rows_find(&d->rows, news->id);
    if (row) {
        return row->seq >= seq && seq != 0 ? NULL : row;
    }
    row = rows_add(&d->rows, news->id);
    if (!row) {
        log_error("out of memory: a job waits for a restart", LOG_INT("id", news->id));
        return NULL;
    }
    row->uid = news->uid;
    return row;
}

void dispatch_apply(struct dispatch *d, const struct job_row *news, int64_t seq, unsigned flags)
{
    struct row *row = row_for_news(d, news, seq);
    if (!row) {
        return;
    }
    int64_t kept_order = leave_heaps(d, row);
    enum job_state state = (enum job_state)news->state;
    /* Due and started side by side: the start is on its way and finds the job queued, so it stays out of line. */
    bool starting = (row->flags & ROW_STARTING) && state == JOB_QUEUED;
    const struct queue *queue = dispatch_queue(d, news->queue, true);
    row->seq = seq;
    count_in_queue(d, row, -1);
    row->queue = (uint16_t)(queue ? queue - d->queues : 0);
    row->priority = news->priority;
    row->attempt = news->attempt;
    row->run_at_us = news->run_at_us;
    row->deadline_us = news->deadline_us;
    row->flags = (uint8_t)(flags | (news->cancel_requested ? ROW_CANCEL : 0U) |
                           (starting ? ROW_STARTING : 0U));
    count_state(d, row, state);
    count_in_queue(d, row, 1);
    watch_publish(d->config.watch, WATCH_JOBS, WATCH_NEWS, state);
    PROBE_JOB_STATE(news->id, state, news->attempt);
    if (job_final(state)) {
        make_tombstone(d, row);
        metrics_ended(d->config.metrics, state);
        watch_publish(d->config.watch, news->id, WATCH_ENDED, state);
        bell_ring(&d->expire);
        return;
    }
    enter_heaps(d, row, kept_order, !starting);
    if (state == JOB_RUNNING) {
        watch_publish(d->config.watch, news->id, WATCH_STARTED, state);
    }
}

void dispatch_apply_effects(struct dispatch *d, struct store_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct row *known = rows_find(&d->rows, effects->moved[i].row.id);
        unsigned wall = known ? known->flags & (ROW_RUN_AT_WALL | ROW_DEADLINE_WALL) : 0U;
        dispatch_apply(d, &effects->moved[i].row, effects->moved[i].seq, wall);
    }
    store_effects_fini(effects);
}

const struct row *dispatch_find(const struct dispatch *d, int64_t id)
{
    const struct row *row = rows_find(&d->rows, id);
    return row && !(row->flags & ROW_TOMBSTONE) ? row : NULL;
}

/* --- life ---------------------------------------------------------------------------------------------- */

int dispatch_create(struct dispatch **out, const struct dispatch_config *config)
{
    *out = NULL;
    struct dispatch *d = calloc(1, sizeof *d);
    if (!d) {
        return -ENOMEM;
    }
    d->config = *config;
    d->timer_fd = -1;
    d->claimed_tail = &d->claimed;
    d->random = (uint64_t)dispatch_wall_us() | 1;
    rows_init(&d->rows);
    row_heap_init(&d->delayed, ROW_IN_LINE, first_due);
    row_heap_init(&d->deadlines, ROW_IN_DEADLINES, first_over);
    d->queues = calloc(DISPATCH_QUEUES_MAX, sizeof *d->queues);
    int rc = d->queues ? bell_init(&d->kick) : -ENOMEM;
    if (rc == 0) {
        rc = bell_init(&d->tend);
    }
    if (rc == 0) {
        rc = bell_init(&d->expire);
    }
    if (rc == 0) {
        rc = dispatch_time_open(d);
    }
    if (rc == 0) {
        rc = dispatch_reload(d);
    }
    if (rc < 0) {
        dispatch_destroy(d);
        return rc;
    }
    *out = d;
    return 0;
}

void dispatch_destroy(struct dispatch *d)
{
    if (!d) {
        return;
    }
    dispatch_time_close(d);
    for (size_t i = 0; i < d->queue_count; i++) {
        row_heap_fini(&d->queues[i].line);
        free(d->queues[i].name);
    }
    free(d->queues);
    row_heap_fini(&d->delayed);
    row_heap_fini(&d->deadlines);
    for (int i = 0; i < 3; i++) {
        free(d->tombs[i].ids);
    }
    free(d->moves);
    free(d->users);
    rows_fini(&d->rows);
    bell_fini(&d->kick);
    bell_fini(&d->tend);
    bell_fini(&d->expire);
    free(d);
}

/* On the store's thread, while MAIN waits for store_load: nobody else touches `d` meanwhile. */
static int load_one(void *ctx, const struct job_row *row)
{
    struct dispatch *d = ctx;
    /* The disk does not say which times followed the wall clock: after a restart all do (CONTRACT §2). */
    dispatch_apply(d, row, 0, ROW_RUN_AT_WALL | ROW_DEADLINE_WALL);
    return rows_find(&d->rows, row->id) ? 0 : -ENOMEM;
}

int dispatch_load(struct dispatch *d)
{
    int rc = dispatch_queues_load(d);
    if (rc != STORE_OK) {
        return rc;
    }
    /* A million rows: nobody waits for a bell yet, and one look at the clock is enough for their order. */
    (void)dispatch_next_order(d);
    d->loading = true;
    rc = store_load(d->config.store, load_one, d);
    d->loading = false;
    bell_ring(&d->kick);
    for (size_t i = 0; i < d->queue_count; i++) {
        if (!d->queues[i].known && d->queues[i].jobs > 0) {
            log_warning("there is no such queue: its jobs wait",
                        LOG_STR("queue", d->queues[i].name), LOG_INT("jobs", d->queues[i].jobs));
        }
    }
    dispatch_time_arm(d);
    return rc;
}

/* --- looking ------------------------------------------------------------------------------------------- */

void dispatch_counts(const struct dispatch *d, struct dispatch_counts *out)
{
    *out = (struct dispatch_counts){d->by_state[JOB_RUNNING], d->by_state[JOB_QUEUED],
                                    d->by_state[JOB_DELAYED], d->by_state[JOB_BLOCKED]};
}

static int64_t oldest_order(const struct row_heap *line)
{
    int64_t oldest = INT64_MAX;
    for (uint32_t i = 0; i < line->count && i < 1024;
         i++) { /* a heap's head: enough for a level to show */
        if (line->rows[i]->order < oldest) {
            oldest = line->rows[i]->order;
        }
    }
    return oldest;
}

size_t dispatch_queues(const struct dispatch *d, struct metrics_queue *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < d->queue_count && count < max; i++) {
        const struct queue *q = &d->queues[i];
        if (!q->known && q->jobs == 0) {
            continue; /* deleted; one with jobs shows, though nobody knows it: they wait */
        }
        int64_t wait_us = q->line.count ? cosched_now() / 1000 - oldest_order(&q->line) : 0;
        int64_t wait_ms = wait_us > 0 ? wait_us / 1000 : 0;
        out[count++] = (struct metrics_queue){.name = q->name,
                                              .depth = q->line.count,
                                              .running = q->running,
                                              .parallel = q->parallel,
                                              .rate = q->rate_per_s,
                                              .weight = q->weight,
                                              .paused = q->paused,
                                              .oldest_s = (double)wait_ms / 1000.0};
    }
    return count;
}
