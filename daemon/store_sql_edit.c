/* The verbs `retry` and `edit`: an ended job runs once more under its id; one that has not started
 * is changed. */
#include <errno.h>
#include <stdlib.h>

#include "store_sql_private.h"

/* The deadline of a job asked for again: a relative one counts from now. */
static int fresh_deadline(struct store_sql *sql, int64_t id, int64_t now_us, int64_t *deadline_us)
{
    char *text = NULL;
    size_t len = 0;
    struct spec *spec = NULL;
    int r = store_sql_copy_spec(sql, id, &text, &len);
    if (r == 0) {
        r = spec_load(text, len, &spec);
    }
    if (r == 0) {
        int64_t run_at_us;
        spec_resolve(spec, now_us, &run_at_us, deadline_us);
    }
    spec_free(spec);
    free(text);
    return r;
}

int store_sql_again(struct store_sql *sql, int64_t id, int64_t now_us, struct job_row *row,
                    char row_queue[SPEC_NAME_MAX + 1], int64_t *seq)
{
    struct store_current job;
    int64_t deadline_us = 0;
    int r = store_sql_current(sql, id, &job);
    if (r != STORE_OK) {
        return r;
    }
    int state = job_move(job.state, JOB_EVENT_AGAIN);
    if (state < 0 || job.parent != 0) {
        return STORE_REFUSED;
    }
    r = fresh_deadline(sql, id, now_us, &deadline_us);
    if (r < 0) {
        return r;
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_AGAIN);
    sql_bind_int(stmt, 1, id);
    sql_bind_int(stmt, 2, state);
    sql_bind_int_or_null(stmt, 3, deadline_us, 0);
    r = sql_run(stmt);
    if (r == 0) {
        r = store_sql_put_result(sql, id, NULL);
    }
    if (r < 0) {
        return r;
    }
    sql->now.ended--;
    sql->now.ended_bytes -= job.bytes;
    r = store_sql_emit(sql, &job, (enum job_state)state, now_us, seq);
    return r < 0 ? r : store_sql_row(sql, id, row, row_queue);
}

static int put_edit(struct store_sql *sql, const struct store_current *job, enum job_state state,
                    const struct spec *spec, int64_t run_at_us, int64_t deadline_us)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_EDIT);
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, state);
    sql_bind_int(stmt, 3, spec->priority);
    sql_bind_int_or_null(stmt, 4, run_at_us, 0);
    sql_bind_int_or_null(stmt, 5, deadline_us, 0);
    sql_bind_int_or_null(stmt, 6, spec->keep_ns < 0 ? -1 : spec->keep_ns / 1000, -1);
    sql_bind_int(stmt, 7, (int64_t)sql->text.len);
    sql_bind_text(stmt, 8, spec->queue);
    sql_bind_text(stmt, 9, spec->name);
    int r = sql_run(stmt);
    if (r == 0) {
        stmt = store_sql_stmt(sql, STMT_TEXT_SPEC);
        sql_bind_int(stmt, 1, job->id);
        sql_bind_text_n(stmt, 2, sql->text.data, sql->text.len);
        r = sql_run(stmt);
    }
    if (r == 0) {
        stmt = store_sql_stmt(sql, STMT_LABELS_REMOVE);
        sql_bind_int(stmt, 1, job->id);
        r = sql_run(stmt);
    }
    return r < 0 ? r : store_sql_labels_put(sql, job->id, spec);
}

int store_sql_edit(struct store_sql *sql, int64_t id, const struct spec *spec, int64_t run_at_us,
                   int64_t deadline_us, int64_t now_us, struct job_row *row, int64_t *seq)
{
    struct store_current job;
    struct writer w;
    int r = store_sql_current(sql, id, &job);
    if (r != STORE_OK) {
        return r;
    }
    if (job.attempt != 0 || job.state > JOB_QUEUED) {
        return STORE_REFUSED;
    }
    buf_reset(&sql->text);
    writer_init(&w, &sql->text);
    spec_write(&w, spec, 0);
    if (sql->text.failed) {
        return -ENOMEM;
    }
    /* Where it stands now, by its own arrow; without one it stays and its event tells of the
     * edit. */
    int state = (int)job.state;
    if (job.state == JOB_QUEUED && run_at_us > now_us) {
        state = job_move(job.state, JOB_EVENT_EDIT_DELAYED);
    } else if (job.state == JOB_DELAYED && run_at_us <= now_us) {
        state = job_move(job.state, JOB_EVENT_DUE);
    }
    r = put_edit(sql, &job, (enum job_state)state, spec, run_at_us, deadline_us);
    if (r == 0) {
        r = store_sql_emit(sql, &job, (enum job_state)state, now_us, seq);
    }
    if (r == 0) {
        r = store_sql_row(sql, id, row, NULL);
        row->queue = spec->queue;
    }
    return r;
}
