/* command_wait.c - wait: until all or any of some jobs have ended.
 *
 * First every id is watched, then the present state of each is looked at: an end in between is seen twice, never missed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define IDS_MAX 10000

struct waiting {
    struct call *call;
    struct bell bell;
    int64_t *ids;             /* owned */
    struct watch_node *nodes; /* owned; state is set once the job has ended */
    size_t count, added, ended;
    bool any;
    unsigned fields;
};

static void note_end(struct waiting *wait, struct watch_node *node, enum job_state state)
{
    if (job_final(node->state))
        return;
    node->state = state;
    wait->ended++;
}

/* Which have ended already; STORE_NOT_FOUND refuses all, with the id in *which. */
static int look_at_present(struct waiting *wait, int64_t *which)
{
    struct surface *surface = wait->call->surface;
    for (size_t i = 0; i < wait->count; i++) {
        const struct row *row = dispatch_find(surface->dispatch, wait->ids[i]);
        *which = wait->ids[i];
        if (row && !call_may(wait->call, row->uid))
            return STORE_NOT_FOUND;
        if (row)
            continue;
        struct store_job *job = NULL;
        int rc = store_get(surface->store, wait->ids[i], 0, &job);
        if (rc == STORE_OK && !call_may(wait->call, job->uid))
            rc = STORE_NOT_FOUND;
        if (rc == STORE_OK && job_final(job->state))
            note_end(wait, &wait->nodes[i], job->state);
        store_job_free(job);
        if (rc != STORE_OK)
            return rc;
    }
    return STORE_OK;
}

static void count_ended(struct waiting *wait)
{
    wait->ended = 0;
    for (size_t i = 0; i < wait->count; i++)
        wait->ended += job_final(wait->nodes[i].state);
}

static int wait_for_them(struct waiting *wait, int64_t deadline)
{
    int rc = 0;
    count_ended(wait);
    while (rc == 0 && wait->ended < (wait->any ? 1 : wait->count)) {
        rc = bell_wait(&wait->bell, deadline);
        count_ended(wait);
    }
    return rc;
}

static void write_ended(struct waiting *wait, struct writer *w)
{
    struct surface *surface = wait->call->surface;
    for (size_t i = 0; i < wait->count; i++) {
        struct store_job *job = NULL;
        if (!job_final(wait->nodes[i].state))
            continue;
        if (store_get(surface->store, wait->ids[i], job_fields_with(wait->fields, false), &job) ==
            STORE_OK)
            job_write(surface, w, job, wait->fields, false);
        store_job_free(job);
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
    for (; wait->added < wait->count && rc == 0; wait->added += rc == 0)
        rc = watch_add(surface->watch, &wait->nodes[wait->added], wait->ids[wait->added],
                       WATCH_ENDED, &wait->bell);
    if (rc == 0)
        rc = look_at_present(wait, &which);
    if (rc == STORE_OK)
        rc = wait_for_them(wait, deadline);
    for (size_t i = 0; i < wait->added; i++)
        watch_remove(surface->watch, &wait->nodes[i]);
    if (rc == -ETIMEDOUT)
        answer_timeout(wait);
    else if (rc == STORE_OK)
        answer_ended(wait);
    else
        call_error_store(wait->call, rc, rc > 0 ? which : 0);
}

static bool read_mode(struct call *call, bool *any)
{
    const char *mode = "all";
    if (!param_string(call, "mode", &mode))
        return false;
    *any = strcmp(mode, "any") == 0;
    if (*any || strcmp(mode, "all") == 0)
        return true;
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
        !param_ids(call, "ids", IDS_MAX, &wait.ids, &wait.count))
        return;
    wait.nodes = calloc(wait.count, sizeof *wait.nodes);
    int rc = wait.nodes ? bell_init(&wait.bell) : -ENOMEM;
    if (rc == 0)
        wait_and_answer(&wait, timeout_ns);
    else
        call_error_store(call, rc, 0);
    bell_fini(&wait.bell);
    free(wait.nodes);
    free(wait.ids);
}
