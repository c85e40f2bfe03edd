/* command_submit.c - submit and submit_many: the specification is checked when the request is read, in order; the commit
 * happens in a task, so that pipelined submissions share commits. Their answers keep their order.
 *
 * What is read in one go travels in one flight: one task, one wake-up of the store and one of ours, one piece of text.
 * Each submission of it is accepted or refused by itself. A flight stands in the store's line before the next one is
 * made, so ids ascend in the order of the requests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "kind.h"

#define FLIGHT_MAX 48 /* the store begins with these while more are checked */

/* Checked. */
struct submission {
    struct message_id id;
    bool many;
    struct dispatch_job one;   /* jobs, when there is one */
    struct dispatch_job *jobs; /* owned unless it is one */
    size_t count;
};

struct flight {
    struct answer *answer; /* the connection's, until conn_answer_end */
    struct conn *conn;
    struct surface *surface;
    uint32_t uid;
    bool admin;
    size_t count;
    struct submission submissions[FLIGHT_MAX];
    struct dispatch_submission asked[FLIGHT_MAX];
};

static int check_kind(void *ctx, const char *name, const struct json *args, bool *unknown,
                      struct spec_error *error)
{
    (void)ctx;
    const struct kind *kind = kind_find(name);
    *unknown = kind == NULL;
    if (!kind) {
        return spec_refuse(error, "kind", "unknown kind");
    }
    int rc = kind->check(args, error);
    return rc == -EINVAL ? SPEC_INVALID : rc;
}

static bool queue_exists(void *ctx, const char *queue)
{
    const struct surface *surface = ctx;
    return dispatch_queue_exists(surface->dispatch, queue);
}

/* --- answers ------------------------------------------------------------------------------------------- */

static void answer_ids(const struct submission *s, struct writer *w)
{
    writer_object(w);
    writer_member_array(w, "ids");
    for (size_t i = 0; i < s->count; i++) {
        writer_int(w, s->jobs[i].id);
    }
    writer_end_array(w);
    writer_member_array(w, "existing");
    for (size_t i = 0; i < s->count; i++) {
        writer_bool(w, s->jobs[i].existing);
    }
    writer_end_array(w);
    writer_end_object(w);
}

static void answer_accepted(const struct submission *s, struct buf *out)
{
    struct writer w;
    message_result_begin(&w, out, &s->id);
    if (s->many) {
        answer_ids(s, &w);
    } else {
        writer_object(&w);
        writer_member_int(&w, "id", s->jobs[0].id);
        writer_member_string(&w, "state", job_state_name(s->jobs[0].state));
        writer_member_bool(&w, "existing", s->jobs[0].existing);
        writer_end_object(&w);
    }
    message_result_end(&w);
}

static void answer_refused(const struct flight *f, const struct submission *s, int rc,
                           const struct store_refusal *refusal)
{
    struct buf *out = &f->answer->text;
    struct call call = {.surface = f->surface, .uid = f->uid, .id = s->id, .out = out};
    char path[96], extra[48], where[48] = "params";
    if (s->many) {
        snprintf(where, sizeof where, "params.jobs[%zu]", refusal->job);
    }
    switch (rc) {
    case STORE_NOT_FOUND:
        snprintf(path, sizeof path, "%s.after[%zu]", where, refusal->after);
        message_error(out, &s->id, MESSAGE_NOT_FOUND, NULL, path, "no such job", NULL);
        break;
    case STORE_CONFLICT:
        snprintf(path, sizeof path, "%s.key", where);
        snprintf(extra, sizeof extra, "\"id\":%lld", (long long)refusal->id);
        message_error(out, &s->id, MESSAGE_CONFLICT, NULL, path,
                      "the key stands for another specification", extra);
        break;
    case -EDQUOT: {
        const char *which = dispatch_limit(f->surface->dispatch, f->uid, s->count);
        call_error_limit(&call, which ? which : "jobs_waiting", 1000);
        break;
    }
    case -ENOENT: call_error(&call, MESSAGE_INVALID_PARAMS, where, "a queue was deleted"); break;
    default: call_error_store(&call, rc, 0); break;
    }
}

static void drop(struct submission *s)
{
    for (size_t i = 0; i < s->count; i++) {
        spec_free(s->jobs[i].spec);
    }
    if (s->jobs != &s->one) {
        free(s->jobs);
    }
}

static int64_t commit_flight(void *arg)
{
    struct flight *f = arg;
    struct buf *out = &f->answer->text;
    for (size_t i = 0; i < f->count; i++) {
        f->asked[i] = (struct dispatch_submission){.jobs = f->submissions[i].jobs,
                                                   .count = f->submissions[i].count};
    }
    dispatch_submit_each(f->surface->dispatch, f->asked, f->count, f->uid, f->admin);
    for (size_t i = 0; i < f->count; i++) {
        struct submission *s = &f->submissions[i];
        const struct dispatch_submission *asked = &f->asked[i];
        if (s->id.type == MESSAGE_ID_NONE) {
            /* a notification is carried out and not answered */
        } else if (asked->result == STORE_OK) {
            answer_accepted(s, out);
        } else {
            answer_refused(f, s, asked->result, &asked->refusal);
        }
        drop(s);
    }
    conn_answer_end(f->answer);
    free(f);
    return 0;
}

void command_submit_commit(struct flight *f)
{
    int rc = conn_spawn(f->conn, commit_flight, f, "submit");
    if (rc == 0) {
        cosched_yield(); /* it asks the store, which works while we read on */
        return;
    }
    /* No task left: the answer says so, in its place. */
    for (size_t i = 0; i < f->count; i++) {
        struct submission *s = &f->submissions[i];
        struct call refused = {.surface = f->surface, .id = s->id, .out = &f->answer->text};
        if (s->id.type != MESSAGE_ID_NONE) {
            call_error_limit(&refused, "tasks", 100);
        }
        drop(s);
    }
    conn_answer_end(f->answer);
    free(f);
}

/* --- requests ------------------------------------------------------------------------------------------ */

static bool parse_one(struct call *call, const struct json *object, const char *path, bool many,
                      uint32_t index, struct spec **out)
{
    struct spec_error error = {"", ""};
    const struct spec_context context = {.path = path,
                                         .admin = call->admin,
                                         .many = many,
                                         .index = index,
                                         .ctx = call->surface,
                                         .check_kind = check_kind,
                                         .queue_exists = queue_exists};
    int rc = spec_parse(object, &context, out, &error);
    if (rc == SPEC_OK) {
        return true;
    }
    if (rc == SPEC_INVALID) {
        call_error(call, MESSAGE_INVALID_PARAMS, error.path, error.reason);
    } else if (rc == SPEC_NOT_PERMITTED) {
        call_error(call, MESSAGE_NOT_PERMITTED, error.path, error.reason);
    } else {
        call_error_store(call, rc, 0);
    }
    return false;
}

static struct flight *flight_new(struct call *call)
{
    struct flight *f = malloc(sizeof *f);
    if (!f) {
        return NULL;
    }
    f->answer = conn_answer_begin(call->conn);
    if (!f->answer) {
        free(f);
        return NULL;
    }
    f->conn = call->conn;
    f->surface = call->surface;
    f->uid = call->uid;
    f->admin = call->admin;
    f->count = 0;
    return f;
}

/* Takes the submission. */
static void board(struct call *call, struct submission *s)
{
    struct flight **open = conn_flight(call->conn);
    if (!*open) {
        *open = flight_new(call);
    } else {
        conn_answer_more((*open)->answer);
    }
    struct flight *f = *open;
    if (!f) {
        call_error_store(call, -ENOMEM, 0);
        drop(s);
        return;
    }
    struct submission *seat = &f->submissions[f->count++];
    *seat = *s;
    if (s->jobs == &s->one) {
        seat->jobs = &seat->one;
    }
    if (f->count == FLIGHT_MAX) {
        *open = NULL;
        command_submit_commit(f);
    }
}

void command_submit(struct call *call)
{
    struct submission s;
    if (!json_is(call->params, JSON_OBJECT)) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params", "must be a specification");
        return;
    }
    s.many = false;
    s.one = (struct dispatch_job){.spec = NULL};
    if (!parse_one(call, call->params, "params", false, 0, &s.one.spec)) {
        return;
    }
    s.id = call->id;
    s.jobs = &s.one;
    s.count = 1;
    board(call, &s);
}

void command_submit_many(struct call *call)
{
    static const char *const names[] = {"jobs", NULL};
    char path[48];
    if (!param_known(call, names)) {
        return;
    }
    const struct json *jobs = json_get(call->params, "jobs");
    size_t count = json_count(jobs), i = 0;
    if (!json_is(jobs, JSON_ARRAY) || count < 1 || count > SPEC_MANY_MAX) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.jobs",
                   "must be an array of 1 to 10000 specifications");
        return;
    }
    struct submission s = {.id = call->id, .many = true, .count = count};
    s.jobs = calloc(count, sizeof *s.jobs);
    if (!s.jobs) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    for (const struct json *e = json_first(jobs); e; e = json_next(e), i++) {
        snprintf(path, sizeof path, "params.jobs[%zu]", i);
        if (!parse_one(call, e, path, true, (uint32_t)i, &s.jobs[i].spec)) {
            drop(&s);
            return;
        }
    }
    board(call, &s);
}
