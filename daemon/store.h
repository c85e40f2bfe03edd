/* The store: every job on disk before anybody hears of it.
 *
 * One task (BLOCKING and PINNED) owns a thread and the database; requests lie on the stacks of the
 * tasks that ask and stand in one line; whatever waits is committed together, then all are
 * answered. The task is the lock.
 *
 * Every function below that takes a store suspends the calling task until its answer is durable (or
 * read), and cannot be cancelled meanwhile: the answer is always the true one; a cancelled caller
 * meets its cancellation at its next suspending call. All are for tasks, on any executor, except
 * where said.
 *
 * Common answers: STORE_OK, STORE_UNAVAILABLE (nothing was changed; the store heals itself and
 * later tries may succeed: whoever must not lose a change tries again), -ENOMEM, -ESHUTDOWN
 * (closing). Others are named at the function. Outputs are filled only with STORE_OK unless said
 * otherwise. */
#ifndef STORE_H
#define STORE_H
#include "store_types.h"

struct store;

struct store_config {
    const char *dir;     /* state folder, created 0700 when missing; its lock is taken */
    const char *boot_id; /* of the machine's boot (/proc/sys/kernel/random/boot_id) */
    int64_t now_us;
    /* After each commit, on the store's thread: how long it took and how many requests it held.
     * NULL: nobody counts. */
    void (*on_commit)(void *ctx, int64_t commit_ns, size_t requests);
    void *ctx;
    /* Tests: answer STORE_UNAVAILABLE as a full disk would, from this many pages on. 0: no
     * limit. */
    uint32_t pages_max;
};

/* --- life ------------------------------------------------------------------------------------- */

/* Takes the lock, opens and migrates the database, starts the task. What a former life left running
 * is listed in *recovery and not yet decided: first end those processes, then store_recover_commit.
 * STORE_LOCKED, STORE_NEWER, STORE_UNAVAILABLE and negative ones explain themselves in
 * store_open_error(). *out is NULL unless STORE_OK. */
int store_open(struct store **out, const struct store_config *config,
               struct store_recovery *recovery);
const char *store_open_error(void); /* of the last store_open that failed; static */
/* Decides every interrupted attempt by the table, in one commit; fills each outcome, decision and
 * seq. Dependants that this moved are in *effects. */
int store_recover_commit(struct store *store, struct store_recovery *recovery, int64_t now_us,
                         struct store_effects *effects);
/* Waits for what was asked, checkpoints, closes, gives back the lock. NULL is fine. */
void store_close(struct store *store);

/* --- jobs ------------------------------------------------------------------------------------- */

/* All or none. STORE_NOT_FOUND, STORE_CONFLICT with *refusal (may be NULL). */
int store_insert(struct store *store, struct store_insert *jobs, size_t count,
                 struct store_refusal *refusal);

/* Several submissions, each accepted or refused by itself as store_insert does, in this order. Returns
 * when all of them are decided. */
struct store_insertion {
    struct store_insert *jobs;
    size_t count;
    /* answers */
    int result;
    struct store_refusal refusal;
};

void store_insert_each(struct store *store, struct store_insertion *insertions, size_t count);
/* The job becomes JOB_RUNNING with this attempt (its former + 1): durable before any process
 * exists. A delayed job whose time has come goes through queued in the same commit. *spec (may be
 * NULL) is what to run; the caller frees it. It is NULL with STORE_OK when memory was short or the
 * text is not ours: the job is running on disk, so finish the attempt. STORE_NOT_FOUND,
 * STORE_REFUSED (canceled or edited meanwhile). */
int store_start(struct store *store, int64_t id, uint32_t attempt, int64_t now_us,
                struct spec **spec, int64_t *seq);
/* Puts on record which process an attempt is, so that the next life can end it. STORE_REFUSED: not
 * running that one. */
int store_process(struct store *store, int64_t id, uint32_t attempt, pid_t pid, uint64_t start_time);
/* The attempt has ended. *decision is what job_next_state said; a cancel committed meanwhile
 * changes it, and what was committed is what it holds afterwards. outcome->result is written, not
 * taken. STORE_REFUSED: not running that one. */
int store_finish(struct store *store, int64_t id, uint32_t attempt,
                 const struct job_outcome *outcome, struct job_decision *decision, int64_t now_us,
                 int64_t *seq, struct store_effects *effects);
/* The other arrows, of a job that does not run, any number in one commit; each step has its own
 * outcome:
 *   JOB_EVENT_DUE       delayed → queued
 *   JOB_EVENT_CANCEL    a waiting job is canceled; for a running one the wish is on disk (STORE_OK,
 *                       state JOB_RUNNING), and whoever runs it ends it
 *   JOB_EVENT_DEADLINE  a waiting job is timed_out, error_name `deadline`
 *   JOB_EVENT_EDIT_*    see the table
 *   JOB_EVENT_REMOVE    an ended job is gone; its output files are the caller's business,
 *                       afterwards
 * STORE_NOT_FOUND, STORE_REFUSED (the table has no such arrow from where it is: *state says
 * where). */
int store_move_many(struct store *store, struct store_step *steps, size_t count, int64_t now_us,
                    struct store_effects *effects);
/* The same for one: returns its outcome. */
int store_move(struct store *store, int64_t id, enum job_event event, int64_t now_us,
               enum job_state *state, int64_t *seq, struct store_effects *effects);
int store_cancel(struct store *store, int64_t id, int64_t now_us, enum job_state *state,
                 int64_t *seq, struct store_effects *effects);
int store_remove(struct store *store, int64_t id);
/* The `retry` verb: an ended job (not succeeded, not a child) is queued again with a full budget.
 * *row as dispatch keeps it; its queue's name is in row_queue. STORE_NOT_FOUND, STORE_REFUSED. */
int store_again(struct store *store, int64_t id, int64_t now_us, struct job_row *row,
                char row_queue[SPEC_NAME_MAX + 1], int64_t *seq);
/* The `edit` verb on a job with attempt 0: edit->spec takes the place of its specification (kind,
 * arguments and key stay as they were), edit->run_at_us and deadline_us that of its times. With new
 * dependencies it is blocked or released; one that has failed already skips it, and its dependants
 * are in *effects. STORE_NOT_FOUND (the job, or a dependency: edit->refusal), STORE_CONFLICT (it
 * would wait for itself: edit->refusal), STORE_REFUSED (started, ended). */
int store_edit(struct store *store, int64_t id, struct store_edit *edit, int64_t now_us,
               struct store_effects *effects);
/* Up to max unfinished jobs of the queue `from`, with ids above `after`, are `to`'s; ids names them, ascending. *count below
 * max: these were the last. No event tells of it. */
int store_queue_move(struct store *store, const char *from, const char *to, int64_t after,
                     int64_t *ids, size_t max, size_t *count);

/* --- looking ---------------------------------------------------------------------------------- */

/* *out is freed with store_job_free. STORE_NOT_FOUND. */
int store_get(struct store *store, int64_t id, unsigned with, struct store_job **out);
/* Many at once: jobs[i] is ids[i]'s, NULL where there is none. On an error all are NULL. */
int store_get_many(struct store *store, const int64_t *ids, size_t count, unsigned with,
                   struct store_job **jobs);
/* Newest first, in slices between which commits go on. Ended with store_page_fini. */
int store_list(struct store *store, const struct store_filter *filter, struct store_page *page);
/* Every unfinished job, ascending, in one covering scan; `each` runs on the store's thread while
 * the caller waits and must not suspend; a negative answer ends the scan and is returned. Also the
 * largest id and seq given so far. */
int store_load(struct store *store, int (*each)(void *ctx, const struct job_row *row), void *ctx);
/* The events after follow->from that the filter lets through, ascending; a slice at a time, so a look may find none and yet
 * not be at the end. */
int store_follow(struct store *store, struct store_follow *follow);

/* --- the rest --------------------------------------------------------------------------------- */

/* Removes up to max ended jobs that retention no longer covers, and names them (their output goes
 * next). *count below max: nothing is left to do now. */
int store_expire(struct store *store, const struct store_retention *retention, int64_t *ids,
                 size_t max, size_t *count);
/* Small texts that survive a restart (the state of queues). value NULL removes. */
int store_setting_put(struct store *store, const char *name, const char *value);
int store_setting_each(struct store *store,
                       int (*each)(void *ctx, const char *name, const char *value),
                       void *ctx); /* as store_load's */
/* A consistent copy of the whole database in a new file. -EEXIST. */
int store_backup(struct store *store, const char *path);
/* Never suspends; any thread. */
void store_stats(const struct store *store, struct store_stats *out);
#endif
