/* prometheus.c - see prometheus.h.
 *
 * A histogram shows one bucket for each power of two of microseconds: its sixteen steps within an octave would be six
 * hundred series for each, and quantiles of that resolution are what `stats` is for. Values are whole microseconds cut
 * downwards, so "below 2^k" in our histogram is Prometheus' "at most 2^k" of the true time.
 */
#include "prometheus.h"

#include "kind.h"

enum type { COUNTER, GAUGE, HISTOGRAM };

static void head(struct buf *out, const char *name, enum type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    buf_printf(out, "# HELP cosched_%s %s\n# TYPE cosched_%s %s\n", name, help, name, types[type]);
}

static void sample(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "cosched_%s %llu\n", name, (unsigned long long)value);
}

/* label: "state"; its value is one of ours or a queue's name, which needs no escaping. */
static void labelled(struct buf *out, const char *name, const char *label, const char *text,
                     uint64_t value)
{
    buf_printf(out, "cosched_%s{%s=\"%s\"} %llu\n", name, label, text, (unsigned long long)value);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, COUNTER, help);
    sample(out, name, value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, GAUGE, help);
    sample(out, name, value);
}

/* Millionths. Exact and independent of the locale: digits of the whole and six behind the point. */
static void put_seconds(struct buf *out, uint64_t us)
{
    buf_printf(out, "%llu.%06llu", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

static void seconds(struct buf *out, const char *name, enum type type, const char *help, uint64_t ns)
{
    head(out, name, type, help);
    buf_printf(out, "cosched_%s ", name);
    put_seconds(out, ns / 1000);
    buf_putc(out, '\n');
}

#define FIRST_BIT 0U
#define LAST_BIT  36U /* 19 hours */

static void histogram(struct buf *out, const char *name, const char *help, const struct histogram *h)
{
    uint64_t below[LAST_BIT - FIRST_BIT + 1];
    histogram_below(h, FIRST_BIT, LAST_BIT, below);
    head(out, name, HISTOGRAM, help);
    for (unsigned bit = FIRST_BIT; bit <= LAST_BIT; bit++) {
        buf_printf(out, "cosched_%s_bucket{le=\"", name);
        put_seconds(out, UINT64_C(1) << bit);
        buf_printf(out, "\"} %llu\n", (unsigned long long)below[bit - FIRST_BIT]);
    }
    buf_printf(out, "cosched_%s_bucket{le=\"+Inf\"} %llu\ncosched_%s_sum ", name,
               (unsigned long long)h->count, name);
    put_seconds(out, h->sum);
    buf_printf(out, "\ncosched_%s_count %llu\n", name, (unsigned long long)h->count);
}

/* What libcosched measured: its own edges, powers of two as well. Counting goes on while it adds up, so a step may hold one
 * more than the whole: it is cut. */
static void measured(struct buf *out, const char *name, const char *help, const cosched_latency *l)
{
    head(out, name, HISTOGRAM, help);
    for (unsigned bit = 0; bit < COSCHED_LATENCY_STEPS; bit++) {
        buf_printf(out, "cosched_%s_bucket{le=\"", name);
        put_seconds(out, UINT64_C(1) << bit);
        buf_printf(out, "\"} %llu\n",
                   (unsigned long long)(l->within[bit] < l->count ? l->within[bit] : l->count));
    }
    buf_printf(out, "cosched_%s_bucket{le=\"+Inf\"} %llu\ncosched_%s_sum ", name,
               (unsigned long long)l->count, name);
    put_seconds(out, l->sum_ns / 1000);
    buf_printf(out, "\ncosched_%s_count %llu\n", name, (unsigned long long)l->count);
}

/* --- the parts ----------------------------------------------------------------------------------------- */

static void write_daemon(const struct metrics *m, struct buf *out, const struct metrics_view *view)
{
    seconds(out, "uptime_seconds", GAUGE, "Since the daemon started.",
            (uint64_t)(cosched_now() - m->started_ns));
    gauge(out, "resident_memory_bytes", "Resident set of the daemon.", metrics_rss_bytes());
    gauge(out, "connections", "Open connections of clients.", m->connections);
    counter(out, "store_commits_total", "Transactions committed.", view->store_commits);
    counter(out, "store_requests_total", "Requests that were in those transactions.",
            view->store_requests);
    gauge(out, "store_wal_bytes", "Size of the write-ahead log.", view->store_wal_bytes);
    gauge(out, "store_db_bytes", "Size of the database file.", view->store_db_bytes);
}

static void write_jobs(const struct metrics *m, struct buf *out, const struct metrics_view *view)
{
    static const char present[] = "jobs", ended[] = "jobs_ended_total",
                      started[] = "attempts_started_total";
    counter(out, "jobs_submitted_total", "Jobs accepted.", m->submitted);
    head(out, started, COUNTER, "Attempts started, by kind.");
    for (size_t i = 0; i < kind_count() && i < METRICS_KINDS_MAX; i++) {
        labelled(out, started, "kind", kind_at(i)->name, m->started_by_kind[i]);
    }
    counter(out, "attempts_interrupted_total", "Attempts cut off by the daemon's end.",
            m->interrupted);
    counter(out, "attempts_retried_total",
            "Attempts that ended badly and were followed by another.", m->retried);
    head(out, ended, COUNTER, "Jobs that came to a final state.");
    labelled(out, ended, "state", "succeeded", m->succeeded);
    labelled(out, ended, "state", "failed", m->failed);
    labelled(out, ended, "state", "timed_out", m->timed_out);
    labelled(out, ended, "state", "canceled", m->canceled);
    labelled(out, ended, "state", "skipped", m->skipped);
    head(out, present, GAUGE, "Jobs that have not ended.");
    labelled(out, present, "state", "running", view->running);
    labelled(out, present, "state", "queued", view->queued);
    labelled(out, present, "state", "delayed", view->delayed);
    labelled(out, present, "state", "blocked", view->blocked);
}

static uint64_t depth_of(const struct metrics_queue *q)
{
    return q->depth;
}

static uint64_t running_of(const struct metrics_queue *q)
{
    return q->running;
}

static uint64_t parallel_of(const struct metrics_queue *q)
{
    return (uint64_t)q->parallel;
}

static uint64_t weight_of(const struct metrics_queue *q)
{
    return (uint64_t)q->weight;
}

static uint64_t paused_of(const struct metrics_queue *q)
{
    return q->paused;
}

static void write_queues(struct buf *out, const struct metrics_view *view)
{
    static const struct {
        const char *name, *help;
        uint64_t (*value)(const struct metrics_queue *queue);
    } table[] = {
        {"queue_depth", "Jobs in line.", depth_of},
        {"queue_running", "Slots taken.", running_of},
        {"queue_parallel", "Slots there are.", parallel_of},
        {"queue_weight", "Share among queues that compete.", weight_of},
        {"queue_paused", "1 while nothing is started.", paused_of},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        head(out, table[i].name, GAUGE, table[i].help);
        for (size_t k = 0; k < view->queue_count; k++) {
            labelled(out, table[i].name, "queue", view->queues[k].name,
                     table[i].value(&view->queues[k]));
        }
    }
    head(out, "queue_rate", GAUGE, "Starts allowed a second; 0 is no limit.");
    for (size_t k = 0; k < view->queue_count; k++) {
        buf_printf(out, "cosched_queue_rate{queue=\"%s\"} ", view->queues[k].name);
        put_seconds(out, (uint64_t)(view->queues[k].rate * 1e6));
        buf_putc(out, '\n');
    }
    head(out, "queue_oldest_seconds", GAUGE, "How long the oldest job in line has waited.");
    for (size_t k = 0; k < view->queue_count; k++) {
        buf_printf(out, "cosched_queue_oldest_seconds{queue=\"%s\"} ", view->queues[k].name);
        put_seconds(out, (uint64_t)(view->queues[k].oldest_s * 1e6));
        buf_putc(out, '\n');
    }
}

static void write_latency(const struct metrics *m, struct buf *out, const struct metrics_view *view)
{
    histogram(out, "submit_seconds", "From a checked submission to its answer.", &m->submit_us);
    histogram(out, "queue_wait_seconds", "From being ready to run to running.", &m->queue_wait_us);
    histogram(out, "run_seconds", "Of one attempt.", &m->run_us);
    histogram(out, "commit_seconds", "Of one transaction, with its sync.", view->commit_us);
    measured(out, "main_poll_gap_seconds",
             "From one look of MAIN at its sockets and timers to the next.", &view->poll_gap);
    measured(out, "hop_seconds", "From leaving one executor to running on the other.", &view->hop);
}

static void write_workers(struct buf *out, const cosched_stats *s)
{
    cosched_worker_stats all = {0};
    for (uint32_t i = 0; i < s->workers && i < COSCHED_WORKERS_MAX; i++) {
        all.deque += s->worker[i].deque;
        all.slices += s->worker[i].slices;
        all.steals += s->worker[i].steals;
        all.parks += s->worker[i].parks;
        all.wakes += s->worker[i].wakes;
        all.busy_ns += s->worker[i].busy_ns;
    }
    gauge(out, "workers", "Threads of the WORKER pool.", s->workers);
    gauge(out, "worker_deque_tasks", "Tasks in the workers' deques.", all.deque);
    counter(out, "worker_slices_total", "Slices run by workers.", all.slices);
    counter(out, "worker_steals_total", "Tasks that workers took from one another.", all.steals);
    counter(out, "worker_parks_total", "Times a worker went to sleep.", all.parks);
    counter(out, "worker_wakes_total", "Times a worker was woken.", all.wakes);
    seconds(out, "worker_busy_seconds_total", COUNTER, "Time the workers were not asleep.",
            all.busy_ns);
}

static void write_scheduler(struct buf *out, const cosched_stats *s)
{
    gauge(out, "main_ready_tasks", "Tasks that MAIN could run.", s->main_ready);
    gauge(out, "main_inbox_tasks", "Tasks sent to MAIN and not yet taken in.", s->main_inbox);
    counter(out, "main_slices_total", "Slices run by MAIN.", s->main_slices);
    counter(out, "main_helped_total", "WORKER slices that MAIN ran.", s->main_helped);
    seconds(out, "main_busy_seconds_total", COUNTER, "Time MAIN was not waiting for events.",
            s->main_busy_ns);
    write_workers(out, s);
    gauge(out, "injector_depth", "Tasks in the global queue.", s->injector_depth);
    counter(out, "injector_pushed_total", "Tasks put into the global queue.", s->injector_pushed);
    counter(out, "injector_popped_total", "Tasks taken out of it.", s->injector_popped);
    counter(out, "injector_overflowed_total", "Of those put in, the ones its ring had no room for.",
            s->injector_overflowed);
    counter(out, "hops_main_to_worker_total", "Tasks that moved from MAIN to the workers.",
            s->hops_to_worker);
    counter(out, "hops_worker_to_main_total", "Tasks that moved from the workers to MAIN.",
            s->hops_to_main);
    gauge(out, "tasks_live", "Tasks that have not ended.", s->tasks_live);
    gauge(out, "tasks_peak", "The most there ever were at a time.", s->tasks_peak);
    counter(out, "tasks_spawned_total", "Tasks spawned.", s->spawned);
    counter(out, "tasks_completed_total", "Tasks that ended.", s->completed);
    gauge(out, "stacks_in_use", "Stacks that belong to a task.", s->stacks_in_use);
    gauge(out, "stacks_cached", "Stacks that wait for the next task.", s->stacks_cached);
    gauge(out, "stacks_bytes", "Memory of both.", s->stack_bytes);
    gauge(out, "timers", "Timers that are set.", s->timers);
    gauge(out, "blocking_threads", "Threads for blocking calls.", s->blocking_threads);
    gauge(out, "blocking_queued", "Blocking calls that wait for a thread.", s->blocking_queued);
}

void prometheus_write(const struct metrics *m, struct buf *out, const struct metrics_view *view)
{
    write_daemon(m, out, view);
    write_jobs(m, out, view);
    write_queues(out, view);
    write_latency(m, out, view);
    write_scheduler(out, view->scheduler);
}
