/* command_queue.c - queues: which there are, and the verbs that steer them. Each answers with all of them, as they are now.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "log.h"

/* `moved`: how many jobs a deletion moved; negative: not one. */
static void answer_queues(struct call *call, int64_t moved)
{
    struct writer w;
    struct metrics_queue *queues = calloc(DISPATCH_QUEUES_MAX, sizeof *queues);
    if (!queues) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    size_t count = dispatch_queues(call->surface->dispatch, queues, DISPATCH_QUEUES_MAX);
    call_result(call, &w);
    writer_object(&w);
    writer_member_array(&w, "queues");
    for (size_t i = 0; i < count; i++) {
        metrics_write_queue(&w, &queues[i], true);
    }
    writer_end_array(&w);
    if (moved >= 0) {
        writer_member_int(&w, "moved", moved);
    }
    writer_end_object(&w);
    call_result_end(call, &w);
    free(queues);
}

void command_queues(struct call *call)
{
    static const char *const names[] = {NULL};
    if (param_known(call, names)) {
        answer_queues(call, -1);
    }
}

/* --- parameters ------------------------------------------------------------------------------------------ */

static bool refuse(struct call *call, const char *path, const char *reason)
{
    call_error(call, MESSAGE_INVALID_PARAMS, path, reason);
    return false;
}

static bool param_queue(struct call *call, const char **name)
{
    *name = NULL;
    if (!param_string(call, "name", name)) {
        return false;
    }
    if (!*name) {
        return refuse(call, "params.name", "is required");
    }
    return config_queue_name_valid(*name)
               ? true
               : refuse(call, "params.name",
                        "a queue's name is 1 to 64 letters, digits, '_', '.' or '-'");
}

static bool param_rate(struct call *call, struct dispatch_queue_change *change)
{
    const struct json *value = json_get(call->params, "rate");
    if (!value) {
        return true;
    }
    change->has_rate = true;
    change->rate = json_number(value);
    bool fits =
        json_is(value, JSON_NUMBER) &&
        (change->rate == 0 || (change->rate >= CONFIG_RATE_MIN && change->rate <= CONFIG_RATE_MAX));
    return fits ? true
                : refuse(call, "params.rate",
                         "must be 0, or starts per second from 0.001 to 1000000");
}

static void answer_change(struct call *call, int rc, int64_t moved)
{
    switch (rc) {
    case STORE_OK: answer_queues(call, moved); break;
    case STORE_NOT_FOUND:
        call_error(call, MESSAGE_NOT_FOUND, "params.name", "no such queue");
        break;
    case STORE_CONFLICT:
        call_error(call, MESSAGE_CONFLICT, "params.move_to",
                   "the queue has unfinished jobs: say where they go");
        break;
    case -EDQUOT: call_error_limit(call, "queues", 1000); break;
    default: call_error_store(call, rc, 0); break;
    }
}

/* --- the verbs ------------------------------------------------------------------------------------------- */

void command_queue_set(struct call *call)
{
    static const char *const names[] = {"name", "parallel", "rate", "weight", NULL};
    struct dispatch_queue_change change = {.parallel = -1};
    const char *name = NULL;
    if (!param_known(call, names) || !param_queue(call, &name) ||
        !param_int(call, "parallel", 0, CONFIG_PARALLEL_MAX, &change.parallel) ||
        !param_int(call, "weight", 1, CONFIG_WEIGHT_MAX, &change.weight) ||
        !param_rate(call, &change)) {
        return;
    }
    change.has_parallel = change.parallel >= 0;
    change.has_weight = change.weight > 0;
    int rc = dispatch_queue_change(call->surface->dispatch, name, &change, true);
    if (rc == STORE_OK) {
        log_info("queue set by a client", LOG_STR("queue", name), LOG_INT("uid", call->uid));
    }
    answer_change(call, rc, -1);
}

static void set_paused(struct call *call, bool paused)
{
    static const char *const names[] = {"name", NULL};
    const struct dispatch_queue_change change = {.has_paused = true, .paused = paused};
    const char *name = NULL;
    if (!param_known(call, names) || !param_queue(call, &name)) {
        return;
    }
    int rc = dispatch_queue_change(call->surface->dispatch, name, &change, false);
    if (rc == STORE_OK) {
        log_info(paused ? "queue paused by a client" : "queue resumed by a client",
                 LOG_STR("queue", name), LOG_INT("uid", call->uid));
    }
    answer_change(call, rc, -1);
}

void command_queue_pause(struct call *call)
{
    set_paused(call, true);
}

void command_queue_resume(struct call *call)
{
    set_paused(call, false);
}

void command_queue_reset(struct call *call)
{
    static const char *const names[] = {"name", NULL};
    const char *name = NULL;
    if (!param_known(call, names) || !param_queue(call, &name)) {
        return;
    }
    int rc = dispatch_queue_reset(call->surface->dispatch, name);
    if (rc == STORE_OK) {
        log_info("queue reset by a client", LOG_STR("queue", name), LOG_INT("uid", call->uid));
    }
    answer_change(call, rc, -1);
}

void command_queue_delete(struct call *call)
{
    static const char *const names[] = {"name", "move_to", NULL};
    const char *name = NULL, *move_to = NULL;
    size_t moved = 0;
    if (!param_known(call, names) || !param_queue(call, &name) ||
        !param_string(call, "move_to", &move_to)) {
        return;
    }
    if (strcmp(name, SPEC_QUEUE_DEFAULT) == 0) {
        (void)refuse(call, "params.name", "the queue \"default\" cannot be deleted");
        return;
    }
    if (move_to && strcmp(name, move_to) == 0) {
        (void)refuse(call, "params.move_to", "must be another queue");
        return;
    }
    if (move_to && !dispatch_queue_exists(call->surface->dispatch, move_to)) {
        (void)refuse(call, "params.move_to", "there is no such queue");
        return;
    }
    int rc = dispatch_queue_delete(call->surface->dispatch, name, move_to, &moved);
    if (rc == STORE_OK) {
        log_info("queue deleted by a client", LOG_STR("queue", name), LOG_INT("moved", moved),
                 LOG_INT("uid", call->uid));
    }
    answer_change(call, rc, (int64_t)moved);
}
