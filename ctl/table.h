/* A table on standard output: libsmartcols behind a few calls. Cells are cleaned here, so no
 * caller can forget it. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl.h"

struct table;

struct column {
    const char *title;
    bool right; /* numbers */
    bool trunc; /* gives way first when the terminal is narrow */
};

/* NULL: out of memory. color: cells may be coloured. */
struct table *table_create(const struct column *columns, size_t count, bool color, bool titles);
void table_destroy(struct table *table);
/* False: out of memory; table_print then says so. */
bool table_row(struct table *table);
/* Cell of the last row; text is copied and cleaned, NULL is "-". color NULL: none. */
void table_cell(struct table *table, size_t column, const char *text, const char *color);
/* Prints and destroys. 0 or an exit status. Takes NULL: out of memory. */
int table_print(struct ctl *ctl, struct table *table);

#endif
