/* What goes into the store and comes out of it: shared by the store (the task, the callers'
 * interface) and by store_sql (the database behind it). Times are wall-clock microseconds; 0: not
 * yet, none. */
#ifndef STORE_TYPES_H
#define STORE_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "job.h"
#include "spec.h"

/* Positive answers; the caller must handle each that a function names. Negative: an errno, carried
 * up. */
enum store_outcome {
    STORE_OK = 0,
    STORE_NOT_FOUND = 1, /* no such job, or a dependency that is not there or another's */
    STORE_CONFLICT = 2,  /* the key stands for another body */
    STORE_REFUSED = 3,   /* the table has no such arrow from the job's state now: a race was lost */
    STORE_UNAVAILABLE = 4, /* disk full, I/O error: nothing was changed; later tries may succeed */
    STORE_LOCKED = 5,      /* at opening: a live daemon holds this state */
    STORE_NEWER = 6        /* at opening: the schema is newer than this program */
};

#define STORE_BATCH_MAX    1000  /* requests of one transaction */
#define STORE_LIST_MAX     10000 /* jobs of one answer */
#define STORE_EVENTS_KEPT  100000
#define STORE_BOOT_ID_SIZE 40

/* One new job. All of one call are accepted, or none. */
struct store_insert {
    const struct spec *spec; /* borrowed for the call */
    uint32_t uid;
    int64_t now_us;
    bool claim; /* run it at once if nothing stands before it: inserted as JOB_RUNNING, attempt 1 */
    bool any_owner; /* `after` may name anybody's jobs (admins) */
    /* answers */
    int64_t id;
    int64_t seq;   /* of its event; 0 when existing */
    bool existing; /* the key stood for the same body: id is that job, nothing was done */
    enum job_state state;
    struct job_row row; /* as dispatch keeps it; row.queue is spec->queue */
};

/* One arrow asked for by store_move_many, and its answer. */
struct store_step {
    int64_t id;
    enum job_event event;
    /* answers */
    int outcome;          /* STORE_OK, STORE_NOT_FOUND, STORE_REFUSED */
    enum job_state state; /* where the job is now; JOB_NEW: not found */
    int64_t seq;          /* of the event; 0: none */
};

/* What an insertion was refused for. */
struct store_refusal {
    size_t job;   /* which of the call */
    size_t after; /* STORE_NOT_FOUND: which of its dependencies */
    int64_t id;   /* STORE_CONFLICT: who has the key */
};

/* What takes the place of a job's specification, and its times. */
struct store_edit {
    const struct spec *spec; /* borrowed for the call */
    bool after;              /* its dependencies are new too, else they stay as they are */
    bool any_owner;          /* `after` may name anybody's jobs (admins) */
    int64_t run_at_us, deadline_us;
    /* answers */
    struct job_row row; /* as dispatch keeps it; row.queue is spec->queue */
    int64_t seq;
    struct store_refusal refusal; /* id 0: of the job itself; else a dependency */
};

/* A job that a commit moved: published after it, in order of seq. */
struct store_event {
    int64_t seq, id;
    enum job_state state;
    uint32_t attempt;
    uint32_t uid;
    int64_t at_us;
    /* What the job is now; empty when it was removed since. Only of store_follow. */
    char queue[SPEC_NAME_MAX + 1], kind[SPEC_KIND_MAX + 1], name[SPEC_NAME_MAX + 1];
};

/* The others that one commit moved besides the job itself: dependants released or skipped. */
struct store_moved {
    struct job_row row; /* row.queue points to .queue */
    char *queue;        /* owned by the list */
    int64_t seq;
};

struct store_effects {
    struct store_moved *moved; /* owned */
    size_t count, room;
};

#define STORE_EFFECTS_INIT \
    {                      \
        NULL, 0, 0         \
    }

void store_effects_fini(struct store_effects *effects); /* empty and usable again; NULL is fine */

/* One attempt as recorded. */
struct store_attempt {
    uint32_t n;
    int64_t started_us, finished_us;
    enum job_outcome_kind outcome;
    int exit_code; /* JOB_CODE_NONE: none */
    int signal;
    struct job_stream_size output, errors;
};

/* A job as returned by get and list. One allocation tree, ended by store_job_free. */
struct store_job {
    int64_t id;
    enum job_state state;
    uint32_t attempt, failures, lost;
    uint32_t uid;
    int priority;
    bool cancel_requested;
    int64_t parent; /* 0: none */
    int64_t created_us, scheduled_us, deadline_us, started_us, finished_us;
    int exit_code, signal; /* of the last attempt */
    char *kind, *name, *queue;
    char *error_name, *error_message; /* NULL: none */
    char *result;                     /* JSON text or NULL; only when asked for */
    char *spec;                       /* JSON text; only when asked for */
    size_t spec_len;
    struct spec_label *labels;
    size_t label_count;
    struct store_attempt *attempts; /* oldest first; only when asked for */
    size_t attempt_count;
    int64_t *after; /* ids it still waits for; only when asked for */
    size_t after_count;
};

void store_job_free(struct store_job *job); /* NULL is fine */

enum {
    STORE_WITH_SPEC = 1,
    STORE_WITH_RESULT = 2,
    STORE_WITH_ATTEMPTS = 4,
    STORE_WITH_AFTER = 8,
    STORE_WITH_ALL = 15
};

/* Which jobs; every member that is set must hold. Strings are borrowed. */
struct store_filter {
    unsigned states; /* JOB_STATE_BIT; 0: all */
    bool has_uid;    /* only of this owner */
    uint32_t uid;
    const char *queue, *kind, *name;
    const struct spec_label *labels;
    size_t label_count;
    bool has_parent;
    int64_t parent;
    int64_t before; /* ids below; 0: all */
    size_t limit;   /* 0: 100 */
    unsigned with;  /* STORE_WITH_* */
};

/* A look at the events that follow a place in their list. */
struct store_follow {
    const struct store_filter *filter; /* borrowed; its parent, before, limit and with do not count */
    int64_t from;                      /* events after this one */
    struct store_event *events;        /* borrowed; room for max; 0: only the numbers below */
    size_t max;
    /* answers */
    size_t count;
    int64_t seq;          /* looked at up to here; below `last`: there is more to look at */
    int64_t oldest, last; /* of those there are; oldest beyond from + 1: some are lost */
};

struct store_page {
    struct store_job **jobs; /* owned, newest first */
    size_t count, room;
    bool more;    /* another one below the last would match */
    int64_t next; /* where the scan goes on (an id to be `before`); 0: it is over */
};

#define STORE_PAGE_INIT      \
    {                        \
        NULL, 0, 0, false, 0 \
    }

void store_page_fini(struct store_page *page);

/* An attempt that a former life of the daemon left running. */
struct store_interrupted {
    int64_t id;
    uint32_t attempt;
    uint32_t failures, lost;
    uint32_t uid;
    bool cancel_requested;
    int64_t deadline_us;
    pid_t pid;                        /* 0: none was recorded */
    uint64_t start_time;              /* of the process, as /proc has it */
    char boot_id[STORE_BOOT_ID_SIZE]; /* under which it ran */
    struct spec *spec; /* owned; NULL: not readable by this version, so it is not repeated */
    /* filled by the caller before store_recover_commit */
    bool repeatable; /* the kind may run twice unasked */
    /* answers of store_recover_commit */
    struct job_outcome outcome;
    struct job_decision decision;
    int64_t seq;
};

struct store_recovery {
    struct store_interrupted *jobs; /* owned, ascending ids */
    size_t count, room;
    char boot_id[STORE_BOOT_ID_SIZE]; /* of the former life; empty: there was none */
};

#define STORE_RECOVERY_INIT \
    {                       \
        NULL, 0, 0, ""      \
    }

void store_recovery_fini(struct store_recovery *recovery);

/* Which ended jobs go. 0 in a limit: no such limit. */
struct store_retention {
    int64_t now_us;
    int64_t keep_ns;     /* for jobs without a `keep` of their own; 0: for ever */
    uint64_t keep_count; /* ended jobs at most */
    uint64_t keep_bytes; /* their specifications, results and kept output */
};

struct store_stats {
    uint64_t commits, requests, reads, failures, checkpoints;
    double batch_avg; /* requests a commit */
    uint64_t wal_bytes, db_bytes;
    uint64_t ended, ended_bytes; /* jobs kept */
    bool available;
};
#endif
