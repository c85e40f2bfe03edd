/* command_why.c - why: what a job waits for, and where it stands in line; of a running one, since when and as which process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "tasks.h"

/* A look at one job. */
struct look {
    struct call *call;
    int64_t id;
    struct dispatch_why why;
    char queue[SPEC_NAME_MAX + 1];
    struct store_job *job; /* owned; with the ids it runs after; NULL: not asked for */
};

static void begin(struct writer *w, const char *type)
{
    writer_object(w);
    writer_member_string(w, "type", type);
}

/* Each that has not ended; another user's are a number. */
static void write_dependencies(const struct look *look, struct writer *w)
{
    int64_t others = 0;
    for (size_t i = 0; look->job && i < look->job->after_count; i++) {
        const struct row *row = dispatch_find(look->call->surface->dispatch, look->job->after[i]);
        if (!row) {
            continue; /* it has ended this moment: the news is on its way */
        }
        if (!call_may(look->call, row->uid)) {
            others++;
            continue;
        }
        begin(w, "dependency");
        writer_member_int(w, "id", row->id);
        writer_member_string(w, "state", job_state_name((enum job_state)row->state));
        writer_end_object(w);
    }
    if (others > 0) {
        begin(w, "dependency");
        writer_member_int(w, "others", others);
        writer_end_object(w);
    }
}

static void write_until(struct writer *w, const char *type, int64_t until_us)
{
    begin(w, type);
    writer_member_time(w, "until", until_us);
    writer_end_object(w);
}

static void write_wait(const struct look *look, struct writer *w, enum dispatch_wait wait)
{
    const struct dispatch_why *why = &look->why;
    switch (wait) {
    case DISPATCH_WAIT_DEPENDENCY: write_dependencies(look, w); break;
    case DISPATCH_WAIT_TIME: write_until(w, "time", why->until_us); break;
    case DISPATCH_WAIT_BACKOFF: write_until(w, "backoff", why->until_us); break;
    case DISPATCH_WAIT_QUEUE_LIMIT:
        begin(w, "queue_limit");
        writer_member_string(w, "queue", look->queue);
        writer_member_uint(w, "running", why->queue.running);
        writer_member_int(w, "parallel", why->queue.parallel);
        writer_end_object(w);
        break;
    case DISPATCH_WAIT_RATE:
        begin(w, "rate");
        writer_member_string(w, "queue", look->queue);
        writer_member_double(w, "rate", why->queue.rate);
        writer_member_time(w, "until", why->rate_us);
        writer_end_object(w);
        break;
    case DISPATCH_WAIT_PAUSED:
        begin(w, "paused");
        writer_member_string(w, "queue", look->queue);
        writer_end_object(w);
        break;
    case DISPATCH_WAIT_DRAIN:
        begin(w, "drain");
        writer_end_object(w);
        break;
    case DISPATCH_WAITS: break;
    }
}

static void write_running(const struct look *look, struct writer *w)
{
    writer_member_object(w, "running");
    writer_member_time(w, "since", look->why.since_us);
    if (look->why.pid) {
        writer_member_int(w, "pid", look->why.pid);
    } else {
        writer_member_null(w, "pid");
    }
    writer_member_bool(w, "cancel_requested", look->why.cancel);
    writer_key(w, "awaits");
    tasks_write_chain(w, dispatch_task_of(look->call->surface->dispatch, look->id));
    writer_end_object(w);
}

static void answer(const struct look *look)
{
    struct writer w;
    const struct dispatch_why *why = &look->why;
    call_result(look->call, &w);
    writer_object(&w);
    writer_member_int(&w, "id", look->id);
    writer_member_string(&w, "state", job_state_name(why->state));
    writer_member_int(&w, "attempt", why->attempt);
    writer_member_string(&w, "queue", look->queue);
    writer_member_array(&w, "waits_for");
    for (int wait = 0; wait < DISPATCH_WAITS; wait++) {
        if (why->waits & (1U << (unsigned)wait)) {
            write_wait(look, &w, (enum dispatch_wait)wait);
        }
    }
    writer_end_array(&w);
    if (why->position) {
        writer_member_int(&w, "position", why->position);
    } else {
        writer_member_null(&w, "position");
    }
    if (why->state == JOB_RUNNING) {
        write_running(look, &w);
    }
    writer_end_object(&w);
    call_result_end(look->call, &w);
}

/* A job that has ended, or whose dependencies are asked for, is the store's to know. */
static int ask_store(struct look *look)
{
    int rc = store_get(look->call->surface->store, look->id, STORE_WITH_AFTER, &look->job);
    if (rc == STORE_OK && !call_may(look->call, look->job->uid)) {
        rc = STORE_NOT_FOUND;
    }
    return rc;
}

static int look_at(struct look *look)
{
    struct dispatch *d = look->call->surface->dispatch;
    const struct row *row = dispatch_find(d, look->id);
    bool ask = !row || row->state == JOB_BLOCKED;
    if (row && !call_may(look->call, row->uid)) {
        return STORE_NOT_FOUND;
    }
    int rc = ask ? ask_store(look) : STORE_OK;
    if (rc != STORE_OK) {
        return rc;
    }
    row = dispatch_find(d, look->id); /* asking took a while */
    if (row) {
        snprintf(look->queue, sizeof look->queue, "%s", dispatch_queue_of(d, row));
    }
    rc = dispatch_why(d, look->id, &look->why);
    if (rc != STORE_NOT_FOUND) {
        return rc;
    }
    if (!look->job) {
        rc = ask_store(look);
    } else {
        rc = STORE_OK;
    }
    if (rc == STORE_OK) {
        snprintf(look->queue, sizeof look->queue, "%s", look->job->queue);
        look->why = (struct dispatch_why){.state = look->job->state, .attempt = look->job->attempt};
    }
    return rc;
}

void command_why(struct call *call)
{
    static const char *const names[] = {"id", NULL};
    struct look look = {.call = call};
    if (!param_known(call, names) || !param_id(call, "id", &look.id)) {
        return;
    }
    int rc = look_at(&look);
    if (rc == STORE_OK) {
        answer(&look);
    } else {
        call_error_store(call, rc, look.id);
    }
    store_job_free(look.job);
}
