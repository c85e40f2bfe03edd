/* command_job.c - a job as the protocol shows it, which of its members are asked for, and which jobs a filter means.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"

/* --- members ------------------------------------------------------------------------------------------- */

enum field {
    F_ID,
    F_KIND,
    F_NAME,
    F_QUEUE,
    F_STATE,
    F_PRIORITY,
    F_ATTEMPT,
    F_ATTEMPTS,
    F_OWNER,
    F_PARENT,
    F_CREATED,
    F_SCHEDULED,
    F_STARTED,
    F_FINISHED,
    F_EXIT_CODE,
    F_SIGNAL,
    F_RESULT,
    F_ERROR,
    F_LABELS,
    F_OUTPUT,
    F_SPEC,
    F_COUNT
};

static const char *const field_names[F_COUNT] = {
    "id",        "kind",   "name",   "queue",   "state",     "priority", "attempt",
    "attempts",  "owner",  "parent", "created", "scheduled", "started",  "finished",
    "exit_code", "signal", "result", "error",   "labels",    "output",   "spec"};

#define BIT(field) (1U << (unsigned)(field))
#define ALL_FIELDS ((1U << (unsigned)F_COUNT) - 1U)

bool param_fields(struct call *call, unsigned *out)
{
    const struct json *fields = json_get(call->params, "fields");
    char path[64];
    if (!fields) {
        return true;
    }
    if (!json_is(fields, JSON_ARRAY)) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.fields",
                   "must be an array of member names");
        return false;
    }
    size_t i = 0;
    unsigned bits = BIT(F_ID);
    for (const struct json *e = json_first(fields); e; e = json_next(e), i++) {
        const char *name = json_string(e);
        unsigned f = 0;
        while (f < F_COUNT && !(name && strcmp(name, field_names[f]) == 0)) {
            f++;
        }
        if (f == F_COUNT) {
            snprintf(path, sizeof path, "params.fields[%zu]", i);
            call_error(call, MESSAGE_INVALID_PARAMS, path, "must be the name of a job's member");
            return false;
        }
        bits |= BIT(f);
    }
    *out = bits;
    return true;
}

static unsigned effective(unsigned fields, bool whole)
{
    if (fields != JOB_FIELDS_DEFAULT) {
        return fields;
    }
    return whole ? ALL_FIELDS : ALL_FIELDS & ~(BIT(F_SPEC) | BIT(F_RESULT));
}

unsigned job_fields_with(unsigned fields, bool whole)
{
    unsigned want = effective(fields, whole);
    return (want & BIT(F_SPEC) ? (unsigned)STORE_WITH_SPEC : 0U) |
           (want & BIT(F_RESULT) ? (unsigned)STORE_WITH_RESULT : 0U) |
           (want & (BIT(F_ATTEMPTS) | BIT(F_OUTPUT)) ? (unsigned)STORE_WITH_ATTEMPTS : 0U);
}

static void write_code(struct writer *w, const char *key, int code)
{
    if (code == JOB_CODE_NONE) {
        writer_member_null(w, key);
    } else {
        writer_member_int(w, key, code);
    }
}

static void write_signal(struct writer *w, int number)
{
    if (number > 0) {
        writer_member_string(w, "signal", job_signal_name(number));
    } else {
        writer_member_null(w, "signal");
    }
}

static void write_attempts(struct writer *w, const struct store_job *job)
{
    writer_member_array(w, "attempts");
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct store_attempt *a = &job->attempts[i];
        writer_object(w);
        writer_member_int(w, "n", a->n);
        writer_member_time(w, "started", a->started_us);
        writer_member_time(w, "finished", a->finished_us);
        if (a->outcome == JOB_OUTCOME_NONE) {
            writer_member_null(w, "outcome");
        } else {
            writer_member_string(w, "outcome", job_outcome_name(a->outcome));
        }
        write_code(w, "exit_code", a->exit_code);
        write_signal(w, a->signal);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_stream(struct surface *surface, struct writer *w, const struct store_job *job,
                         enum output_stream stream)
{
    const struct store_attempt *last = &job->attempts[job->attempt_count - 1];
    const struct job_stream_size *size = stream == OUTPUT_STDOUT ? &last->output : &last->errors;
    struct output_counts counts = {0};
    bool live = last->outcome == JOB_OUTCOME_NONE;
    if (live && output_stat(surface->out_dir, job->id, last->n, stream, &counts) == 0) {
        /* it still writes: what the file says now */
    } else if (size->bytes >= 0) {
        counts.bytes = (uint64_t)size->bytes;
        counts.kept = (uint64_t)size->kept;
    }
    writer_member_object(w, stream == OUTPUT_STDOUT ? "stdout" : "stderr");
    writer_member_uint(w, "bytes", counts.bytes);
    writer_member_uint(w, "kept", counts.kept);
    writer_end_object(w);
}

static void write_output(struct surface *surface, struct writer *w, const struct store_job *job)
{
    const struct store_attempt *last =
        job->attempt_count ? &job->attempts[job->attempt_count - 1] : NULL;
    bool none = !last || (last->outcome != JOB_OUTCOME_NONE && last->output.bytes < 0 &&
                          last->errors.bytes < 0);
    if (none) {
        writer_member_null(w, "output");
        return;
    }
    writer_member_object(w, "output");
    write_stream(surface, w, job, OUTPUT_STDOUT);
    write_stream(surface, w, job, OUTPUT_STDERR);
    writer_end_object(w);
}

static void write_owner(struct surface *surface, struct writer *w, uint32_t uid)
{
    char name[USERS_NAME_MAX + 1];
    users_name(surface->users, uid, name);
    writer_member_object(w, "owner");
    writer_member_int(w, "uid", uid);
    writer_member_string(w, "user", *name ? name : NULL);
    writer_end_object(w);
}

static void write_error(struct writer *w, const struct store_job *job)
{
    if (!job->error_name) {
        writer_member_null(w, "error");
        return;
    }
    writer_member_object(w, "error");
    writer_member_string(w, "name", job->error_name);
    writer_member_string(w, "message", job->error_message);
    writer_end_object(w);
}

static void write_labels(struct writer *w, const struct store_job *job)
{
    writer_member_object(w, "labels");
    for (size_t i = 0; i < job->label_count; i++) {
        writer_member_string(w, job->labels[i].name, job->labels[i].value);
    }
    writer_end_object(w);
}

static void write_texts(struct writer *w, const struct store_job *job, enum field field)
{
    if (field == F_RESULT) {
        if (job->result) {
            writer_member_raw(w, "result", job->result, strlen(job->result));
        } else {
            writer_member_null(w, "result");
        }
        return;
    }
    writer_key(w, "spec");
    if (!job->spec || spec_write_stored(w, job->spec, job->spec_len, SPEC_WRITE_HIDE_ENV) < 0) {
        writer_null(w);
    }
}

static void write_field(struct surface *surface, struct writer *w, const struct store_job *job,
                        enum field field)
{
    const char *key = field_names[field];
    switch (field) {
    case F_ID: writer_member_int(w, key, job->id); break;
    case F_KIND: writer_member_string(w, key, job->kind); break;
    case F_NAME: writer_member_string(w, key, job->name); break;
    case F_QUEUE: writer_member_string(w, key, job->queue); break;
    case F_STATE: writer_member_string(w, key, job_state_name(job->state)); break;
    case F_PRIORITY: writer_member_int(w, key, job->priority); break;
    case F_ATTEMPT: writer_member_int(w, key, job->attempt); break;
    case F_ATTEMPTS: write_attempts(w, job); break;
    case F_OWNER: write_owner(surface, w, job->uid); break;
    case F_PARENT:
        if (job->parent) {
            writer_member_int(w, key, job->parent);
        } else {
            writer_member_null(w, key);
        }
        break;
    case F_CREATED: writer_member_time(w, key, job->created_us); break;
    case F_SCHEDULED: writer_member_time(w, key, job->scheduled_us); break;
    case F_STARTED: writer_member_time(w, key, job->started_us); break;
    case F_FINISHED: writer_member_time(w, key, job->finished_us); break;
    case F_EXIT_CODE: write_code(w, key, job->exit_code); break;
    case F_SIGNAL: write_signal(w, job->signal); break;
    case F_ERROR: write_error(w, job); break;
    case F_LABELS: write_labels(w, job); break;
    case F_OUTPUT: write_output(surface, w, job); break;
    case F_RESULT:
    case F_SPEC: write_texts(w, job, field); break;
    case F_COUNT: break;
    }
}

void job_write(struct surface *surface, struct writer *w, const struct store_job *job,
               unsigned fields, bool whole)
{
    unsigned want = effective(fields, whole);
    writer_object(w);
    for (unsigned f = 0; f < F_COUNT; f++) {
        if (want & BIT(f)) {
            write_field(surface, w, job, (enum field)f);
        }
    }
    writer_end_object(w);
}

/* --- filters ------------------------------------------------------------------------------------------- */

const char *const job_filter_names[] = {"state",  "queue", "label", "kind",   "owner",  "name",
                                        "parent", "tree",  "limit", "before", "fields", NULL};

/* What a filter is being read from and into. */
struct reading {
    struct call *call;
    const struct json *filter;
    const char *path;
    struct store_filter *out;
};

static bool refuse(const struct reading *r, const char *member, const char *reason)
{
    char path[160];
    snprintf(path, sizeof path, "%s.%s", r->path, member);
    call_error(r->call, MESSAGE_INVALID_PARAMS, path, reason);
    return false;
}

static bool read_states(struct reading *r)
{
    const struct json *states = json_get(r->filter, "state");
    char member[32];
    if (!states) {
        return true;
    }
    if (!json_is(states, JSON_ARRAY) || json_count(states) == 0) {
        return refuse(r, "state", "must be an array of states");
    }
    size_t i = 0;
    for (const struct json *e = json_first(states); e; e = json_next(e), i++) {
        const char *name = json_string(e);
        int state = name ? job_state_parse(name) : -1;
        if (state < 0) {
            snprintf(member, sizeof member, "state[%zu]", i);
            return refuse(r, member, "must be the name of a state");
        }
        r->out->states |= JOB_STATE_BIT(state);
    }
    return true;
}

static bool read_text(struct reading *r, const char *member, const char **out)
{
    const struct json *value = json_get(r->filter, member);
    if (!value) {
        return true;
    }
    *out = json_string(value);
    return *out ? true : refuse(r, member, "must be a string");
}

static bool read_owner(struct reading *r)
{
    const struct json *owner = json_get(r->filter, "owner");
    int64_t uid = 0;
    if (!owner) {
        return true;
    }
    r->out->has_uid = true;
    if (json_is(owner, JSON_STRING)) {
        if (users_find(json_string(owner), &r->out->uid) < 0) {
            return refuse(r, "owner", "no such user");
        }
        return true;
    }
    if (!json_int(owner, &uid) || uid < 0 || uid > UINT32_MAX) {
        return refuse(r, "owner", "must be the name or the number of a user");
    }
    r->out->uid = (uint32_t)uid;
    return true;
}

static bool read_labels(struct reading *r, struct spec_label **labels)
{
    const struct json *object = json_get(r->filter, "label");
    size_t count = json_count(object), i = 0;
    char member[SPEC_LABEL_NAME_MAX + 16];
    if (!object) {
        return true;
    }
    if (!json_is(object, JSON_OBJECT) || count > SPEC_LABELS_MAX) {
        return refuse(r, "label", "must be an object of at most 16 strings");
    }
    *labels = calloc(count ? count : 1, sizeof **labels);
    if (!*labels) {
        call_error_store(r->call, -ENOMEM, 0);
        return false;
    }
    for (const struct json *e = json_first(object); e; e = json_next(e), i++) {
        if (!json_string(e)) {
            snprintf(member, sizeof member, "label.%.*s", SPEC_LABEL_NAME_MAX, json_key(e));
            return refuse(r, member, "must be a string");
        }
        /* Borrowed from the request; the store only reads them. */
        memcpy(&(*labels)[i].name, &(const char *){json_key(e)}, sizeof(char *));
        memcpy(&(*labels)[i].value, &(const char *){json_string(e)}, sizeof(char *));
    }
    r->out->labels = *labels;
    r->out->label_count = count;
    return true;
}

bool job_filter(struct call *call, const struct json *filter, const char *path,
                struct store_filter *out, struct spec_label **labels)
{
    struct reading r = {call, filter, path, out};
    *labels = NULL;
    if (json_get(filter, "parent")) {
        return refuse(&r, "parent", "not supported yet");
    }
    if (json_get(filter, "tree")) {
        return refuse(&r, "tree", "not supported yet");
    }
    return read_states(&r) && read_text(&r, "queue", &out->queue) &&
           read_text(&r, "kind", &out->kind) && read_text(&r, "name", &out->name) &&
           read_owner(&r) && read_labels(&r, labels);
}
