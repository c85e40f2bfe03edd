/* Events as a follower reads them: in slices, with what the job is called, filtered where they are. */
#include <string.h>

#include "store_sql_private.h"

#define FOLLOW_SLICE \
    2000 /* events looked at in one request: what a follower may hold up commits for */

enum { COLUMN_QUEUE = 6, COLUMN_KIND, COLUMN_NAME };

static void copy(char *out, size_t size, struct sql_stmt *stmt, int column)
{
    size_t length = 0;
    const char *text = sql_text(stmt, column, &length);
    length = text == NULL ? 0 : length < size ? length : size - 1;
    memcpy(out, text ? text : "", length);
    out[length] = '\0';
}

static void read_event(struct sql_stmt *stmt, struct store_event *event)
{
    event->seq = sql_int(stmt, 0);
    event->id = sql_int(stmt, 1);
    event->state = (enum job_state)sql_int(stmt, 2);
    event->attempt = (uint32_t)sql_int(stmt, 3);
    event->uid = (uint32_t)sql_int(stmt, 4);
    event->at_us = sql_int(stmt, 5);
    copy(event->queue, sizeof event->queue, stmt, COLUMN_QUEUE);
    copy(event->kind, sizeof event->kind, stmt, COLUMN_KIND);
    copy(event->name, sizeof event->name, stmt, COLUMN_NAME);
}

/* 1: it has all of them; 0, or negative. */
static int has_labels(struct store_sql *sql, int64_t job, const struct store_filter *filter)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_LABELS);
    size_t found = 0;
    int r;
    sql_bind_int(stmt, 1, job);
    while ((r = sql_step(stmt)) == SQL_ROW) {
        const char *name = sql_text(stmt, 0, NULL), *value = sql_text(stmt, 1, NULL);
        for (size_t i = 0; name != NULL && value != NULL && i < filter->label_count; i++) {
            found += strcmp(filter->labels[i].name, name) == 0 &&
                     strcmp(filter->labels[i].value, value) == 0;
        }
    }
    return r < 0 ? r : found == filter->label_count;
}

static void bind_filter(struct sql_stmt *stmt, const struct store_filter *filter)
{
    sql_bind_int_or_null(stmt, 3, filter->has_uid ? (int64_t)filter->uid : -1, -1);
    sql_bind_int_or_null(stmt, 4, filter->states ? (int64_t)filter->states : -1, -1);
    sql_bind_text(stmt, 5, filter->queue);
    sql_bind_text(stmt, 6, filter->kind);
    sql_bind_text(stmt, 7, filter->name);
}

static int oldest_seq(struct store_sql *sql, int64_t *oldest)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_EVENTS_OLDEST);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r;
    }
    *oldest = sql_int_or(stmt, 0, sql->now.last_seq + 1);
    sql_reset(stmt);
    return 0;
}

int store_sql_follow(struct store_sql *sql, struct store_follow *f)
{
    int r = oldest_seq(sql, &f->oldest);
    int64_t until = f->from + FOLLOW_SLICE;
    f->count = 0;
    f->last = sql->now.last_seq;
    f->seq = until < f->last ? until : f->last;
    if (f->seq < f->from) {
        f->seq = f->from;
    }
    if (r < 0 || f->max == 0) {
        f->seq = f->from;
        return r;
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_FOLLOW);
    sql_bind_int(stmt, 1, f->from);
    sql_bind_int(stmt, 2, until);
    bind_filter(stmt, f->filter);
    while (f->count < f->max && (r = sql_step(stmt)) == SQL_ROW) {
        struct store_event *event = &f->events[f->count];
        read_event(stmt, event);
        int has = f->filter->label_count ? has_labels(sql, event->id, f->filter) : 1;
        if (has < 0) {
            sql_reset(stmt);
            return has;
        }
        f->count += (size_t)has;
    }
    if (f->count == f->max) {
        f->seq = f->events[f->max - 1].seq; /* there may be more in this slice */
    }
    sql_reset(stmt);
    return r < 0 ? r : STORE_OK;
}
