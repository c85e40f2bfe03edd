/* The callers' side of the store: each function wraps its arguments into a request on its own
 * stack, asks, and unwraps. `run_` functions are the other half, on the store's thread. On MAIN or
 * WORKER, in any task. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"
#include "store_private.h"

/* --- inserting -------------------------------------------------------------------------------- */

struct insert_request {
    struct store_request base;
    struct store_insert *jobs;
    size_t count;
    struct store_refusal *refusal;
};

static int run_insert(struct store_sql *sql, struct store_request *base)
{
    struct insert_request *request = (struct insert_request *)base;
    return store_sql_insert(sql, request->jobs, request->count, request->refusal);
}

int store_insert(struct store *store, struct store_insert *jobs, size_t count,
                 struct store_refusal *refusal)
{
    struct store_refusal unwanted;
    struct insert_request request = {
        .base = {.run = run_insert, .writes = true, .inserts = true},
        .jobs = jobs,
        .count = count,
        .refusal = refusal ? refusal : &unwanted,
    };
    return store_ask(store, &request.base);
}

/* Side by side: a failure of the disk is the failure of one of them. */
void store_insert_each(struct store *store, struct store_insertion *insertions, size_t count)
{
    struct store_group group = {.left = count};
    struct insert_request *requests = count > 1 ? calloc(count, sizeof *requests) : NULL;
    if (requests == NULL) { /* no memory, or nothing to be gained */
        for (size_t i = 0; i < count; i++) {
            struct store_insertion *in = &insertions[i];
            in->result = store_insert(store, in->jobs, in->count, &in->refusal);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct store_insertion *in = &insertions[i];
        requests[i] = (struct insert_request){
            .base = {.run = run_insert, .writes = true, .inserts = true, .group = &group},
            .jobs = in->jobs,
            .count = in->count,
            .refusal = &in->refusal,
        };
        requests[i].base.next = i + 1 < count ? &requests[i + 1].base : NULL;
    }
    int r = store_ask_all(store, &requests[0].base, &requests[count - 1].base);
    for (size_t i = 0; i < count; i++) {
        insertions[i].result = r < 0 ? r : requests[i].base.result;
    }
    free(requests);
}

/* --- attempts --------------------------------------------------------------------------------- */

struct start_request {
    struct store_request base;
    int64_t id, now_us, seq;
    uint32_t attempt;
    bool with_spec;
    char *text; /* owned */
    size_t len;
};

static int run_start(struct store_sql *sql, struct store_request *base)
{
    struct start_request *request = (struct start_request *)base;
    return store_sql_start(sql, request->id, request->attempt, request->now_us,
                           request->with_spec ? &request->text : NULL, &request->len, &request->seq);
}

static void reset_start(struct store_request *base)
{
    struct start_request *request = (struct start_request *)base;
    free(request->text);
    request->text = NULL;
}

int store_start(struct store *store, int64_t id, uint32_t attempt, int64_t now_us,
                struct spec **spec, int64_t *seq)
{
    struct start_request request = {
        .base = {.run = run_start, .reset = reset_start, .writes = true, .patient = true},
        .id = id,
        .now_us = now_us,
        .attempt = attempt,
        .with_spec = spec != NULL,
    };
    int r = store_ask(store, &request.base);
    if (r == STORE_OK && seq != NULL) {
        *seq = request.seq;
    }
    if (spec != NULL) {
        *spec = NULL;
    }
    if (r == STORE_OK && spec != NULL) {
        (void)spec_load(request.text, request.len, spec); /* see store.h: NULL says it */
    }
    free(request.text);
    return r;
}

struct process_request {
    struct store_request base;
    int64_t id;
    uint32_t attempt;
    pid_t pid;
    uint64_t start_time;
};

static int run_process(struct store_sql *sql, struct store_request *base)
{
    struct process_request *request = (struct process_request *)base;
    return store_sql_process(sql, request->id, request->attempt, request->pid, request->start_time);
}

int store_process(struct store *store, int64_t id, uint32_t attempt, pid_t pid, uint64_t start_time)
{
    struct process_request request = {
        .base = {.run = run_process, .writes = true},
        .id = id,
        .attempt = attempt,
        .pid = pid,
        .start_time = start_time,
    };
    return store_ask(store, &request.base);
}

struct finish_request {
    struct store_request base;
    int64_t id, now_us, seq;
    uint32_t attempt;
    const struct job_outcome *outcome;
    struct job_decision asked, made;
    struct store_effects *effects;
    size_t effects_before;
};

static int run_finish(struct store_sql *sql, struct store_request *base)
{
    struct finish_request *request = (struct finish_request *)base;
    return store_sql_finish(sql, request->id, request->attempt, request->outcome, &request->made,
                            request->now_us, &request->seq, request->effects);
}

static void reset_finish(struct store_request *base)
{
    struct finish_request *request = (struct finish_request *)base;
    request->made = request->asked;
    store_effects_cut(request->effects, request->effects_before);
}

int store_finish(struct store *store, int64_t id, uint32_t attempt,
                 const struct job_outcome *outcome, struct job_decision *decision, int64_t now_us,
                 int64_t *seq, struct store_effects *effects)
{
    struct finish_request request = {
        .base = {.run = run_finish, .reset = reset_finish, .writes = true, .patient = true},
        .id = id,
        .now_us = now_us,
        .attempt = attempt,
        .outcome = outcome,
        .asked = *decision,
        .effects = effects,
        .effects_before = effects->count,
    };
    int r = store_ask(store, &request.base);
    if (r != STORE_OK) {
        store_effects_cut(effects, request.effects_before);
        return r;
    }
    *decision = request.made;
    if (seq != NULL) {
        *seq = request.seq;
    }
    return r;
}

/* --- moves ------------------------------------------------------------------------------------ */

struct moves_request {
    struct store_request base;
    struct store_step *steps;
    size_t count;
    int64_t now_us;
    struct store_effects *effects;
    size_t effects_before;
};

static int run_moves(struct store_sql *sql, struct store_request *base)
{
    struct moves_request *request = (struct moves_request *)base;
    return store_sql_moves(sql, request->steps, request->count, request->now_us, request->effects);
}

static void reset_moves(struct store_request *base)
{
    struct moves_request *request = (struct moves_request *)base;
    store_effects_cut(request->effects, request->effects_before);
}

int store_move_many(struct store *store, struct store_step *steps, size_t count, int64_t now_us,
                    struct store_effects *effects)
{
    struct moves_request request = {
        .base = {.run = run_moves, .reset = reset_moves, .writes = true},
        .steps = steps,
        .count = count,
        .now_us = now_us,
        .effects = effects,
        .effects_before = effects->count,
    };
    int r = store_ask(store, &request.base);
    if (r != STORE_OK) {
        store_effects_cut(effects, request.effects_before);
    }
    return r;
}

int store_move(struct store *store, int64_t id, enum job_event event, int64_t now_us,
               enum job_state *state, int64_t *seq, struct store_effects *effects)
{
    struct store_step step = {.id = id, .event = event};
    int r = store_move_many(store, &step, 1, now_us, effects);
    if (r != STORE_OK) {
        return r;
    }
    if (state != NULL) {
        *state = step.state;
    }
    if (seq != NULL) {
        *seq = step.seq;
    }
    return step.outcome;
}

int store_cancel(struct store *store, int64_t id, int64_t now_us, enum job_state *state,
                 int64_t *seq, struct store_effects *effects)
{
    return store_move(store, id, JOB_EVENT_CANCEL, now_us, state, seq, effects);
}

int store_remove(struct store *store, int64_t id)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    int r = store_move(store, id, JOB_EVENT_REMOVE, 0, NULL, NULL, &effects);
    store_effects_fini(&effects);
    return r;
}

struct again_request {
    struct store_request base;
    int64_t id, now_us, seq;
    struct job_row *row;
    char *queue;
};

static int run_again(struct store_sql *sql, struct store_request *base)
{
    struct again_request *request = (struct again_request *)base;
    return store_sql_again(sql, request->id, request->now_us, request->row, request->queue,
                           &request->seq);
}

int store_again(struct store *store, int64_t id, int64_t now_us, struct job_row *row,
                char row_queue[SPEC_NAME_MAX + 1], int64_t *seq)
{
    struct again_request request = {
        .base = {.run = run_again, .writes = true},
        .id = id,
        .now_us = now_us,
        .row = row,
        .queue = row_queue,
    };
    int r = store_ask(store, &request.base);
    if (r == STORE_OK && seq != NULL) {
        *seq = request.seq;
    }
    return r;
}

/* --- looking ---------------------------------------------------------------------------------- */

struct get_request {
    struct store_request base;
    int64_t id;
    unsigned with;
    struct store_job *job;
};

static int run_get(struct store_sql *sql, struct store_request *base)
{
    struct get_request *request = (struct get_request *)base;
    return store_sql_get(sql, request->id, request->with, &request->job);
}

static void reset_get(struct store_request *base)
{
    struct get_request *request = (struct get_request *)base;
    store_job_free(request->job);
    request->job = NULL;
}

int store_get(struct store *store, int64_t id, unsigned with, struct store_job **out)
{
    struct get_request request = {
        .base = {.run = run_get, .reset = reset_get},
        .id = id,
        .with = with,
    };
    int r = store_ask(store, &request.base);
    *out = r == STORE_OK ? request.job : NULL;
    if (r != STORE_OK) {
        store_job_free(request.job);
    }
    return r;
}

struct get_many_request {
    struct store_request base;
    const int64_t *ids;
    size_t count;
    unsigned with;
    struct store_job **jobs;
};

static void reset_get_many(struct store_request *base)
{
    struct get_many_request *request = (struct get_many_request *)base;
    for (size_t i = 0; i < request->count; i++) {
        store_job_free(request->jobs[i]);
        request->jobs[i] = NULL;
    }
}

static int run_get_many(struct store_sql *sql, struct store_request *base)
{
    struct get_many_request *request = (struct get_many_request *)base;
    int r = STORE_OK;
    for (size_t i = 0; r >= 0 && i < request->count; i++) {
        r = store_sql_get(sql, request->ids[i], request->with, &request->jobs[i]);
    }
    return r < 0 ? r : STORE_OK;
}

int store_get_many(struct store *store, const int64_t *ids, size_t count, unsigned with,
                   struct store_job **jobs)
{
    struct get_many_request request = {
        .base = {.run = run_get_many, .reset = reset_get_many},
        .ids = ids,
        .count = count,
        .with = with,
        .jobs = jobs,
    };
    for (size_t i = 0; i < count; i++) {
        jobs[i] = NULL;
    }
    int r = store_ask(store, &request.base);
    if (r != STORE_OK) {
        reset_get_many(&request.base);
    }
    return r;
}

struct list_request {
    struct store_request base;
    const struct store_filter *filter;
    struct store_page *page;
    size_t count_before;
    int64_t next_before;
};

static int run_list(struct store_sql *sql, struct store_request *base)
{
    struct list_request *request = (struct list_request *)base;
    return store_sql_list(sql, request->filter, request->page);
}

static void reset_list(struct store_request *base)
{
    struct list_request *request = (struct list_request *)base;
    struct store_page *page = request->page;
    while (page->count > request->count_before) {
        store_job_free(page->jobs[--page->count]);
    }
    page->next = request->next_before;
    page->more = false;
}

int store_list(struct store *store, const struct store_filter *filter, struct store_page *page)
{
    int r;
    *page = (struct store_page)STORE_PAGE_INIT;
    do {
        struct list_request request = {
            .base = {.run = run_list, .reset = reset_list},
            .filter = filter,
            .page = page,
            .count_before = page->count,
            .next_before = page->next,
        };
        r = store_ask(store, &request.base);
    } while (r == STORE_OK && page->next > 0);
    if (r != STORE_OK) {
        store_page_fini(page);
    }
    return r;
}

/* A callback's refusal travels beside the result, which speaks of the store. */
struct scan_request {
    struct store_request base;
    int (*each_row)(void *ctx, const struct job_row *row);
    int (*each_setting)(void *ctx, const char *name, const char *value);
    void *ctx;
    int refused;
};

static int scan_row(void *ctx, const struct job_row *row)
{
    struct scan_request *request = ctx;
    request->refused = request->each_row(request->ctx, row);
    return request->refused;
}

static int scan_setting(void *ctx, const char *name, const char *value)
{
    struct scan_request *request = ctx;
    request->refused = request->each_setting(request->ctx, name, value);
    return request->refused;
}

static int run_load(struct store_sql *sql, struct store_request *base)
{
    return store_sql_load(sql, scan_row, base);
}

static int run_settings(struct store_sql *sql, struct store_request *base)
{
    return store_sql_setting_each(sql, scan_setting, base);
}

/* Callbacks have effects, so a scan is never run twice: it goes alone. */
int store_load(struct store *store, int (*each)(void *ctx, const struct job_row *row), void *ctx)
{
    struct scan_request request = {
        .base = {.run = run_load, .alone = true},
        .each_row = each,
        .ctx = ctx,
    };
    int r = store_ask(store, &request.base);
    return request.refused < 0 ? request.refused : r;
}

int store_setting_each(struct store *store,
                       int (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
    struct scan_request request = {
        .base = {.run = run_settings, .alone = true},
        .each_setting = each,
        .ctx = ctx,
    };
    int r = store_ask(store, &request.base);
    return request.refused < 0 ? request.refused : r;
}

/* --- the rest --------------------------------------------------------------------------------- */

struct recover_request {
    struct store_request base;
    struct store_recovery *recovery;
    int64_t now_us;
    struct store_effects *effects;
    size_t effects_before;
};

static int run_recover(struct store_sql *sql, struct store_request *base)
{
    struct recover_request *request = (struct recover_request *)base;
    return store_sql_recover(sql, request->recovery, request->now_us, request->effects);
}

static void reset_recover(struct store_request *base)
{
    struct recover_request *request = (struct recover_request *)base;
    store_effects_cut(request->effects, request->effects_before);
}

int store_recover_commit(struct store *store, struct store_recovery *recovery, int64_t now_us,
                         struct store_effects *effects)
{
    struct recover_request request = {
        .base = {.run = run_recover, .reset = reset_recover, .writes = true},
        .recovery = recovery,
        .now_us = now_us,
        .effects = effects,
        .effects_before = effects->count,
    };
    return store_ask(store, &request.base);
}

struct expire_request {
    struct store_request base;
    const struct store_retention *retention;
    int64_t *ids;
    size_t max, *count;
};

static int run_expire(struct store_sql *sql, struct store_request *base)
{
    struct expire_request *request = (struct expire_request *)base;
    return store_sql_expire(sql, request->retention, request->ids, request->max, request->count);
}

int store_expire(struct store *store, const struct store_retention *retention, int64_t *ids,
                 size_t max, size_t *count)
{
    struct expire_request request = {
        .base = {.run = run_expire, .writes = true},
        .retention = retention,
        .ids = ids,
        .max = max,
        .count = count,
    };
    int r = store_ask(store, &request.base);
    if (r != STORE_OK) {
        *count = 0;
    }
    return r;
}

struct setting_request {
    struct store_request base;
    const char *name, *value;
};

static int run_setting(struct store_sql *sql, struct store_request *base)
{
    struct setting_request *request = (struct setting_request *)base;
    return store_sql_setting_put(sql, request->name, request->value);
}

int store_setting_put(struct store *store, const char *name, const char *value)
{
    struct setting_request request = {
        .base = {.run = run_setting, .writes = true},
        .name = name,
        .value = value,
    };
    assert(strcmp(name, "last_id") != 0); /* the store's own */
    return store_ask(store, &request.base);
}

struct backup_request {
    struct store_request base;
    const char *path;
    bool exists;
};

static int run_backup(struct store_sql *sql, struct store_request *base)
{
    struct backup_request *request = (struct backup_request *)base;
    request->exists = access(request->path, F_OK) == 0;
    return request->exists ? -EEXIST : store_sql_backup(sql, request->path);
}

int store_backup(struct store *store, const char *path)
{
    struct backup_request request = {
        .base = {.run = run_backup, .alone = true},
        .path = path,
    };
    int r = store_ask(store, &request.base);
    return request.exists ? -EEXIST : r;
}
