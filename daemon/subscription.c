/* subscription.c - what happens, as it happens, told to one client.
 *
 * A subscription is a task of its connection with a place in the store's list of events. It reads from there, is woken by
 * every commit that dispatch hears of, and waits while its client does not read: a slow one costs a place, not memory, and
 * when the list has moved on past it, it is told the gap. Queues and metrics are looked at once in an interval.
 */
#include "subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

#define STORE_AGAIN_MS 200

/* A queue as it was told last. */
struct told {
    char name[SPEC_NAME_MAX + 1];
    struct metrics_queue queue; /* its name is not used */
    bool there;
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
    if (s->stop) {
        buf_reset(&s->lines);
    }
    return s->lines.failed ? -ENOMEM : conn_send(s->call.conn, &s->lines);
}

/* Everything that is there now. */
static int pump_jobs(struct subscription *s)
{
    struct store_follow f;
    do {
        f = (struct store_follow){
            .filter = &s->filter, .from = s->seq, .events = s->events, .max = SUBSCRIPTION_EVENTS};
        int rc = store_follow(s->call.surface->store, &f);
        if (rc == STORE_UNAVAILABLE) {
            rc = cosched_sleep_until(cosched_in_ms(STORE_AGAIN_MS));
            if (rc < 0) {
                return rc;
            }
            f.last = f.seq + 1; /* look again */
            continue;
        }
        if (rc != STORE_OK) {
            return rc < 0 ? rc : -EIO;
        }
        if (f.oldest > s->seq + 1) {
            write_gap(s, s->seq + 1, f.oldest - 1);
            f.count = 0;
            f.seq = f.oldest - 1; /* and on from there */
        }
        for (size_t i = 0; i < f.count; i++) {
            write_job(s, &s->events[i]);
        }
        s->seq = f.seq;
        rc = send_lines(s);
        if (rc < 0) {
            return rc;
        }
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
    for (size_t i = 0; i < s->told_count; i++) {
        if (strcmp(s->told[i].name, name) == 0) {
            return &s->told[i];
        }
    }
    struct told *grown = realloc(s->told, (s->told_count + 1) * sizeof *grown);
    if (!grown) {
        return NULL;
    }
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
    if (!queues) {
        return -ENOMEM;
    }
    size_t count = dispatch_queues(s->call.surface->dispatch, queues, DISPATCH_QUEUES_MAX);
    for (size_t i = 0; i < s->told_count; i++) {
        s->told[i].there = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct told *told = told_of(s, queues[i].name);
        if (!told) {
            break;
        }
        told->there = true;
        if (!same(&told->queue, &queues[i])) {
            write_queue(s, &queues[i]);
        }
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
    if (now_ns < s->due_ns) {
        return 0;
    }
    s->due_ns = now_ns + s->interval_ns; /* what a slow reader missed is not made up for */
    int rc = s->queues ? tell_queues(s) : 0;
    if (rc == 0 && s->stats) {
        rc = tell_stats(s);
    }
    return rc == 0 ? send_lines(s) : rc;
}

/* --- life ------------------------------------------------------------------------------------------------------ */

void subscription_free(struct subscription *s)
{
    watch_remove(s->call.surface->watch, &s->node);
    bell_fini(&s->bell);
    buf_free(&s->lines);
    json_free(s->params);
    free(s->labels);
    free(s->told);
    free(s);
}

int64_t subscription_task(void *arg)
{
    struct subscription *s = arg;
    struct conn_standing *standing = conn_standing(s->call.conn);
    bool timed = s->queues || s->stats;
    int rc = 0;
    while (rc == 0 && !s->stop) {
        if (s->jobs) {
            rc = pump_jobs(s);
        }
        if (rc == 0 && timed) {
            rc = tick(s);
        }
        if (rc == 0 && !s->stop) {
            rc = bell_wait(&s->bell, timed ? s->due_ns : COSCHED_NEVER);
        }
        rc = rc == -ETIMEDOUT ? 0 : rc;
    }
    struct subscription **link = &standing->first;
    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    struct conn *conn = s->call.conn;
    subscription_free(s);
    conn_standing_end(conn);
    return 0;
}
