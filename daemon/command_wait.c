/* command_wait.c - wait: until all or any of some jobs have ended.
 *
 * First every id is watched, then the present state of each is looked at: an end in between is seen twice, never missed.
 * Every end rings; what has ended at the head of the list is passed over once and for all, so that ten thousand ends are
 * not ten thousand looks at ten thousand jobs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define IDS_MAX  10000
#define READ_MAX 128 /* jobs read from the store in one go */

struct waiting {
    struct call *call;
    struct bell bell;
    int64_t *ids;             /* owned */
    struct watch_node *nodes; /* owned; state is set once the job has ended */
    size_t count, added;
    size_t passed; /* of mode all: the first so many have ended */
    bool any;
    unsigned fields;
};

/* Those not in memory: ended, or not there at all. ids: which of wait's, by index. */
static int look_up(struct waiting *wait, const size_t *indices, size_t count, int64_t *which)
{
    struct surface *surface = wait->call->surface;
    struct store_job *jobs[READ_MAX];
    int64_t ids[READ_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        ids[i] = wait->ids[indices[i]];
    }
    int rc = store_get_many(surface->store, ids, count, 0, jobs);
    *which = wait->ids[indices[0]];
    for (size_t i = 0; i < count; i++) {
        struct watch_node *node = &wait->nodes[indices[i]];
        if (rc == STORE_OK && (!jobs[i] || !call_may(wait->call, jobs[i]->uid))) {
            *which = ids[i];
            rc = STORE_NOT_FOUND;
        }
        if (rc == STORE_OK && !job_final(node->state) && job_final(jobs[i]->state)) {
            node->state = jobs[i]->state;
        }
        store_job_free(jobs[i]);
    }
    return rc;
}

/* Which have ended already; STORE_NOT_FOUND refuses all, with the id in *which. */
static int look_at_present(struct waiting *wait, int64_t *which)
{
    struct surface *surface = wait->call->surface;
    size_t indices[READ_MAX], count = 0;
    int rc = STORE_OK;
    for (size_t i = 0; rc == STORE_OK && i < wait->count; i++) {
        const struct row *row = dispatch_find(surface->dispatch, wait->ids[i]);
        if (row && !call_may(wait->call, row->uid)) {
            *which = wait->ids[i];
            return STORE_NOT_FOUND;
        }
        if (!row) {
            indices[count++] = i;
        }
        if (count == READ_MAX) {
            rc = look_up(wait, indices, count, which);
            count = 0;
        }
    }
    return rc == STORE_OK && count > 0 ? look_up(wait, indices, count, which) : rc;
}

static bool satisfied(struct waiting *wait)
{
    if (wait->any) {
        for (size_t i = 0; i < wait->count; i++) {
            if (job_final(wait->nodes[i].state)) {
                return true;
            }
        }
        return false;
    }
    while (wait->passed < wait->count && job_final(wait->nodes[wait->passed].state)) {
        wait->passed++;
    }
    return wait->passed == wait->count;
}

static int wait_for_them(struct waiting *wait, int64_t deadline)
{
    int rc = 0;
    while (!satisfied(wait) && rc == 0) {
        rc = bell_wait(&wait->bell, deadline);
    }
    return satisfied(wait) ? 0 : rc;
}

static void write_some(struct waiting *wait, struct writer *w, const int64_t *ids, size_t count)
{
    struct surface *surface = wait->call->surface;
    struct store_job *jobs[READ_MAX];
    if (store_get_many(surface->store, ids, count, job_fields_with(wait->fields, false), jobs) !=
        STORE_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]) {
            job_write(surface, w, jobs[i], wait->fields, false);
        }
        store_job_free(jobs[i]);
    }
}

static void write_ended(struct waiting *wait, struct writer *w)
{
    int64_t ids[READ_MAX];
    size_t count = 0;
    for (size_t i = 0; i < wait->count; i++) {
        if (job_final(wait->nodes[i].state)) {
            ids[count++] = wait->ids[i];
        }
        if (count == READ_MAX || (count > 0 && i + 1 == wait->count)) {
            write_some(wait, w, ids, count);
            count = 0;
        }
    }
}

static void answer_ended(struct waiting *wait)
{
    struct writer w;
    call_result(wait->call, &w);
    writer_object(&w);
    writer_member_array(&w, "jobs");
    write_ended(wait, &w);
    writer_end_array(&w);
    writer_end_object(&w);
    call_result_end(wait->call, &w);
}

static void answer_timeout(struct waiting *wait)
{
    struct buf extra = BUF_INIT;
    struct writer w;
    buf_puts(&extra, "\"jobs\":[");
    writer_init(&w, &extra);
    write_ended(wait, &w);
    buf_puts(&extra, "]");
    message_error(wait->call->out, &wait->call->id, MESSAGE_TIMEOUT, NULL, NULL, NULL,
                  buf_text(&extra));
    buf_free(&extra);
}

static void wait_and_answer(struct waiting *wait, int64_t timeout_ns)
{
    struct surface *surface = wait->call->surface;
    int64_t deadline = timeout_ns < 0 ? COSCHED_NEVER : cosched_in_ns(timeout_ns), which = 0;
    int rc = 0;
    for (; wait->added < wait->count && rc == 0; wait->added += rc == 0) {
        rc = watch_add(surface->watch, &wait->nodes[wait->added], wait->ids[wait->added],
                       WATCH_ENDED, &wait->bell);
    }
    if (rc == 0) {
        rc = look_at_present(wait, &which);
    }
    if (rc == STORE_OK) {
        rc = wait_for_them(wait, deadline);
    }
    for (size_t i = 0; i < wait->added; i++) {
        watch_remove(surface->watch, &wait->nodes[i]);
    }
    if (rc == -ETIMEDOUT) {
        answer_timeout(wait);
    } else if (rc == STORE_OK) {
        answer_ended(wait);
    } else {
        call_error_store(wait->call, rc, rc > 0 ? which : 0);
    }
}

static bool read_mode(struct call *call, bool *any)
{
    const char *mode = "all";
    if (!param_string(call, "mode", &mode)) {
        return false;
    }
    *any = strcmp(mode, "any") == 0;
    if (*any || strcmp(mode, "all") == 0) {
        return true;
    }
    call_error(call, MESSAGE_INVALID_PARAMS, "params.mode", "must be \"all\" or \"any\"");
    return false;
}

void command_wait(struct call *call)
{
    static const char *const names[] = {"ids", "timeout", "mode", "fields", NULL};
    struct waiting wait = {.call = call};
    int64_t timeout_ns = -1;
    if (!param_known(call, names) || !param_duration_ns(call, "timeout", &timeout_ns) ||
        !read_mode(call, &wait.any) || !param_fields(call, &wait.fields) ||
        !param_ids(call, "ids", IDS_MAX, &wait.ids, &wait.count)) {
        return;
    }
    wait.nodes = calloc(wait.count, sizeof *wait.nodes);
    int rc = wait.nodes ? bell_init(&wait.bell) : -ENOMEM;
    if (rc == 0) {
        wait_and_answer(&wait, timeout_ns);
    } else {
        call_error_store(call, rc, 0);
    }
    bell_fini(&wait.bell);
    free(wait.nodes);
    free(wait.ids);
}
