/* The terminal, full-screen: the only part that knows ncurses. One screen a process. */
#ifndef CTL_TOP_SCREEN_H
#define CTL_TOP_SCREEN_H

#include <stdbool.h>

#include "top_grid.h"

/* Beyond the bytes of text. */
enum top_key {
    TOP_KEY_UP = 1000,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_ENTER,
    TOP_KEY_ESCAPE,
    TOP_KEY_ERASE,
    TOP_KEY_RESIZE,
    TOP_KEY_REDRAW
};

/* Takes the terminal over. False, and nothing was changed: it cannot move its cursor, or nobody knows its name. color: it may
 * have colours; without, and where it has none, the styles are bold and reverse. */
bool top_screen_open(bool color);
/* Gives the terminal back as it was. May be called twice, and after a failed open. */
void top_screen_close(void);
void top_screen_size(int *width, int *height);
/* Shows the cells; only what changed travels. */
void top_screen_show(const struct grid *grid);
/* All of them again, whatever the terminal may show. */
void top_screen_redraw(void);
/* The next key that was pressed: a byte of text or enum top_key; -1: none, it never waits. */
int top_screen_key(void);

#endif
