/* The store's database: blocking, on the calling thread, one request at a time inside a transaction
 * that the caller opens and commits. The store's task is the only caller; tests call it directly.
 *
 * Answers are those of store_types.h (STORE_OK, STORE_NOT_FOUND, STORE_CONFLICT, STORE_REFUSED),
 * which leave the transaction as it was, or a negative errno of sql.h, after which the caller rolls
 * back. */
#ifndef STORE_SQL_H
#define STORE_SQL_H
#include "store_types.h"

struct store_sql;

struct store_sql_config {
    const char *path;
    const char *boot_id;
    int64_t now_us;
    uint32_t pages_max; /* 0: no limit */
};

/* Opens, migrates, begins a life. STORE_LOCKED, STORE_NEWER or negative, with the reason in
 * error. */
int store_sql_open(struct store_sql **out, const struct store_sql_config *config, char *error,
                   size_t size);
void store_sql_close(struct store_sql *sql);
const char *store_sql_error(struct store_sql *sql);

int store_sql_begin(struct store_sql *sql);
int store_sql_commit(struct store_sql *sql);
void store_sql_rollback(struct store_sql *sql);
/* False: a failure has ended the transaction by itself; whatever follows would be committed one by
 * one. */
bool store_sql_in_transaction(struct store_sql *sql);
/* Between transactions: moves a grown WAL home. 1: it did; 0: nothing to do. */
int store_sql_maintain(struct store_sql *sql);
/* After an I/O error: empties the WAL of what failed, so that nothing refused can come back and
 * nothing accepted later stands behind a damaged frame. 0: writes may be tried again. */
int store_sql_heal(struct store_sql *sql);
void store_sql_sizes(struct store_sql *sql, struct store_stats *out);

/* New jobs may lie in memory until the commit, so that they are written together: settle before any
 * other request of the same transaction. A failure to write them lasts until the rollback. */
int store_sql_settle(struct store_sql *sql);
int store_sql_insert(struct store_sql *sql, struct store_insert *jobs, size_t count,
                     struct store_refusal *refusal);
int store_sql_start(struct store_sql *sql, int64_t id, uint32_t attempt, int64_t now_us,
                    char **spec, size_t *spec_len, int64_t *seq);
int store_sql_process(struct store_sql *sql, int64_t id, uint32_t attempt, pid_t pid,
                      uint64_t start_time);
int store_sql_finish(struct store_sql *sql, int64_t id, uint32_t attempt,
                     const struct job_outcome *outcome, struct job_decision *decision,
                     int64_t now_us, int64_t *seq, struct store_effects *effects);
int store_sql_moves(struct store_sql *sql, struct store_step *steps, size_t count, int64_t now_us,
                    struct store_effects *effects);
int store_sql_again(struct store_sql *sql, int64_t id, int64_t now_us, struct job_row *row,
                    char row_queue[SPEC_NAME_MAX + 1], int64_t *seq);
int store_sql_edit(struct store_sql *sql, int64_t id, struct store_edit *edit, int64_t now_us,
                   struct store_effects *effects);

int store_sql_queue_move(struct store_sql *sql, const char *from, const char *to, int64_t after,
                         int64_t *ids, size_t max, size_t *count);

int store_sql_get(struct store_sql *sql, int64_t id, unsigned with, struct store_job **out);
/* One slice of ids, from page->next (0: the newest) downwards, added to the page; page->next is 0
 * when it is complete. */
int store_sql_list(struct store_sql *sql, const struct store_filter *filter,
                   struct store_page *page);
int store_sql_load(struct store_sql *sql, int (*each)(void *ctx, const struct job_row *row),
                   void *ctx);

int store_sql_follow(struct store_sql *sql, struct store_follow *follow);

int store_sql_interrupted(struct store_sql *sql, struct store_recovery *recovery);
int store_sql_recover(struct store_sql *sql, struct store_recovery *recovery, int64_t now_us,
                      struct store_effects *effects);
int store_sql_expire(struct store_sql *sql, const struct store_retention *retention, int64_t *ids,
                     size_t max, size_t *count);
int store_sql_setting_put(struct store_sql *sql, const char *name, const char *value);
int store_sql_setting_each(struct store_sql *sql,
                           int (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* Outside transactions. */
int store_sql_backup(struct store_sql *sql, const char *path);
#endif
