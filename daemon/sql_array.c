/* See sql_array.h. To SQLite it is an eponymous virtual table: never created, only walked from its
 * first row to its last. */
#include "sql_array.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql_private.h"

struct table {
    sqlite3_vtab base; /* first: SQLite knows this part */
    const struct sql_array *array;
};

struct cursor {
    sqlite3_vtab_cursor base;
    size_t row;
};

static const struct sql_array *array_of(const struct cursor *cursor)
{
    return ((const struct table *)(const void *)cursor->base.pVtab)->array;
}

static int connect_table(sqlite3 *handle, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **error)
{
    (void)argc;
    (void)argv;
    (void)error;
    const struct sql_array *array = data;
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return SQLITE_NOMEM;
    }
    table->array = array;
    char *text = sqlite3_mprintf("CREATE TABLE x (%s)", array->columns);
    int code = text != NULL ? sqlite3_declare_vtab(handle, text) : SQLITE_NOMEM;
    sqlite3_free(text);
    if (code != SQLITE_OK) {
        free(table);
        return code;
    }
    *out = &table->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

/* There is one way to walk it. */
static int plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    (void)info;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    struct cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int rewind_cursor(sqlite3_vtab_cursor *base, int plan_number, const char *plan_text,
                         int argc, sqlite3_value **argv)
{
    (void)plan_number;
    (void)plan_text;
    (void)argc;
    (void)argv;
    ((struct cursor *)(void *)base)->row = 0;
    return SQLITE_OK;
}

static int advance(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)(void *)base)->row++;
    return SQLITE_OK;
}

static int is_over(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)(const void *)base;
    const struct sql_array *array = array_of(cursor);
    return cursor->row >= array->count(array->ctx);
}

static int give_cell(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = (const struct cursor *)(const void *)base;
    const struct sql_array *array = array_of(cursor);
    array->cell(array->ctx, cursor->row, column, (struct sql_cell *)(void *)context);
    return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const struct cursor *)(const void *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect_table, /* without xCreate: there without being created */
    .xBestIndex = plan,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = rewind_cursor,
    .xNext = advance,
    .xEof = is_over,
    .xColumn = give_cell,
    .xRowid = give_rowid,
};

int sql_array_add(struct sql *db, const struct sql_array *array)
{
    struct sql_array *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return -ENOMEM;
    }
    *copy = *array;
    /* Frees the copy itself when it fails. */
    return sql_errno(sqlite3_create_module_v2(sql_handle(db), array->name, &module, copy, free));
}

static sqlite3_context *context_of(struct sql_cell *cell)
{
    return (sqlite3_context *)(void *)cell;
}

void sql_cell_int(struct sql_cell *cell, int64_t value)
{
    sqlite3_result_int64(context_of(cell), value);
}

void sql_cell_text(struct sql_cell *cell, const char *text, size_t size)
{
    sqlite3_result_text64(context_of(cell), text, size, SQLITE_STATIC, SQLITE_UTF8);
}

void sql_cell_blob(struct sql_cell *cell, const void *data, size_t size)
{
    sqlite3_result_blob64(context_of(cell), data, size, SQLITE_STATIC);
}
