/* See top_model.h. Whatever is missing in an answer reads as 0: older daemons have fewer numbers, newer ones more. */
#include "top_model.h"

#include <string.h>

#include "terminal.h"
#include "wire/buf.h"
#include "wire/text.h"

enum { WORKER_BUSY, WORKER_SLICES, WORKER_STEALS, WORKER_PARKS };

void top_text(char *out, size_t size, const char *text)
{
    struct buf clean = BUF_INIT;
    terminal_clean(&clean, text ? text : "", text ? strlen(text) : 0);
    size_t n = clean.len;
    if (n >= size) {
        n = text_utf8_cut(clean.data, size - 1);
    }
    if (n > 0) {
        memcpy(out, clean.data, n);
    }
    out[n] = '\0';
    buf_free(&clean);
}

void top_model_init(struct top_model *model)
{
    memset(model, 0, sizeof *model);
}

void top_ring_add(struct top_ring *ring, double value)
{
    if (ring->count == TOP_HISTORY) {
        memmove(ring->value, ring->value + 1, (TOP_HISTORY - 1) * sizeof ring->value[0]);
        ring->count--;
    }
    ring->value[ring->count++] = (float)value;
}

size_t top_spark(const struct top_ring *ring, size_t width, double full, bool utf8,
                 char out[TOP_SPARK_BYTES])
{
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
    size_t n = 0;
    width = width < TOP_HISTORY ? width : TOP_HISTORY;
    size_t shown = ring->count < width ? ring->count : width;
    const float *value = ring->value + (ring->count - shown);
    bool given = full > 0;
    for (size_t i = 0; !given && i < shown; i++) {
        full = (double)value[i] > full ? (double)value[i] : full;
    }
    for (size_t i = 0; i < width; i++) {
        double v = i < width - shown ? 0 : (double)value[i - (width - shown)];
        double share = full > 0 ? v / full : 0;
        size_t level = share <= 0 ? 0 : share >= 1 ? 8 : 1 + (size_t)(share * 7.999);
        const char *c = utf8 ? bars[level] : ascii[level];
        size_t bytes = strlen(c);
        memcpy(out + n, c, bytes);
        n += bytes;
    }
    out[n] = '\0';
    return n;
}

static double number(const struct json *object, const char *key)
{
    return json_number(json_get(object, key));
}

static int64_t whole(const struct json *object, const char *key)
{
    int64_t value;
    return json_int(json_get(object, key), &value) ? value : 0;
}

static struct top_quantiles quantiles(const struct json *histogram)
{
    return (struct top_quantiles){number(histogram, "p50"), number(histogram, "p99")};
}

/* Per second, of a counter that grew from `before`. A smaller value than before is a counter that began again. */
static double rate(double now, double before, double seconds)
{
    return seconds > 0 && now > before ? (now - before) / seconds : 0;
}

static void read_counters(struct top_model *m, const struct json *stats, double seconds)
{
    const struct json *jobs = json_get(stats, "jobs");
    const struct json *main = json_get(json_get(stats, "scheduler"), "main");
    double now[TOP_COUNTERS] = {
        [TOP_SUBMITTED] = number(jobs, "submitted"),
        [TOP_STARTED] = number(jobs, "started"),
        [TOP_ENDED] = number(jobs, "succeeded") + number(jobs, "failed") +
                      number(jobs, "timed_out") + number(jobs, "canceled") + number(jobs, "skipped"),
        [TOP_COMMITS] = number(json_get(stats, "store"), "commits"),
        [TOP_MAIN_SLICES] = number(main, "slices"),
        [TOP_MAIN_BUSY] = number(main, "busy_us"),
    };
    for (size_t i = 0; i < TOP_COUNTERS; i++) {
        m->rate[i] = rate(now[i], m->before[i], seconds);
        m->before[i] = now[i];
    }
    top_ring_add(&m->started, m->rate[TOP_STARTED]);
}

/* Of a share of time: from the counter where there is one, else what the daemon says of its whole life. */
static double share_pct(const struct json *object, double busy_s, double otherwise)
{
    double pct = json_get(object, "busy_us") ? busy_s / 1e4 : otherwise;
    return pct > 100 ? 100 : pct;
}

static void read_main(struct top_model *m, const struct json *main)
{
    double busy = share_pct(main, m->rate[TOP_MAIN_BUSY], 100 - number(main, "loop_idle_pct"));
    m->main_idle_pct = 100 - busy;
    m->poll_gap = quantiles(json_get(main, "poll_gap_us"));
    m->main_ready = whole(main, "ready");
    m->main_inbox = whole(main, "inbox");
    top_ring_add(&m->main_busy, busy);
}

static void read_worker(struct top_worker *worker, const struct json *w, double seconds)
{
    double now[4] = {number(w, "busy_us"), number(w, "slices"), number(w, "steals"),
                     number(w, "parks")};
    double per_s[4];
    for (size_t i = 0; i < 4; i++) {
        per_s[i] = rate(now[i], worker->before[i], seconds);
        worker->before[i] = now[i];
    }
    worker->busy_pct = share_pct(w, per_s[WORKER_BUSY], number(w, "busy_pct"));
    worker->slices_s = per_s[WORKER_SLICES];
    worker->steals_s = per_s[WORKER_STEALS];
    worker->parks_s = per_s[WORKER_PARKS];
    worker->in_line = whole(w, "deque");
    top_ring_add(&worker->busy, worker->busy_pct);
}

static void read_scheduler(struct top_model *m, const struct json *scheduler, double seconds)
{
    const struct json *workers = json_get(scheduler, "workers");
    const struct json *stacks = json_get(scheduler, "stacks");
    read_main(m, json_get(scheduler, "main"));
    m->worker_count = 0;
    for (const struct json *w = json_first(workers); w; w = json_next(w)) {
        if (m->worker_count < TOP_WORKERS_MAX) {
            read_worker(&m->workers[m->worker_count], w, seconds);
        }
        m->worker_count++;
    }
    m->tasks = whole(json_get(scheduler, "tasks"), "live");
    m->stacks = whole(stacks, "in_use");
    m->stack_bytes = number(stacks, "bytes");
}

static void read_queues(struct top_model *m, const struct json *queues)
{
    m->queue_count = 0;
    for (const struct json *q = json_first(queues); q && m->queue_count < TOP_QUEUES_MAX;
         q = json_next(q)) {
        struct top_queue *queue = &m->queues[m->queue_count++];
        top_text(queue->name, sizeof queue->name, json_string(json_get(q, "name")));
        queue->depth = whole(q, "depth");
        queue->running = whole(q, "running");
        queue->parallel = whole(q, "parallel");
        queue->oldest_s = number(q, "oldest_s");
        queue->paused = json_bool(json_get(q, "paused"));
    }
}

static void read_daemon(struct top_model *m, const struct json *daemon)
{
    top_text(m->version, sizeof m->version, json_string(json_get(daemon, "version")));
    top_text(m->boot_id, sizeof m->boot_id, json_string(json_get(daemon, "boot_id")));
    m->pid = whole(daemon, "pid");
    m->connections = whole(daemon, "connections");
    m->uptime_s = number(daemon, "uptime_s");
    m->rss_bytes = number(daemon, "rss_bytes");
}

/* A process of its own counts from 0: differences to another one's counters mean nothing. */
static bool is_other(const struct top_model *m, const struct json *daemon)
{
    return m->seen && (whole(daemon, "pid") != m->pid || number(daemon, "uptime_s") < m->uptime_s);
}

void top_model_stats(struct top_model *m, const struct json *stats, int64_t now_us)
{
    static const char *const names[] = {"submit_us", "queue_wait_us", "run_us", "commit_us"};
    const struct json *daemon = json_get(stats, "daemon");
    const struct json *jobs = json_get(stats, "jobs");
    const struct json *store = json_get(stats, "store");
    if (is_other(m, daemon)) {
        top_model_init(m);
    }
    double seconds = m->seen ? (double)(now_us - m->at_us) / 1e6 : number(daemon, "uptime_s");
    read_daemon(m, daemon);
    m->running = whole(jobs, "running");
    m->queued = whole(jobs, "queued");
    m->delayed = whole(jobs, "delayed");
    m->blocked = whole(jobs, "blocked");
    read_counters(m, stats, seconds);
    for (size_t i = 0; i < TOP_LATENCIES; i++) {
        m->latency[i] = quantiles(json_get(json_get(stats, "latency"), names[i]));
    }
    m->batch_avg = number(store, "batch_avg");
    m->wal_bytes = number(store, "wal_bytes");
    m->db_bytes = number(store, "db_bytes");
    read_scheduler(m, json_get(stats, "scheduler"), seconds);
    read_queues(m, json_get(stats, "queues"));
    m->at_us = now_us;
    m->seen = true;
}

size_t top_model_workers(const struct top_model *m)
{
    return m->worker_count < TOP_WORKERS_MAX ? m->worker_count : TOP_WORKERS_MAX;
}

void top_model_sum(const struct top_model *m, size_t first, struct top_worker *sum)
{
    size_t n = 0;
    memset(sum, 0, sizeof *sum);
    for (size_t i = first; i < top_model_workers(m); i++, n++) {
        const struct top_worker *w = &m->workers[i];
        sum->busy_pct += w->busy_pct;
        sum->slices_s += w->slices_s;
        sum->steals_s += w->steals_s;
        sum->parks_s += w->parks_s;
        sum->in_line += w->in_line;
        /* Aligned at the newest: a worker that was not there yet did nothing. */
        sum->busy.count = w->busy.count > sum->busy.count ? w->busy.count : sum->busy.count;
    }
    for (size_t back = 1; n > 0 && back <= sum->busy.count; back++) {
        double total = 0;
        for (size_t i = first; i < first + n; i++) {
            const struct top_ring *r = &m->workers[i].busy;
            total += back <= r->count ? (double)r->value[r->count - back] : 0;
        }
        sum->busy.value[sum->busy.count - back] = (float)(total / (double)n);
    }
    sum->busy_pct = n > 0 ? sum->busy_pct / (double)n : 0;
}
