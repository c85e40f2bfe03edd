/* command_trace.c - trace: what the scheduler does for a while, as events of the Chrome trace format, then how much of it there was.
 *
 * The rings are read a hundred times a second on a blocking thread: turning records into text is work that would show in the
 * picture on any other. A client that reads slowly makes the next reading late, and what was overwritten meanwhile is counted.
 */
#include <cosched/inspect.h>

#include <errno.h>
#include <stdlib.h>

#include "command.h"
#include "conn.h"

#define PIECE       60000 /* bytes of events in a line */
#define EVERY_NS    INT64_C(10000000)
#define FOR_NS      INT64_C(2000000000)
#define FOR_MAX_NS  INT64_C(600000000000)
#define FOR_MAX_TXT "must be a duration of 10m at most"

struct reading {
    struct call *call;
    cosched_trace *trace;
    cosched_trace_counts counts;
    uint64_t sent;     /* events */
    struct buf events; /* of the line that is being made */
    struct buf lines;
    bool last;
};

static void end_line(struct reading *r)
{
    struct writer w;
    if (r->events.len == 0) {
        return;
    }
    buf_putc(&r->events, ']');
    message_event_begin(&w, &r->lines, "trace");
    message_write_id(&w, "request", &r->call->id);
    writer_member_raw(&w, "events", buf_text(&r->events), r->events.len);
    message_event_end(&w);
    r->lines.failed |= r->events.failed;
    buf_reset(&r->events);
}

static void take_event(void *data, const char *json, size_t n)
{
    struct reading *r = data;
    buf_putc(&r->events, r->events.len == 0 ? '[' : ',');
    buf_append(&r->events, json, n);
    r->sent++;
    if (r->events.len >= PIECE) {
        end_line(r);
    }
}

/* On a blocking thread. */
static int64_t read_some(void *arg)
{
    struct reading *r = arg;
    r->counts.struct_size = sizeof r->counts;
    int rc = cosched_trace_read(r->trace, take_event, r);
    rc = rc == 0 ? cosched_trace_count(r->trace, &r->counts) : rc;
    if (rc == 0 && r->last) {
        cosched_trace_close(r->trace, take_event, r);
        r->trace = NULL;
    }
    end_line(r);
    return rc;
}

static int pump(struct reading *r)
{
    int64_t result = 0;
    int rc = cosched_blocking(&result, read_some, r);
    rc = rc < 0 ? rc : (int)result;
    if (rc < 0) {
        return rc;
    }
    return r->lines.failed ? -ENOMEM : conn_send(r->call->conn, &r->lines);
}

static int read_until(struct reading *r, int64_t until)
{
    int rc = 0;
    while (rc == 0 && cosched_now() < until) {
        int64_t next = cosched_in_ns(EVERY_NS);
        rc = cosched_sleep_until(next < until ? next : until);
        rc = rc < 0 ? rc : pump(r);
    }
    r->last = true;
    return rc < 0 ? rc : pump(r);
}

static void answer(struct reading *r)
{
    struct writer w;
    call_result(r->call, &w);
    writer_object(&w);
    writer_member_uint(&w, "records", r->counts.records);
    writer_member_uint(&w, "lost", r->counts.lost);
    writer_member_uint(&w, "events", r->sent);
    writer_end_object(&w);
    call_result_end(r->call, &w);
}

void command_trace(struct call *call)
{
    static const char *const names[] = {"for", NULL};
    struct reading r = {.call = call};
    int64_t for_ns = FOR_NS;
    if (!param_known(call, names) || !param_duration_ns(call, "for", &for_ns)) {
        return;
    }
    if (for_ns > FOR_MAX_NS) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.for", FOR_MAX_TXT);
        return;
    }
    int64_t now = cosched_now();
    int rc = cosched_trace_open(&r.trace, cosched_runtime_self(), for_ns > 0 ? now : COSCHED_NOW);
    if (rc == 0) {
        dispatch_mark_running(call->surface->dispatch);
        rc = read_until(&r, cosched_in_ns(for_ns));
    }
    if (rc == 0) {
        answer(&r);
    } else {
        call_error_store(call, rc, 0);
    }
    cosched_trace_close(r.trace, NULL, NULL);
    buf_free(&r.events);
    buf_free(&r.lines);
}
