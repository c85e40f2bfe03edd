/* Tables through libsmartcols. Its own escaping is off: cells are cleaned by terminal_clean, in
 * one style with every other message. */
#include "table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

struct table {
    struct libscols_table *scols; /* counted */
    struct libscols_line *line;   /* borrowed from scols */
    bool failed;
};

struct table *table_create(const struct column *columns, size_t count, bool color, bool titles)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table) {
        return NULL;
    }
    table->scols = scols_new_table();
    if (!table->scols) {
        free(table);
        return NULL;
    }
    table->failed = scols_table_enable_colors(table->scols, color) < 0 ||
                    scols_table_enable_noencoding(table->scols, 1) < 0 ||
                    scols_table_enable_noheadings(table->scols, !titles) < 0 ||
                    scols_table_set_column_separator(table->scols, "  ") < 0;
    for (size_t i = 0; i < count; i++) {
        int flags =
            (columns[i].right ? SCOLS_FL_RIGHT : 0) | (columns[i].trunc ? SCOLS_FL_TRUNC : 0);
        if (!scols_table_new_column(table->scols, columns[i].title, 0, flags)) {
            table->failed = true;
        }
    }
    return table;
}

void table_destroy(struct table *table)
{
    if (!table) {
        return;
    }
    scols_unref_table(table->scols);
    free(table);
}

bool table_row(struct table *table)
{
    table->line = scols_table_new_line(table->scols, NULL);
    table->failed |= !table->line;
    return !table->failed;
}

void table_cell(struct table *table, size_t column, const char *text, const char *color)
{
    struct buf clean = BUF_INIT;
    if (table->failed) {
        return;
    }
    if (text) {
        terminal_clean(&clean, text, strlen(text));
    } else {
        buf_putc(&clean, '-');
    }
    table->failed = clean.failed || scols_line_set_data(table->line, column, buf_text(&clean)) < 0;
    buf_free(&clean);
    if (!table->failed && color) {
        struct libscols_cell *cell = scols_line_get_cell(table->line, column);
        table->failed = !cell || scols_cell_set_color(cell, color) < 0;
    }
}

int table_print(struct ctl *ctl, struct table *table)
{
    bool failed = !table || table->failed || scols_print_table(table->scols) < 0;
    table_destroy(table);
    return failed ? ctl_out_of_memory(ctl) : 0;
}
