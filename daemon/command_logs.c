/* command_logs.c - logs: the output of a job as events, then the answer; with `follow` until the job has ended.
 *
 * Everything is read from the attempt's files, also while the command writes them: a follower that is slow finds the
 * middle dropped by the cap, is told the gap and goes on. Reading happens on a blocking thread (the pages may have left
 * the cache). The state is looked at before each reading, so that what was written before the end is never missed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "output.h"
#include "wire/text.h"

#define CHUNK 65536

enum { OUT = OUTPUT_STDOUT, ERR = OUTPUT_STDERR, STREAMS = 2 };

struct tail {
    struct call *call;
    int64_t id;
    uint32_t attempt;
    bool wanted[STREAMS];
    bool follow;
    int64_t offset[STREAMS]; /* negative: from the end */
    enum job_state state;
    struct watch_node node;
    struct bell bell;
    struct buf lines;
    /* one reading */
    enum output_stream stream;
    struct output_chunk chunk;
    char data[CHUNK];
};

/* On a blocking thread. */
static int64_t read_some(void *arg)
{
    struct tail *t = arg;
    return output_read(t->call->surface->out_dir, t->id, t->attempt, t->stream,
                       t->offset[t->stream], t->data, sizeof t->data, &t->chunk);
}

static void begin_event(struct tail *t, struct writer *w, const char *type)
{
    message_event_begin(w, &t->lines, type);
    message_write_id(w, "request", &t->call->id);
    writer_member_int(w, "id", t->id);
    writer_member_int(w, "attempt", t->attempt);
    writer_member_string(w, "stream", t->stream == OUTPUT_STDOUT ? "stdout" : "stderr");
}

static void write_gap(struct tail *t)
{
    struct writer w;
    if (t->chunk.gap_to <= t->chunk.gap_from) {
        return;
    }
    begin_event(t, &w, "gap");
    writer_member_uint(&w, "from", t->chunk.gap_from);
    writer_member_uint(&w, "to", t->chunk.gap_to);
    if (t->chunk.gap_disk) {
        writer_member_string(&w, "reason", "disk");
    }
    message_event_end(&w);
}

/* What of the chunk is sent now: a character cut at its end waits for the rest, unless nothing else is there. */
static size_t whole_characters(const struct tail *t, bool last)
{
    if (last && t->chunk.size < CHUNK) {
        return t->chunk.size;
    }
    size_t cut = text_utf8_cut(t->data, t->chunk.size);
    return cut > 0 ? cut : t->chunk.size;
}

/* One reading of one stream: 1 something came, 0 nothing there, or a negative errno. */
static int pump(struct tail *t, enum output_stream stream, bool last)
{
    struct writer w;
    int64_t result = 0;
    t->stream = stream;
    int rc = cosched_blocking(&result, read_some, t);
    if (rc < 0 || result < 0) {
        return rc < 0 ? rc : (int)result;
    }
    write_gap(t);
    size_t size = whole_characters(t, last);
    if (size > 0) {
        begin_event(t, &w, "log");
        writer_member_uint(&w, "offset", t->chunk.offset);
        writer_key(&w, "data");
        const char *enc = writer_bytes(&w, t->data, size);
        writer_member_string(&w, "enc", enc);
        message_event_end(&w);
    }
    /* A position from the end is one from the start as soon as it is known. */
    bool moved = size > 0 || t->chunk.gap_to > t->chunk.gap_from;
    if (moved || t->offset[stream] < 0) {
        t->offset[stream] = (int64_t)(t->chunk.offset + size);
    }
    rc = t->lines.failed ? -ENOMEM : conn_send(t->call->conn, &t->lines);
    return rc < 0 ? rc : size > 0;
}

/* Everything that is there now, of the wanted streams. `last`: the attempt is over. */
static int pump_all(struct tail *t, bool last)
{
    bool more = true;
    while (more) {
        more = false;
        for (int stream = 0; stream < STREAMS; stream++) {
            int rc = t->wanted[stream] ? pump(t, (enum output_stream)stream, last) : 0;
            if (rc < 0) {
                return rc;
            }
            more = more || rc > 0;
        }
    }
    return 0;
}

/* Whether the attempt that is shown is over, and whether another one runs or ran. */
static int look(struct tail *t, bool *over, bool *next)
{
    const struct row *row = dispatch_find(t->call->surface->dispatch, t->id);
    struct store_job *job = NULL;
    if (row) {
        t->state = (enum job_state)row->state;
        *next = row->attempt > t->attempt;
        *over = *next || (row->attempt == t->attempt && row->state != JOB_RUNNING && t->attempt > 0);
        return 0;
    }
    int rc = store_get(t->call->surface->store, t->id, 0, &job);
    if (rc == STORE_OK) {
        t->state = job->state;
        *next = job->attempt > t->attempt;
        *over = *next || job_final(job->state);
    }
    store_job_free(job);
    return rc;
}

static void next_attempt(struct tail *t)
{
    t->attempt++;
    t->offset[OUT] = t->offset[ERR] = 0;
}

/* 0 when everything asked for was sent. */
static int tail_run(struct tail *t)
{
    for (;;) {
        bool over = false, next = false;
        t->node.seen = 0;
        int rc = look(t, &over, &next);
        if (rc == 0 && t->attempt > 0) {
            rc = pump_all(t, over);
        }
        if (rc != 0 || !t->follow) {
            return rc;
        }
        if (over && next) {
            next_attempt(t);
        } else if (next) {
            t->attempt = 1; /* it was not started when we came */
        } else if (job_final(t->state)) {
            return 0;
        } else {
            rc = bell_wait(&t->bell, COSCHED_NEVER);
            if (rc < 0) {
                return rc;
            }
        }
    }
}

static void answer(struct tail *t)
{
    struct writer w;
    call_result(t->call, &w);
    writer_object(&w);
    writer_member_int(&w, "id", t->id);
    writer_member_string(&w, "state", job_state_name(t->state));
    writer_member_int(&w, "attempt", t->attempt);
    writer_member_object(&w, "offset");
    if (t->wanted[OUT]) {
        writer_member_int(&w, "stdout", t->offset[OUT] < 0 ? 0 : t->offset[OUT]);
    }
    if (t->wanted[ERR]) {
        writer_member_int(&w, "stderr", t->offset[ERR] < 0 ? 0 : t->offset[ERR]);
    }
    writer_end_object(&w);
    writer_end_object(&w);
    call_result_end(t->call, &w);
}

/* --- the request ---------------------------------------------------------------------------------------- */

static bool refuse(struct call *call, const char *path, const char *reason)
{
    call_error(call, MESSAGE_INVALID_PARAMS, path, reason);
    return false;
}

static bool read_stream(struct call *call, struct tail *t)
{
    const char *name = "both";
    if (!param_string(call, "stream", &name)) {
        return false;
    }
    bool both = strcmp(name, "both") == 0;
    t->wanted[OUT] = both || strcmp(name, "stdout") == 0;
    t->wanted[ERR] = both || strcmp(name, "stderr") == 0;
    return t->wanted[OUT] || t->wanted[ERR]
               ? true
               : refuse(call, "params.stream", "must be \"stdout\", \"stderr\" or \"both\"");
}

static bool read_offset(struct call *call, struct tail *t)
{
    static const char *const names[] = {"stdout", "stderr", NULL};
    const struct json *offset = json_get(call->params, "offset");
    if (!offset) {
        return true;
    }
    if (json_int(offset, &t->offset[OUT])) {
        t->offset[ERR] = t->offset[OUT];
        return true;
    }
    if (!json_is(offset, JSON_OBJECT) || json_unknown(offset, names)) {
        return refuse(call, "params.offset", "must be an integer, or {\"stdout\",\"stderr\"}");
    }
    for (int i = 0; i < STREAMS; i++) {
        const struct json *value = json_get(offset, names[i]);
        if (value && !json_int(value, &t->offset[i])) {
            return refuse(call, i == OUT ? "params.offset.stdout" : "params.offset.stderr",
                          "must be an integer");
        }
    }
    return true;
}

static bool read_request(struct call *call, struct tail *t)
{
    static const char *const names[] = {"id", "attempt", "stream", "follow", "offset", NULL};
    int64_t attempt = 0;
    if (!param_known(call, names) || !param_id(call, "id", &t->id) ||
        !param_int(call, "attempt", 1, UINT32_MAX, &attempt) || !read_stream(call, t) ||
        !param_bool(call, "follow", &t->follow) || !read_offset(call, t)) {
        return false;
    }
    t->attempt = (uint32_t)attempt;
    return true;
}

/* The job is there and the caller's; the attempt is the one asked for, or the present one. */
static bool find_attempt(struct call *call, struct tail *t)
{
    struct store_job *job = NULL;
    uint32_t latest = 0;
    int rc = store_get(call->surface->store, t->id, 0, &job);
    if (rc == STORE_OK && !call_may(call, job->uid)) {
        rc = STORE_NOT_FOUND;
    }
    if (rc == STORE_OK) {
        latest = job->attempt;
        t->state = job->state;
    }
    store_job_free(job);
    if (rc != STORE_OK) {
        call_error_store(call, rc, t->id);
        return false;
    }
    if (t->attempt > latest) {
        call_error(call, MESSAGE_NOT_FOUND, "params.attempt", "no such attempt");
        return false;
    }
    t->attempt = t->attempt ? t->attempt : latest;
    return true;
}

void command_logs(struct call *call)
{
    struct tail *t = calloc(1, sizeof *t);
    if (!t) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    t->call = call;
    struct watch *watch = call->surface->watch;
    int rc = bell_init(&t->bell);
    if (rc == 0 && read_request(call, t) && find_attempt(call, t)) {
        rc = watch_add(watch, &t->node, t->id, WATCH_ENDED | WATCH_STARTED | WATCH_OUTPUT, &t->bell);
        if (rc == 0) {
            rc = tail_run(t);
        }
        watch_remove(watch, &t->node);
        if (rc == 0) {
            answer(t);
        } else {
            call_error_store(call, rc, t->id);
        }
    } else if (rc < 0) {
        call_error_store(call, rc, 0);
    }
    buf_free(&t->lines);
    bell_fini(&t->bell);
    free(t);
}
