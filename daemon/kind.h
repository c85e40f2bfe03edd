/* kind.h - what a job does: the registry of kinds, and how one attempt is run.
 *
 * A kind checks its arguments before a job is accepted, says in a JSON Schema what they look like,
 * and runs one attempt as a task. It knows nothing of states, queues or the store.
 */
#ifndef COSCHEDD_KIND_H
#define COSCHEDD_KIND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "job.h"
#include "output.h"
#include "wire/json.h"

struct spec_error; /* spec.h */

/* Settings of [exec], const while jobs run; every pointer borrowed from the configuration. */
struct exec_settings {
    const char *helper;        /* process_find_helper; NULL: none */
    const char *instance;      /* process_instance */
    const char *const *env;    /* "NAME=value" … NULL: what a command starts with */
    int64_t grace_ns;          /* TERM to KILL, unless the job says otherwise */
    uint64_t output_max_bytes; /* a stream, unless the job asks for less */
    int nice;
    unsigned umask; /* unless the job says otherwise */
};

/* One attempt. Filled by dispatch, borrowed by run until it returns. */
struct job_run {
    int64_t id;
    uint32_t attempt;
    const struct json *args; /* checked by the kind's check */
    int64_t ends_us;         /* wall clock: the earlier of attempt timeout and deadline; 0: none */
    uid_t uid;               /* of the owner */
    int out_dir;             /* output_dir_open */
    const struct exec_settings *exec;
    /* The attempt is a process, and one that lasts: recovery is to know it by more than its
     * environment. Called at most once, on MAIN, may suspend until the record is durable. A negative answer ends the process
     * again: the attempt fails with error.name "storage". May be NULL. */
    int (*on_process)(struct job_run *run, pid_t pid, uint64_t start_time);
    /* More output was written. On MAIN, must not suspend. May be NULL. */
    void (*on_output)(struct job_run *run, enum output_stream stream, uint64_t bytes);
    void *context; /* the caller's */
};

struct kind {
    const char *name;
    bool repeatable; /* may run again after a crash without having been asked to */
    /* Pure. SPEC_OK, or SPEC_INVALID with path (relative to args: "argv[0]", "env.HOME", "" for
     * args itself) and reason. args NULL means no args were given. */
    int (*check)(const struct json *args, struct spec_error *error);
    const char *schema; /* JSON Schema of args, one line of JSON */
    /* A task on MAIN; may suspend and move, and returns on MAIN. *out is initialised, and a
     * cause recorded in it by the caller meanwhile stays (job_outcome_cause). 0: *out says how
     * it ended. -ECANCELED: it was ended by cancellation (cancel, timeout, deadline, shutdown:
     * the caller knows which, and records it); exit_code, signal and the sizes of the output are
     * filled in all the same. Nothing else is returned, and no process is left. */
    int (*run)(struct job_run *run, struct job_outcome *out);
};

const struct kind *kind_find(const char *name); /* NULL: unknown */
size_t kind_count(void);
const struct kind *kind_at(size_t index); /* in order of name; index < kind_count() */

/* Fits spec_context.check_kind; ctx is not used. */
int kind_check(void *ctx, const char *name, const struct json *args, bool *unknown,
               struct spec_error *error);

/* --- for kinds ------------------------------------------------------------------------------ */

extern const struct kind kind_exec, kind_sleep, kind_hash;

/* SPEC_INVALID when args is neither absent nor an object, or has a member that is not in the
 * NULL-terminated list. */
int kind_check_object(const struct json *args, const char *const *known, struct spec_error *error);

#endif
