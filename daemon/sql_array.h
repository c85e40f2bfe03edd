/* Rows in memory that statements read like a table: `INSERT INTO jobs SELECT … FROM pending` writes
 * them all with one start and one end of a statement, which cost as much as writing a row. */
#ifndef SQL_ARRAY_H
#define SQL_ARRAY_H
#include "sql.h"

struct sql_cell; /* where the value of a column goes; nothing is put: null */

/* Everything is called on the thread of the connection, while a statement that reads the table is
 * stepped. */
struct sql_array {
    const char *name;    /* of the table */
    const char *columns; /* "id, state": by number from 0 */
    size_t (*count)(void *ctx);
    void (*cell)(void *ctx, size_t row, int column, struct sql_cell *cell);
    void *ctx; /* borrowed until the connection is closed */
};

/* Before statements that read it are prepared. Copies *array; its strings are constants. */
int sql_array_add(struct sql *db, const struct sql_array *array);

void sql_cell_int(struct sql_cell *cell, int64_t value);
/* Borrowed until the row is left. */
void sql_cell_text(struct sql_cell *cell, const char *text, size_t size);
void sql_cell_blob(struct sql_cell *cell, const void *data, size_t size);
#endif
