/* command.h - the verbs of the protocol: who may use them, what they take, what they answer.
 *
 * Families: command.c (the table, small verbs, helpers), command_submit.c, command_query.c, command_queue.c, command_control.c,
 * command_wait.c, command_logs.c; command_job.c writes a job as JSON. Everything on MAIN, in tasks of a connection.
 */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H
#include "config.h"
#include "dispatch.h"
#include "metrics.h"
#include "store.h"
#include "users.h"
#include "watch.h"
#include "wire/message.h"
#include "wire/writer.h"

struct conn;

/* What came of reading the settings again. */
struct surface_reload {
    char why[256]; /* the first fault, when there was one */
    char restart[256]; /* "exec.nice,…": changed, and not taken over by a running daemon; empty: none */
};

/* What the verbs work on; one for the daemon. All borrowed. */
struct surface {
    const struct config *config;
    struct dispatch *dispatch;
    struct store *store;
    struct watch *watch;
    struct metrics *metrics;
    struct users *users;
    int out_dir;
    const char *version, *boot_id;
    void (*stop)(void *ctx); /* asks the daemon to end, as SIGTERM does */
    /* Reads the settings again, as SIGHUP does: 0, or negative and nothing has changed. Suspends. */
    int (*reload)(void *ctx, struct surface_reload *out);
    void *ctx;
};

/* One request being carried out. */
struct call {
    struct surface *surface;
    struct conn *conn;
    uint32_t uid;
    bool admin;
    struct message_id id;
    const struct json *params; /* borrowed; an object or NULL */
    struct buf *out;           /* gets exactly one answer */
};

enum command_mode {
    COMMAND_AT_ONCE, /* the reader waits for it; requests before it are done */
    COMMAND_SUBMIT,  /* checked at once, committed side by side with its neighbours */
    COMMAND_WAITING  /* a task of its own: later requests are carried out meanwhile */
};

struct command {
    const char *name;
    enum command_mode mode;
    bool admin; /* for admins only */
    void (*run)(struct call *call);
};

const struct command *command_find(const char *method); /* NULL: unknown */

/* --- answers ------------------------------------------------------------------------------------------- */

void call_error(struct call *call, int code, const char *path, const char *reason);
void call_error_limit(struct call *call, const char *which, int retry_after_ms);
/* The answer for what the store or dispatch said; `id`: of the job it was about, 0: none. */
void call_error_store(struct call *call, int rc, int64_t id);
/* w then takes one value; call_result_end closes the line. */
void call_result(struct call *call, struct writer *w);
void call_result_end(struct call *call, struct writer *w);

/* --- parameters: each answers false after it has answered the call with an error ------------------------ */

bool param_known(struct call *call, const char *const *names); /* NULL-terminated */
/* optional ones leave *out as it is when absent */
bool param_id(struct call *call, const char *name, int64_t *out); /* required */
bool param_int(struct call *call, const char *name, int64_t min, int64_t max, int64_t *out);
bool param_bool(struct call *call, const char *name, bool *out);
bool param_string(struct call *call, const char *name, const char **out);
bool param_duration_ns(struct call *call, const char *name, int64_t *out);
/* required: 1 … max distinct-or-not ids; *out is to be freed */
bool param_ids(struct call *call, const char *name, size_t max, int64_t **out, size_t *count);

/* --- access ---------------------------------------------------------------------------------------------- */

static inline bool call_may(const struct call *call, uint32_t owner)
{
    return call->admin || owner == call->uid;
}

/* STORE_OK when the job is there and the caller's to touch, STORE_NOT_FOUND otherwise (another's job looks like none). */
int call_owner(struct call *call, int64_t id);

/* --- jobs as JSON (command_job.c) -------------------------------------------------------------------------- */

#define JOB_FIELDS_DEFAULT 0U
/* `fields`: which members; false after an error was answered. *out stays JOB_FIELDS_DEFAULT when absent. */
bool param_fields(struct call *call, unsigned *out);
/* What has to be asked of the store for them. */
unsigned job_fields_with(unsigned fields, bool whole);
/* `whole`: with spec and result, when fields is the default. May suspend (names of users). */
void job_write(struct surface *surface, struct writer *w, const struct store_job *job,
               unsigned fields, bool whole);
/* The members of `filter` (NULL: none), into *out; strings stay borrowed from it. `path` names it in errors. Labels are
 * to be freed. false after an error was answered. May suspend. */
bool job_filter(struct call *call, const struct json *filter, const char *path,
                struct store_filter *out, struct spec_label **labels);
/* Members that job_filter knows; for param_known of `list`. */
extern const char *const job_filter_names[];

/* The answer of `stats`, one JSON object; 0 or -ENOMEM. `names`: with those of queues. */
int stats_write(struct surface *surface, struct writer *w, bool names);

/* --- the verbs ---------------------------------------------------------------------------------------------- */

void command_submit(struct call *call);
/* The submissions that were read go to the store, in a task; frees the flight. Lets that task begin. */
struct flight;
void command_submit_commit(struct flight *flight);
void command_submit_many(struct call *call);
void command_get(struct call *call);
void command_list(struct call *call);
void command_subscribe(struct call *call);
void command_unsubscribe(struct call *call);
void command_why(struct call *call);
void command_stats(struct call *call);
void command_metrics(struct call *call);
void command_kinds(struct call *call);
void command_queues(struct call *call);
void command_queue_set(struct call *call);
void command_queue_pause(struct call *call);
void command_queue_resume(struct call *call);
void command_queue_reset(struct call *call);
void command_queue_delete(struct call *call);
void command_edit(struct call *call);
void command_cancel(struct call *call);
void command_retry(struct call *call);
void command_remove(struct call *call);
void command_signal(struct call *call);
void command_reload(struct call *call);
void command_drain(struct call *call);
void command_shutdown(struct call *call);
void command_wait(struct call *call);
void command_logs(struct call *call);
void command_tasks(struct call *call);
void command_trace(struct call *call);

#endif
