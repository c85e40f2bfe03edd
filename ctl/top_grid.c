/* See top_grid.h. */
#include "top_grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "wire/text.h"

bool grid_reset(struct grid *grid, int width, int height, bool utf8)
{
    size_t count = (size_t)(width > 0 ? width : 0) * (size_t)(height > 0 ? height : 0);
    struct grid_cell *cells = realloc(grid->cells, (count > 0 ? count : 1) * sizeof *cells);
    grid->utf8 = utf8;
    if (!cells) {
        grid->width = grid->height = 0;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        cells[i] = (struct grid_cell){' ', GRID_PLAIN};
    }
    grid->cells = cells;
    grid->width = width > 0 ? width : 0;
    grid->height = height > 0 ? height : 0;
    return true;
}

void grid_fini(struct grid *grid)
{
    free(grid->cells);
    memset(grid, 0, sizeof *grid);
}

/* The next character of text and its width in columns. False: the end. What is no text, or takes no column, is a "?". */
static bool next_char(const struct grid *grid, const char **text, uint32_t *c, int *columns)
{
    const unsigned char *s = (const unsigned char *)*text;
    size_t n = *s ? text_utf8_length(*text, *text + strlen(*text)) : 0;
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    if (!*s) {
        return false;
    }
    *c = n > 0 ? s[0] & first_bits[n] : '?';
    for (size_t i = 1; i < n; i++) {
        *c = *c << 6 | (s[i] & 0x3f);
    }
    *text += n > 0 ? n : 1;
    *columns = n > 1 && grid->utf8 ? wcwidth((wchar_t)*c) : 1;
    if (*columns < 1 || *c < ' ' || (n > 1 && !grid->utf8)) {
        *c = '?';
        *columns = 1;
    }
    return true;
}

static bool is_row(const struct grid *grid, int y)
{
    return y >= 0 && y < grid->height;
}

int grid_put(struct grid *grid, int y, int x, int end, enum grid_style style, const char *text)
{
    uint32_t c;
    int columns;
    end = end < grid->width ? end : grid->width;
    while (is_row(grid, y) && x >= 0 && next_char(grid, &text, &c, &columns)) {
        if (x + columns > end) {
            break;
        }
        struct grid_cell *cell = &grid->cells[y * grid->width + x];
        cell[0] = (struct grid_cell){c, (uint8_t)style};
        if (columns == 2) {
            cell[1] = (struct grid_cell){0, (uint8_t)style};
        }
        x += columns;
    }
    return x;
}

int grid_putf(struct grid *grid, int y, int x, int end, enum grid_style style, const char *format,
              ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return grid_put(grid, y, x, end, style, text);
}

int grid_columns(const struct grid *grid, const char *text)
{
    uint32_t c;
    int columns, sum = 0;
    while (next_char(grid, &text, &c, &columns)) {
        sum += columns;
    }
    return sum;
}

void grid_style(struct grid *grid, int y, int x, enum grid_style style)
{
    for (; is_row(grid, y) && x >= 0 && x < grid->width; x++) {
        grid->cells[y * grid->width + x].style = (uint8_t)style;
    }
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

void grid_text(const struct grid *grid, int y, struct buf *out)
{
    int end = is_row(grid, y) ? grid->width : 0;
    const struct grid_cell *row = grid->cells + (ptrdiff_t)y * grid->width;
    while (end > 0 && row[end - 1].c == ' ') {
        end--;
    }
    for (int x = 0; x < end; x++) {
        if (row[x].c != 0) {
            put_utf8(out, row[x].c);
        }
    }
    buf_putc(out, '\n');
}
