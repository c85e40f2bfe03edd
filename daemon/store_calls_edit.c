/* The callers' side of changes to jobs that wait: see store_calls.c. */
#include "store.h"
#include "store_private.h"

struct edit_request {
    struct store_request base;
    int64_t id, run_at_us, deadline_us, now_us, seq;
    const struct spec *spec;
    struct job_row *row;
};

static int run_edit(struct store_sql *sql, struct store_request *base)
{
    struct edit_request *request = (struct edit_request *)base;
    return store_sql_edit(sql, request->id, request->spec, request->run_at_us, request->deadline_us,
                          request->now_us, request->row, &request->seq);
}

int store_edit(struct store *store, int64_t id, const struct spec *spec, int64_t run_at_us,
               int64_t deadline_us, int64_t now_us, struct job_row *row, int64_t *seq)
{
    struct edit_request request = {
        .base = {.run = run_edit, .writes = true},
        .id = id,
        .run_at_us = run_at_us,
        .deadline_us = deadline_us,
        .now_us = now_us,
        .spec = spec,
        .row = row,
    };
    int r = store_ask(store, &request.base);
    if (r == STORE_OK && seq != NULL) {
        *seq = request.seq;
    }
    return r;
}

struct queue_move_request {
    struct store_request base;
    const char *from, *to;
    int64_t after, *ids;
    size_t max, *count;
};

static int run_queue_move(struct store_sql *sql, struct store_request *base)
{
    struct queue_move_request *request = (struct queue_move_request *)base;
    return store_sql_queue_move(sql, request->from, request->to, request->after, request->ids,
                                request->max, request->count);
}

int store_queue_move(struct store *store, const char *from, const char *to, int64_t after,
                     int64_t *ids, size_t max, size_t *count)
{
    struct queue_move_request request = {
        .base = {.run = run_queue_move, .writes = true},
        .from = from,
        .to = to,
        .after = after,
        .ids = ids,
        .max = max,
        .count = count,
    };
    return store_ask(store, &request.base);
}
