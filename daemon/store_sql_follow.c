/* Events as a follower reads them: in slices, with what the job is called, filtered where they are. */
#include <string.h>

#include "store_sql_private.h"

#define FOLLOW_SLICE \
    2000 /* events looked at in one request: what a follower may hold up commits for */

static void copy(char *out, size_t size, struct sql_stmt *stmt, int column)
{
    size_t length = 0;
    const char *text = sql_text(stmt, column, &length);
    length = text == NULL ? 0 : length < size ? length : size - 1;
    memcpy(out, text ? text : "", length);
    out[length] = '\0';
}

/* The first event that a row stands for; *more follow it. */
static void read_event(struct sql_stmt *stmt, struct store_event *event, int64_t *more)
{
    event->seq = sql_int(stmt, 0);
    event->id = sql_int(stmt, 1);
    event->state = (enum job_state)sql_int(stmt, 2);
    event->attempt = (uint32_t)sql_int(stmt, 3);
    event->uid = (uint32_t)sql_int(stmt, 4);
    event->at_us = sql_int(stmt, 5);
    *more = sql_int(stmt, 6);
}

/* What its job is called now; nothing, when it is gone. */
static int read_names(struct store_sql *sql, struct store_event *event)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_CALLED);
    event->queue[0] = event->kind[0] = event->name[0] = '\0';
    sql_bind_int(stmt, 1, event->id);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r;
    }
    copy(event->queue, sizeof event->queue, stmt, 0);
    copy(event->kind, sizeof event->kind, stmt, 1);
    copy(event->name, sizeof event->name, stmt, 2);
    sql_reset(stmt);
    return 0;
}

static bool is_called(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
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

/* Adds it when the filter lets it through. */
static int add_event(struct store_sql *sql, struct store_follow *f, const struct store_event *event)
{
    const struct store_filter *filter = f->filter;
    struct store_event *out = &f->events[f->count];
    *out = *event;
    int r = read_names(sql, out);
    if (r < 0 || !is_called(filter->queue, out->queue) || !is_called(filter->kind, out->kind) ||
        !is_called(filter->name, out->name)) {
        return r;
    }
    r = filter->label_count > 0 ? has_labels(sql, out->id, filter) : 1;
    f->count += r > 0;
    return r < 0 ? r : 0;
}

/* All that a row stands for, from f->from on and up to `until`. */
static int add_events(struct store_sql *sql, struct store_follow *f, struct store_event event,
                      int64_t more, int64_t until)
{
    int r = 0;
    int64_t skip = event.seq <= f->from ? f->from + 1 - event.seq : 0;
    event.seq += skip;
    event.id += skip;
    for (int64_t i = skip; r == 0 && i <= more && f->count < f->max && event.seq <= until; i++) {
        r = add_event(sql, f, &event);
        event.seq++;
        event.id++;
    }
    return r;
}

static void bind_filter(struct sql_stmt *stmt, const struct store_filter *filter)
{
    sql_bind_int_or_null(stmt, 3, filter->has_uid ? (int64_t)filter->uid : -1, -1);
    sql_bind_int_or_null(stmt, 4, filter->states ? (int64_t)filter->states : -1, -1);
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
    sql_bind_int(stmt, 1, f->from - PENDING_ROWS_MAX); /* the next may lie within a row's */
    sql_bind_int(stmt, 2, until);
    bind_filter(stmt, f->filter);
    while (f->count < f->max && (r = sql_step(stmt)) == SQL_ROW) {
        struct store_event event = {.seq = 0};
        int64_t more;
        read_event(stmt, &event, &more);
        r = add_events(sql, f, event, more, until);
        if (r < 0) {
            break;
        }
    }
    if (f->count == f->max) {
        f->seq = f->events[f->max - 1].seq; /* there may be more in this slice */
    }
    sql_reset(stmt);
    return r < 0 ? r : STORE_OK;
}
