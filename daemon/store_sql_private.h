/* Between the files of store_sql: the statements, the handle, and the steps that several requests
 * share. */
#ifndef STORE_SQL_PRIVATE_H
#define STORE_SQL_PRIVATE_H
#include <assert.h>

#include "sql.h"
#include "store_sql.h"
#include "wire/buf.h"

/* Prepared once, for the life of the handle. */
/* clang-format off */
#define STORE_STATEMENTS(X)                                                                        \
    X(INSERT, "INSERT OR ROLLBACK INTO jobs (id, state, priority, attempt, failures, lost,"        \
              " cancel_requested, uid, waits, created_us, run_at_us, deadline_us, started_us,"     \
              " keep_us, bytes, queue, kind, name, key, body, spec)"                               \
              " SELECT id, state, priority, attempt, 0, 0, 0, uid, waits, created_us, run_at_us,"  \
              " deadline_us, started_us, keep_us, bytes, queue, kind, name, key, body, spec"       \
              " FROM pending")                                                                     \
    X(INSERT_PLAIN, "INSERT OR ROLLBACK INTO jobs (id, state, priority, attempt, failures, lost,"  \
                    " cancel_requested, uid, waits, created_us, bytes, queue, kind, spec)"         \
                    " SELECT id, state, priority, 0, 0, 0, 0, uid, waits, created_us, bytes,"      \
                    " queue, kind, spec FROM pending")                                             \
    X(TEXTS, "INSERT OR ROLLBACK INTO texts (job, spec) SELECT id, spec FROM pending_texts")       \
    X(EVENTS, "INSERT OR ROLLBACK INTO events (seq, job, state, attempt, uid, at_us, more)"        \
              " SELECT seq, job, state, attempt, uid, at_us, more FROM pending_events")            \
    X(SPEC, "SELECT ifnull(spec, (SELECT t.spec FROM texts t WHERE t.job = ?1))"                   \
            " FROM jobs WHERE id = ?1")                                                            \
    X(SPEC_PUT, "UPDATE jobs SET spec = ?2 WHERE id = ?1")                                         \
    X(TEXT_SPEC, "INSERT INTO texts (job, spec) VALUES (?1, ?2)"                                   \
                 " ON CONFLICT (job) DO UPDATE SET spec = ?2")                                     \
    X(TEXT_SPEC_NONE, "UPDATE texts SET spec = '' WHERE job = ?1")                                 \
    X(TEXT_RESULT, "INSERT INTO texts (job, spec, result) VALUES (?1, '', ?2)"                     \
                   " ON CONFLICT (job) DO UPDATE SET result = ?2")                                 \
    X(TEXT_RESULT_NONE, "UPDATE texts SET result = NULL WHERE job = ?1")                           \
    X(TEXT_REMOVE, "DELETE FROM texts WHERE job = ?1")                                             \
    X(KEY, "SELECT id, body FROM jobs WHERE uid = ?1 AND key = ?2")                                \
    X(CURRENT, "SELECT state, attempt, failures, lost, cancel_requested, uid, waits, run_at_us,"   \
               " keep_us, bytes, parent FROM jobs WHERE id = ?1")                                  \
    X(ROW, "SELECT id, state, priority, attempt, cancel_requested, uid, run_at_us, deadline_us,"   \
           " queue FROM jobs WHERE id = ?1")                                                       \
    X(LOAD, "SELECT id, state, priority, attempt, cancel_requested, uid, run_at_us, deadline_us,"  \
            " queue FROM jobs INDEXED BY jobs_open WHERE state <= 4 ORDER BY id")                  \
    X(EVENT, "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)")                              \
    X(EVENTS_TRIM, "DELETE FROM events WHERE seq <= ?1 AND seq + more <= ?1")                      \
    X(EVENTS_OLDEST, "SELECT min(seq) FROM events")                                                \
    X(FOLLOW, "SELECT seq, job, state, attempt, uid, at_us, more FROM events"                      \
              " WHERE seq > ?1 AND seq <= ?2 AND (?3 IS NULL OR uid = ?3)"                         \
              " AND (?4 IS NULL OR (?4 >> state) & 1) ORDER BY seq")                               \
    X(CALLED, "SELECT queue, kind, name FROM jobs WHERE id = ?1")                                  \
    X(STATE, "UPDATE jobs SET state = ?2, waits = ?3 WHERE id = ?1")                               \
    X(WISH, "UPDATE jobs SET cancel_requested = 1 WHERE id = ?1")                                  \
    X(START, "UPDATE jobs SET state = ?2, attempt = ?3, started_us = ?4, run_at_us = NULL"         \
             " WHERE id = ?1")                                                                     \
    X(RETRY, "UPDATE jobs SET state = ?2, run_at_us = ?3, failures = ?4, lost = ?5, bytes = ?6,"   \
             " exit_code = ?7, signal = ?8, error_name = ?9, error_message = ?10 WHERE id = ?1")   \
    X(END, "UPDATE jobs SET state = ?2, run_at_us = NULL, failures = ?3, lost = ?4, bytes = ?5,"   \
           " exit_code = ?6, signal = ?7, error_name = ?8, error_message = ?9,"                    \
           " finished_us = ?10, expires_us = ?11, waits = 0 WHERE id = ?1")                        \
    X(AGAIN, "UPDATE jobs SET state = ?2, failures = 0, lost = 0, cancel_requested = 0,"           \
             " run_at_us = NULL, deadline_us = ?3, finished_us = NULL, expires_us = NULL,"         \
             " exit_code = NULL, signal = NULL, error_name = NULL, error_message = NULL"           \
             " WHERE id = ?1")                                                                     \
    X(EDIT, "UPDATE jobs SET state = ?2, priority = ?3, run_at_us = ?4, deadline_us = ?5,"         \
            " keep_us = ?6, bytes = ?7, queue = ?8, name = ?9, waits = ?10 WHERE id = ?1")         \
    X(WAITS_FOR_IT, "WITH RECURSIVE up (id) AS (VALUES (?1) UNION SELECT w.other"                  \
                    " FROM waits_for w JOIN up ON w.job = up.id)"                                  \
                    " SELECT 1 FROM up WHERE id = ?2 LIMIT 1")                                     \
    X(OF_QUEUE, "SELECT id FROM jobs INDEXED BY jobs_open WHERE state <= 4 AND id > ?1"            \
                " AND queue = ?2 ORDER BY id LIMIT ?3")                                            \
    X(REQUEUE, "UPDATE jobs SET queue = ?2 WHERE id = ?1")                                         \
    X(REMOVE, "DELETE FROM jobs WHERE id = ?1")                                                    \
    X(ATTEMPT, "INSERT INTO attempts (job, n, life, started_us, outcome)"                          \
               " VALUES (?1, ?2, ?3, ?4, 0)")                                                      \
    X(ATTEMPT_PROCESS, "UPDATE attempts SET pid = ?3, start_time = ?4"                             \
                       " WHERE job = ?1 AND n = ?2 AND outcome = 0")                               \
    X(ATTEMPT_END, "UPDATE attempts SET finished_us = ?3, outcome = ?4, exit_code = ?5,"           \
                   " signal = ?6, out_bytes = ?7, out_kept = ?8, err_bytes = ?9, err_kept = ?10"   \
                   " WHERE job = ?1 AND n = ?2")                                                   \
    X(ATTEMPTS, "SELECT n, started_us, finished_us, outcome, exit_code, signal, out_bytes,"        \
                " out_kept, err_bytes, err_kept FROM attempts WHERE job = ?1 ORDER BY n")          \
    X(ATTEMPTS_REMOVE, "DELETE FROM attempts WHERE job = ?1")                                      \
    X(INTERRUPTED, "SELECT j.id, j.attempt, j.failures, j.lost, j.uid, j.cancel_requested,"        \
                   " j.deadline_us, a.pid, a.start_time, l.boot_id, ifnull(j.spec,"                \
                   " (SELECT t.spec FROM texts t WHERE t.job = j.id))"                             \
                   " FROM jobs j INDEXED BY jobs_running"                                          \
                   " LEFT JOIN attempts a ON a.job = j.id AND a.n = j.attempt"                     \
                   " LEFT JOIN lives l ON l.life = a.life"                                         \
                   " WHERE j.state = 4 ORDER BY j.id")                                             \
    X(LABEL, "INSERT INTO labels VALUES (?1, ?2, ?3)")                                             \
    X(LABELS, "SELECT name, value FROM labels WHERE job = ?1 ORDER BY name")                       \
    X(LABELS_REMOVE, "DELETE FROM labels WHERE job = ?1")                                          \
    X(WAIT, "INSERT OR IGNORE INTO waits_for VALUES (?1, ?2, ?3)")                                 \
    X(WAITERS, "SELECT job, any_end FROM waits_for WHERE other = ?1 ORDER BY job")                 \
    X(WAITS, "SELECT other FROM waits_for WHERE job = ?1 ORDER BY other")                          \
    X(WAITERS_REMOVE, "DELETE FROM waits_for WHERE other = ?1")                                    \
    X(WAITS_REMOVE, "DELETE FROM waits_for WHERE job = ?1")                                        \
    X(EXPIRING, "SELECT id FROM jobs WHERE expires_us IS NOT NULL AND expires_us <= ?1"            \
                " ORDER BY expires_us LIMIT ?2")                                                   \
    X(ENDED, "SELECT id, bytes FROM jobs"                                                          \
             " WHERE state >= 5 AND expires_us IS NULL AND finished_us <= ?1"                      \
             " ORDER BY finished_us LIMIT ?2")                                                     \
    X(ENDED_SOON, "SELECT id, bytes FROM jobs WHERE expires_us IS NOT NULL"                        \
                  " ORDER BY expires_us LIMIT ?1")                                                 \
    X(SETTING, "INSERT INTO settings VALUES (?1, ?2)"                                              \
               " ON CONFLICT (name) DO UPDATE SET value = ?2")                                     \
    X(SETTING_REMOVE, "DELETE FROM settings WHERE name = ?1")                                      \
    X(SETTINGS, "SELECT name, value FROM settings ORDER BY name")

/* clang-format on */

enum store_statement {

#define STORE_STATEMENT_NAME(name, text) STMT_##name,
    STORE_STATEMENTS(STORE_STATEMENT_NAME)
#undef STORE_STATEMENT_NAME
        STMT_COUNT
};

/* What is known without asking the database; goes back with a rollback. */
struct store_counters {
    int64_t last_id, last_seq;
    int64_t trimmed_seq; /* events up to here are gone */
    int64_t written_id;  /* last_id as the settings have it */
    int64_t ended, ended_bytes;
};

struct pending; /* store_sql_pending.c */

#define PENDING_ROWS_MAX 256 /* and events that one row stands for */
#define SPEC_IN_ROW_MAX  ((size_t)512)

struct store_sql {
    struct sql *db; /* owned */
    struct sql_stmt *stmts[STMT_COUNT];
    struct sql_stmt *gets[4];         /* store_sql_get's, by what is wanted; NULL: not yet */
    struct store_counters now, saved; /* saved: as of the last commit */
    struct buf text;                  /* scratch for specifications */
    struct pending *pending;          /* owned: new jobs that are not in the tables yet */
    bool unsettled;                   /* there are some */
    int settle_failed;                /* negative: they could not be written; of this transaction */
    int64_t life;
    bool can_checkpoint;
};

/* A job's row as the moves need it. */
struct store_current {
    int64_t id;
    enum job_state state;
    uint32_t attempt, failures, lost, uid, waits;
    bool cancel_requested;
    int64_t run_at_us, keep_us, bytes, parent;
};

/* STORE_OK, STORE_NOT_FOUND or negative. */
int store_sql_current(struct store_sql *sql, int64_t id, struct store_current *out);
/* Records an arrow; *seq may be NULL. */
int store_sql_emit(struct store_sql *sql, const struct store_current *job, enum job_state state,
                   int64_t now_us, int64_t *seq);
/* The row as dispatch keeps it; queue is copied when wanted. */
int store_sql_row(struct store_sql *sql, int64_t id, struct job_row *row,
                  char queue[SPEC_NAME_MAX + 1]);
void store_sql_read_row(struct sql_stmt *stmt, struct job_row *row);
int store_sql_labels_put(struct store_sql *sql, int64_t id, const struct spec *spec);
/* A job that does not run ends: row, event, accounts. Its dependants are store_sql_release's. */
int store_sql_end_waiting(struct store_sql *sql, struct store_current *job, enum job_event event,
                          const char *error_name, const char *error_message, int64_t now_us,
                          int64_t *seq);
/* A job has ended: whoever waits for it is released or skipped, and so on downwards. */
int store_sql_release(struct store_sql *sql, int64_t id, enum job_state state, int64_t now_us,
                      struct store_effects *effects);
/* A state that is not final, and its event. */
int store_sql_put_state(struct store_sql *sql, struct store_current *job, enum job_state state,
                        int64_t now_us, int64_t *seq);
int store_sql_put_result(struct store_sql *sql, int64_t id, const char *result); /* NULL: none */
/* Instead of the one it has. */
int store_sql_put_spec(struct store_sql *sql, int64_t id, const char *text, size_t len);
/* The stored specification, allocated. */
int store_sql_copy_spec(struct store_sql *sql, int64_t id, char **spec, size_t *spec_len);
/* An ended job is gone. */
int store_sql_forget(struct store_sql *sql, const struct store_current *job);

/* A job that goes into the tables. */
struct store_new {
    struct store_insert *insert; /* id, seq and state are there; its text is in sql->text */
    int64_t run_at_us, deadline_us;
    uint32_t waits;
    const unsigned char *body; /* with a key */
};

int store_sql_pending_open(struct store_sql *sql);
void store_sql_pending_close(struct store_sql *sql);
int store_sql_pending_add(struct store_sql *sql, const struct store_new *job);
void store_sql_pending_drop(struct store_sql *sql); /* they are not to be */

/* For statements on tables that pending jobs have nothing in. */
static inline struct sql_stmt *store_sql_stmt_beside(struct store_sql *sql,
                                                     enum store_statement name)
{
    return sql->stmts[name];
}

/* For all others. */
static inline struct sql_stmt *store_sql_stmt(struct store_sql *sql, enum store_statement name)
{
    assert(!sql->unsettled); /* it would not see them */
    return sql->stmts[name];
}
#endif
