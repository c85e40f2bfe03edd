/* A job's texts: its specification, which lies in its row when it is short, and its result. */
#include <errno.h>
#include <string.h>

#include "store_sql_private.h"

int store_sql_put_result(struct store_sql *sql, int64_t id, const char *result)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, result ? STMT_TEXT_RESULT : STMT_TEXT_RESULT_NONE);
    sql_bind_int(stmt, 1, id);
    if (result != NULL) {
        sql_bind_text(stmt, 2, result);
    }
    return sql_run(stmt);
}

static int put_text(struct store_sql *sql, enum store_statement name, int64_t id, const char *text,
                    size_t len)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, name);
    sql_bind_int(stmt, 1, id);
    if (name != STMT_TEXT_SPEC_NONE) {
        sql_bind_text_n(stmt, 2, text, len);
    }
    return sql_run(stmt);
}

int store_sql_put_spec(struct store_sql *sql, int64_t id, const char *text, size_t len)
{
    bool in_row = len <= SPEC_IN_ROW_MAX;
    int r = put_text(sql, STMT_SPEC_PUT, id, in_row ? text : NULL, in_row ? len : 0);
    return r < 0 ? r : put_text(sql, in_row ? STMT_TEXT_SPEC_NONE : STMT_TEXT_SPEC, id, text, len);
}

int store_sql_copy_spec(struct store_sql *sql, int64_t id, char **spec, size_t *spec_len)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_SPEC);
    sql_bind_int(stmt, 1, id);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r < 0 ? r : -EIO;
    }
    const char *text = sql_text(stmt, 0, spec_len);
    *spec = text ? strndup(text, *spec_len) : NULL;
    r = *spec != NULL ? 0 : sql_is_null(stmt, 0) ? -EIO : -ENOMEM;
    sql_reset(stmt);
    return r;
}
