/* Between the files of sql. */
#ifndef SQL_PRIVATE_H
#define SQL_PRIVATE_H
#include "sql.h"

struct sqlite3;

struct sqlite3 *sql_handle(struct sql *db); /* SQLite's own */
int sql_errno(int code);                    /* of SQLite's code */
#endif
