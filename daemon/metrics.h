/* metrics.h - what the daemon counts of itself, and the answer of `stats` (CONTRACT §5).
 *
 * Written on MAIN by whoever knows; only metrics_commit may be called from the store's thread. Counters only grow.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H
#include <cosched/cosched.h>
#include <cosched/inspect.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "job.h"
#include "wire/writer.h"

#define METRICS_KINDS_MAX 16

struct metrics {
    int64_t started_ns; /* cosched_now at start: for uptime and rates */
    uint64_t submitted, started, succeeded, failed, timed_out, canceled, skipped, interrupted,
        retried;
    uint64_t started_by_kind[METRICS_KINDS_MAX]; /* by kind_at's index */
    uint64_t connections;                        /* open now */
    struct histogram submit_us, queue_wait_us, run_us;
    pthread_mutex_t commit_lock; /* a commit takes milliseconds, so a lock there costs nothing */
    struct histogram commit_us;  /* lock commit_lock */
};

struct metrics_queue {
    const char *name;
    uint64_t depth, running;
    int64_t parallel, weight;
    double rate; /* starts a second; 0: no limit */
    bool paused;
    double oldest_s;
};

/* What others know at the moment of asking. */
struct metrics_view {
    const char *version, *boot_id;
    bool names; /* queue names may be shown */
    uint64_t running, queued, delayed, blocked;
    const struct metrics_queue *queues; /* borrowed */
    size_t queue_count;
    uint64_t store_commits, store_requests, store_wal_bytes, store_db_bytes;
    double store_batch_avg;
    const struct histogram *commit_us; /* borrowed: a copy that metrics_commits made */
    const cosched_stats *scheduler;    /* borrowed */
    cosched_latency poll_gap, hop;
};

void metrics_init(struct metrics *m);
void metrics_fini(struct metrics *m);
void metrics_ended(struct metrics *m, enum job_state state); /* a job came to a final state */
void metrics_started(struct metrics *m, const char *kind);   /* an attempt of this kind */
void metrics_commit(struct metrics *m, int64_t commit_ns);   /* any thread */
/* A copy of what was counted of commits: the lock is held for no longer than that. */
void metrics_commits(struct metrics *m, struct histogram *out);
void metrics_write_queue(struct writer *w, const struct metrics_queue *queue, bool name);
uint64_t metrics_rss_bytes(void); /* of this process, now */
/* One JSON object. */
void metrics_write(const struct metrics *m, struct writer *w, const struct metrics_view *view);

#endif
