/* What top knows of the daemon: snapshots of its metrics become rates, and short histories of them. Pure: answers and the
 * time they came go in, numbers to show come out. */
#ifndef CTL_TOP_MODEL_H
#define CTL_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/json.h"

#define TOP_HISTORY     60  /* samples that a sparkline can look back */
#define TOP_WORKERS_MAX 128 /* more are counted, not shown */
#define TOP_QUEUES_MAX  64
#define TOP_TEXT_MAX    48

/* A short history; the newest sample is the last. */
struct top_ring {
    float value[TOP_HISTORY];
    size_t count;
};

struct top_quantiles {
    double p50_us, p99_us;
};

enum top_latency { TOP_SUBMIT, TOP_WAIT, TOP_RUN, TOP_COMMIT, TOP_LATENCIES };

/* Counters that only grow, as they were in the last snapshot. */
enum top_counter {
    TOP_SUBMITTED,
    TOP_STARTED,
    TOP_ENDED,
    TOP_COMMITS,
    TOP_MAIN_SLICES,
    TOP_MAIN_BUSY,
    TOP_COUNTERS
};

struct top_worker {
    double busy_pct, slices_s, steals_s, parks_s;
    int64_t in_line;
    struct top_ring busy;
    double before[4]; /* busy µs, slices, steals, parks of the last snapshot */
};

struct top_queue {
    char name[TOP_TEXT_MAX]; /* harmless; empty: not told to us */
    int64_t depth, running, parallel;
    double oldest_s;
    bool paused;
};

struct top_model {
    bool seen;     /* a snapshot came; all below is meaningless before */
    int64_t at_us; /* when */
    char version[TOP_TEXT_MAX], boot_id[TOP_TEXT_MAX];
    int64_t pid, connections;
    double uptime_s, rss_bytes;

    int64_t running, queued, delayed, blocked;
    double rate[TOP_COUNTERS]; /* per second since the snapshot before; of the first, since the daemon's start */
    double before[TOP_COUNTERS];
    struct top_quantiles latency[TOP_LATENCIES];
    struct top_ring started, main_busy;

    double main_idle_pct;
    struct top_quantiles poll_gap;
    int64_t main_ready, main_inbox;
    double batch_avg, wal_bytes, db_bytes;
    int64_t tasks, stacks;
    double stack_bytes;

    struct top_worker workers[TOP_WORKERS_MAX];
    size_t worker_count; /* of the daemon; TOP_WORKERS_MAX of them are here */
    struct top_queue queues[TOP_QUEUES_MAX];
    size_t queue_count;
};

void top_model_init(struct top_model *model);
/* Takes the result of `stats`. Another daemon than last time begins a new life of the model. */
void top_model_stats(struct top_model *model, const struct json *stats, int64_t now_us);
/* Workers in `workers`. */
size_t top_model_workers(const struct top_model *model);
/* Workers from `first` on as one: sums, and the mean of what is a share. */
void top_model_sum(const struct top_model *model, size_t first, struct top_worker *sum);

void top_ring_add(struct top_ring *ring, double value);

/* The last `width` samples as one character each, UTF-8 bars or ASCII; `full` is the value of a full bar, 0: the largest
 * among them. Shorter histories are filled with spaces on the left. Returns bytes written, without the NUL. */
#define TOP_SPARK_BYTES (3 * TOP_HISTORY + 1)
size_t top_spark(const struct top_ring *ring, size_t width, double full, bool utf8,
                 char out[TOP_SPARK_BYTES]);

/* Copies text made harmless, cut between characters where it is too long. NULL is empty. */
void top_text(char *out, size_t size, const char *text);

#endif
