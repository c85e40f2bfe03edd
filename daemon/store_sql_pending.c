/* New jobs on their way into the tables. A statement's start and end cost as much as the row that it
 * writes, so the rows of a transaction are gathered here and written together: before any other
 * statement looks at the tables (store_sql_stmt sees to it), when there are many, and at the commit.
 *
 * Nobody can tell the difference but by the clock: a failure to write them is found by the commit,
 * which fails, and everything is done once more one by one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sql_array.h"
#include "store_sql_private.h"

#define PENDING_TEXT_MAX ((size_t)256 << 10)

/* Where a piece of text lies; size SIZE_MAX: null. */
struct piece {
    size_t at, size;
};

struct pending_row {
    int64_t id, seq, created_us, run_at_us, deadline_us, started_us, keep_us;
    struct piece queue, kind, name, key, body, spec;
    uint32_t uid, waits;
    uint8_t state;
    int8_t priority;
    bool running;
};

/* The events of jobs that came one after the other and differ in nothing else: one row. */
struct pending_event {
    size_t row;  /* the first */
    size_t more; /* after it */
};

struct pending {
    size_t count, text_count, event_count;
    bool rich;       /* some have what most have not: see STMT_INSERT_PLAIN */
    struct buf text; /* what pieces are of */
    struct pending_row rows[PENDING_ROWS_MAX];
    struct pending_event events[PENDING_ROWS_MAX];
    uint16_t texts[PENDING_ROWS_MAX]; /* rows whose specification does not fit into the row */
};

/* In the order of COLUMNS. */
enum {
    COL_ID,
    COL_STATE,
    COL_PRIORITY,
    COL_ATTEMPT,
    COL_UID,
    COL_WAITS,
    COL_CREATED,
    COL_RUN_AT,
    COL_DEADLINE,
    COL_STARTED,
    COL_KEEP,
    COL_BYTES,
    COL_QUEUE,
    COL_KIND,
    COL_NAME,
    COL_KEY,
    COL_BODY,
    COL_SPEC
};

#define COLUMNS                                                                                 \
    "id, state, priority, attempt, uid, waits, created_us, run_at_us, deadline_us, started_us," \
    " keep_us, bytes, queue, kind, name, key, body, spec"

enum { TEXT_ID, TEXT_SPEC };

#define TEXT_COLUMNS "id, spec"

enum { EVENT_SEQ, EVENT_JOB, EVENT_STATE, EVENT_ATTEMPT, EVENT_UID, EVENT_AT, EVENT_MORE };

#define EVENT_COLUMNS "seq, job, state, attempt, uid, at_us, more"

static size_t count_rows(void *ctx)
{
    const struct pending *pending = ctx;
    return pending->count;
}

static void put_text(const struct pending *pending, struct piece piece, struct sql_cell *cell)
{
    if (piece.size != SIZE_MAX) {
        sql_cell_text(cell, pending->text.data + piece.at, piece.size);
    }
}

static void put_int_but(struct sql_cell *cell, int64_t value, int64_t null_value)
{
    if (value != null_value) {
        sql_cell_int(cell, value);
    }
}

static void give_text(const struct pending *pending, const struct pending_row *row, int column,
                      struct sql_cell *cell)
{
    switch (column) {
    case COL_QUEUE: put_text(pending, row->queue, cell); break;
    case COL_KIND: put_text(pending, row->kind, cell); break;
    case COL_NAME: put_text(pending, row->name, cell); break;
    case COL_KEY: put_text(pending, row->key, cell); break;
    case COL_SPEC:
        if (row->spec.size <= SPEC_IN_ROW_MAX) {
            put_text(pending, row->spec, cell);
        }
        break;
    case COL_BODY:
        if (row->body.size != SIZE_MAX) {
            sql_cell_blob(cell, pending->text.data + row->body.at, row->body.size);
        }
        break;
    default: break;
    }
}

static void give_cell(void *ctx, size_t index, int column, struct sql_cell *cell)
{
    const struct pending *pending = ctx;
    const struct pending_row *row = &pending->rows[index];
    switch (column) {
    case COL_ID: sql_cell_int(cell, row->id); break;
    case COL_STATE: sql_cell_int(cell, row->state); break;
    case COL_PRIORITY: sql_cell_int(cell, row->priority); break;
    case COL_ATTEMPT: sql_cell_int(cell, row->running); break;
    case COL_UID: sql_cell_int(cell, row->uid); break;
    case COL_WAITS: sql_cell_int(cell, row->waits); break;
    case COL_CREATED: sql_cell_int(cell, row->created_us); break;
    case COL_RUN_AT: put_int_but(cell, row->run_at_us, 0); break;
    case COL_DEADLINE: put_int_but(cell, row->deadline_us, 0); break;
    case COL_STARTED: put_int_but(cell, row->started_us, 0); break;
    case COL_KEEP: put_int_but(cell, row->keep_us, -1); break;
    case COL_BYTES: sql_cell_int(cell, (int64_t)row->spec.size); break;
    default: give_text(pending, row, column, cell); break;
    }
}

static size_t count_texts(void *ctx)
{
    const struct pending *pending = ctx;
    return pending->text_count;
}

static void give_long_text(void *ctx, size_t index, int column, struct sql_cell *cell)
{
    const struct pending *pending = ctx;
    const struct pending_row *row = &pending->rows[pending->texts[index]];
    switch (column) {
    case TEXT_ID: sql_cell_int(cell, row->id); break;
    case TEXT_SPEC: put_text(pending, row->spec, cell); break;
    default: break;
    }
}

static size_t count_events(void *ctx)
{
    const struct pending *pending = ctx;
    return pending->event_count;
}

static void give_event(void *ctx, size_t index, int column, struct sql_cell *cell)
{
    const struct pending *pending = ctx;
    const struct pending_event *event = &pending->events[index];
    const struct pending_row *row = &pending->rows[event->row];
    switch (column) {
    case EVENT_SEQ: sql_cell_int(cell, row->seq); break;
    case EVENT_JOB: sql_cell_int(cell, row->id); break;
    case EVENT_STATE: sql_cell_int(cell, row->state); break;
    case EVENT_ATTEMPT: sql_cell_int(cell, row->running); break;
    case EVENT_UID: sql_cell_int(cell, row->uid); break;
    case EVENT_AT: sql_cell_int(cell, row->created_us); break;
    case EVENT_MORE: sql_cell_int(cell, (int64_t)event->more); break;
    default: break;
    }
}

int store_sql_pending_open(struct store_sql *sql)
{
    sql->pending = calloc(1, sizeof *sql->pending);
    if (sql->pending == NULL) {
        return -ENOMEM;
    }
    sql->pending->text = BUF_INIT;
    const struct sql_array arrays[] = {
        {"pending", COLUMNS, count_rows, give_cell, sql->pending},
        {"pending_texts", TEXT_COLUMNS, count_texts, give_long_text, sql->pending},
        {"pending_events", EVENT_COLUMNS, count_events, give_event, sql->pending},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof arrays / sizeof arrays[0]; i++) {
        r = sql_array_add(sql->db, &arrays[i]);
    }
    return r;
}

void store_sql_pending_close(struct store_sql *sql)
{
    if (sql->pending != NULL) {
        buf_free(&sql->pending->text);
        free(sql->pending);
        sql->pending = NULL;
    }
}

void store_sql_pending_drop(struct store_sql *sql)
{
    struct pending *pending = sql->pending;
    pending->count = pending->text_count = pending->event_count = 0;
    pending->rich = false;
    sql->unsettled = false;
    if (pending->text.cap > PENDING_TEXT_MAX) {
        buf_free(&pending->text);
    }
    buf_reset(&pending->text);
}

static int write_all(struct store_sql *sql)
{
    const struct pending *pending = sql->pending;
    int r = sql_run(sql->stmts[pending->rich ? STMT_INSERT : STMT_INSERT_PLAIN]);
    if (r == 0 && pending->text_count > 0) {
        r = sql_run(sql->stmts[STMT_TEXTS]);
    }
    return r < 0 ? r : sql_run(sql->stmts[STMT_EVENTS]);
}

int store_sql_settle(struct store_sql *sql)
{
    if (sql->settle_failed < 0 || !sql->unsettled) {
        return sql->settle_failed;
    }
    sql->unsettled = false; /* the statements below are part of it */
    int r = write_all(sql);
    store_sql_pending_drop(sql);
    sql->settle_failed = r;
    return r;
}

static struct piece keep_text(struct pending *pending, const void *data, size_t size)
{
    struct piece piece = {pending->text.len, size};
    buf_append(&pending->text, data, size);
    return piece;
}

static struct piece keep_string(struct pending *pending, const char *text)
{
    return text != NULL ? keep_text(pending, text, strlen(text)) : (struct piece){0, SIZE_MAX};
}

/* Row i has come. */
static void note_event(struct pending *pending, size_t i)
{
    const struct pending_row *row = &pending->rows[i], *last = row - 1;
    bool goes_on = i > 0 && row->seq == last->seq + 1 && row->id == last->id + 1 &&
                   row->state == last->state && row->running == last->running &&
                   row->uid == last->uid && row->created_us == last->created_us;
    if (goes_on) {
        pending->events[pending->event_count - 1].more++;
    } else {
        pending->events[pending->event_count++] = (struct pending_event){.row = i};
    }
}

static bool is_rich(const struct pending_row *row)
{
    return row->running || row->run_at_us != 0 || row->deadline_us != 0 || row->keep_us != -1 ||
           row->name.size != SIZE_MAX || row->key.size != SIZE_MAX;
}

int store_sql_pending_add(struct store_sql *sql, const struct store_new *job)
{
    struct pending *pending = sql->pending;
    const struct spec *spec = job->insert->spec;
    if (pending->count == PENDING_ROWS_MAX || pending->text.len > PENDING_TEXT_MAX) {
        int r = store_sql_settle(sql);
        if (r < 0) {
            return r;
        }
    }
    pending->rows[pending->count] = (struct pending_row){
        .id = job->insert->id,
        .seq = job->insert->seq,
        .created_us = job->insert->now_us,
        .run_at_us = job->run_at_us,
        .deadline_us = job->deadline_us,
        .started_us = job->insert->state == JOB_RUNNING ? job->insert->now_us : 0,
        .keep_us = spec->keep_ns < 0 ? -1 : spec->keep_ns / 1000,
        .queue = keep_string(pending, spec->queue),
        .kind = keep_string(pending, spec->kind),
        .name = keep_string(pending, spec->name),
        .key = keep_string(pending, spec->key),
        .body = spec->key != NULL ? keep_text(pending, job->body, SPEC_HASH_SIZE)
                                  : (struct piece){0, SIZE_MAX},
        .spec = keep_text(pending, sql->text.data, sql->text.len),
        .uid = job->insert->uid,
        .waits = job->waits,
        .state = (uint8_t)job->insert->state,
        .priority = (int8_t)spec->priority,
        .running = job->insert->state == JOB_RUNNING,
    };
    if (pending->text.failed) {
        return -ENOMEM;
    }
    size_t i = pending->count++;
    note_event(pending, i);
    pending->rich |= is_rich(&pending->rows[i]);
    if (pending->rows[i].spec.size > SPEC_IN_ROW_MAX) {
        pending->texts[pending->text_count++] = (uint16_t)i;
    }
    sql->unsettled = true;
    return 0;
}
