/* command_edit.c - edit: what of a job may be changed until it starts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "log.h"

static const char path_of_set[] = "params.set";

struct edit {
    struct call *call;
    const struct json *set;
    int outcome; /* of spec_edit */
    struct spec_error error;
};

static bool queue_exists(void *ctx, const char *queue)
{
    const struct surface *surface = ctx;
    return dispatch_queue_exists(surface->dispatch, queue);
}

static int change(void *ctx, struct spec *spec, unsigned *changed)
{
    struct edit *edit = ctx;
    const struct spec_context context = {.path = path_of_set,
                                         .admin = edit->call->admin,
                                         .ctx = edit->call->surface,
                                         .queue_exists = queue_exists};
    edit->outcome = spec_edit(spec, edit->set, &context, changed, &edit->error);
    return edit->outcome;
}

static void answer_invalid(struct call *call, const struct edit *edit)
{
    if (edit->outcome == SPEC_NOT_PERMITTED) {
        call_error(call, MESSAGE_NOT_PERMITTED, edit->error.path, edit->error.reason);
    } else if (edit->outcome == SPEC_INVALID) {
        call_error(call, MESSAGE_INVALID_PARAMS, edit->error.path, edit->error.reason);
    } else {
        call_error_store(call, edit->outcome, 0);
    }
}

static void answer(struct call *call, int64_t id, int rc, const struct dispatch_edit *done)
{
    struct writer w;
    char path[64], extra[48];
    snprintf(path, sizeof path, "%s.after[%zu]", path_of_set, done->refusal.after);
    snprintf(extra, sizeof extra, "\"id\":%lld", (long long)id);
    if (rc == STORE_NOT_FOUND && done->refusal.id) {
        call_error(call, MESSAGE_NOT_FOUND, path, "no such job");
    } else if (rc == STORE_CONFLICT) {
        call_error(call, MESSAGE_INVALID_PARAMS, path, "the job would wait for itself");
    } else if (rc == STORE_REFUSED) {
        message_error(call->out, &call->id, MESSAGE_CONFLICT, NULL, "params.id",
                      "the job has started or ended", extra);
    } else if (rc != STORE_OK) {
        call_error_store(call, rc, id);
    } else {
        call_result(call, &w);
        writer_object(&w);
        writer_member_int(&w, "id", id);
        writer_member_string(&w, "state", job_state_name(done->state));
        writer_end_object(&w);
        call_result_end(call, &w);
    }
}

/* A faulty edit is refused as such, whatever has become of the job: what it says is checked on an empty specification. */
static bool check_set(struct call *call, struct edit *edit)
{
    unsigned changed = 0;
    struct spec *empty = calloc(1, sizeof *empty);
    if (!empty) {
        edit->outcome = -ENOMEM;
    } else {
        (void)change(edit, empty, &changed);
    }
    spec_free(empty);
    if (edit->outcome != SPEC_OK) {
        answer_invalid(call, edit);
    }
    return edit->outcome == SPEC_OK;
}

void command_edit(struct call *call)
{
    static const char *const names[] = {"id", "set", NULL};
    struct edit edit = {.call = call, .set = json_get(call->params, "set")};
    struct dispatch_edit request = {.change = change, .ctx = &edit, .any_owner = call->admin};
    int64_t id = 0;
    if (!param_known(call, names) || !param_id(call, "id", &id) || !check_set(call, &edit)) {
        return;
    }
    int rc = call_owner(call, id);
    if (rc == STORE_OK) {
        rc = dispatch_edit(call->surface->dispatch, id, &request);
    }
    if (rc == DISPATCH_EDIT_INVALID) {
        answer_invalid(call, &edit); /* the queue it names went away between the looks */
    } else {
        answer(call, id, rc, &request);
    }
}
