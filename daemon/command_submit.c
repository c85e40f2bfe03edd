/* command_submit.c - submit and submit_many: the specification is checked when the request is read, in order; the commit
 * happens in a task of its own, so that pipelined submissions share commits. Their answers keep their order.
 *
 * The task of each sends its insertion down the store's channel before the next one is started, so ids ascend in the
 * order of the requests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "kind.h"

/* Checked, and on its way to the disk. */
struct submission {
    struct answer *answer; /* the connection's, until conn_answer_end */
    struct surface *surface;
    struct message_id id;
    uint32_t uid;
    bool admin, many;
    size_t count;
    struct dispatch_job jobs[];
};

static int check_kind(void *ctx, const char *name, const struct json *args, bool *unknown,
                      struct spec_error *error)
{
    (void)ctx;
    const struct kind *kind = kind_find(name);
    *unknown = kind == NULL;
    if (!kind)
        return spec_refuse(error, "kind", "unknown kind");
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
    for (size_t i = 0; i < s->count; i++)
        writer_int(w, s->jobs[i].id);
    writer_end_array(w);
    writer_member_array(w, "existing");
    for (size_t i = 0; i < s->count; i++)
        writer_bool(w, s->jobs[i].existing);
    writer_end_array(w);
    writer_end_object(w);
}

static void answer_accepted(struct submission *s)
{
    struct writer w;
    message_result_begin(&w, &s->answer->text, &s->id);
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

static void answer_refused(struct submission *s, int rc, const struct store_refusal *refusal)
{
    struct call call = {.surface = s->surface, .uid = s->uid, .id = s->id, .out = &s->answer->text};
    char path[96], extra[48], where[48] = "params";
    if (s->many)
        snprintf(where, sizeof where, "params.jobs[%zu]", refusal->job);
    switch (rc) {
    case STORE_NOT_FOUND:
        snprintf(path, sizeof path, "%s.after[%zu]", where, refusal->after);
        message_error(call.out, &s->id, MESSAGE_NOT_FOUND, NULL, path, "no such job", NULL);
        break;
    case STORE_CONFLICT:
        snprintf(path, sizeof path, "%s.key", where);
        snprintf(extra, sizeof extra, "\"id\":%lld", (long long)refusal->id);
        message_error(call.out, &s->id, MESSAGE_CONFLICT, NULL, path,
                      "the key stands for another specification", extra);
        break;
    case -EDQUOT: {
        const char *which = dispatch_limit(s->surface->dispatch, s->uid, s->count);
        call_error_limit(&call, which ? which : "jobs_waiting", 1000);
        break;
    }
    case -ENOENT: call_error(&call, MESSAGE_INVALID_PARAMS, where, "a queue was deleted"); break;
    default: call_error_store(&call, rc, 0); break;
    }
}

static int64_t commit_submission(void *arg)
{
    struct submission *s = arg;
    struct store_refusal refusal = {0};
    int rc = dispatch_submit(s->surface->dispatch, s->jobs, s->count, s->uid, s->admin, &refusal);
    if (rc == STORE_OK)
        answer_accepted(s);
    else
        answer_refused(s, rc, &refusal);
    if (s->id.type == MESSAGE_ID_NONE)
        buf_reset(&s->answer->text); /* a notification is carried out and not answered */
    conn_answer_end(s->answer);
    free(s);
    return 0;
}

/* --- requests ------------------------------------------------------------------------------------------ */

static struct submission *submission_new(struct call *call, size_t count)
{
    struct submission *s = calloc(1, sizeof *s + count * sizeof s->jobs[0]);
    if (!s) {
        call_error_store(call, -ENOMEM, 0);
        return NULL;
    }
    s->surface = call->surface;
    s->id = call->id;
    s->uid = call->uid;
    s->admin = call->admin;
    s->count = count;
    return s;
}

static void submission_drop(struct submission *s)
{
    for (size_t i = 0; i < s->count; i++)
        spec_free(s->jobs[i].spec);
    free(s);
}

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
    if (rc == SPEC_OK)
        return true;
    if (rc == SPEC_INVALID)
        call_error(call, MESSAGE_INVALID_PARAMS, error.path, error.reason);
    else if (rc == SPEC_NOT_PERMITTED)
        call_error(call, MESSAGE_NOT_PERMITTED, error.path, error.reason);
    else
        call_error_store(call, rc, 0);
    return false;
}

static void commit_later(struct call *call, struct submission *s)
{
    s->answer = conn_answer_begin(call->conn);
    if (!s->answer) {
        call_error_store(call, -ENOMEM, 0);
        submission_drop(s);
        return;
    }
    int rc = conn_spawn(call->conn, commit_submission, s, "submit");
    if (rc == 0)
        return;
    /* No task left: the answer says so, in its place. */
    struct call refused = {.surface = call->surface, .id = s->id, .out = &s->answer->text};
    call_error_limit(&refused, "tasks", 100);
    conn_answer_end(s->answer);
    submission_drop(s);
}

void command_submit(struct call *call)
{
    struct submission *s = submission_new(call, 1);
    if (!s)
        return;
    if (!json_is(call->params, JSON_OBJECT)) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params", "must be a specification");
        submission_drop(s);
    } else if (!parse_one(call, call->params, "params", false, 0, &s->jobs[0].spec)) {
        submission_drop(s);
    } else {
        commit_later(call, s);
    }
}

void command_submit_many(struct call *call)
{
    static const char *const names[] = {"jobs", NULL};
    char path[48];
    if (!param_known(call, names))
        return;
    const struct json *jobs = json_get(call->params, "jobs");
    size_t count = json_count(jobs), i = 0;
    if (!json_is(jobs, JSON_ARRAY) || count < 1 || count > SPEC_MANY_MAX) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.jobs",
                   "must be an array of 1 to 10000 specifications");
        return;
    }
    struct submission *s = submission_new(call, count);
    if (!s)
        return;
    s->many = true;
    for (const struct json *e = json_first(jobs); e; e = json_next(e), i++) {
        snprintf(path, sizeof path, "params.jobs[%zu]", i);
        if (!parse_one(call, e, path, true, (uint32_t)i, &s->jobs[i].spec)) {
            submission_drop(s);
            return;
        }
    }
    commit_later(call, s);
}
