/* When a job ends: whoever runs after it is released, or skipped, in the same commit, and the
 * skipped ones release or skip their own followers. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_sql_private.h"

static int effects_add(struct store_sql *sql, struct store_effects *effects, int64_t id, int64_t seq)
{
    char queue[SPEC_NAME_MAX + 1];
    struct job_row row;
    if (effects->count == effects->room) {
        size_t room = effects->room ? effects->room * 2 : 8;
        struct store_moved *moved = realloc(effects->moved, room * sizeof *moved);
        if (moved == NULL) {
            return -ENOMEM;
        }
        effects->moved = moved;
        effects->room = room;
    }
    int r = store_sql_row(sql, id, &row, queue);
    if (r != STORE_OK) {
        return r < 0 ? r : -EIO;
    }
    struct store_moved *moved = &effects->moved[effects->count];
    *moved = (struct store_moved){.row = row, .queue = strdup(queue), .seq = seq};
    if (moved->queue == NULL) {
        return -ENOMEM;
    }
    moved->row.queue = moved->queue;
    effects->count++;
    return 0;
}

struct waiter {
    int64_t job;
    bool any_end;
};

/* Who waits for this job, as a list: the table changes while they are dealt with. */
static int read_waiters(struct store_sql *sql, int64_t id, struct waiter **out, size_t *count)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITERS);
    size_t room = 0;
    int r;
    *out = NULL;
    *count = 0;
    sql_bind_int(stmt, 1, id);
    while ((r = sql_step(stmt)) == SQL_ROW) {
        if (*count == room) {
            room = room ? room * 2 : 16;
            struct waiter *more = realloc(*out, room * sizeof *more);
            if (more == NULL) {
                sql_reset(stmt);
                return -ENOMEM;
            }
            *out = more;
        }
        (*out)[(*count)++] = (struct waiter){sql_int(stmt, 0), sql_int(stmt, 1) != 0};
    }
    return r;
}

static int skip(struct store_sql *sql, struct store_current *job, int64_t cause,
                enum job_state cause_state, int64_t now_us, int64_t *seq)
{
    char message[80];
    snprintf(message, sizeof message, "job %lld, which it runs after, ended %s", (long long)cause,
             job_state_name(cause_state));
    int r = store_sql_end_waiting(sql, job, JOB_EVENT_SKIP, "dependency", message, now_us, seq);
    if (r == 0) {
        struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITS_REMOVE);
        sql_bind_int(stmt, 1, job->id);
        r = sql_run(stmt);
    }
    return r;
}

/* One dependant of `id`, which ended in `state`. *seq is 0 when it waits on. */
static int release_one(struct store_sql *sql, const struct waiter *waiter, int64_t id,
                       enum job_state state, int64_t now_us, int64_t *seq)
{
    struct store_current job;
    *seq = 0;
    int r = store_sql_current(sql, waiter->job, &job);
    if (r != STORE_OK) {
        return r < 0 ? r : -EIO;
    }
    if (job_final(job.state)) {
        return 0; /* skipped for another of its dependencies a moment ago */
    }
    assert(job.state == JOB_BLOCKED && job.waits > 0);
    if (!waiter->any_end && state != JOB_SUCCEEDED) {
        return skip(sql, &job, id, state, now_us, seq);
    }
    job.waits--;
    if (job.waits == 0) {
        bool later = job.run_at_us > now_us;
        int next = job_move(job.state, later ? JOB_EVENT_RELEASE_DELAYED : JOB_EVENT_RELEASE_QUEUED);
        return store_sql_put_state(sql, &job, (enum job_state)next, now_us, seq);
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_STATE);
    sql_bind_int(stmt, 1, job.id);
    sql_bind_int(stmt, 2, job.state);
    sql_bind_int(stmt, 3, job.waits);
    return sql_run(stmt);
}

static int release_waiters(struct store_sql *sql, int64_t id, enum job_state state, int64_t now_us,
                           struct store_effects *effects)
{
    struct waiter *waiters = NULL;
    size_t count = 0;
    int r = read_waiters(sql, id, &waiters, &count);
    for (size_t i = 0; i < count && r == 0; i++) {
        int64_t seq;
        r = release_one(sql, &waiters[i], id, state, now_us, &seq);
        if (r == 0 && seq > 0) {
            r = effects_add(sql, effects, waiters[i].job, seq);
        }
    }
    free(waiters);
    if (r == 0 && count > 0) {
        struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITERS_REMOVE);
        sql_bind_int(stmt, 1, id);
        r = sql_run(stmt);
    }
    return r;
}

int store_sql_release(struct store_sql *sql, int64_t id, enum job_state state, int64_t now_us,
                      struct store_effects *effects)
{
    /* Skipped ones have dependants too. The list of effects is also the list of what is left to do:
     * chains of any length need no recursion. */
    size_t next = effects->count;
    int r = release_waiters(sql, id, state, now_us, effects);
    for (; r == 0 && next < effects->count; next++) {
        const struct job_row *row = &effects->moved[next].row;
        if (job_final((enum job_state)row->state)) {
            r = release_waiters(sql, row->id, (enum job_state)row->state, now_us, effects);
        }
    }
    return r;
}
