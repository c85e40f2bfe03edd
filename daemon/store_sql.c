/* The store's database: opening, migrating, transactions and their upkeep. What one request does is
 * in store_sql_insert (new jobs), store_sql_move (arrows), store_sql_read (looking) and
 * store_sql_expire (recovery, retention).
 *
 * Everything happens inside a transaction of the caller's, which may hold a thousand requests: a
 * request therefore looks before it writes, and answers STORE_REFUSED and the like with nothing
 * changed. What is counted in memory follows the transaction (store_counters). */
#include "store_sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/schema.h"
#include "store_sql_private.h"

#define LAST_ID           "last_id"
#define CHECKPOINT_PAGES  2000 /* 8 MiB: what a restart reads at most, about */
#define EVENTS_TRIM_BATCH 4096

static const char *const statement_texts[STMT_COUNT] = {
#define STORE_STATEMENT_TEXT(name, text) [STMT_##name] = (text),
    STORE_STATEMENTS(STORE_STATEMENT_TEXT)
#undef STORE_STATEMENT_TEXT
};

/* --- opening ---------------------------------------------------------------------------------- */

static int explain(struct store_sql *sql, int r, char *error, size_t size, const char *what)
{
    if (r < 0) {
        snprintf(error, size, "%s: %s", what, sql_error(sql->db));
    }
    return r;
}

/* One migration, one transaction: a crash in the middle leaves the version before it. */
static int migrate_one(struct store_sql *sql, int version)
{
    char pragma[48];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", version);
    int r = sql_begin(sql->db);
    const char *const *statement = schema_migrations[version - 1];
    for (; r == 0 && *statement != NULL; statement++) {
        r = sql_exec(sql->db, *statement);
    }
    if (r == 0) {
        r = sql_exec(sql->db, pragma);
    }
    if (r == 0) {
        r = sql_commit(sql->db);
    }
    return r;
}

static int migrate(struct store_sql *sql, const char *path, char *error, size_t size)
{
    int64_t version = 0;
    int r = explain(sql, sql_pragma_int(sql->db, "user_version", &version), error, size, path);
    if (r < 0) {
        return r;
    }
    if (version > schema_version) {
        snprintf(error, size,
                 "%s has schema %lld, this program knows up to %d: it was written by a "
                 "newer coschedd",
                 path, (long long)version, schema_version);
        return STORE_NEWER;
    }
    for (int next = (int)version + 1; r == 0 && next <= schema_version; next++) {
        r = explain(sql, migrate_one(sql, next), error, size, path);
        sql_rollback(sql->db);
    }
    return r;
}

static int query_ints(struct store_sql *sql, const char *text, int64_t *first, int64_t *second)
{
    struct sql_stmt *stmt = NULL;
    int r = sql_prepare(sql->db, text, false, &stmt);
    if (r == 0) {
        r = sql_step(stmt);
    }
    if (r == SQL_ROW) {
        *first = sql_int(stmt, 0); /* null reads as 0 */
        if (second != NULL) {
            *second = sql_int(stmt, 1);
        }
        r = 0;
    }
    sql_finalize(stmt);
    return r;
}

static int count_up(struct store_sql *sql)
{
    struct store_counters *now = &sql->now;
    int64_t expiring = 0, expiring_bytes = 0, max_id = 0;
    int r = query_ints(sql, "SELECT max(id) FROM jobs", &max_id, NULL);
    if (r == 0) {
        r = query_ints(sql, "SELECT CAST(value AS INTEGER) FROM settings WHERE name = '" LAST_ID "'",
                       &now->last_id, NULL);
    }
    now->written_id = now->last_id;
    if (now->last_id < max_id) {
        now->last_id = max_id;
    }
    if (r == 0) {
        r = query_ints(sql,
                       "SELECT (SELECT seq + more FROM events ORDER BY seq DESC LIMIT 1), min(seq)"
                       " FROM events",
                       &now->last_seq, &now->trimmed_seq);
    }
    now->trimmed_seq -= now->trimmed_seq > 0;
    if (r == 0) {
        r = query_ints(sql,
                       "SELECT count(*), sum(bytes) FROM jobs INDEXED BY jobs_ended"
                       " WHERE state >= 5 AND expires_us IS NULL",
                       &now->ended, &now->ended_bytes);
    }
    if (r == 0) {
        r = query_ints(sql,
                       "SELECT count(*), sum(bytes) FROM jobs INDEXED BY jobs_expiring"
                       " WHERE expires_us IS NOT NULL",
                       &expiring, &expiring_bytes);
    }
    now->ended += expiring;
    now->ended_bytes += expiring_bytes;
    sql->saved = *now;
    return r;
}

static int begin_life(struct store_sql *sql, const struct store_sql_config *config)
{
    struct sql_stmt *stmt = NULL;
    int r = query_ints(sql, "SELECT max(life) FROM lives", &sql->life, NULL);
    sql->life++;
    if (r == 0) {
        r = sql_prepare(sql->db, "INSERT INTO lives VALUES (?1, ?2, ?3)", false, &stmt);
    }
    if (r == 0) {
        sql_bind_int(stmt, 1, sql->life);
        sql_bind_text(stmt, 2, config->boot_id);
        sql_bind_int(stmt, 3, config->now_us);
        r = sql_run(stmt);
    }
    sql_finalize(stmt);
    return r;
}

static int prepare_all(struct store_sql *sql)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        int r = sql_prepare(sql->db, statement_texts[i], true, &sql->stmts[i]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int open_parts(struct store_sql *sql, const struct store_sql_config *config, char *error,
                      size_t size)
{
    int r = sql_open(&sql->db, config->path, error, size);
    if (r < 0) {
        return r == -EBUSY ? STORE_LOCKED : r;
    }
    r = migrate(sql, config->path, error, size);
    if (r != STORE_OK) {
        return r;
    }
    if (config->pages_max > 0) {
        char pragma[64];
        snprintf(pragma, sizeof pragma, "PRAGMA max_page_count=%u", (unsigned)config->pages_max);
        r = sql_exec(sql->db, pragma);
    }
    if (r == 0) {
        r = store_sql_pending_open(sql);
    }
    if (r == 0) {
        r = prepare_all(sql);
    }
    if (r == 0) {
        r = count_up(sql);
    }
    if (r == 0) {
        r = begin_life(sql, config);
    }
    return explain(sql, r, error, size, config->path);
}

int store_sql_open(struct store_sql **out, const struct store_sql_config *config, char *error,
                   size_t size)
{
    *out = NULL;
    snprintf(error, size, "out of memory");
    struct store_sql *sql = calloc(1, sizeof *sql);
    if (sql == NULL) {
        return -ENOMEM;
    }
    sql->text = BUF_INIT;
    int r = open_parts(sql, config, error, size);
    if (r != STORE_OK) {
        store_sql_close(sql);
        return r;
    }
    *out = sql;
    return STORE_OK;
}

void store_sql_close(struct store_sql *sql)
{
    if (sql == NULL) {
        return;
    }
    for (int i = 0; i < STMT_COUNT; i++) {
        sql_finalize(sql->stmts[i]);
    }
    for (size_t i = 0; i < sizeof sql->gets / sizeof sql->gets[0]; i++) {
        sql_finalize(sql->gets[i]);
    }
    sql_close(sql->db);
    store_sql_pending_close(sql);
    buf_free(&sql->text);
    free(sql);
}

const char *store_sql_error(struct store_sql *sql)
{
    return sql_error(sql->db);
}

/* --- transactions ----------------------------------------------------------------------------- */

int store_sql_begin(struct store_sql *sql)
{
    sql->saved = sql->now;
    sql->settle_failed = 0;
    return sql_begin(sql->db);
}

/* What every transaction owes: events beyond the limit go, in strides. */
static int trim_events(struct store_sql *sql)
{
    int64_t limit = sql->now.last_seq - STORE_EVENTS_KEPT;
    if (limit < sql->now.trimmed_seq + EVENTS_TRIM_BATCH) {
        return 0;
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_EVENTS_TRIM);
    sql_bind_int(stmt, 1, limit);
    sql->now.trimmed_seq = limit;
    return sql_run(stmt);
}

int store_sql_commit(struct store_sql *sql)
{
    int r = store_sql_settle(sql);
    if (r == 0) {
        r = trim_events(sql);
    }
    return r < 0 ? r : sql_commit(sql->db);
}

void store_sql_rollback(struct store_sql *sql)
{
    sql_rollback(sql->db);
    store_sql_pending_drop(sql);
    sql->settle_failed = 0;
    sql->now = sql->saved;
}

bool store_sql_in_transaction(struct store_sql *sql)
{
    return sql_in_transaction(sql->db);
}

int store_sql_maintain(struct store_sql *sql)
{
    if (sql_wal_pages(sql->db) < CHECKPOINT_PAGES) {
        return 0;
    }
    int r = sql_checkpoint(sql->db, false);
    return r < 0 ? r : 1;
}

int store_sql_heal(struct store_sql *sql)
{
    return sql_checkpoint(sql->db, true);
}

void store_sql_sizes(struct store_sql *sql, struct store_stats *out)
{
    int64_t pages = 0, page_size = 0;
    if (sql_pragma_int(sql->db, "page_count", &pages) == 0 &&
        sql_pragma_int(sql->db, "page_size", &page_size) == 0) {
        out->db_bytes = (uint64_t)pages * (uint64_t)page_size;
        out->wal_bytes = sql_wal_pages(sql->db) * ((uint64_t)page_size + 24);
    }
    out->ended = (uint64_t)sql->now.ended;
    out->ended_bytes = (uint64_t)sql->now.ended_bytes;
}

/* --- small requests --------------------------------------------------------------------------- */

int store_sql_setting_put(struct store_sql *sql, const char *name, const char *value)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, value ? STMT_SETTING : STMT_SETTING_REMOVE);
    sql_bind_text(stmt, 1, name);
    if (value != NULL) {
        sql_bind_text(stmt, 2, value);
    }
    return sql_run(stmt);
}

int store_sql_setting_each(struct store_sql *sql,
                           int (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_SETTINGS);
    int r;
    while ((r = sql_step(stmt)) == SQL_ROW) {
        const char *name = sql_text(stmt, 0, NULL);
        if (strcmp(name, LAST_ID) == 0) {
            continue;
        }
        r = each(ctx, name, sql_text(stmt, 1, NULL));
        if (r < 0) {
            sql_reset(stmt);
            return r;
        }
    }
    return r;
}

int store_sql_forget(struct store_sql *sql, const struct store_current *job)
{
    static const enum store_statement removals[] = {STMT_REMOVE, STMT_TEXT_REMOVE,
                                                    STMT_ATTEMPTS_REMOVE, STMT_LABELS_REMOVE};

    assert(job_move(job->state, JOB_EVENT_REMOVE) == JOB_GONE);
    for (size_t i = 0; i < sizeof removals / sizeof removals[0]; i++) {
        struct sql_stmt *stmt = store_sql_stmt(sql, removals[i]);
        sql_bind_int(stmt, 1, job->id);
        int r = sql_run(stmt);
        if (r < 0) {
            return r;
        }
    }
    sql->now.ended--;
    sql->now.ended_bytes -= job->bytes;
    /* Only a removal can hide which ids were given. */
    if (sql->now.written_id < sql->now.last_id) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)sql->now.last_id);
        sql->now.written_id = sql->now.last_id;
        return store_sql_setting_put(sql, LAST_ID, text);
    }
    return 0;
}

int store_sql_backup(struct store_sql *sql, const char *path)
{
    struct sql_stmt *stmt = NULL;
    int r = sql_prepare(sql->db, "VACUUM INTO ?1", false, &stmt);
    if (r == 0) {
        sql_bind_text(stmt, 1, path);
        r = sql_run(stmt);
    }
    sql_finalize(stmt);
    return r;
}
