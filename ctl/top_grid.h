/* Cells of a screen: what a view draws on, and what a terminal, a file or a test makes of it. Pure.
 *
 * Everything is clipped; nothing wraps. Text that reaches the grid is harmless already (top_text). */
#ifndef CTL_TOP_GRID_H
#define CTL_TOP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buf.h"

enum grid_style {
    GRID_PLAIN,
    GRID_LABEL, /* what a number means */
    GRID_BOLD,
    GRID_TITLE, /* a bar across the screen */
    GRID_SELECTED,
    GRID_GOOD,
    GRID_WARN,
    GRID_BAD,
    GRID_STYLES
};

struct grid_cell {
    uint32_t c; /* code point; 0: the right half of the wide character before */
    uint8_t style;
};

struct grid {
    int width, height;
    bool utf8;               /* else whatever is not ASCII shows as "?" */
    struct grid_cell *cells; /* owned; height × width */
};

/* Spaces all over. False: out of memory; the grid is 0 × 0 then. The old contents are gone. */
bool grid_reset(struct grid *grid, int width, int height, bool utf8);
void grid_fini(struct grid *grid);

/* Writes text from column x on, up to column `end` (exclusive; cut at the grid's edge). The column behind it. */
int grid_put(struct grid *grid, int y, int x, int end, enum grid_style style, const char *text);
int grid_putf(struct grid *grid, int y, int x, int end, enum grid_style style, const char *format,
              ...) __attribute__((format(printf, 6, 7)));
/* Columns that a text takes. */
int grid_columns(const struct grid *grid, const char *text);
/* Gives the rest of a row, from x on, a style. */
void grid_style(struct grid *grid, int y, int x, enum grid_style style);

/* A row as UTF-8 text without the spaces at its end, and a newline. */
void grid_text(const struct grid *grid, int y, struct buf *out);

#endif
