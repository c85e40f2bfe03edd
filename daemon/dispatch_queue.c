/* dispatch_queue.c - the queues: what the configuration says of them, what was changed at run time, and what is so now.
 *
 * A change at run time is on disk (a setting `queue NAME`, a small JSON object with what was changed) before it shows, and
 * wins over the configuration until it is reset. A queue that was deleted leaves its heir: whatever news of its jobs is
 * still on the way goes there. Changes go one at a time (queue_lock), so none is written over by one that began before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"
#include "log.h"
#include "wire/json.h"

#define SETTING    "queue "
#define MOVE_SLICE 256

static bool first_in_line(const struct row *a, const struct row *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->order < b->order;
}

/* --- finding ------------------------------------------------------------------------------------------- */

static struct queue *find(const struct dispatch *d, const char *name)
{
    for (size_t i = 0; i < d->queue_count; i++) {
        if (strcmp(d->queues[i].name, name) == 0) {
            return &d->queues[i];
        }
    }
    return NULL;
}

/* A queue that is gone and that nothing points to any more. */
static struct queue *unused(struct dispatch *d)
{
    for (size_t i = 0; i < d->queue_count; i++) {
        struct queue *q = &d->queues[i];
        if (!q->known && !q->change.there && q->jobs + q->running + q->inserting + q->entering == 0) {
            return q;
        }
    }
    return NULL;
}

static struct queue *add(struct dispatch *d, const char *name)
{
    struct queue *queue =
        d->queue_count < DISPATCH_QUEUES_MAX ? &d->queues[d->queue_count] : unused(d);
    char *copy = queue ? strdup(name) : NULL;
    if (!copy) {
        return NULL;
    }
    if (queue == &d->queues[d->queue_count]) {
        d->queue_count++;
    } else {
        for (size_t i = 0; i < d->queue_count; i++) {
            if (d->queues[i].heir == queue) {
                d->queues[i].heir = NULL;
            }
        }
        row_heap_fini(&queue->line);
        free(queue->name);
    }
    *queue = (struct queue){.name = copy};
    row_heap_init(&queue->line, ROW_IN_LINE, first_in_line);
    return queue;
}

/* `make`: a queue that nobody knows appears held, so that its jobs are kept and start nothing. */
struct queue *dispatch_queue(struct dispatch *d, const char *name, bool make)
{
    struct queue *queue = find(d, name);
    if (!queue && make) {
        queue = add(d, name);
    }
    while (queue && !queue->known && queue->heir) {
        queue = queue->heir;
    }
    return queue;
}

const char *dispatch_queue_of(const struct dispatch *d, const struct row *row)
{
    return d->queues[row->queue].name;
}

bool dispatch_queue_exists(const struct dispatch *d, const char *name)
{
    const struct queue *queue = find(d, name);
    return queue && queue->known;
}

/* --- what is so now ------------------------------------------------------------------------------------ */

static const struct config_queue *configured(const struct dispatch *d, const char *name)
{
    for (size_t i = 0; i < d->config.config->queue_count; i++) {
        if (strcmp(d->config.config->queues[i].name, name) == 0) {
            return &d->config.config->queues[i];
        }
    }
    return NULL;
}

static void settle(struct dispatch *d, struct queue *q)
{
    const struct dispatch_queue_change *change = &q->change.made;
    const struct config_queue *given = configured(d, q->name);
    struct config_queue plain;
    config_queue_default(&plain, q->name);
    const struct config_queue *base = given ? given : &plain;
    q->known = !q->change.deleted && (given || q->change.there);
    q->heir = q->known ? NULL : q->heir;
    q->parallel = change->has_parallel ? change->parallel : base->parallel;
    q->parallel = q->known ? q->parallel : 0;
    q->paused = change->has_paused ? change->paused : base->paused;
    q->weight = change->has_weight ? change->weight : base->weight;
    q->rate_per_s = change->has_rate ? change->rate : base->rate;
    pace_rate_set(&q->rate, q->rate_per_s, cosched_now());
}

int dispatch_reload(struct dispatch *d)
{
    const struct config *config = d->config.config;
    for (size_t i = 0; i < config->queue_count; i++) {
        if (!find(d, config->queues[i].name) && !add(d, config->queues[i].name)) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < d->queue_count; i++) {
        settle(d, &d->queues[i]);
    }
    bell_ring(&d->kick);
    return 0;
}

/* --- on disk ------------------------------------------------------------------------------------------- */

static void write_change(struct buf *text, const struct queue_change *change)
{
    const struct dispatch_queue_change *made = &change->made;
    struct writer w;
    writer_init(&w, text);
    writer_object(&w);
    if (change->deleted) {
        writer_member_bool(&w, "deleted", true);
    }
    if (made->has_parallel) {
        writer_member_int(&w, "parallel", made->parallel);
    }
    if (made->has_rate) {
        writer_member_double(&w, "rate", made->rate);
    }
    if (made->has_weight) {
        writer_member_int(&w, "weight", made->weight);
    }
    if (made->has_paused) {
        writer_member_bool(&w, "paused", made->paused);
    }
    writer_end_object(&w);
}

/* change->there false: nothing is kept any more. */
static int keep(struct dispatch *d, const char *name, const struct queue_change *change)
{
    char setting[sizeof SETTING + CONFIG_NAME_MAX];
    struct buf text = BUF_INIT;
    snprintf(setting, sizeof setting, SETTING "%s", name);
    if (change->there) {
        write_change(&text, change);
    }
    int rc = text.failed ? -ENOMEM
                         : store_setting_put(d->config.store, setting,
                                             change->there ? buf_text(&text) : NULL);
    buf_free(&text);
    return rc;
}

static void read_change(const struct json *json, struct queue_change *change)
{
    struct dispatch_queue_change *made = &change->made;
    *change = (struct queue_change){.there = true, .deleted = json_bool(json_get(json, "deleted"))};
    made->has_parallel = json_int(json_get(json, "parallel"), &made->parallel);
    made->has_weight = json_int(json_get(json, "weight"), &made->weight);
    made->has_rate = json_is(json_get(json, "rate"), JSON_NUMBER);
    made->rate = json_number(json_get(json, "rate"));
    made->has_paused = json_is(json_get(json, "paused"), JSON_BOOL);
    made->paused = json_bool(json_get(json, "paused"));
    if (made->has_weight && (made->weight < 1 || made->weight > PACE_WEIGHT_MAX)) {
        made->has_weight = false;
    }
}

/* On the store's thread, while MAIN waits. */
static int load_setting(void *ctx, const char *name, const char *value)
{
    struct dispatch *d = ctx;
    struct json_error error;
    if (strncmp(name, SETTING, sizeof SETTING - 1) != 0) {
        return 0;
    }
    name += sizeof SETTING - 1;
    struct json *json = json_parse(value, strlen(value), &error);
    struct queue *queue = json ? find(d, name) : NULL;
    if (json && !queue) {
        queue = add(d, name);
    }
    if (queue) {
        read_change(json, &queue->change);
    } else {
        log_error("a queue's change was not read", LOG_STR("queue", name));
    }
    json_free(json);
    return 0;
}

int dispatch_queues_load(struct dispatch *d)
{
    int rc = store_setting_each(d->config.store, load_setting, d);
    return rc == STORE_OK ? dispatch_reload(d) : rc;
}

/* --- changes ------------------------------------------------------------------------------------------- */

static void take_over(struct dispatch_queue_change *into, const struct dispatch_queue_change *from)
{
    if (from->has_parallel) {
        into->has_parallel = true;
        into->parallel = from->parallel;
    }
    if (from->has_rate) {
        into->has_rate = true;
        into->rate = from->rate;
    }
    if (from->has_weight) {
        into->has_weight = true;
        into->weight = from->weight;
    }
    if (from->has_paused) {
        into->has_paused = true;
        into->paused = from->paused;
    }
}

static int change_locked(struct dispatch *d, const char *name,
                         const struct dispatch_queue_change *change, bool make)
{
    struct queue *queue = find(d, name);
    if (!make && !(queue && queue->known)) {
        return STORE_NOT_FOUND;
    }
    if (!queue) {
        queue = add(d, name);
    }
    if (!queue) {
        return -EDQUOT;
    }
    struct queue_change next = queue->change;
    if (!queue->known) {
        next = (struct queue_change){.there = true};
    }
    next.there = true;
    take_over(&next.made, change);
    queue->entering++; /* it stays this queue's place while we wait */
    int rc = keep(d, name, &next);
    queue->entering--;
    if (rc == STORE_OK) {
        queue->change = next;
        settle(d, queue);
        bell_ring(&d->kick);
    }
    return rc;
}

int dispatch_queue_change(struct dispatch *d, const char *name,
                          const struct dispatch_queue_change *change, bool make)
{
    int rc = cosched_mutex_lock(&d->queue_lock, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    rc = change_locked(d, name, change, make);
    cosched_mutex_unlock(&d->queue_lock);
    return rc;
}

static int reset_locked(struct dispatch *d, const char *name)
{
    static const struct queue_change none;
    struct queue *queue = find(d, name);
    const struct config_queue *given = configured(d, name);
    if (!queue || !(queue->known || (given && queue->change.deleted))) {
        return STORE_NOT_FOUND;
    }
    /* One that was made at run time has nothing to fall back on but what every queue begins with: it stays. */
    struct queue_change next = none;
    next.there = !given;
    int rc = keep(d, name, &next);
    if (rc == STORE_OK) {
        queue->change = next;
        settle(d, queue);
        bell_ring(&d->kick);
    }
    return rc;
}

int dispatch_queue_reset(struct dispatch *d, const char *name)
{
    int rc = cosched_mutex_lock(&d->queue_lock, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    rc = reset_locked(d, name);
    cosched_mutex_unlock(&d->queue_lock);
    return rc;
}

/* --- deleting ------------------------------------------------------------------------------------------ */

static void move_row(struct dispatch *d, int64_t id, struct queue *from, struct queue *to)
{
    struct row *row = rows_find(&d->rows, id);
    if (!row || (row->flags & ROW_TOMBSTONE) || &d->queues[row->queue] != from) {
        return; /* its news is on the way, and finds the heir */
    }
    bool in_line =
        row->at[ROW_IN_LINE] < from->line.count && from->line.rows[row->at[ROW_IN_LINE]] == row;
    if (in_line) {
        row_heap_remove(&from->line, row);
    }
    row->queue = (uint16_t)(to - d->queues);
    from->jobs--;
    to->jobs++;
    if (in_line) {
        dispatch_line_push(d, row);
    }
}

/* Submissions that were in the store's channel before the first slice are in its tables by then, whether or not their
 * news has come home. */
static int move_all(struct dispatch *d, struct queue *from, struct queue *to, size_t *moved)
{
    int64_t last = 0, *ids = malloc(MOVE_SLICE * sizeof *ids);
    size_t count = MOVE_SLICE;
    int rc = ids ? STORE_OK : -ENOMEM;
    while (rc == STORE_OK && count == MOVE_SLICE) {
        rc = store_queue_move(d->config.store, from->name, to->name, last, ids, MOVE_SLICE, &count);
        for (size_t i = 0; rc == STORE_OK && i < count; i++) {
            move_row(d, ids[i], from, to);
        }
        *moved += rc == STORE_OK ? count : 0;
        last = rc == STORE_OK && count ? ids[count - 1] : last;
    }
    free(ids);
    return rc;
}

static int delete_locked(struct dispatch *d, const char *name, const char *move_to, size_t *moved)
{
    struct queue *queue = find(d, name), *heir = move_to ? find(d, move_to) : NULL;
    if (!queue || !queue->known) {
        return STORE_NOT_FOUND;
    }
    if (!heir && queue->jobs + queue->entering > 0) {
        return STORE_CONFLICT;
    }
    struct queue_change next = {.there = configured(d, name) != NULL, .deleted = true};
    queue->known = false; /* takes no new jobs from here on */
    queue->heir = heir;
    queue->entering++;
    int rc = heir ? move_all(d, queue, heir, moved) : STORE_OK;
    if (rc == STORE_OK) {
        rc = keep(d, name, &next);
    }
    queue->entering--;
    if (rc == STORE_OK) {
        queue->change = next;
        settle(d, queue);
    } else {
        queue->known = true;
        queue->heir = NULL;
    }
    bell_ring(&d->kick);
    return rc;
}

int dispatch_queue_delete(struct dispatch *d, const char *name, const char *move_to, size_t *moved)
{
    *moved = 0;
    int rc = cosched_mutex_lock(&d->queue_lock, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    rc = delete_locked(d, name, move_to, moved);
    cosched_mutex_unlock(&d->queue_lock);
    return rc;
}

/* --- whose turn ---------------------------------------------------------------------------------------- */

bool dispatch_queue_take(struct queue *q, int64_t now_ns)
{
    return q->known && !q->paused && q->running < q->parallel && pace_rate_take(&q->rate, now_ns);
}

struct queue *dispatch_queue_next(struct dispatch *d, int64_t now_ns, int64_t *wake_ns)
{
    struct queue *best = NULL;
    for (size_t i = 0; i < d->queue_count; i++) {
        struct queue *q = &d->queues[i];
        if (q->line.count == 0 || !q->known || q->paused || q->running >= q->parallel) {
            continue;
        }
        int64_t when_ns = pace_rate_when(&q->rate);
        if (when_ns > now_ns) {
            *wake_ns = when_ns < *wake_ns ? when_ns : *wake_ns;
        } else if (!best || pace_turn(&q->share, d->turn) < pace_turn(&best->share, d->turn)) {
            best = q;
        }
    }
    if (best) {
        (void)pace_rate_take(&best->rate, now_ns);
        pace_go(&best->share, best->weight, &d->turn);
    }
    return best;
}
