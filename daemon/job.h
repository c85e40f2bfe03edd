/* A job as a value: its states, the one table that moves it, and what becomes of it when an attempt
 * ends.
 *
 * Pure: no clock, no randomness, no memory of its own. Times on the wall clock are microseconds
 * since 1970 (`_us`), lengths of time are nanoseconds (`_ns`); 0 means none unless said
 * otherwise. */
#ifndef JOB_H
#define JOB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are on disk: never renumber. Everything from JOB_SUCCEEDED on is final. */
enum job_state {
    JOB_NEW = 0, /* not yet accepted: only the source of the first arrow */
    JOB_BLOCKED = 1,
    JOB_DELAYED = 2,
    JOB_QUEUED = 3,
    JOB_RUNNING = 4,
    JOB_SUCCEEDED = 5,
    JOB_FAILED = 6,
    JOB_TIMED_OUT = 7,
    JOB_CANCELED = 8,
    JOB_SKIPPED = 9,
    JOB_GONE = 10 /* removed: only the target of the last arrow */
};

#define JOB_STATES           11
#define JOB_STATE_BIT(state) (1u << (unsigned)(state))
#define JOB_STATES_FINAL                                                                       \
    (JOB_STATE_BIT(JOB_SUCCEEDED) | JOB_STATE_BIT(JOB_FAILED) | JOB_STATE_BIT(JOB_TIMED_OUT) | \
     JOB_STATE_BIT(JOB_CANCELED) | JOB_STATE_BIT(JOB_SKIPPED))

enum job_event {
    JOB_EVENT_SUBMIT_BLOCKED,  /* new: it waits for other jobs */
    JOB_EVENT_SUBMIT_DELAYED,  /* new: its time lies ahead */
    JOB_EVENT_SUBMIT_QUEUED,   /* new: it may run */
    JOB_EVENT_SUBMIT_CLAIMED,  /* new: and runs at once, in the same commit */
    JOB_EVENT_RELEASE_DELAYED, /* dependencies satisfied, but its time lies ahead */
    JOB_EVENT_RELEASE_QUEUED,  /* dependencies satisfied */
    JOB_EVENT_SKIP,            /* a dependency failed under `success` */
    JOB_EVENT_DUE,             /* its time has come */
    JOB_EVENT_START,           /* slot, resources and rate: attempt + 1 */
    JOB_EVENT_EDIT_BLOCKED,    /* an edit gave it dependencies */
    JOB_EVENT_EDIT_DELAYED,    /* an edit moved its time ahead */
    JOB_EVENT_CANCEL,
    JOB_EVENT_DEADLINE, /* the limit on the whole job */
    JOB_EVENT_SUCCEED,
    JOB_EVENT_FAIL,    /* other exit, signal, could not run, interrupted for good */
    JOB_EVENT_TIMEOUT, /* the limit on one attempt */
    JOB_EVENT_RETRY,   /* the attempt ended badly and another follows */
    JOB_EVENT_AGAIN,   /* the `retry` verb */
    JOB_EVENT_REMOVE   /* retention, or the `remove` verb */
};

#define JOB_EVENTS ((int)JOB_EVENT_REMOVE + 1)

/* The signals a retry policy may name; 0: unknown. Both ways, without "SIG" in what is returned. */
int job_signal_number(const char *name);
const char *job_signal_name(int number);

/* How one attempt ended. */
enum job_outcome_kind {
    JOB_OUTCOME_NONE = 0, /* still running */
    JOB_OUTCOME_SUCCEEDED = 1,
    JOB_OUTCOME_FAILED = 2,
    JOB_OUTCOME_TIMED_OUT = 3,  /* the attempt's own limit: may be retried */
    JOB_OUTCOME_CANCELED = 4,   /* asked for: never retried */
    JOB_OUTCOME_DEADLINE = 5,   /* the whole job's limit: never retried */
    JOB_OUTCOME_INTERRUPTED = 6 /* the daemon went away under it */
};

#define JOB_ERROR_NAME_MAX    32
#define JOB_ERROR_MESSAGE_MAX 256
#define JOB_CODE_NONE         (-1)

struct job_stream_size {
    int64_t bytes; /* that the command wrote; JOB_CODE_NONE: the kind has no such stream */
    int64_t kept;  /* of them in the file */
};

/* Which cause won is the writer's business while the attempt runs: the first one recorded in `kind`
 * stays. */
struct job_outcome {
    enum job_outcome_kind kind;
    int exit_code; /* JOB_CODE_NONE: it did not exit */
    int signal;    /* 0: none */
    char error_name[JOB_ERROR_NAME_MAX];
    char error_message[JOB_ERROR_MESSAGE_MAX];
    char *result;                          /* owned JSON text of the result, or NULL */
    struct job_stream_size output, errors; /* stdout, stderr */
};

#define JOB_OUTCOME_INIT                                           \
    {                                                              \
        .kind = JOB_OUTCOME_NONE, .exit_code = JOB_CODE_NONE,      \
        .output = {.bytes = JOB_CODE_NONE, .kept = JOB_CODE_NONE}, \
        .errors = {.bytes = JOB_CODE_NONE, .kept = JOB_CODE_NONE}, \
    }

void job_outcome_init(struct job_outcome *outcome);
void job_outcome_fini(struct job_outcome *outcome); /* frees the result; safe twice */
/* Records why the attempt ends, unless a cause is recorded already. True when this one counts. */
bool job_outcome_cause(struct job_outcome *outcome, enum job_outcome_kind kind);
/* error_name and error_message by printf; over-long text is cut on a UTF-8 boundary. */
void job_outcome_error(struct job_outcome *outcome, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* When another attempt follows. */
enum { JOB_RETRY_FAILED = 1, JOB_RETRY_TIMED_OUT = 2, JOB_RETRY_INTERRUPTED = 4 };

#define JOB_RETRY_MAX 1000000
#define JOB_LOST_MAX  3 /* attempts lost to the daemon's death that are run again */

struct job_retry {
    uint32_t max; /* runs after the first */
    unsigned on;  /* JOB_RETRY_* */
    int64_t backoff_ns, cap_ns;
    double factor, jitter;
    uint64_t exits[4]; /* one bit for each `exit:N` */
    uint64_t signals;  /* bit N-1 for each `signal:NAME` */
};

void job_retry_default(struct job_retry *retry);
/* The wait before run `failures` + 1; `random` spreads it by ±jitter (all of uint32_t is one
 * span). */
int64_t job_retry_wait_ns(const struct job_retry *retry, uint32_t failures, uint32_t random);

/* What is known of a job when one of its attempts ends. */
struct job_progress {
    const struct job_retry *retry; /* borrowed */
    uint32_t failures; /* failed or timed out since the budget was set, without this one */
    uint32_t lost;     /* attempts lost to the daemon's death, without this one */
    bool cancel_requested;
    bool repeatable;     /* its kind may run twice unasked */
    int64_t deadline_us; /* of the whole job */
    uint32_t random;     /* for the jitter */
};

struct job_decision {
    enum job_event event;
    enum job_state state;    /* what JOB_RUNNING becomes: JOB_DELAYED or final */
    int64_t run_at_us;       /* with JOB_DELAYED: not before */
    uint32_t failures, lost; /* to be stored */
};

/* What dispatch keeps of an unfinished job: small, a million of them wait in memory. */
struct job_row {
    int64_t id;
    int64_t run_at_us;   /* JOB_DELAYED: not before */
    int64_t deadline_us; /* of the whole job; 0: none */
    const char *queue;   /* borrowed: valid during a callback; a keeper puts its own name here */
    uint32_t uid;        /* of the owner */
    uint32_t attempt;    /* 0 before the first start */
    int8_t priority;
    uint8_t state; /* enum job_state */
    bool cancel_requested;
};

/* The one function that moves: the new state, or -1 when the table has no such arrow. */
int job_move(enum job_state state, enum job_event event);
const char *job_state_name(enum job_state state); /* never NULL */
int job_state_parse(const char *name); /* -1: unknown; JOB_NEW and JOB_GONE have no public name */
const char *job_event_name(enum job_event event);
const char *job_outcome_name(enum job_outcome_kind kind);
int job_outcome_parse(const char *name); /* -1: unknown */

static inline bool job_final(enum job_state state)
{
    return state >= JOB_SUCCEEDED && state <= JOB_SKIPPED;
}

/* Which arrow a running job takes when its attempt has ended with this outcome, at now_us. Sets
 * error_name "deadline" or "interrupted" (with a message) where the outcome has none and the
 * contract wants one. */
void job_next_state(const struct job_progress *progress, struct job_outcome *outcome,
                    int64_t now_us, struct job_decision *decision);
/* A cancel was committed after the decision was made and before it was: it wins over success,
 * failure and retry, not over a cause that was recorded before it (timeout, deadline). */
void job_decision_cancel(struct job_decision *decision, const struct job_outcome *outcome);
#endif
