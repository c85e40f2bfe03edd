/* A database file on the calling thread: the only place that knows SQLite.
 *
 * One connection, locked exclusively before it goes into WAL mode (so there is no shared memory
 * file, outsiders are refused, and the WAL-reset race between connections of SQLite up to 3.51.2
 * cannot occur), synchronous FULL: what COMMIT has said is on disk. Nothing here is safe on two
 * threads at once; all of it may block.
 *
 * 0 or a negative errno: -ENOMEM; -ENOSPC (full); -EIO; -EUCLEAN (not a database, damaged); -EBUSY
 * (locked by another); -EEXIST (constraint); -EROFS; -EACCES; -EINVAL (the statement itself). */
#ifndef SQL_H
#define SQL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;      /* a connection */
struct sql_stmt; /* a prepared statement */

/* Creates the file (0600) when missing. Says why not in error (size bytes). */
int sql_open(struct sql **out, const char *path, char *error, size_t size);
/* Finalise every statement first. The WAL is checkpointed and removed. NULL is fine. */
void sql_close(struct sql *db);
const char *sql_error(struct sql *db); /* of the last failure; valid until the next call */

int sql_exec(struct sql *db, const char *text);
int sql_begin(struct sql *db);
int sql_commit(struct sql *db);    /* a failed one leaves the transaction open: roll back */
void sql_rollback(struct sql *db); /* also when SQLite has rolled back by itself */
bool sql_in_transaction(struct sql *db);
int sql_savepoint(struct sql *db);
int sql_savepoint_keep(struct sql *db);
int sql_savepoint_undo(struct sql *db);

/* `kept`: it will live long (prepared once, used often). */
int sql_prepare(struct sql *db, const char *text, bool kept, struct sql_stmt **out);
void sql_finalize(struct sql_stmt *stmt); /* NULL is fine */

/* Parameters count from 1. Text and blobs are borrowed until the statement is reset. A failure to
 * bind (out of memory) is reported by the next step. */
void sql_bind_int(struct sql_stmt *stmt, int index, int64_t value);
void sql_bind_int_or_null(struct sql_stmt *stmt, int index, int64_t value, int64_t null_value);
void sql_bind_text(struct sql_stmt *stmt, int index, const char *text); /* NULL: null */
void sql_bind_text_n(struct sql_stmt *stmt, int index, const char *text, size_t size);
void sql_bind_blob(struct sql_stmt *stmt, int index, const void *data, size_t size);

#define SQL_ROW 1
/* SQL_ROW, 0 (no more rows; the statement is reset) or negative (reset too). */
int sql_step(struct sql_stmt *stmt);
int sql_run(struct sql_stmt *stmt);    /* a statement without rows: steps and resets */
void sql_reset(struct sql_stmt *stmt); /* after the last row that is wanted; bindings stay */

/* Columns count from 0. Pointers are valid until the next step or reset. */
int64_t sql_int(struct sql_stmt *stmt, int column);
int64_t sql_int_or(struct sql_stmt *stmt, int column, int64_t null_value);
bool sql_is_null(struct sql_stmt *stmt, int column);
const char *sql_text(struct sql_stmt *stmt, int column,
                     size_t *size); /* NULL: null; size may be NULL */
const void *sql_blob(struct sql_stmt *stmt, int column, size_t *size);

int64_t sql_changes(struct sql *db); /* rows the last statement changed */
int sql_pragma_int(struct sql *db, const char *name, int64_t *value); /* "page_count" */
size_t sql_wal_pages(const struct sql *db); /* in the WAL after the last commit */
/* Moves the WAL's pages home; `truncate` also empties the file, which drops pages of transactions
 * that failed. */
int sql_checkpoint(struct sql *db, bool truncate);
#endif
