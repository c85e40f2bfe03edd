/* The verbs `retry` and `edit`: an ended job runs once more under its id; one that has not started
 * is changed. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
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

/* --- edit ------------------------------------------------------------------------------------- */

/* An edit on its way. */
struct change {
    struct store_sql *sql;
    struct store_edit *edit;
    struct store_current job;
    int64_t now_us;
    uint32_t waits; /* dependencies still open */
    int64_t failed; /* one that has ended badly under `success`; 0: none */
    enum job_state failed_state;
};

/* Does `id` wait for the job, itself or over others? 1, 0 or negative. */
static int waits_for_it(struct store_sql *sql, int64_t id, int64_t job)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITS_FOR_IT);
    sql_bind_int(stmt, 1, id);
    sql_bind_int(stmt, 2, job);
    int r = sql_step(stmt);
    sql_reset(stmt);
    return r;
}

static int look_up_one(struct change *c, size_t which)
{
    const struct spec *spec = c->edit->spec;
    struct store_current other;
    int64_t id = spec->after[which].id;
    int r = store_sql_current(c->sql, id, &other);
    c->edit->refusal = (struct store_refusal){.after = which, .id = id};
    if (r < 0) {
        return r;
    }
    if (r == STORE_NOT_FOUND || (other.uid != c->job.uid && !c->edit->any_owner)) {
        return STORE_NOT_FOUND;
    }
    if (job_final(other.state)) {
        bool bad = !spec->after_any && other.state != JOB_SUCCEEDED;
        c->failed_state = bad && c->failed == 0 ? other.state : c->failed_state;
        c->failed = bad && c->failed == 0 ? id : c->failed;
        return STORE_OK;
    }
    c->waits++;
    r = waits_for_it(c->sql, id, c->job.id);
    return r == SQL_ROW ? STORE_CONFLICT : r;
}

static int look_up_after(struct change *c)
{
    c->waits = c->job.waits;
    if (!c->edit->after) {
        return STORE_OK;
    }
    c->waits = 0;
    for (size_t i = 0; i < c->edit->spec->after_count; i++) {
        int r = look_up_one(c, i);
        if (r != STORE_OK) {
            return r;
        }
    }
    c->edit->refusal = (struct store_refusal){.id = 0};
    return STORE_OK;
}

/* The same dependency named twice is one row: what counts are rows. */
static int put_after(struct change *c)
{
    const struct spec *spec = c->edit->spec;
    if (!c->edit->after) {
        return 0;
    }
    struct sql_stmt *stmt = store_sql_stmt(c->sql, STMT_WAITS_REMOVE);
    sql_bind_int(stmt, 1, c->job.id);
    int r = sql_run(stmt);
    c->waits = 0;
    for (size_t i = 0; r == 0 && c->failed == 0 && i < spec->after_count; i++) {
        struct store_current other;
        r = store_sql_current(c->sql, spec->after[i].id, &other);
        if (r != STORE_OK || job_final(other.state)) {
            r = r > 0 ? -EIO : r;
            continue;
        }
        stmt = store_sql_stmt(c->sql, STMT_WAIT);
        sql_bind_int(stmt, 1, other.id);
        sql_bind_int(stmt, 2, c->job.id);
        sql_bind_int(stmt, 3, spec->after_any);
        r = sql_run(stmt);
        c->waits += (uint32_t)sql_changes(c->sql->db);
    }
    return r;
}

/* Where it stands now, by the arrows of the table; without one it stays and its event tells of the edit. A delayed job that
 * gets dependencies goes through queued. */
static enum job_state state_after(const struct change *c)
{
    bool wait = c->waits > 0 || c->failed != 0, later = c->edit->run_at_us > c->now_us;
    int state = (int)c->job.state;
    if (state == JOB_BLOCKED && !wait) {
        return (enum job_state)job_move(JOB_BLOCKED, later ? JOB_EVENT_RELEASE_DELAYED
                                                           : JOB_EVENT_RELEASE_QUEUED);
    }
    if (state == JOB_DELAYED && (wait || !later)) {
        state = job_move(JOB_DELAYED, JOB_EVENT_DUE);
    }
    if (state == JOB_QUEUED && wait) {
        state = job_move(JOB_QUEUED, JOB_EVENT_EDIT_BLOCKED);
    } else if (state == JOB_QUEUED && later) {
        state = job_move(JOB_QUEUED, JOB_EVENT_EDIT_DELAYED);
    }
    assert(state > 0);
    return (enum job_state)state;
}

static int put_edit(struct change *c)
{
    struct store_sql *sql = c->sql;
    const struct spec *spec = c->edit->spec;
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_EDIT);
    sql_bind_int(stmt, 1, c->job.id);
    sql_bind_int(stmt, 2, c->job.state);
    sql_bind_int(stmt, 3, spec->priority);
    sql_bind_int_or_null(stmt, 4, c->edit->run_at_us, 0);
    sql_bind_int_or_null(stmt, 5, c->edit->deadline_us, 0);
    sql_bind_int_or_null(stmt, 6, spec->keep_ns < 0 ? -1 : spec->keep_ns / 1000, -1);
    sql_bind_int(stmt, 7, (int64_t)sql->text.len);
    sql_bind_text(stmt, 8, spec->queue);
    sql_bind_text(stmt, 9, spec->name);
    sql_bind_int(stmt, 10, c->waits);
    int r = sql_run(stmt);
    if (r == 0) {
        r = store_sql_put_spec(sql, c->job.id, sql->text.data, sql->text.len);
    }
    if (r == 0) {
        stmt = store_sql_stmt(sql, STMT_LABELS_REMOVE);
        sql_bind_int(stmt, 1, c->job.id);
        r = sql_run(stmt);
    }
    return r < 0 ? r : store_sql_labels_put(sql, c->job.id, spec);
}

static int skip_at_once(struct change *c, struct store_effects *effects)
{
    char message[80];
    snprintf(message, sizeof message, "job %lld, which it runs after, ended %s",
             (long long)c->failed, job_state_name(c->failed_state));
    int r = store_sql_end_waiting(c->sql, &c->job, JOB_EVENT_SKIP, "dependency", message, c->now_us,
                                  &c->edit->seq);
    return r < 0 ? r : store_sql_release(c->sql, c->job.id, c->job.state, c->now_us, effects);
}

/* Everything is looked up; from here on it is written. */
static int carry_out(struct change *c, struct store_effects *effects)
{
    struct store_edit *edit = c->edit;
    int r = put_after(c);
    c->job.state = state_after(c);
    c->job.bytes = (int64_t)c->sql->text.len;
    c->job.waits = c->waits;
    if (r == 0) {
        r = put_edit(c);
    }
    if (r == 0 && c->failed != 0) {
        r = skip_at_once(c, effects);
    } else if (r == 0) {
        r = store_sql_emit(c->sql, &c->job, c->job.state, c->now_us, &edit->seq);
    }
    if (r == 0) {
        r = store_sql_row(c->sql, c->job.id, &edit->row, NULL);
        edit->row.queue = edit->spec->queue;
    }
    return r;
}

int store_sql_edit(struct store_sql *sql, int64_t id, struct store_edit *edit, int64_t now_us,
                   struct store_effects *effects)
{
    struct change c = {.sql = sql, .edit = edit, .now_us = now_us};
    struct writer w;
    edit->refusal = (struct store_refusal){.id = 0};
    int r = store_sql_current(sql, id, &c.job);
    if (r != STORE_OK) {
        return r;
    }
    if (c.job.attempt != 0 || c.job.state > JOB_QUEUED) {
        return STORE_REFUSED;
    }
    r = look_up_after(&c);
    if (r != STORE_OK) {
        return r;
    }
    buf_reset(&sql->text);
    writer_init(&w, &sql->text);
    spec_write(&w, edit->spec, 0);
    return sql->text.failed ? -ENOMEM : carry_out(&c, effects);
}
