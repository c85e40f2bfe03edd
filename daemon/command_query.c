/* command_query.c - verbs that only look: get, list, stats, metrics, kinds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "kind.h"
#include "prometheus.h"

/* An answer holds at most 16 MiB: a list that would grow past this says there is more. */
#define LIST_BYTES_MAX ((size_t)12 << 20)

void command_get(struct call *call)
{
    static const char *const names[] = {"id", "fields", NULL};
    int64_t id = 0;
    unsigned fields = JOB_FIELDS_DEFAULT;
    struct store_job *job = NULL;
    struct writer w;
    if (!param_known(call, names) || !param_id(call, "id", &id) || !param_fields(call, &fields)) {
        return;
    }
    int rc = store_get(call->surface->store, id, job_fields_with(fields, true), &job);
    if (rc == STORE_OK && !call_may(call, job->uid)) {
        rc = STORE_NOT_FOUND;
    }
    if (rc == STORE_OK) {
        call_result(call, &w);
        job_write(call->surface, &w, job, fields, true);
        call_result_end(call, &w);
    } else {
        call_error_store(call, rc, id);
    }
    store_job_free(job);
}

static void answer_page(struct call *call, const struct store_page *page, unsigned fields)
{
    struct writer w;
    size_t begun = call->out->len, i = 0;
    call_result(call, &w);
    writer_object(&w);
    writer_member_array(&w, "jobs");
    for (; i < page->count && call->out->len - begun < LIST_BYTES_MAX; i++) {
        job_write(call->surface, &w, page->jobs[i], fields, false);
    }
    writer_end_array(&w);
    writer_member_bool(&w, "more", page->more || i < page->count);
    writer_end_object(&w);
    call_result_end(call, &w);
}

void command_list(struct call *call)
{
    struct store_filter filter = {.limit = 100};
    struct store_page page = STORE_PAGE_INIT;
    struct spec_label *labels = NULL;
    unsigned fields = JOB_FIELDS_DEFAULT;
    int64_t limit = 100;
    if (!param_known(call, job_filter_names) || !param_fields(call, &fields) ||
        !param_int(call, "limit", 1, STORE_LIST_MAX, &limit) ||
        !param_int(call, "before", 1, SPEC_ID_MAX, &filter.before) ||
        !job_filter(call, call->params, "params", &filter, &labels)) {
        free(labels);
        return;
    }
    filter.limit = (size_t)limit;
    filter.with = job_fields_with(fields, false);
    bool others = filter.has_uid && !call_may(call, filter.uid);
    if (!call->admin) {
        filter.has_uid = true;
        filter.uid = call->uid;
    }
    int rc = others ? STORE_OK : store_list(call->surface->store, &filter, &page);
    if (rc == STORE_OK) {
        answer_page(call, &page, fields);
    } else {
        call_error_store(call, rc, 0);
    }
    store_page_fini(&page);
    free(labels);
}

/* --- stats --------------------------------------------------------------------------------------------- */

/* What `stats` and `metrics` look at: one moment of it all. */
struct snapshot {
    cosched_stats scheduler;
    struct metrics_queue queues[DISPATCH_QUEUES_MAX];
    struct histogram commit_us;
    struct metrics_view view;
};

/* NULL: out of memory; to be freed. The worker table alone is four kilobytes: not for a task's stack. */
static struct snapshot *take_snapshot(struct surface *s, bool names)
{
    struct snapshot *shot = calloc(1, sizeof *shot);
    if (!shot) {
        return NULL;
    }
    struct store_stats store;
    struct dispatch_counts jobs;
    store_stats(s->store, &store);
    dispatch_counts(s->dispatch, &jobs);
    shot->scheduler.struct_size = sizeof shot->scheduler;
    (void)cosched_stats_get(cosched_runtime_self(), &shot->scheduler);
    shot->view = (struct metrics_view){.version = s->version,
                                       .boot_id = s->boot_id,
                                       .names = names,
                                       .running = jobs.running,
                                       .queued = jobs.queued,
                                       .delayed = jobs.delayed,
                                       .blocked = jobs.blocked,
                                       .queues = shot->queues,
                                       .store_commits = store.commits,
                                       .store_requests = store.requests,
                                       .store_wal_bytes = store.wal_bytes,
                                       .store_db_bytes = store.db_bytes,
                                       .store_batch_avg = store.batch_avg,
                                       .commit_us = &shot->commit_us,
                                       .scheduler = &shot->scheduler};
    shot->view.poll_gap.struct_size = shot->view.hop.struct_size = sizeof shot->view.hop;
    (void)cosched_latency_get(cosched_runtime_self(), COSCHED_LATENCY_POLL_GAP,
                              &shot->view.poll_gap);
    (void)cosched_latency_get(cosched_runtime_self(), COSCHED_LATENCY_HOP, &shot->view.hop);
    metrics_commits(s->metrics, &shot->commit_us);
    shot->view.queue_count = dispatch_queues(s->dispatch, shot->queues, DISPATCH_QUEUES_MAX);
    return shot;
}

int stats_write(struct surface *surface, struct writer *w, bool names)
{
    struct snapshot *shot = take_snapshot(surface, names);
    if (!shot) {
        return -ENOMEM;
    }
    metrics_write(surface->metrics, w, &shot->view);
    free(shot);
    return 0;
}

void command_stats(struct call *call)
{
    static const char *const names[] = {NULL};
    struct writer w;
    if (!param_known(call, names)) {
        return;
    }
    call_result(call, &w);
    if (stats_write(call->surface, &w, call->admin) == 0) {
        call_result_end(call, &w);
    } else {
        buf_reset(call->out);
        call_error_store(call, -ENOMEM, 0);
    }
}

void command_metrics(struct call *call)
{
    static const char *const names[] = {NULL};
    struct writer w;
    struct buf text = BUF_INIT;
    if (!param_known(call, names)) {
        return;
    }
    struct snapshot *shot = take_snapshot(call->surface, true);
    if (shot) {
        prometheus_write(call->surface->metrics, &text, &shot->view);
    }
    if (!shot || text.failed) {
        call_error_store(call, -ENOMEM, 0);
    } else {
        call_result(call, &w);
        writer_object(&w);
        writer_member_string(&w, "text", buf_text(&text));
        writer_end_object(&w);
        call_result_end(call, &w);
    }
    free(shot);
    buf_free(&text);
}

/* --- kinds --------------------------------------------------------------------------------------- */

void command_kinds(struct call *call)
{
    static const char *const names[] = {NULL};
    struct writer w;
    if (!param_known(call, names)) {
        return;
    }
    call_result(call, &w);
    writer_object(&w);
    writer_member_array(&w, "kinds");
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *kind = kind_at(i);
        writer_object(&w);
        writer_member_string(&w, "name", kind->name);
        writer_member_bool(&w, "repeatable", kind->repeatable);
        writer_member_raw(&w, "schema", kind->schema, strlen(kind->schema));
        writer_end_object(&w);
    }
    writer_end_array(&w);
    writer_end_object(&w);
    call_result_end(call, &w);
}
