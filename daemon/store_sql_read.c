/* Looking: one job, lists in slices, what is unfinished. Nothing here writes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_sql_private.h"

#define LIST_DEFAULT 100
#define LIST_SLICE   20000 /* ids of one slice: what a list may hold up commits for */

/* Columns in the order of read_job; spec and result last, and only when they are wanted. */
#define JOB_COLUMNS                                                                            \
    "id, state, attempt, failures, lost, uid, priority, cancel_requested, parent, created_us," \
    " run_at_us, deadline_us, started_us, finished_us, exit_code, signal, kind, name, queue,"  \
    " error_name, error_message"
#define JOB_COLUMN_COUNT 21

static bool copy_text(struct sql_stmt *stmt, int column, char **out)
{
    size_t size = 0;
    const char *text = sql_text(stmt, column, &size);
    if (text == NULL) {
        *out = NULL;
        return sql_is_null(stmt, column);
    }
    *out = strndup(text, size);
    return *out != NULL;
}

static int read_texts(struct sql_stmt *stmt, unsigned with, struct store_job *job)
{
    int column = JOB_COLUMN_COUNT;
    bool ok = copy_text(stmt, 16, &job->kind) && copy_text(stmt, 17, &job->name) &&
              copy_text(stmt, 18, &job->queue) && copy_text(stmt, 19, &job->error_name) &&
              copy_text(stmt, 20, &job->error_message);
    if (ok && (with & STORE_WITH_SPEC)) {
        ok = copy_text(stmt, column++, &job->spec) && job->spec != NULL;
        job->spec_len = ok ? strlen(job->spec) : 0;
    }
    if (ok && (with & STORE_WITH_RESULT)) {
        ok = copy_text(stmt, column, &job->result);
    }
    return ok ? 0 : -ENOMEM;
}

static int read_job(struct sql_stmt *stmt, unsigned with, struct store_job **out)
{
    struct store_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return -ENOMEM;
    }
    job->id = sql_int(stmt, 0);
    job->state = (enum job_state)sql_int(stmt, 1);
    job->attempt = (uint32_t)sql_int(stmt, 2);
    job->failures = (uint32_t)sql_int(stmt, 3);
    job->lost = (uint32_t)sql_int(stmt, 4);
    job->uid = (uint32_t)sql_int(stmt, 5);
    job->priority = (int)sql_int(stmt, 6);
    job->cancel_requested = sql_int(stmt, 7) != 0;
    job->parent = sql_int(stmt, 8);
    job->created_us = sql_int(stmt, 9);
    job->scheduled_us = sql_int(stmt, 10);
    job->deadline_us = sql_int(stmt, 11);
    job->started_us = sql_int(stmt, 12);
    job->finished_us = sql_int(stmt, 13);
    job->exit_code = (int)sql_int_or(stmt, 14, JOB_CODE_NONE);
    job->signal = (int)sql_int(stmt, 15);
    if (read_texts(stmt, with, job) < 0) {
        store_job_free(job);
        return -ENOMEM;
    }
    *out = job;
    return 0;
}

static int read_labels(struct store_sql *sql, struct store_job *job)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_LABELS);
    int r;
    sql_bind_int(stmt, 1, job->id);
    while ((r = sql_step(stmt)) == SQL_ROW) {
        if (job->labels == NULL) {
            job->labels = calloc(SPEC_LABELS_MAX, sizeof *job->labels);
        }
        if (job->labels == NULL || job->label_count == SPEC_LABELS_MAX) {
            sql_reset(stmt);
            return -ENOMEM;
        }
        struct spec_label *label = &job->labels[job->label_count++];
        if (!copy_text(stmt, 0, &label->name) || !copy_text(stmt, 1, &label->value)) {
            sql_reset(stmt);
            return -ENOMEM;
        }
    }
    return r;
}

static int read_attempts(struct store_sql *sql, struct store_job *job)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_ATTEMPTS);
    size_t room = 0;
    int r;
    sql_bind_int(stmt, 1, job->id);
    while ((r = sql_step(stmt)) == SQL_ROW) {
        if (job->attempt_count == room) {
            room = room ? room * 2 : 4;
            struct store_attempt *more = realloc(job->attempts, room * sizeof *more);
            if (more == NULL) {
                sql_reset(stmt);
                return -ENOMEM;
            }
            job->attempts = more;
        }
        job->attempts[job->attempt_count++] = (struct store_attempt){
            .n = (uint32_t)sql_int(stmt, 0),
            .started_us = sql_int(stmt, 1),
            .finished_us = sql_int(stmt, 2),
            .outcome = (enum job_outcome_kind)sql_int(stmt, 3),
            .exit_code = (int)sql_int_or(stmt, 4, JOB_CODE_NONE),
            .signal = (int)sql_int(stmt, 5),
            .output = {sql_int_or(stmt, 6, JOB_CODE_NONE), sql_int_or(stmt, 7, JOB_CODE_NONE)},
            .errors = {sql_int_or(stmt, 8, JOB_CODE_NONE), sql_int_or(stmt, 9, JOB_CODE_NONE)},
        };
    }
    return r;
}

static int read_after(struct store_sql *sql, struct store_job *job)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITS);
    int r;
    sql_bind_int(stmt, 1, job->id);
    while ((r = sql_step(stmt)) == SQL_ROW) {
        if (job->after == NULL) {
            job->after = calloc(SPEC_AFTER_MAX, sizeof *job->after);
        }
        if (job->after == NULL || job->after_count == SPEC_AFTER_MAX) {
            sql_reset(stmt);
            return -ENOMEM;
        }
        job->after[job->after_count++] = sql_int(stmt, 0);
    }
    return r;
}

/* What lies in other tables. */
static int read_rest(struct store_sql *sql, unsigned with, struct store_job *job)
{
    int r = read_labels(sql, job);
    if (r == 0 && (with & STORE_WITH_ATTEMPTS)) {
        r = read_attempts(sql, job);
    }
    if (r == 0 && (with & STORE_WITH_AFTER)) {
        r = read_after(sql, job);
    }
    return r;
}

static void select_columns(struct buf *text, unsigned with)
{
    buf_literal(text, "SELECT " JOB_COLUMNS);
    if (with & STORE_WITH_SPEC) {
        buf_literal(text, ", ifnull(spec, (SELECT t.spec FROM texts t WHERE t.job = jobs.id))");
    }
    if (with & STORE_WITH_RESULT) {
        buf_literal(text, ", (SELECT result FROM texts WHERE job = jobs.id)");
    }
    buf_literal(text, " FROM jobs");
}

/* One for each set of columns, made when it is first wanted and kept: making one costs ten times what
 * running it does. */
static int get_statement(struct store_sql *sql, unsigned with, struct sql_stmt **out)
{
    size_t which = ((with & STORE_WITH_SPEC) ? 1U : 0U) + ((with & STORE_WITH_RESULT) ? 2U : 0U);
    int r = 0;
    if (sql->gets[which] == NULL) {
        struct buf text = BUF_INIT;
        select_columns(&text, with);
        buf_literal(&text, " WHERE id = ?1");
        r = text.failed ? -ENOMEM : sql_prepare(sql->db, text.data, true, &sql->gets[which]);
        buf_free(&text);
    }
    *out = sql->gets[which];
    return r;
}

int store_sql_get(struct store_sql *sql, int64_t id, unsigned with, struct store_job **out)
{
    struct sql_stmt *stmt = NULL;
    struct store_job *job = NULL;
    *out = NULL;
    int r = get_statement(sql, with, &stmt);
    if (r < 0) {
        return r;
    }
    sql_bind_int(stmt, 1, id);
    r = sql_step(stmt);
    if (r == SQL_ROW) {
        r = read_job(stmt, with, &job);
        sql_reset(stmt);
    } else if (r == 0) {
        r = STORE_NOT_FOUND;
    }
    if (r == 0) {
        r = read_rest(sql, with, job);
    }
    if (r != STORE_OK) {
        store_job_free(job);
        return r;
    }
    *out = job;
    return STORE_OK;
}

/* --- lists ------------------------------------------------------------------------------------ */

#define PARAM_BEFORE 1
#define PARAM_FROM   2
#define PARAM_LIMIT  3
#define PARAM_UID    4
#define PARAM_QUEUE  5
#define PARAM_KIND   6
#define PARAM_NAME   7
#define PARAM_PARENT 8
#define PARAM_LABELS 9 /* and on, two a label */

static void where_states(struct buf *text, unsigned states)
{
    const char *comma = "";
    buf_literal(text, " AND state IN (");
    for (int state = JOB_BLOCKED; state <= JOB_SKIPPED; state++) {
        if (states & JOB_STATE_BIT(state)) {
            buf_puts(text, comma);
            buf_int(text, state);
            comma = ", ";
        }
    }
    buf_putc(text, ')');
}

static void where(struct buf *text, const struct store_filter *filter)
{
    buf_literal(text, " WHERE id < ?1 AND id >= ?2");
    if (filter->states != 0) {
        where_states(text, filter->states);
    }
    if (filter->has_uid) {
        buf_literal(text, " AND uid = ?4");
    }
    if (filter->queue != NULL) {
        buf_literal(text, " AND queue = ?5");
    }
    if (filter->kind != NULL) {
        buf_literal(text, " AND kind = ?6");
    }
    if (filter->name != NULL) {
        buf_literal(text, " AND name = ?7");
    }
    if (filter->has_parent) {
        buf_literal(text, " AND parent = ?8");
    }
    for (size_t i = 0; i < filter->label_count; i++) {
        int first = PARAM_LABELS + 2 * (int)i;
        buf_printf(text,
                   " AND EXISTS (SELECT 1 FROM labels WHERE job = jobs.id AND name = ?%d"
                   " AND value = ?%d)",
                   first, first + 1);
    }
    /* Always along the ids: the slice bounds what is looked at, and the order costs nothing. */
    buf_literal(text, " ORDER BY id DESC LIMIT ?3");
}

static void bind_filter(struct sql_stmt *stmt, const struct store_filter *filter)
{
    if (filter->has_uid) {
        sql_bind_int(stmt, PARAM_UID, filter->uid);
    }
    if (filter->queue != NULL) {
        sql_bind_text(stmt, PARAM_QUEUE, filter->queue);
    }
    if (filter->kind != NULL) {
        sql_bind_text(stmt, PARAM_KIND, filter->kind);
    }
    if (filter->name != NULL) {
        sql_bind_text(stmt, PARAM_NAME, filter->name);
    }
    if (filter->has_parent) {
        sql_bind_int(stmt, PARAM_PARENT, filter->parent);
    }
    for (size_t i = 0; i < filter->label_count; i++) {
        sql_bind_text(stmt, PARAM_LABELS + 2 * (int)i, filter->labels[i].name);
        sql_bind_text(stmt, PARAM_LABELS + 2 * (int)i + 1, filter->labels[i].value);
    }
}

static int page_add(struct store_page *page, struct store_job *job)
{
    if (page->count == page->room) {
        size_t room = page->room ? page->room * 2 : 32;
        struct store_job **more = realloc(page->jobs, room * sizeof(struct store_job *));
        if (more == NULL) {
            return -ENOMEM;
        }
        page->jobs = more;
        page->room = room;
    }
    page->jobs[page->count++] = job;
    return 0;
}

/* Rows of one slice until the page is full; the row after the last only says that there is one. */
static int read_slice(struct store_sql *sql, struct sql_stmt *stmt, unsigned with, size_t limit,
                      struct store_page *page)
{
    int r;
    while ((r = sql_step(stmt)) == SQL_ROW) {
        struct store_job *job = NULL;
        if (page->count == limit) {
            page->more = true;
            sql_reset(stmt);
            return 0;
        }
        r = read_job(stmt, with, &job);
        if (r == 0) {
            r = read_rest(sql, with, job);
        }
        if (r == 0) {
            r = page_add(page, job);
        }
        if (r != 0) {
            store_job_free(job);
            sql_reset(stmt);
            return r;
        }
    }
    return r;
}

/* The smallest id there is; 0 when there is none. */
static int lowest_id(struct store_sql *sql, int64_t *out)
{
    struct sql_stmt *stmt = NULL;
    int r = sql_prepare(sql->db, "SELECT min(id) FROM jobs", false, &stmt);
    if (r == 0) {
        r = sql_step(stmt);
    }
    if (r == SQL_ROW) {
        *out = sql_int(stmt, 0);
        r = 0;
    }
    sql_finalize(stmt);
    return r;
}

int store_sql_list(struct store_sql *sql, const struct store_filter *filter, struct store_page *page)
{
    size_t limit = filter->limit > 0 ? filter->limit : LIST_DEFAULT;
    int64_t before = page->next > 0 ? page->next : filter->before;
    int64_t lowest = 0;
    if (before == 0 || before > sql->now.last_id + 1) {
        before = sql->now.last_id + 1;
    }
    int r = lowest_id(sql, &lowest);
    if (r < 0 || lowest == 0 || before <= lowest) {
        page->next = 0;
        return r;
    }
    int64_t from = before - LIST_SLICE > lowest ? before - LIST_SLICE : lowest;
    struct sql_stmt *stmt = NULL;
    struct buf text = BUF_INIT;
    select_columns(&text, filter->with);
    where(&text, filter);
    r = text.failed ? -ENOMEM : sql_prepare(sql->db, text.data, false, &stmt);
    buf_free(&text);
    if (r == 0) {
        sql_bind_int(stmt, PARAM_BEFORE, before);
        sql_bind_int(stmt, PARAM_FROM, from);
        sql_bind_int(stmt, PARAM_LIMIT, (int64_t)(limit - page->count) + 1);
        bind_filter(stmt, filter);
        r = read_slice(sql, stmt, filter->with, limit, page);
    }
    sql_finalize(stmt);
    page->next = r < 0 || page->more || from == lowest ? 0 : from;
    return r;
}

/* --- scans ------------------------------------------------------------------------------------ */

int store_sql_load(struct store_sql *sql, int (*each)(void *ctx, const struct job_row *row),
                   void *ctx)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_LOAD);
    int r;
    while ((r = sql_step(stmt)) == SQL_ROW) {
        struct job_row row;
        store_sql_read_row(stmt, &row);
        r = row.queue == NULL ? -ENOMEM : each(ctx, &row);
        if (r < 0) {
            sql_reset(stmt);
            return r;
        }
    }
    return r;
}
