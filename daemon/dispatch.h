/* dispatch.h - which job runs when.
 *
 * Everything on MAIN, in tasks. What has happened is on disk before it shows here: memory follows the store, in the order
 * of the store's event numbers. Functions that commit suspend; they cannot be cancelled half-way.
 */
#ifndef DAEMON_DISPATCH_H
#define DAEMON_DISPATCH_H
#include "config.h"
#include "kind.h"
#include "metrics.h"
#include "rows.h"
#include "store.h"
#include "watch.h"

#define DISPATCH_QUEUES_MAX 1024

struct dispatch;

struct dispatch_config { /* all borrowed until dispatch_destroy */
    struct store *store;
    struct watch *watch;
    struct metrics *metrics;
    const struct config *config;
    const struct exec_settings *exec;
    int out_dir;
};

/* Positive answers, as the store's: STORE_OK, STORE_NOT_FOUND, STORE_CONFLICT, STORE_REFUSED, STORE_UNAVAILABLE. */

int dispatch_create(struct dispatch **out, const struct dispatch_config *config);
void dispatch_destroy(struct dispatch *d); /* after its task has returned; NULL is fine */
/* Reads every unfinished job from the store. Before dispatch_task. */
int dispatch_load(struct dispatch *d);
/* The task that starts jobs: owns the jobs group. Returns after dispatch_stop, when no job runs any more. */
int64_t dispatch_task(void *arg);
void dispatch_stop(struct dispatch *d);

/* --- jobs -------------------------------------------------------------------------------------------- */

struct dispatch_job {
    struct spec *spec; /* owned: taken in every case */
    /* answers */
    int64_t id;
    bool existing;
    enum job_state state;
};

/* All or none. STORE_NOT_FOUND and STORE_CONFLICT with *refusal; -ESHUTDOWN while draining; -EDQUOT: a limit (see
 * dispatch_limit); -ENOENT: a queue was deleted meanwhile. */
int dispatch_submit(struct dispatch *d, struct dispatch_job *jobs, size_t count, uint32_t uid,
                    bool admin, struct store_refusal *refusal);

/* Some that came one behind the other, each as dispatch_submit; all are decided when it returns. */
struct dispatch_submission {
    struct dispatch_job *jobs; /* borrowed; their specifications are taken */
    size_t count;
    /* answers */
    int result;
    struct store_refusal refusal;
};

void dispatch_submit_each(struct dispatch *d, struct dispatch_submission *submissions, size_t count,
                          uint32_t uid, bool admin);
/* The name of the limit that `count` more jobs of this user would break, or NULL. */
const char *dispatch_limit(const struct dispatch *d, uint32_t uid, size_t count);
/* Committed when it returns. STORE_NOT_FOUND, STORE_REFUSED (it has ended). */
int dispatch_cancel(struct dispatch *d, int64_t id);
int dispatch_retry(struct dispatch *d, int64_t id);  /* an ended job runs again */
int dispatch_remove(struct dispatch *d, int64_t id); /* an ended job and its output go */
/* To the process group of a running command. STORE_REFUSED: no process now. */
int dispatch_signal(struct dispatch *d, int64_t id, int signal);

#define DISPATCH_EDIT_INVALID 100 /* beside the store's answers: `change` refused it */

struct dispatch_edit {
    /* Changes the specification and says which parts (SPEC_EDIT_*). Must not suspend. Anything but SPEC_OK ends the edit. */
    int (*change)(void *ctx, struct spec *spec, unsigned *changed);
    void *ctx;
    bool any_owner; /* dependencies may be anybody's jobs */
    /* answers */
    enum job_state state;
    struct store_refusal refusal; /* as store_edit's */
};

/* A job that has not started is changed; on disk when it returns. STORE_NOT_FOUND, STORE_CONFLICT with the refusal;
 * STORE_REFUSED: it has started or ended; DISPATCH_EDIT_INVALID. */
int dispatch_edit(struct dispatch *d, int64_t id, struct dispatch_edit *edit);

/* --- queues -------------------------------------------------------------------------------------------- */

struct dispatch_queue_change {
    bool has_parallel, has_rate, has_weight, has_paused;
    int64_t parallel, weight;
    double rate; /* starts a second; 0: no limit */
    bool paused;
};

bool dispatch_queue_exists(const struct dispatch *d, const char *name);

/* The four below are durable when they return, and survive a restart. STORE_NOT_FOUND: no such queue. */

/* `make`: one that is not there appears; -EDQUOT: there are too many. */
int dispatch_queue_change(struct dispatch *d, const char *name,
                          const struct dispatch_queue_change *change, bool make);
int dispatch_queue_reset(struct dispatch *d, const char *name); /* as configured */
/* Its unfinished jobs go to the queue move_to; with NULL there must be none: STORE_CONFLICT. */
int dispatch_queue_delete(struct dispatch *d, const char *name, const char *move_to, size_t *moved);

/* Of a job that has not ended; NULL: it has, or never was. Until the caller suspends. */
const struct row *dispatch_find(const struct dispatch *d, int64_t id);

/* The name of its queue, as long as the row. */
const char *dispatch_queue_of(const struct dispatch *d, const struct row *row);

/* --- the daemon's end ----------------------------------------------------------------------------------- */

void dispatch_drain(struct dispatch *d, bool on); /* on: starts and submissions stop */
bool dispatch_draining(const struct dispatch *d);
/* Each attempt that is under way, for who begins to read the trace. */
void dispatch_mark_running(const struct dispatch *d);
size_t dispatch_running(const struct dispatch *d); /* attempts, starting ones included */
/* Waits until no job runs: 0, -ETIMEDOUT, -ECANCELED. */
int dispatch_wait_idle(struct dispatch *d, int64_t deadline);
/* Every running attempt ends `interrupted`: TERM, grace, KILL; at_once: KILL. */
void dispatch_interrupt(struct dispatch *d, bool at_once);
/* Limits, queues: after the configuration that was given to create has changed. */
int dispatch_reload(struct dispatch *d);

/* --- looking -------------------------------------------------------------------------------------------- */

int64_t dispatch_wall_us(void); /* the wall clock */

struct dispatch_counts {
    uint64_t running, queued, delayed, blocked;
};

/* The task of a running attempt, above all others of it; {0, 0}: the job does not run. */
cosched_task dispatch_task_of(struct dispatch *d, int64_t id);

struct dispatch_attempt {
    cosched_task task;
    int64_t id;
    uint32_t uid;
};

/* All that run, in no order; *out is to be freed. 0, -ENOMEM. */
int dispatch_attempts(const struct dispatch *d, struct dispatch_attempt **out, size_t *count);

void dispatch_counts(const struct dispatch *d, struct dispatch_counts *out);
size_t dispatch_queues(const struct dispatch *d, struct metrics_queue *out, size_t max);

/* --- why it does not run --------------------------------------------------------------------------------- */

enum dispatch_wait {
    DISPATCH_WAIT_DEPENDENCY, /* the store knows which */
    DISPATCH_WAIT_TIME,
    DISPATCH_WAIT_BACKOFF,
    DISPATCH_WAIT_QUEUE_LIMIT,
    DISPATCH_WAIT_RATE,
    DISPATCH_WAIT_PAUSED,
    DISPATCH_WAIT_DRAIN,
    DISPATCH_WAITS
};

struct dispatch_why {
    enum job_state state;
    uint32_t attempt;
    unsigned waits;   /* bits 1 << enum dispatch_wait; none: it is about to start, or runs */
    int64_t position; /* in line, from 1; 0: in none */
    int64_t until_us; /* of a time or a backoff */
    int64_t rate_us;  /* when the rate lets one go */
    struct metrics_queue queue; /* without a name: dispatch_queue_of has it */
    pid_t pid;                  /* running: of its process; 0: none */
    int64_t since_us;           /* running: the start of this attempt */
    bool cancel;                /* running: it is being ended */
};

/* STORE_NOT_FOUND: it has ended, or never was. May suspend, for other tasks' sake. */
int dispatch_why(struct dispatch *d, int64_t id, struct dispatch_why *out);

#endif
