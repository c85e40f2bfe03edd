/* The two ends of a life: what a former one left running is found and decided, and what has been
 * kept long enough goes. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_sql_private.h"

/* --- recovery --------------------------------------------------------------------------------- */

static int read_interrupted(struct sql_stmt *stmt, struct store_interrupted *out)
{
    size_t size = 0;
    *out = (struct store_interrupted){
        .id = sql_int(stmt, 0),
        .attempt = (uint32_t)sql_int(stmt, 1),
        .failures = (uint32_t)sql_int(stmt, 2),
        .lost = (uint32_t)sql_int(stmt, 3),
        .uid = (uint32_t)sql_int(stmt, 4),
        .cancel_requested = sql_int(stmt, 5) != 0,
        .deadline_us = sql_int(stmt, 6),
        .pid = (pid_t)sql_int(stmt, 7),
        .start_time = (uint64_t)sql_int(stmt, 8),
        .outcome = JOB_OUTCOME_INIT,
    };
    const char *boot_id = sql_text(stmt, 9, NULL);
    snprintf(out->boot_id, sizeof out->boot_id, "%s", boot_id ? boot_id : "");
    const char *text = sql_text(stmt, 10, &size);
    int r = text == NULL ? -ENOMEM : spec_load(text, size, &out->spec);
    /* A job of a later version's making must not keep the daemon from starting: it will end as
     * failed. */
    return r == -EINVAL ? 0 : r;
}

static int former_boot(struct store_sql *sql, struct store_recovery *recovery)
{
    struct sql_stmt *stmt = NULL;
    int r =
        sql_prepare(sql->db, "SELECT boot_id FROM lives WHERE life < ?1 ORDER BY life DESC LIMIT 1",
                    false, &stmt);
    if (r == 0) {
        sql_bind_int(stmt, 1, sql->life);
        r = sql_step(stmt);
    }
    if (r == SQL_ROW) {
        const char *boot_id = sql_text(stmt, 0, NULL);
        snprintf(recovery->boot_id, sizeof recovery->boot_id, "%s", boot_id ? boot_id : "");
        r = 0;
    }
    sql_finalize(stmt);
    return r;
}

int store_sql_interrupted(struct store_sql *sql, struct store_recovery *recovery)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_INTERRUPTED);
    int r = former_boot(sql, recovery);
    if (r < 0) {
        return r;
    }
    while ((r = sql_step(stmt)) == SQL_ROW) {
        if (recovery->count == recovery->room) {
            size_t room = recovery->room ? recovery->room * 2 : 16;
            struct store_interrupted *more = realloc(recovery->jobs, room * sizeof *more);
            if (more == NULL) {
                sql_reset(stmt);
                return -ENOMEM;
            }
            recovery->jobs = more;
            recovery->room = room;
        }
        r = read_interrupted(stmt, &recovery->jobs[recovery->count]);
        if (r < 0) {
            sql_reset(stmt);
            return r;
        }
        recovery->count++;
    }
    return r;
}

int store_sql_recover(struct store_sql *sql, struct store_recovery *recovery, int64_t now_us,
                      struct store_effects *effects)
{
    struct job_retry never;
    job_retry_default(&never);
    for (size_t i = 0; i < recovery->count; i++) {
        struct store_interrupted *job = &recovery->jobs[i];
        struct job_progress progress = {
            .retry = job->spec ? &job->spec->retry : &never,
            .failures = job->failures,
            .lost = job->lost,
            .cancel_requested = job->cancel_requested,
            .repeatable = job->repeatable && job->spec != NULL,
            .deadline_us = job->deadline_us,
        };
        job_outcome_fini(&job->outcome); /* of a run that was rolled back */
        job_outcome_init(&job->outcome);
        job_outcome_cause(&job->outcome, JOB_OUTCOME_INTERRUPTED);
        job_next_state(&progress, &job->outcome, now_us, &job->decision);
        int r = store_sql_finish(sql, job->id, job->attempt, &job->outcome, &job->decision, now_us,
                                 &job->seq, effects);
        if (r != STORE_OK) {
            return r < 0 ? r : -EUCLEAN; /* it was listed as running, and nobody else writes */
        }
    }
    return STORE_OK;
}

/* --- retention -------------------------------------------------------------------------------- */

struct expiry {
    struct store_sql *sql;
    int64_t *ids;
    size_t max, count;
};

/* Ids out of a statement, until the list is full or, with has_bytes, both excesses are made up
 * for. */
static int collect(struct expiry *expiry, struct sql_stmt *stmt, bool has_bytes, int64_t count_over,
                   int64_t bytes_over)
{
    int r = 0;
    size_t first = expiry->count;
    int64_t bytes = 0;
    while (expiry->count < expiry->max && (r = sql_step(stmt)) == SQL_ROW) {
        if (has_bytes && (int64_t)(expiry->count - first) >= count_over && bytes >= bytes_over) {
            break;
        }
        expiry->ids[expiry->count++] = sql_int(stmt, 0);
        bytes += has_bytes ? sql_int(stmt, 1) : 0;
    }
    sql_reset(stmt);
    return r < 0 ? r : 0;
}

/* Removes ids[from …]. */
static int forget(struct expiry *expiry, size_t from)
{
    for (size_t i = from; i < expiry->count; i++) {
        struct store_current job;
        int r = store_sql_current(expiry->sql, expiry->ids[i], &job);
        if (r == STORE_OK) {
            r = store_sql_forget(expiry->sql, &job);
        }
        if (r != STORE_OK) {
            return r < 0 ? r : -EUCLEAN; /* an index named it */
        }
    }
    return 0;
}

static int take(struct expiry *expiry, enum store_statement name, int64_t until_us)
{
    size_t from = expiry->count;
    struct sql_stmt *stmt = store_sql_stmt(expiry->sql, name);
    sql_bind_int(stmt, 1, until_us);
    sql_bind_int(stmt, 2, (int64_t)(expiry->max - from));
    int r = collect(expiry, stmt, false, 0, 0);
    return r < 0 ? r : forget(expiry, from);
}

/* How much stands over the limits of count and bytes. */
static bool over(const struct expiry *expiry, const struct store_retention *retention,
                 int64_t *count_over, int64_t *bytes_over)
{
    const struct store_counters *now = &expiry->sql->now;
    *count_over = retention->keep_count ? now->ended - (int64_t)retention->keep_count : 0;
    *bytes_over = retention->keep_bytes ? now->ended_bytes - (int64_t)retention->keep_bytes : 0;
    return (*count_over > 0 || *bytes_over > 0) && expiry->count < expiry->max;
}

/* Over the limits: oldest first; those with a `keep` of their own only when the others do not
 * suffice. */
static int take_over(struct expiry *expiry, const struct store_retention *retention)
{
    int64_t count_over, bytes_over;
    int r = 0;
    if (over(expiry, retention, &count_over, &bytes_over)) {
        size_t from = expiry->count;
        struct sql_stmt *stmt = store_sql_stmt(expiry->sql, STMT_ENDED);
        sql_bind_int(stmt, 1, INT64_MAX);
        sql_bind_int(stmt, 2, (int64_t)(expiry->max - from));
        r = collect(expiry, stmt, true, count_over, bytes_over);
        r = r < 0 ? r : forget(expiry, from);
    }
    if (r == 0 && over(expiry, retention, &count_over, &bytes_over)) {
        size_t from = expiry->count;
        struct sql_stmt *stmt = store_sql_stmt(expiry->sql, STMT_ENDED_SOON);
        sql_bind_int(stmt, 1, (int64_t)(expiry->max - from));
        r = collect(expiry, stmt, true, count_over, bytes_over);
        r = r < 0 ? r : forget(expiry, from);
    }
    return r;
}

int store_sql_expire(struct store_sql *sql, const struct store_retention *retention, int64_t *ids,
                     size_t max, size_t *count)
{
    struct expiry expiry = {.sql = sql, .ids = ids, .max = max, .count = 0};
    int r = take(&expiry, STMT_EXPIRING, retention->now_us);
    if (r == 0 && retention->keep_ns > 0 && expiry.count < max) {
        r = take(&expiry, STMT_ENDED, retention->now_us - retention->keep_ns / 1000);
    }
    if (r == 0) {
        r = take_over(&expiry, retention);
    }
    *count = expiry.count;
    return r;
}
