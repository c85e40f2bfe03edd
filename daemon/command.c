/* command.c - the table of verbs, the two that need nothing, and what all of them share: answers, parameters, access.
 *
 * A parameter is checked by type before it is used, and a refusal names its path; members that nobody knows are refused
 * by name. Another user's job looks exactly like one that does not exist.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/units.h"

static const char *const no_params[] = {NULL};

static void command_ping(struct call *call)
{
    struct writer w;
    if (!param_known(call, no_params)) {
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_bool(&w, "pong", true);
    writer_end_object(&w);
    call_result_end(call, &w);
}

static void command_hello(struct call *call)
{
    static const char *const features[] = {
        "submit_many", "wait", "logs",  "drain",     "retry",   "remove", "signal", "after",
        "edit",        "why",  "queue", "subscribe", "metrics", "reload", "tasks",  "trace"};
    struct writer w;
    if (!param_known(call, no_params)) {
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_int(&w, "protocol", MESSAGE_PROTOCOL);
    writer_member_string(&w, "version", call->surface->version);
    writer_member_array(&w, "features");
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        writer_string(&w, features[i]);
    }
    writer_end_array(&w);
    writer_member_string(&w, "boot_id", call->surface->boot_id);
    writer_member_int(&w, "uid", (int64_t)geteuid());
    writer_end_object(&w);
    call_result_end(call, &w);
}

static const struct command commands[] = {
    {"ping", COMMAND_AT_ONCE, false, command_ping},
    {"hello", COMMAND_AT_ONCE, false, command_hello},
    {"submit", COMMAND_SUBMIT, false, command_submit},
    {"submit_many", COMMAND_SUBMIT, false, command_submit_many},
    {"get", COMMAND_AT_ONCE, false, command_get},
    {"list", COMMAND_AT_ONCE, false, command_list},
    {"why", COMMAND_AT_ONCE, false, command_why},
    {"wait", COMMAND_WAITING, false, command_wait},
    {"cancel", COMMAND_AT_ONCE, false, command_cancel},
    {"edit", COMMAND_AT_ONCE, false, command_edit},
    {"retry", COMMAND_AT_ONCE, false, command_retry},
    {"remove", COMMAND_AT_ONCE, false, command_remove},
    {"signal", COMMAND_AT_ONCE, false, command_signal},
    {"logs", COMMAND_WAITING, false, command_logs},
    {"stats", COMMAND_AT_ONCE, false, command_stats},
    {"metrics", COMMAND_AT_ONCE, true, command_metrics},
    {"tasks", COMMAND_WAITING, false, command_tasks},
    {"kinds", COMMAND_AT_ONCE, false, command_kinds},
    {"queues", COMMAND_AT_ONCE, false, command_queues},
    {"queue.set", COMMAND_AT_ONCE, true, command_queue_set},
    {"queue.pause", COMMAND_AT_ONCE, true, command_queue_pause},
    {"queue.resume", COMMAND_AT_ONCE, true, command_queue_resume},
    {"queue.reset", COMMAND_AT_ONCE, true, command_queue_reset},
    {"queue.delete", COMMAND_AT_ONCE, true, command_queue_delete},
    {"subscribe", COMMAND_AT_ONCE, false, command_subscribe},
    {"unsubscribe", COMMAND_AT_ONCE, false, command_unsubscribe},
    {"reload", COMMAND_AT_ONCE, true, command_reload},
    {"trace", COMMAND_WAITING, true, command_trace},
    {"drain", COMMAND_WAITING, true, command_drain},
    {"shutdown", COMMAND_AT_ONCE, true, command_shutdown},
};

const struct command *command_find(const char *method)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, method) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* --- answers ------------------------------------------------------------------------------------------- */

void call_error(struct call *call, int code, const char *path, const char *reason)
{
    message_error(call->out, &call->id, code, NULL, path, reason, NULL);
}

void call_error_limit(struct call *call, const char *which, int retry_after_ms)
{
    char extra[128];
    snprintf(extra, sizeof extra, "\"limit\":\"%s\",\"retry_after_ms\":%d", which, retry_after_ms);
    message_error(call->out, &call->id, MESSAGE_LIMIT, NULL, NULL, NULL, extra);
}

void call_error_store(struct call *call, int rc, int64_t id)
{
    char extra[48];
    snprintf(extra, sizeof extra, "\"id\":%lld", (long long)id);
    const char *about = id ? extra : NULL;
    switch (rc) {
    case STORE_NOT_FOUND:
        message_error(call->out, &call->id, MESSAGE_NOT_FOUND, NULL, "params.id", "no such job",
                      about);
        break;
    case STORE_CONFLICT:
    case STORE_REFUSED:
        message_error(call->out, &call->id, MESSAGE_CONFLICT, NULL, NULL, NULL, about);
        break;
    case STORE_UNAVAILABLE:
        message_error(call->out, &call->id, MESSAGE_STORAGE, NULL, NULL, "the disk refused it",
                      NULL);
        break;
    case -ESHUTDOWN: call_error(call, MESSAGE_SHUTTING_DOWN, NULL, NULL); break;
    default:
        message_error(call->out, &call->id, MESSAGE_INTERNAL, NULL, NULL, cosched_strerror(rc),
                      NULL);
        break;
    }
}

void call_result(struct call *call, struct writer *w)
{
    message_result_begin(w, call->out, &call->id);
}

void call_result_end(struct call *call, struct writer *w)
{
    (void)call;
    message_result_end(w);
}

/* --- parameters ---------------------------------------------------------------------------------------- */

static bool refuse(struct call *call, const char *name, const char *reason)
{
    char path[160];
    snprintf(path, sizeof path, "params%s%s", *name ? "." : "", name);
    call_error(call, MESSAGE_INVALID_PARAMS, path, reason);
    return false;
}

bool param_known(struct call *call, const char *const *names)
{
    const struct json *unknown = json_unknown(call->params, names);
    return unknown ? refuse(call, json_key(unknown), "unknown member") : true;
}

bool param_id(struct call *call, const char *name, int64_t *out)
{
    const struct json *value = json_get(call->params, name);
    if (!value) {
        return refuse(call, name, "is required");
    }
    if (!json_int(value, out) || *out < 1 || *out > SPEC_ID_MAX) {
        return refuse(call, name, "must be the id of a job");
    }
    return true;
}

bool param_int(struct call *call, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const struct json *value = json_get(call->params, name);
    char reason[96];
    if (!value) {
        return true;
    }
    if (json_int(value, out) && *out >= min && *out <= max) {
        return true;
    }
    snprintf(reason, sizeof reason, "must be an integer between %lld and %lld", (long long)min,
             (long long)max);
    return refuse(call, name, reason);
}

bool param_bool(struct call *call, const char *name, bool *out)
{
    const struct json *value = json_get(call->params, name);
    if (!value) {
        return true;
    }
    if (!json_is(value, JSON_BOOL)) {
        return refuse(call, name, "must be true or false");
    }
    *out = json_bool(value);
    return true;
}

bool param_string(struct call *call, const char *name, const char **out)
{
    const struct json *value = json_get(call->params, name);
    if (!value) {
        return true;
    }
    if (!json_is(value, JSON_STRING)) {
        return refuse(call, name, "must be a string");
    }
    *out = json_string(value);
    return true;
}

bool param_duration_ns(struct call *call, const char *name, int64_t *out)
{
    const struct json *value = json_get(call->params, name);
    if (!value) {
        return true;
    }
    if (!json_is(value, JSON_STRING) || units_parse_duration(json_string(value), out) < 0) {
        return refuse(call, name, "must be a duration such as 250ms, 5s, 1h30m");
    }
    return true;
}

bool param_ids(struct call *call, const char *name, size_t max, int64_t **out, size_t *count)
{
    const struct json *value = json_get(call->params, name);
    char reason[96], path[64];
    size_t n = json_count(value);
    if (!json_is(value, JSON_ARRAY) || n < 1 || n > max) {
        snprintf(reason, sizeof reason, "must be an array of 1 to %zu ids", max);
        return refuse(call, name, reason);
    }
    int64_t *ids = malloc(n * sizeof *ids);
    if (!ids) {
        call_error_store(call, -ENOMEM, 0);
        return false;
    }
    size_t i = 0;
    for (const struct json *e = json_first(value); e; e = json_next(e), i++) {
        if (!json_int(e, &ids[i]) || ids[i] < 1 || ids[i] > SPEC_ID_MAX) {
            snprintf(path, sizeof path, "%s[%zu]", name, i);
            free(ids);
            return refuse(call, path, "must be the id of a job");
        }
    }
    *out = ids;
    *count = n;
    return true;
}

/* --- access ---------------------------------------------------------------------------------------------- */

int call_owner(struct call *call, int64_t id)
{
    const struct row *row = dispatch_find(call->surface->dispatch, id);
    if (row) {
        return call_may(call, row->uid) ? STORE_OK : STORE_NOT_FOUND;
    }
    struct store_job *job = NULL;
    int rc = store_get(call->surface->store, id, 0, &job);
    if (rc == STORE_OK && !call_may(call, job->uid)) {
        rc = STORE_NOT_FOUND;
    }
    store_job_free(job);
    return rc;
}
