/* command_control.c - verbs that change what is there: cancel, retry, remove, signal, reload, drain, shutdown.
 *
 * A verb over many ids works on up to 64 of them side by side, so that their commits are shared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "log.h"
#include "process.h"

#define IDS_MAX      10000
#define SIDE_BY_SIDE 64

/* --- verbs over ids ------------------------------------------------------------------------------------ */

struct work {
    struct call *call;
    int (*act)(struct dispatch *d, int64_t id);
    const int64_t *ids;
    int *answers;
    size_t count, next;
};

static int64_t work_some(void *arg)
{
    struct work *work = arg;
    while (work->next < work->count) {
        size_t i = work->next++;
        int rc = call_owner(work->call, work->ids[i]);
        work->answers[i] =
            rc == STORE_OK ? work->act(work->call->surface->dispatch, work->ids[i]) : rc;
    }
    return 0;
}

static void work_all(struct work *work)
{
    cosched_group group;
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    const cosched_attr attr = {.struct_size = sizeof attr, .name = "ids", .affinity = COSCHED_MAIN};
    size_t tasks = work->count < SIDE_BY_SIDE ? work->count : SIDE_BY_SIDE;
    if (tasks > 1 && cosched_group_init(&group, &collect) == 0) {
        for (size_t i = 1; i < tasks; i++) {
            if (cosched_group_spawn(&group, work_some, work, &attr) < 0) {
                break; /* fewer side by side */
            }
        }
        work_some(work);
        cosched_group_join(&group, COSCHED_NEVER);
    }
    work_some(work); /* what a cancelled group left; nothing, usually */
}

static void write_ids(struct writer *w, const char *name, const struct work *work, int answer)
{
    writer_member_array(w, name);
    for (size_t i = 0; i < work->count; i++) {
        if (work->answers[i] == answer) {
            writer_int(w, work->ids[i]);
        }
    }
    writer_end_array(w);
}

static void act_on(struct call *call, const int64_t *ids, size_t count, const char *done,
                   const char *refused, int (*act)(struct dispatch *d, int64_t id))
{
    struct work work = {.call = call, .act = act, .ids = ids, .count = count};
    struct writer w;
    work.answers = calloc(count ? count : 1, sizeof *work.answers);
    if (!work.answers) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    work_all(&work);
    for (size_t i = 0; i < count; i++) {
        int rc = work.answers[i];
        if (rc != STORE_OK && rc != STORE_NOT_FOUND && rc != STORE_REFUSED) {
            call_error_store(call, rc, ids[i]);
            free(work.answers);
            return;
        }
    }
    call_result(call, &w);
    writer_object(&w);
    write_ids(&w, done, &work, STORE_OK);
    write_ids(&w, refused, &work, STORE_REFUSED);
    write_ids(&w, "not_found", &work, STORE_NOT_FOUND);
    writer_end_object(&w);
    call_result_end(call, &w);
    free(work.answers);
}

static void act_on_param(struct call *call, const char *done, const char *refused,
                         int (*act)(struct dispatch *d, int64_t id))
{
    static const char *const names[] = {"ids", NULL};
    int64_t *ids = NULL;
    size_t count = 0;
    if (!param_known(call, names) || !param_ids(call, "ids", IDS_MAX, &ids, &count)) {
        return;
    }
    act_on(call, ids, count, done, refused, act);
    free(ids);
}

void command_retry(struct call *call)
{
    act_on_param(call, "retried", "not_retryable", dispatch_retry);
}

void command_remove(struct call *call)
{
    act_on_param(call, "removed", "not_removable", dispatch_remove);
}

/* --- cancel -------------------------------------------------------------------------------------------- */

/* Every unfinished job that the filter means, newest first; a page at a time, until no more are found. */
static int find_all(struct call *call, struct store_filter *filter, int64_t **ids, size_t *count)
{
    struct store_page page = STORE_PAGE_INIT;
    int rc = STORE_OK;
    do {
        rc = store_list(call->surface->store, filter, &page);
        int64_t *grown =
            rc == STORE_OK ? realloc(*ids, (*count + page.count + 1) * sizeof **ids) : NULL;
        if (rc == STORE_OK && !grown) {
            rc = -ENOMEM;
        }
        if (rc != STORE_OK) {
            break;
        }
        *ids = grown;
        for (size_t i = 0; i < page.count; i++) {
            (*ids)[(*count)++] = page.jobs[i]->id;
        }
        bool more = page.more && page.count > 0;
        filter->before = more ? page.jobs[page.count - 1]->id : 0;
        store_page_fini(&page);
    } while (filter->before);
    store_page_fini(&page);
    return rc;
}

static void cancel_filtered(struct call *call, const struct json *given)
{
    static const char *const names[] = {"state", "queue",  "label", "kind", "owner",
                                        "name",  "parent", "tree",  NULL};
    struct store_filter filter = {.limit = 1000};
    struct spec_label *labels = NULL;
    int64_t *ids = NULL;
    size_t count = 0;
    char path[160];
    const struct json *unknown = json_unknown(given, names);
    if (!json_is(given, JSON_OBJECT) || json_count(given) == 0) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.filter",
                   "must be an object that is not empty");
        return;
    }
    if (unknown) {
        snprintf(path, sizeof path, "params.filter.%s", json_key(unknown));
        call_error(call, MESSAGE_INVALID_PARAMS, path, "unknown member");
        return;
    }
    if (!job_filter(call, given, "params.filter", &filter, &labels)) {
        free(labels);
        return;
    }
    unsigned open = ~JOB_STATES_FINAL & ((1U << JOB_STATES) - 1U);
    filter.states = filter.states ? filter.states & open : open;
    bool nothing = filter.states == 0 || (filter.has_uid && !call_may(call, filter.uid));
    if (!call->admin) {
        filter.has_uid = true;
        filter.uid = call->uid;
    }
    int rc = nothing ? STORE_OK : find_all(call, &filter, &ids, &count);
    if (rc == STORE_OK) {
        act_on(call, ids, count, "canceled", "not_cancelable", dispatch_cancel);
    } else {
        call_error_store(call, rc, 0);
    }
    free(ids);
    free(labels);
}

void command_cancel(struct call *call)
{
    static const char *const names[] = {"ids", "filter", NULL};
    int64_t *ids = NULL;
    size_t count = 0;
    if (!param_known(call, names)) {
        return;
    }
    const struct json *filter = json_get(call->params, "filter");
    if (filter && json_get(call->params, "ids")) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params", "takes ids or filter, not both");
    } else if (filter) {
        cancel_filtered(call, filter);
    } else if (param_ids(call, "ids", IDS_MAX, &ids, &count)) {
        act_on(call, ids, count, "canceled", "not_cancelable", dispatch_cancel);
        free(ids);
    }
}

/* --- signal -------------------------------------------------------------------------------------------- */

void command_signal(struct call *call)
{
    static const char *const names[] = {"id", "signal", NULL};
    int64_t id = 0;
    const char *name = NULL;
    struct writer w;
    if (!param_known(call, names) || !param_id(call, "id", &id) ||
        !param_string(call, "signal", &name)) {
        return;
    }
    int number = name ? job_signal_number(name) : 0;
    if (number == 0) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.signal", "must be the name of a signal");
        return;
    }
    int rc = call_owner(call, id);
    if (rc == STORE_OK) {
        rc = dispatch_signal(call->surface->dispatch, id, number);
    }
    if (rc != STORE_OK) {
        call_error_store(call, rc, id);
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_member_string(&w, "signal", job_signal_name(number));
    writer_end_object(&w);
    call_result_end(call, &w);
}

/* --- the daemon's end ------------------------------------------------------------------------------------ */

void command_reload(struct call *call)
{
    static const char *const names[] = {NULL};
    struct surface_reload done = {"", ""};
    struct writer w;
    if (!param_known(call, names)) {
        return;
    }
    log_info("reload asked for by a client", LOG_INT("uid", call->uid));
    if (call->surface->reload(call->surface->ctx, &done) < 0) {
        call_error(call, MESSAGE_CONFLICT, NULL, done.why);
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_array(&w, "needs_restart");
    for (const char *name = done.restart; *name; name += strspn(name, ",")) {
        size_t length = strcspn(name, ",");
        writer_string_n(&w, name, length);
        name += length;
    }
    writer_end_array(&w);
    writer_end_object(&w);
    call_result_end(call, &w);
}

void command_drain(struct call *call)
{
    static const char *const names[] = {"undo", NULL};
    struct dispatch *d = call->surface->dispatch;
    bool undo = false;
    struct writer w;
    if (!param_known(call, names) || !param_bool(call, "undo", &undo)) {
        return;
    }
    log_info(undo ? "drain undone by a client" : "draining for a client", LOG_INT("uid", call->uid));
    dispatch_drain(d, !undo);
    int rc = undo ? 0 : dispatch_wait_idle(d, COSCHED_NEVER);
    if (rc < 0) {
        call_error_store(call, rc, 0);
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_bool(&w, "drained", !undo && dispatch_draining(d));
    writer_end_object(&w);
    call_result_end(call, &w);
}

void command_shutdown(struct call *call)
{
    static const char *const names[] = {NULL};
    struct writer w;
    if (!param_known(call, names)) {
        return;
    }
    log_info("asked to stop by a client", LOG_INT("uid", call->uid));
    call->surface->stop(call->surface->ctx);
    call_result(call, &w);
    writer_object(&w);
    writer_member_bool(&w, "stopping", true);
    writer_end_object(&w);
    call_result_end(call, &w);
}
