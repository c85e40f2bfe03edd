/* command_events.c - subscribe, unsubscribe: reads what somebody wants to be told of, finds the place to begin at, and
 * starts a subscription (subscription.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "subscription.h"

#define INTERVAL_DEFAULT_NS INT64_C(1000000000)
#define INTERVAL_MIN_NS     INT64_C(100000000)

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
    if (!json_is(events, JSON_ARRAY) || json_count(events) == 0) {
        return refuse(call, "params.events", "must be an array of \"job\", \"queue\", \"stats\"");
    }
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
    if (!param_duration_ns(call, "interval", &s->interval_ns)) {
        return false;
    }
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
    if (filter && !json_is(filter, JSON_OBJECT)) {
        return refuse(call, "params.filter", "must be an object");
    }
    if (unknown) {
        snprintf(path, sizeof path, "params.filter.%s", json_key(unknown));
        return refuse(call, path, "unknown member");
    }
    if (filter && !s->jobs) {
        return refuse(call, "params.filter", "is for job events");
    }
    if (!job_filter(call, filter, "params.filter", &s->filter, &s->labels)) {
        return false;
    }
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
    if (!param_int(call, "from_seq", 0, JSON_INT_MAX, &from)) {
        return false;
    }
    if (from >= 0 && !s->jobs) {
        return refuse(call, "params.from_seq", "is for job events");
    }
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
    if (rc < 0) {
        standing->first = s->next;
    }
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
    if (!param_known(call, names) || !param_int(call, "subscription", 1, JSON_INT_MAX, &number)) {
        return;
    }
    struct subscription *s = conn_standing(call->conn)->first;
    while (s && s->number != number) {
        s = s->next;
    }
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
