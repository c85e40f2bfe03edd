/* command_tasks.c - tasks: the daemon's own tasks as events, then the answer.
 *
 * The look and the writing happen on a worker; what was written is sent from MAIN, a piece at a time, and waits there for a
 * client that reads slowly. So MAIN is kept from nothing, and nothing is kept in memory. Whose a task is, is decided by the
 * attempts that run when the request comes: each has a task, and all below it are of that job. A task of no job is the daemon's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "tasks.h"

#define PIECE_BYTES 32768

struct look {
    struct call *call;
    int64_t id; /* only of that job; 0: of all */
    bool fold;  /* what the request says */
    bool stuck;
    bool frames;
    struct dispatch_attempt *attempts; /* owned; by index of the task */
    size_t attempt_count;
    struct buf lines;
    int rc; /* of the sending */
    uint64_t seen, others, told, sets;
};

/* --- on a worker ---------------------------------------------------------------------------------------- */

static int by_task(const void *a, const void *b)
{
    uint32_t x = ((const struct dispatch_attempt *)a)->task.index;
    uint32_t y = ((const struct dispatch_attempt *)b)->task.index;
    return x < y ? -1 : x > y;
}

static const struct dispatch_attempt *attempt_of(const struct look *l, cosched_task task)
{
    const struct dispatch_attempt key = {.task = task};
    const struct dispatch_attempt *found =
        l->attempt_count ? bsearch(&key, l->attempts, l->attempt_count, sizeof *l->attempts, by_task)
                         : NULL;
    return found && found->task.generation == task.generation ? found : NULL;
}

/* The job it belongs to, by itself or by one above it. */
static const struct dispatch_attempt *job_of(const struct look *l, const cosched_task_info *info)
{
    const struct dispatch_attempt *found = attempt_of(l, info->task);
    for (uint32_t i = 0; !found && i < info->above_count; i++) {
        found = attempt_of(l, info->above[i]);
    }
    return found;
}

static bool want(void *data, const cosched_task_info *info)
{
    struct look *l = data;
    const struct dispatch_attempt *job = job_of(l, info);
    bool may = l->call->admin || (job && job->uid == l->call->uid);
    l->seen++;
    l->others += !may;
    return may && (!l->id || (job && job->id == l->id));
}

static int64_t send_piece(void *arg)
{
    struct look *l = arg;
    l->rc = l->lines.failed ? -ENOMEM : conn_send(l->call->conn, &l->lines);
    return 0;
}

static int tell(void *data, const cosched_task_info *info)
{
    struct look *l = data;
    struct writer w;
    const struct dispatch_attempt *job = job_of(l, info);
    cosched_task_info shown = *info;
    if (!l->frames) {
        shown.frame_count = 0;
    }
    message_event_begin(&w, &l->lines, "task");
    message_write_id(&w, "request", &l->call->id);
    if (job) {
        writer_member_int(&w, "id", job->id);
    }
    tasks_write(&w, &shown);
    message_event_end(&w);
    l->told += info->count;
    l->sets = info->stuck > l->sets ? info->stuck : l->sets;
    if (l->lines.len >= PIECE_BYTES) {
        int rc = cosched_call(NULL, COSCHED_MAIN, send_piece, l, COSCHED_NEVER);
        return rc < 0 ? rc : l->rc;
    }
    return 0;
}

static int tell_stuck(void *data, const cosched_task_info *info)
{
    return want(data, info) ? tell(data, info) : 0;
}

static int64_t look_task(void *arg)
{
    struct look *l = arg;
    cosched_runtime *rt = cosched_runtime_self();
    if (l->stuck) {
        return cosched_tasks_stuck(rt, tell_stuck, l);
    }
    const cosched_tasks_options options = {.struct_size = sizeof options,
                                           .flags =
                                               (l->fold ? (unsigned)COSCHED_TASKS_FOLD : 0) |
                                               (l->frames ? 0 : (unsigned)COSCHED_TASKS_NO_FRAMES),
                                           .want = want};
    return cosched_tasks_each(rt, &options, tell, l);
}

/* --- on MAIN -------------------------------------------------------------------------------------------- */

static void answer(struct look *l)
{
    struct writer w;
    call_result(l->call, &w);
    writer_object(&w);
    writer_member_uint(&w, "tasks", l->told);
    if (!l->stuck) {
        writer_member_uint(&w, "others", l->others);
    }
    if (l->stuck) {
        writer_member_uint(&w, "stuck_sets", l->sets);
    }
    writer_end_object(&w);
    call_result_end(l->call, &w);
}

static bool read_request(struct look *l)
{
    static const char *const names[] = {"id", "fold", "stuck", "frames", NULL};
    struct call *call = l->call;
    l->frames = true;
    if (!param_known(call, names) || !param_bool(call, "fold", &l->fold) ||
        !param_bool(call, "stuck", &l->stuck) || !param_bool(call, "frames", &l->frames)) {
        return false;
    }
    if (l->fold && l->stuck) {
        call_error(call, MESSAGE_INVALID_PARAMS, "params.fold", "not with stuck: each is told");
        return false;
    }
    if (!json_get(call->params, "id")) {
        return true;
    }
    if (!param_id(call, "id", &l->id)) {
        return false;
    }
    int rc = call_owner(call, l->id);
    if (rc != STORE_OK) {
        call_error_store(call, rc, l->id);
    }
    return rc == STORE_OK;
}

static int run(struct look *l)
{
    int64_t result = 0;
    int rc = dispatch_attempts(l->call->surface->dispatch, &l->attempts, &l->attempt_count);
    if (rc < 0) {
        return rc;
    }
    if (l->attempt_count) {
        qsort(l->attempts, l->attempt_count, sizeof *l->attempts, by_task);
    }
    rc = cosched_call(&result, COSCHED_WORKER, look_task, l, COSCHED_NEVER);
    rc = rc < 0 ? rc : result < 0 ? (int)result : 0;
    if (rc == 0) {
        (void)send_piece(l);
        rc = l->rc;
    }
    return rc;
}

void command_tasks(struct call *call)
{
    struct look *l = calloc(1, sizeof *l);
    if (!l) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    l->call = call;
    if (read_request(l)) {
        int rc = run(l);
        if (rc == 0) {
            answer(l);
        } else {
            call_error_store(call, rc, 0);
        }
    }
    buf_free(&l->lines);
    free(l->attempts);
    free(l);
}
