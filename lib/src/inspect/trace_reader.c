/* cosched_trace_*: copies what the rings have got since the last time, puts it in order, and has it written. One thread at a
 * time; the executors go on meanwhile. */
#include "inspect/trace_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sched/fork.h"

static void open_ring(struct cosched_trace *t, const struct cos_trace_ring *ring)
{
    uint64_t head = cos_atomic_load(&ring->head, acquire); /* pairs with cos_trace_put */
    t->ring[t->rings++] = (struct cos_ring_reader){
        .ring = ring, .next = head > COS_TRACE_RECORDS ? head - COS_TRACE_RECORDS : 0};
}

/* The stamp of a moment in the past. */
static uint64_t stamp_of(const struct cos_ticks_rate *rate, int64_t ns)
{
    double ago = (double)(rate->ns - ns) / rate->ns_per_tick;
    return ns >= rate->ns              ? rate->ticks
           : ago < (double)rate->ticks ? rate->ticks - (uint64_t)ago
                                       : 0;
}

int cosched_trace_open(cosched_trace **out, cosched_runtime *rt, int64_t since)
{
    if (rt == NULL || since < 0) {
        return -EINVAL;
    }
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    struct cosched_trace *t = cos_alloc(sizeof *t);
    if (t == NULL) {
        return -ENOMEM;
    }
    t->rt = rt;
    t->process = (uint32_t)getpid();
    cos_ticks_rate(&t->rate);
    t->since = stamp_of(&t->rate, since);
    for (uint32_t i = 0; i <= rt->workers; i++) {
        open_ring(t, &rt->execs[i]->trace);
    }
    open_ring(t, &rt->others.ring);
    *out = t;
    return 0;
}

/* --- one read -------------------------------------------------------------------------------------------------- */

static size_t available(const struct cosched_trace *t)
{
    size_t n = 0;
    for (unsigned i = 0; i < t->rings; i++) {
        uint64_t head =
            cos_atomic_load(&t->ring[i].ring->head, relaxed); /* how much room it takes */
        uint64_t more = head - t->ring[i].next;
        n += more < COS_TRACE_RECORDS ? (size_t)more : COS_TRACE_RECORDS;
    }
    return n;
}

/* What came after the moment that this read goes up to is left for the next: then all before it is there, on every ring. */
static void copy(struct cosched_trace *t, struct cos_ring_reader *r, struct cos_trace_copy *all,
                 size_t *used, size_t room)
{
    r->missing = 0;
    r->from = *used;
    size_t n = cos_trace_copy(r->ring, &r->next, &r->missing, &all[*used], room - *used);
    size_t keep = n;
    while (keep > 0 && all[r->from + keep - 1].at > t->now) {
        keep--;
    }
    r->next -= n - keep;
    r->end = *used += keep;
    t->counts.records += keep;
    if (!r->begun && keep > 0) { /* what is missing at the beginning is older than what there is */
        r->missing = all[r->from].at < t->since ? 0 : r->missing;
        r->begun = true;
    }
}

static struct cos_ring_reader *earliest(struct cosched_trace *t, const struct cos_trace_copy *all)
{
    struct cos_ring_reader *first = NULL;
    for (unsigned i = 0; i < t->rings; i++) {
        struct cos_ring_reader *r = &t->ring[i];
        if (r->from < r->end && (first == NULL || all[r->from].at < all[first->from].at)) {
            first = r;
        }
    }
    return first;
}

static void report_missing(struct cosched_trace *t, struct cos_ring_reader *r, unsigned index,
                           uint64_t at)
{
    t->counts.lost += r->missing;
    if (index + 1 < t->rings) {
        cos_trace_event_lost(t, index, at, r->missing);
    } else {
        for (unsigned i = 1 + COSCHED_WORKERS_MAX; i < COS_TRACE_TRACKS; i++) {
            if (t->track[i].runs || i == COS_TRACE_OTHERS) {
                cos_trace_event_lost(t, i, at, r->missing);
            }
        }
    }
    r->missing = 0;
}

static void take(struct cosched_trace *t, struct cos_ring_reader *r,
                 const struct cos_trace_copy *record)
{
    uint16_t track = COS_TRACE_TRACK(record->what);
    unsigned index = track < COS_TRACE_OTHERS ? track : COS_TRACE_OTHERS;
    t->at = record->at > t->at ? record->at : t->at;
    if (r->missing > 0) {
        report_missing(t, r, (unsigned)(r - t->ring), t->at > t->since ? t->at : t->since);
    }
    if (t->at < t->since) {
        cos_trace_event_before(t, index, record);
    } else {
        cos_trace_event(t, index, t->at, record);
    }
}

int cosched_trace_read(cosched_trace *t, cosched_trace_fn event, void *data)
{
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    t->now = cos_ticks_now();
    size_t room = available(t) + 1, used = 0;
    struct cos_trace_copy *all = cos_alloc(room * sizeof *all);
    if (all == NULL) {
        return -ENOMEM;
    }
    t->event = event;
    t->data = data;
    if (t->counts.events == 0) {
        cos_trace_text_head(t);
    }
    for (unsigned i = 0; i < t->rings; i++) {
        copy(t, &t->ring[i], all, &used, room);
    }
    struct cos_ring_reader *r;
    while ((r = earliest(t, all)) != NULL) {
        take(t, r, &all[r->from++]);
    }
    cos_trace_events_catch_up(t);
    cos_free(all);
    return 0;
}

int cosched_trace_count(const cosched_trace *t, cosched_trace_counts *out)
{
    size_t size = out->struct_size;
    if (size == 0 || size > sizeof *out) {
        return -EINVAL;
    }
    cosched_trace_counts c = t->counts;
    c.struct_size = size;
    memcpy(out, &c, size);
    return 0;
}

void cosched_trace_close(cosched_trace *t, cosched_trace_fn event, void *data)
{
    if (t == NULL) {
        return;
    }
    if (event != NULL) {
        t->event = event;
        t->data = data;
        t->at = t->now > t->at ? t->now : t->at;
        cos_trace_events_end(t, t->at > t->since ? t->at : t->since);
    }
    cos_spans_fini(&t->spans);
    cos_free(t);
}

/* --- a file ------------------------------------------------------------------------------------------------------ */

struct file {
    int fd, error;
    bool comma;
    size_t used;
    char buffer[2048];
};

static void flush(struct file *f)
{
    for (size_t at = 0; at < f->used && f->error == 0;) {
        ssize_t n = write(f->fd, f->buffer + at, f->used - at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            f->error = n == 0 ? -EIO : -errno;
        }
    }
    f->used = 0;
}

static void put(struct file *f, const char *text, size_t n)
{
    if (f->used + n > sizeof f->buffer) {
        flush(f);
    }
    memcpy(f->buffer + f->used, text, n);
    f->used += n;
}

static void put_event(void *data, const char *json, size_t n)
{
    struct file *f = data;
    put(f, f->comma ? ",\n" : "\n", f->comma ? 2 : 1);
    put(f, json, n);
    f->comma = true;
}

int cosched_trace_write(cosched_runtime *rt, int64_t since, int fd)
{
    static const char head[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    static const char tail[] = "\n]}\n";
    cosched_trace *t;
    struct file f = {.fd = fd};
    int rc = cosched_trace_open(&t, rt, since);
    if (rc < 0) {
        return rc;
    }
    put(&f, head, sizeof head - 1);
    rc = cosched_trace_read(t, put_event, &f);
    cosched_trace_close(t, rc == 0 ? put_event : NULL, &f);
    put(&f, tail, sizeof tail - 1);
    flush(&f);
    return rc < 0 ? rc : f.error;
}
