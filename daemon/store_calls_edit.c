/* The callers' side of changes to jobs that wait: see store_calls.c. */
#include "store.h"
#include "store_private.h"

struct edit_request {
    struct store_request base;
    int64_t id, now_us;
    struct store_edit *edit;
    struct store_effects *effects;
    size_t effects_before;
};

static int run_edit(struct store_sql *sql, struct store_request *base)
{
    struct edit_request *request = (struct edit_request *)base;
    return store_sql_edit(sql, request->id, request->edit, request->now_us, request->effects);
}

static void reset_edit(struct store_request *base)
{
    struct edit_request *request = (struct edit_request *)base;
    store_effects_cut(request->effects, request->effects_before);
}

int store_edit(struct store *store, int64_t id, struct store_edit *edit, int64_t now_us,
               struct store_effects *effects)
{
    struct edit_request request = {
        .base = {.run = run_edit, .reset = reset_edit, .writes = true},
        .id = id,
        .now_us = now_us,
        .edit = edit,
        .effects = effects,
        .effects_before = effects->count,
    };
    int r = store_ask(store, &request.base);
    if (r != STORE_OK) {
        store_effects_cut(effects, request.effects_before);
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
