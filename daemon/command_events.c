/* command_events.c - subscribe, unsubscribe: what happens, as it happens.
 *
 * A subscription is a task of its connection with a place in the store's list of events. It reads from there, is woken by
 * every commit that dispatch hears of, and waits while its client does not read: a slow one costs a place, not memory, and
 * when the list has moved on past it, it is told the gap. Queues and metrics are looked at once in an interval.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "log.h"

#define EVENTS_AT_ONCE      64
#define INTERVAL_DEFAULT_NS INT64_C(1000000000)
#define INTERVAL_MIN_NS     INT64_C(100000000)
#define STORE_AGAIN_MS      200

/* A queue as it was told last. */
struct told {
    char name[SPEC_NAME_MAX + 1];
    struct metrics_queue queue; /* its name is not used */
    bool there;
};

struct subscription {
    struct subscription *next;
    struct call call; /* whose it is; without params and out */
    int64_t number;
    bool jobs, queues, stats, stop;
    int64_t interval_ns, due_ns;
    struct json *params; /* owned: the filter's texts point into it */
    struct spec_label *labels;
    struct store_filter filter;
    int64_t seq; /* job events are looked at up to here */
    struct bell bell;
    struct watch_node node;
    struct told *told; /* owned */
    size_t told_count;
    struct buf lines;
    struct store_event events[EVENTS_AT_ONCE];
};

/* --- job events ------------------------------------------------------------------------------------------ */

static void begin_event(struct subscription *s, struct writer *w, const char *type, int64_t seq)
{
    message_event_begin(w, &s->lines, type);
    writer_member_int(w, "subscription", s->number);
    writer_member_int(w, "seq", seq);
}

static void write_job(struct subscription *s, const struct store_event *event)
{
    struct writer w;
    begin_event(s, &w, "job", event->seq);
    writer_member_int(&w, "id", event->id);
    writer_member_string(&w, "state", job_state_name(event->state));
    writer_member_int(&w, "attempt", event->attempt);
    writer_member_time(&w, "at", event->at_us);
    /* Of a job that was removed since, these are not known any more. */
    writer_member_string(&w, "queue", *event->queue ? event->queue : NULL);
    writer_member_string(&w, "kind", *event->kind ? event->kind : NULL);
    writer_member_string(&w, "name", *event->name ? event->name : NULL);
    message_event_end(&w);
}

static void write_gap(struct subscription *s, int64_t from, int64_t to)
{
    struct writer w;
    begin_event(s, &w, "gap", to);
    writer_member_int(&w, "from", from);
    writer_member_int(&w, "to", to);
    message_event_end(&w);
}

static int send_lines(struct subscription *s)
{
    if (s->stop)
        buf_reset(&s->lines);
    return s->lines.failed ? -ENOMEM : conn_send(s->call.conn, &s->lines);
}

/* Everything that is there now. */
static int pump_jobs(struct subscription *s)
{
    struct store_follow f;
    do {
        f = (struct store_follow){
            .filter = &s->filter, .from = s->seq, .events = s->events, .max = EVENTS_AT_ONCE};
        int rc = store_follow(s->call.surface->store, &f);
        if (rc == STORE_UNAVAILABLE) {
            rc = cosched_sleep_until(cosched_in_ms(STORE_AGAIN_MS));
            if (rc < 0)
                return rc;
            f.last = f.seq + 1; /* look again */
            continue;
        }
        if (rc != STORE_OK)
            return rc < 0 ? rc : -EIO;
        if (f.oldest > s->seq + 1) {
            write_gap(s, s->seq + 1, f.oldest - 1);
            f.count = 0;
            f.seq = f.oldest - 1; /* and on from there */
        }
        for (size_t i = 0; i < f.count; i++)
            write_job(s, &s->events[i]);
        s->seq = f.seq;
        rc = send_lines(s);
        if (rc < 0)
            return rc;
    } while (f.seq < f.last && !s->stop);
    return 0;
}

/* --- queues and metrics -------------------------------------------------------------------------------------- */

static bool same(const struct metrics_queue *a, const struct metrics_queue *b)
{
    /* oldest_s grows by itself: that alone is no news */
    return a->depth == b->depth && a->running == b->running && a->parallel == b->parallel &&
           a->weight == b->weight && a->rate <= b->rate && a->rate >= b->rate &&
           a->paused == b->paused;
}

static struct told *told_of(struct subscription *s, const char *name)
{
    for (size_t i = 0; i < s->told_count; i++)
        if (strcmp(s->told[i].name, name) == 0)
            return &s->told[i];
    struct told *grown = realloc(s->told, (s->told_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    s->told = grown;
    struct told *told = &s->told[s->told_count++];
    memset(told, 0, sizeof *told);
    snprintf(told->name, sizeof told->name, "%s", name);
    told->queue.depth = UINT64_MAX; /* like no other: it is told at once */
    return told;
}

static void write_queue(struct subscription *s, const struct metrics_queue *queue)
{
    struct writer w;
    begin_event(s, &w, "queue", s->seq);
    writer_key(&w, "queue");
    metrics_write_queue(&w, queue, true);
    message_event_end(&w);
}

/* Forgets those that are not there any more, and says so. */
static void write_deleted(struct subscription *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->told_count; i++) {
        struct writer w;
        if (s->told[i].there) {
            s->told[kept++] = s->told[i];
            continue;
        }
        begin_event(s, &w, "queue", s->seq);
        writer_member_object(&w, "queue");
        writer_member_string(&w, "name", s->told[i].name);
        writer_member_bool(&w, "deleted", true);
        writer_end_object(&w);
        message_event_end(&w);
    }
    s->told_count = kept;
}

static int tell_queues(struct subscription *s)
{
    struct metrics_queue *queues = calloc(DISPATCH_QUEUES_MAX, sizeof *queues);
    if (!queues)
        return -ENOMEM;
    size_t count = dispatch_queues(s->call.surface->dispatch, queues, DISPATCH_QUEUES_MAX);
    for (size_t i = 0; i < s->told_count; i++)
        s->told[i].there = false;
    for (size_t i = 0; i < count; i++) {
        struct told *told = told_of(s, queues[i].name);
        if (!told)
            break;
        told->there = true;
        if (!same(&told->queue, &queues[i]))
            write_queue(s, &queues[i]);
        told->queue = queues[i];
    }
    free(queues);
    write_deleted(s);
    return 0;
}

static int tell_stats(struct subscription *s)
{
    struct writer w;
    struct buf text = BUF_INIT;
    writer_init(&w, &text);
    int rc = stats_write(s->call.surface, &w, s->call.admin);
    if (rc == 0 && !text.failed) {
        begin_event(s, &w, "stats", s->seq);
        writer_member_raw(&w, "stats", text.data, text.len);
        message_event_end(&w);
    }
    buf_free(&text);
    return rc;
}

static int tick(struct subscription *s)
{
    int64_t now_ns = cosched_now();
    if (now_ns < s->due_ns)
        return 0;
    s->due_ns = now_ns + s->interval_ns; /* what a slow reader missed is not made up for */
    int rc = s->queues ? tell_queues(s) : 0;
    if (rc == 0 && s->stats)
        rc = tell_stats(s);
    return rc == 0 ? send_lines(s) : rc;
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static void subscription_free(struct subscription *s)
{
    watch_remove(s->call.surface->watch, &s->node);
    bell_fini(&s->bell);
    buf_free(&s->lines);
    json_free(s->params);
    free(s->labels);
    free(s->told);
    free(s);
}

static int64_t subscription_task(void *arg)
{
    struct subscription *s = arg;
    struct conn_standing *standing = conn_standing(s->call.conn);
    bool timed = s->queues || s->stats;
    int rc = 0;
    while (rc == 0 && !s->stop) {
        if (s->jobs)
            rc = pump_jobs(s);
        if (rc == 0 && timed)
            rc = tick(s);
        if (rc == 0 && !s->stop)
            rc = bell_wait(&s->bell, timed ? s->due_ns : COSCHED_NEVER);
        rc = rc == -ETIMEDOUT ? 0 : rc;
    }
    struct subscription **link = &standing->first;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    struct conn *conn = s->call.conn;
    subscription_free(s);
    conn_standing_end(conn);
    return 0;
}

/* --- the request ------------------------------------------------------------------------------------------------ */

static bool refuse(struct call *call, const char *path, const char *reason)
{
    call_error(call, MESSAGE_INVALID_PARAMS, path, reason);
    return false;
}

static bool read_events(struct call *call, struct subscription *s)
{
    const struct json *events = json_get(call->params, "events");
    char path[48];
    size_t i = 0;
    if (!json_is(events, JSON_ARRAY) || json_count(events) == 0)
        return refuse(call, "params.events", "must be an array of \"job\", \"queue\", \"stats\"");
    for (const struct json *e = json_first(events); e; e = json_next(e), i++) {
        const char *name = json_string(e) ? json_string(e) : "";
        bool job = strcmp(name, "job") == 0, queue = strcmp(name, "queue") == 0;
        if (!job && !queue && strcmp(name, "stats") != 0) {
            snprintf(path, sizeof path, "params.events[%zu]", i);
            return refuse(call, path, "must be \"job\", \"queue\" or \"stats\"");
        }
        s->jobs = s->jobs || job;
        s->queues = s->queues || queue;
        s->stats = s->stats || !(job || queue);
    }
    return true;
}

static bool read_interval(struct call *call, struct subscription *s)
{
    s->interval_ns = INTERVAL_DEFAULT_NS;
    if (!param_duration_ns(call, "interval", &s->interval_ns))
        return false;
    return s->interval_ns >= INTERVAL_MIN_NS
               ? true
               : refuse(call, "params.interval", "must be at least 100ms");
}

static bool read_filter(struct call *call, struct subscription *s)
{
    static const char *const names[] = {"state", "queue",  "label", "kind", "owner",
                                        "name",  "parent", "tree",  NULL};
    const struct json *filter = json_get(s->params, "filter");
    const struct json *unknown = json_unknown(filter, names);
    char path[160];
    if (filter && !json_is(filter, JSON_OBJECT))
        return refuse(call, "params.filter", "must be an object");
    if (unknown) {
        snprintf(path, sizeof path, "params.filter.%s", json_key(unknown));
        return refuse(call, path, "unknown member");
    }
    if (filter && !s->jobs)
        return refuse(call, "params.filter", "is for job events");
    if (!job_filter(call, filter, "params.filter", &s->filter, &s->labels))
        return false;
    if (s->filter.has_uid && !call_may(call, s->filter.uid)) {
        call_error(call, MESSAGE_NOT_PERMITTED, "params.filter.owner",
                   "jobs of others are for admins");
        return false;
    }
    if (!call->admin) {
        s->filter.has_uid = true;
        s->filter.uid = call->uid;
    }
    return true;
}

/* From where on: after from_seq, or after the last one there is. Suspends. */
static bool find_place(struct call *call, struct subscription *s)
{
    struct store_follow f = {.filter = &s->filter};
    int64_t from = -1;
    if (!param_int(call, "from_seq", 0, JSON_INT_MAX, &from))
        return false;
    if (from >= 0 && !s->jobs)
        return refuse(call, "params.from_seq", "is for job events");
    int rc = store_follow(call->surface->store, &f);
    if (rc != STORE_OK) {
        call_error_store(call, rc, 0);
        return false;
    }
    s->seq = from >= 0 ? from : f.last;
    return from <= f.last ? true : refuse(call, "params.from_seq", "is ahead of the last event");
}

static bool read_request(struct call *call, struct subscription *s)
{
    static const char *const names[] = {"events", "interval", "filter", "from_seq", NULL};
    s->call = (struct call){
        .surface = call->surface, .conn = call->conn, .uid = call->uid, .admin = call->admin};
    s->params = call->params ? json_copy(call->params) : NULL;
    if (call->params && !s->params) {
        call_error_store(call, -ENOMEM, 0);
        return false;
    }
    return param_known(call, names) && read_events(call, s) && read_interval(call, s) &&
           read_filter(call, s) && find_place(call, s);
}

static int start(struct call *call, struct subscription *s)
{
    struct conn_standing *standing = conn_standing(call->conn);
    s->number = ++standing->last_number;
    s->next = standing->first;
    standing->first = s;
    int rc = conn_spawn_standing(call->conn, subscription_task, s, "subscription");
    if (rc < 0)
        standing->first = s->next;
    return rc;
}

static void answer(struct call *call, int64_t number)
{
    struct writer w;
    call_result(call, &w);
    writer_object(&w);
    writer_member_int(&w, "subscription", number);
    writer_end_object(&w);
    call_result_end(call, &w);
}

void command_subscribe(struct call *call)
{
    if (conn_standing(call->conn)->count >= call->surface->config->subscriptions) {
        call_error_limit(call, "subscriptions", 1000);
        return;
    }
    struct subscription *s = calloc(1, sizeof *s);
    int rc = s ? bell_init(&s->bell) : -ENOMEM;
    if (rc < 0) {
        free(s);
        call_error_store(call, rc, 0);
        return;
    }
    /* Watching begins before the place is looked up: what is committed in between rings. */
    s->call.surface = call->surface;
    rc = watch_add(call->surface->watch, &s->node, WATCH_JOBS, WATCH_NEWS, &s->bell);
    if (rc < 0) {
        subscription_free(s);
        call_error_store(call, rc, 0);
        return;
    }
    if (!read_request(call, s)) {
        subscription_free(s);
        return;
    }
    rc = start(call, s);
    if (rc < 0) {
        subscription_free(s);
        call_error_limit(call, "tasks", 100);
        return;
    }
    answer(call,
           s->number); /* it runs when this task suspends: its first event stands behind the answer */
}

void command_unsubscribe(struct call *call)
{
    static const char *const names[] = {"subscription", NULL};
    int64_t number = 0;
    if (!param_known(call, names) || !param_int(call, "subscription", 1, JSON_INT_MAX, &number))
        return;
    struct subscription *s = conn_standing(call->conn)->first;
    while (s && s->number != number)
        s = s->next;
    if (number == 0) {
        (void)refuse(call, "params.subscription", "is required");
    } else if (!s || s->stop) {
        call_error(call, MESSAGE_NOT_FOUND, "params.subscription", "no such subscription");
    } else {
        s->stop = true;
        bell_ring(&s->bell);
        answer(call, number);
    }
}
