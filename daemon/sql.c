/* A database file on the calling thread. Everything of SQLite ends here: its codes become errnos,
 * its handles ours. Used by store_sql on the store's thread, and by nobody else. */
#include "sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql_private.h"
#include "sql_wal.h"

struct sql {
    sqlite3 *handle; /* owned */
    size_t wal_pages;
    sqlite3_stmt *begin, *commit, *savepoint, *keep, *undo; /* owned */
};

static sqlite3_stmt *raw(struct sql_stmt *stmt)
{
    return (sqlite3_stmt *)(void *)stmt;
}

int sql_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EUCLEAN;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_CONSTRAINT: return -EEXIST;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH: return -EACCES;
    case SQLITE_TOOBIG: return -E2BIG;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA: return -EINVAL;
    default: return -EIO; /* IOERR, CANTOPEN, PROTOCOL and whatever is added */
    }
}

struct sqlite3 *sql_handle(struct sql *db)
{
    return db->handle;
}

static int on_wal(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    ((struct sql *)ctx)->wal_pages = (size_t)pages;
    return SQLITE_OK;
}

/* A pragma that answers with the value it took. */
static int pragma_is(struct sql *db, const char *text, const char *wanted)
{
    sqlite3_stmt *stmt = NULL;
    int r = sqlite3_prepare_v2(db->handle, text, -1, &stmt, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(stmt);
    }
    if (r == SQLITE_ROW) {
        const char *answer = (const char *)sqlite3_column_text(stmt, 0);
        r = answer != NULL && sqlite3_stricmp(answer, wanted) == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
    }
    sqlite3_finalize(stmt);
    return sql_errno(r);
}

static int prepare(struct sql *db, const char *text, sqlite3_stmt **out)
{
    return sql_errno(sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL));
}

static int configure(struct sql *db)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_wal_hook(db->handle, on_wal, db); /* replaces the checkpoint inside COMMIT by ours */
    int r = pragma_is(db, "PRAGMA locking_mode=EXCLUSIVE", "exclusive");
    if (r == 0) {
        r = pragma_is(db, "PRAGMA journal_mode=WAL", "wal");
    }
    /* The WAL keeps its length, so that a commit changes no metadata; a page of cache is cheaper
     * than a read. */
    if (r == 0) {
        r = sql_exec(db,
                     "PRAGMA synchronous=FULL; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;"
                     "PRAGMA foreign_keys=OFF; PRAGMA trusted_schema=OFF");
    }
    /* A write, so that the lock is taken now and not by the first job. */
    if (r == 0) {
        r = sql_exec(db, "BEGIN IMMEDIATE; COMMIT");
    }
    if (r == 0) {
        r = prepare(db, "BEGIN", &db->begin);
    }
    if (r == 0) {
        r = prepare(db, "COMMIT", &db->commit);
    }
    if (r == 0) {
        r = prepare(db, "SAVEPOINT one", &db->savepoint);
    }
    if (r == 0) {
        r = prepare(db, "RELEASE one", &db->keep);
    }
    if (r == 0) {
        r = prepare(db, "ROLLBACK TO one", &db->undo);
    }
    return r;
}

/* Nobody reads SQLite's accounts of its memory, and keeping them costs a lock an allocation. */
static void set_up(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused once SQLite is in use: no harm */
}

int sql_open(struct sql **out, const char *path, char *error, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    (void)pthread_once(&once, set_up);
    struct sql *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return -ENOMEM;
    }
    /* SQLite would create it with the mask of whoever started us. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int r = -errno;
        snprintf(error, size, "%s: cannot be opened", path);
        free(db);
        return r;
    }
    close(fd);
    int code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                               sql_wal_vfs());
    int r = code == SQLITE_OK ? configure(db) : sql_errno(code);
    if (r < 0) {
        snprintf(error, size, "%s: %s", path, db->handle ? sqlite3_errmsg(db->handle) : "no memory");
        sql_close(db);
        return r;
    }
    *out = db;
    return 0;
}

void sql_close(struct sql *db)
{
    if (db == NULL) {
        return;
    }
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_finalize(db->savepoint);
    sqlite3_finalize(db->keep);
    sqlite3_finalize(db->undo);
    int r = sqlite3_close(db->handle);
    assert(r == SQLITE_OK); /* a statement was forgotten */
    (void)r;
    free(db);
}

const char *sql_error(struct sql *db)
{
    return sqlite3_errmsg(db->handle);
}

int sql_exec(struct sql *db, const char *text)
{
    return sql_errno(sqlite3_exec(db->handle, text, NULL, NULL, NULL));
}

static int run(sqlite3_stmt *stmt)
{
    int r = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return sql_errno(r);
}

int sql_begin(struct sql *db)
{
    assert(sqlite3_get_autocommit(db->handle));
    return run(db->begin);
}

int sql_commit(struct sql *db)
{
    /* Full disks and I/O errors may have rolled back already: that is no commit. */
    return sqlite3_get_autocommit(db->handle) ? -EIO : run(db->commit);
}

void sql_rollback(struct sql *db)
{
    if (!sqlite3_get_autocommit(db->handle)) {
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

bool sql_in_transaction(struct sql *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int sql_savepoint(struct sql *db)
{
    return run(db->savepoint);
}

int sql_savepoint_keep(struct sql *db)
{
    return run(db->keep);
}

int sql_savepoint_undo(struct sql *db)
{
    int r = run(db->undo);
    return r < 0 ? r : run(db->keep);
}

int sql_prepare(struct sql *db, const char *text, bool kept, struct sql_stmt **out)
{
    sqlite3_stmt *stmt = NULL;
    int r =
        sqlite3_prepare_v3(db->handle, text, -1, kept ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL);
    *out = (struct sql_stmt *)(void *)stmt;
    return sql_errno(r);
}

void sql_finalize(struct sql_stmt *stmt)
{
    sqlite3_finalize(raw(stmt));
}

/* Borrowed values are bound without an allocation: a failure is a wrong index or an absurd size,
 * ours. */
static void bound(int code)
{
    assert(code == SQLITE_OK);
    (void)code;
}

void sql_bind_int(struct sql_stmt *stmt, int index, int64_t value)
{
    bound(sqlite3_bind_int64(raw(stmt), index, value));
}

void sql_bind_int_or_null(struct sql_stmt *stmt, int index, int64_t value, int64_t null_value)
{
    bound(value == null_value ? sqlite3_bind_null(raw(stmt), index)
                              : sqlite3_bind_int64(raw(stmt), index, value));
}

void sql_bind_text(struct sql_stmt *stmt, int index, const char *text)
{
    bound(sqlite3_bind_text(raw(stmt), index, text, -1, SQLITE_STATIC));
}

void sql_bind_text_n(struct sql_stmt *stmt, int index, const char *text, size_t size)
{
    assert(size <= INT32_MAX);
    bound(sqlite3_bind_text(raw(stmt), index, text, (int)size, SQLITE_STATIC));
}

void sql_bind_blob(struct sql_stmt *stmt, int index, const void *data, size_t size)
{
    assert(size <= INT32_MAX);
    bound(sqlite3_bind_blob(raw(stmt), index, data, (int)size, SQLITE_STATIC));
}

int sql_step(struct sql_stmt *stmt)
{
    int r = sqlite3_step(raw(stmt));
    if (r == SQLITE_ROW) {
        return SQL_ROW;
    }
    sqlite3_reset(raw(stmt));
    return sql_errno(r);
}

int sql_run(struct sql_stmt *stmt)
{
    return run(raw(stmt));
}

void sql_reset(struct sql_stmt *stmt)
{
    sqlite3_reset(raw(stmt));
}

int64_t sql_int(struct sql_stmt *stmt, int column)
{
    return sqlite3_column_int64(raw(stmt), column);
}

int64_t sql_int_or(struct sql_stmt *stmt, int column, int64_t null_value)
{
    return sql_is_null(stmt, column) ? null_value : sql_int(stmt, column);
}

bool sql_is_null(struct sql_stmt *stmt, int column)
{
    return sqlite3_column_type(raw(stmt), column) == SQLITE_NULL;
}

const char *sql_text(struct sql_stmt *stmt, int column, size_t *size)
{
    const char *text = (const char *)sqlite3_column_text(raw(stmt), column);
    if (size != NULL) {
        *size = text ? (size_t)sqlite3_column_bytes(raw(stmt), column) : 0;
    }
    return text;
}

const void *sql_blob(struct sql_stmt *stmt, int column, size_t *size)
{
    const void *data = sqlite3_column_blob(raw(stmt), column);
    *size = data ? (size_t)sqlite3_column_bytes(raw(stmt), column) : 0;
    return data;
}

int64_t sql_changes(struct sql *db)
{
    return sqlite3_changes64(db->handle);
}

int sql_pragma_int(struct sql *db, const char *name, int64_t *value)
{
    char text[64];
    struct sql_stmt *stmt = NULL;
    snprintf(text, sizeof text, "PRAGMA %s", name);
    int r = sql_prepare(db, text, false, &stmt);
    if (r == 0) {
        r = sql_step(stmt);
    }
    if (r == SQL_ROW) {
        *value = sql_int(stmt, 0);
        r = 0;
    }
    sql_finalize(stmt);
    return r;
}

size_t sql_wal_pages(const struct sql *db)
{
    return db->wal_pages;
}

int sql_checkpoint(struct sql *db, bool truncate)
{
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    int r = sql_errno(sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL));
    if (r == 0) {
        db->wal_pages = 0;
    }
    return r;
}
