/* metrics.c - see metrics.h. The JSON is written member by member in the order of the contract; percentages come from
 * counters since the start, so a reader that wants a rate takes differences.
 */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kind.h"

void metrics_init(struct metrics *m)
{
    memset(m, 0, sizeof *m); /* a literal would lie on the stack first, 29 KiB of it */
    m->started_ns = cosched_now();
    pthread_mutex_init(&m->commit_lock, NULL);
}

void metrics_fini(struct metrics *m)
{
    pthread_mutex_destroy(&m->commit_lock);
}

void metrics_ended(struct metrics *m, enum job_state state)
{
    switch (state) {
    case JOB_SUCCEEDED: m->succeeded++; break;
    case JOB_FAILED: m->failed++; break;
    case JOB_TIMED_OUT: m->timed_out++; break;
    case JOB_CANCELED: m->canceled++; break;
    case JOB_SKIPPED: m->skipped++; break;
    case JOB_NEW:
    case JOB_BLOCKED:
    case JOB_DELAYED:
    case JOB_QUEUED:
    case JOB_RUNNING:
    case JOB_GONE: break;
    }
}

void metrics_started(struct metrics *m, const char *kind)
{
    m->started++;
    for (size_t i = 0; i < kind_count() && i < METRICS_KINDS_MAX; i++) {
        if (strcmp(kind_at(i)->name, kind) == 0) {
            m->started_by_kind[i]++;
        }
    }
}

void metrics_commit(struct metrics *m, int64_t commit_ns)
{
    pthread_mutex_lock(&m->commit_lock);
    histogram_record(&m->commit_us, commit_ns > 0 ? (uint64_t)commit_ns / 1000 : 0);
    pthread_mutex_unlock(&m->commit_lock);
}

void metrics_commits(struct metrics *m, struct histogram *out)
{
    pthread_mutex_lock(&m->commit_lock);
    memcpy(out, &m->commit_us, sizeof *out);
    pthread_mutex_unlock(&m->commit_lock);
}

static void write_histogram(struct writer *w, const char *name, const struct histogram *h)
{
    writer_member_object(w, name);
    writer_member_uint(w, "p50", histogram_quantile(h, 500));
    writer_member_uint(w, "p90", histogram_quantile(h, 900));
    writer_member_uint(w, "p99", histogram_quantile(h, 990));
    writer_member_uint(w, "max", h->max);
    writer_end_object(w);
}

uint64_t metrics_rss_bytes(void)
{
    char line[128]; /* "TOTAL RESIDENT …", in pages */
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) {
        return 0;
    }
    const char *total = fgets(line, sizeof line, f);
    fclose(f);
    const char *resident = total ? strchr(line, ' ') : NULL;
    return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void write_daemon(const struct metrics *m, struct writer *w, const struct metrics_view *view)
{
    writer_member_object(w, "daemon");
    writer_member_string(w, "version", view->version);
    writer_member_int(w, "uptime_s", (cosched_now() - m->started_ns) / 1000000000);
    writer_member_int(w, "pid", getpid());
    writer_member_uint(w, "rss_bytes", metrics_rss_bytes());
    writer_member_uint(w, "connections", m->connections);
    writer_member_string(w, "boot_id", view->boot_id);
    writer_end_object(w);
}

static void write_jobs(const struct metrics *m, struct writer *w, const struct metrics_view *view)
{
    writer_member_object(w, "jobs");
    writer_member_uint(w, "submitted", m->submitted);
    writer_member_uint(w, "started", m->started);
    writer_member_uint(w, "succeeded", m->succeeded);
    writer_member_uint(w, "failed", m->failed);
    writer_member_uint(w, "timed_out", m->timed_out);
    writer_member_uint(w, "canceled", m->canceled);
    writer_member_uint(w, "skipped", m->skipped);
    writer_member_uint(w, "interrupted", m->interrupted);
    writer_member_uint(w, "retried", m->retried);
    writer_member_uint(w, "running", view->running);
    writer_member_uint(w, "queued", view->queued);
    writer_member_uint(w, "delayed", view->delayed);
    writer_member_uint(w, "blocked", view->blocked);
    writer_end_object(w);
}

void metrics_write_queue(struct writer *w, const struct metrics_queue *q, bool name)
{
    writer_object(w);
    if (name) {
        writer_member_string(w, "name", q->name);
    }
    writer_member_uint(w, "depth", q->depth);
    writer_member_uint(w, "running", q->running);
    writer_member_int(w, "parallel", q->parallel);
    writer_member_double(w, "rate", q->rate);
    writer_member_int(w, "weight", q->weight);
    writer_member_bool(w, "paused", q->paused);
    writer_member_double(w, "oldest_s", q->oldest_s);
    writer_end_object(w);
}

static uint64_t up_to_us(uint64_t ns)
{
    return ns / 1000 + (ns % 1000 != 0);
}

/* What libcosched measured, in the form of our own. */
static void write_measured(struct writer *w, const char *name, const cosched_latency *l)
{
    writer_member_object(w, name);
    writer_member_uint(w, "p50", up_to_us(l->p50_ns));
    writer_member_uint(w, "p90", up_to_us(l->p90_ns));
    writer_member_uint(w, "p99", up_to_us(l->p99_ns));
    writer_member_uint(w, "max", up_to_us(l->max_ns));
    writer_end_object(w);
}

static void write_latency(const struct metrics *m, struct writer *w, const struct metrics_view *view)
{
    writer_member_object(w, "latency");
    write_histogram(w, "submit_us", &m->submit_us);
    write_histogram(w, "queue_wait_us", &m->queue_wait_us);
    write_histogram(w, "run_us", &m->run_us);
    write_histogram(w, "commit_us", view->commit_us);
    writer_end_object(w);
}

static int64_t percent(uint64_t part_ns, int64_t whole_ns)
{
    if (whole_ns <= 0) {
        return 0;
    }
    uint64_t p = part_ns / ((uint64_t)whole_ns / 100 + 1);
    return p > 100 ? 100 : (int64_t)p;
}

static void write_workers(struct writer *w, const cosched_stats *s, int64_t age_ns)
{
    writer_member_array(w, "workers");
    for (uint32_t i = 0; i < s->workers && i < COSCHED_WORKERS_MAX; i++) {
        const cosched_worker_stats *k = &s->worker[i];
        writer_object(w);
        writer_member_uint(w, "id", i);
        writer_member_uint(w, "deque", k->deque);
        writer_member_uint(w, "slices", k->slices);
        writer_member_uint(w, "steals", k->steals);
        writer_member_uint(w, "stolen_from", k->stolen_from);
        writer_member_uint(w, "parks", k->parks);
        writer_member_uint(w, "wakes", k->wakes);
        writer_member_uint(w, "busy_us", k->busy_ns / 1000);
        writer_member_int(w, "busy_pct", percent(k->busy_ns, age_ns));
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_main(struct writer *w, const struct metrics_view *view, int64_t age_ns)
{
    const cosched_stats *s = view->scheduler;
    writer_member_object(w, "main");
    writer_member_uint(w, "ready", s->main_ready);
    writer_member_uint(w, "inbox", s->main_inbox);
    writer_member_uint(w, "slices", s->main_slices);
    writer_member_uint(w, "helped", s->main_helped);
    write_measured(w, "poll_gap_us", &view->poll_gap);
    writer_member_uint(w, "busy_us", s->main_busy_ns / 1000);
    writer_member_int(w, "loop_idle_pct", 100 - percent(s->main_busy_ns, age_ns));
    writer_end_object(w);
}

static void write_scheduler(const struct metrics *m, struct writer *w,
                            const struct metrics_view *view)
{
    const cosched_stats *s = view->scheduler;
    int64_t age_ns = cosched_now() - m->started_ns;
    writer_member_object(w, "scheduler");
    write_main(w, view, age_ns);
    write_workers(w, s, age_ns);
    writer_member_object(w, "injector");
    writer_member_uint(w, "depth", s->injector_depth);
    writer_member_uint(w, "pushed", s->injector_pushed);
    writer_member_uint(w, "popped", s->injector_popped);
    writer_member_uint(w, "overflowed", s->injector_overflowed);
    writer_end_object(w);
    writer_member_object(w, "hops");
    writer_member_uint(w, "main_to_worker", s->hops_to_worker);
    writer_member_uint(w, "worker_to_main", s->hops_to_main);
    write_measured(w, "latency_us", &view->hop);
    writer_end_object(w);
    writer_member_object(w, "tasks");
    writer_member_uint(w, "live", s->tasks_live);
    writer_member_uint(w, "peak", s->tasks_peak);
    writer_member_uint(w, "spawned", s->spawned);
    writer_member_uint(w, "completed", s->completed);
    writer_end_object(w);
    writer_member_object(w, "stacks");
    writer_member_uint(w, "in_use", s->stacks_in_use);
    writer_member_uint(w, "cached", s->stacks_cached);
    writer_member_uint(w, "bytes", s->stack_bytes);
    writer_member_string(w, "guard", s->stack_guard);
    writer_end_object(w);
    writer_member_object(w, "long_slices");
    writer_member_uint(w, "found", s->slices_long);
    writer_member_uint(w, "reported", s->slices_reported);
    writer_end_object(w);
    writer_member_uint(w, "timers", s->timers);
    writer_member_object(w, "blocking");
    writer_member_uint(w, "threads", s->blocking_threads);
    writer_member_uint(w, "queued", s->blocking_queued);
    writer_end_object(w);
    writer_end_object(w);
}

void metrics_write(const struct metrics *m, struct writer *w, const struct metrics_view *view)
{
    writer_object(w);
    write_daemon(m, w, view);
    write_jobs(m, w, view);
    writer_member_array(w, "queues");
    for (size_t i = 0; i < view->queue_count; i++) {
        metrics_write_queue(w, &view->queues[i], view->names);
    }
    writer_end_array(w);
    write_latency(m, w, view);
    write_scheduler(m, w, view);
    writer_member_object(w, "store");
    writer_member_uint(w, "commits", view->store_commits);
    writer_member_double(w, "batch_avg", view->store_batch_avg);
    writer_member_uint(w, "wal_bytes", view->store_wal_bytes);
    writer_member_uint(w, "db_bytes", view->store_db_bytes);
    writer_end_object(w);
    writer_end_object(w);
}
