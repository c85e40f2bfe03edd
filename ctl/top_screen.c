/* See top_screen.h. */
#include "top_screen.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

static SCREEN *screen; /* owned; NULL: not open */
static attr_t attributes[GRID_STYLES];
static short pairs[GRID_STYLES];

/* Asked before ncurses takes over, which would end the program where it cannot work. */
static bool is_capable(void)
{
    int error;
    if (setupterm(NULL, STDOUT_FILENO, &error) == ERR) {
        return false;
    }
    const char *move = tigetstr("cup"), *clear_text = tigetstr("clear");
    bool capable = move && move != (const char *)-1 && clear_text && clear_text != (const char *)-1;
    (void)del_curterm(cur_term);
    return capable;
}

static void color_style(enum grid_style style, short color)
{
    pairs[style] = (short)style;
    (void)init_pair((short)style, color, -1);
}

static void choose_styles(bool color)
{
    attributes[GRID_PLAIN] = attributes[GRID_LABEL] = A_NORMAL;
    attributes[GRID_BOLD] = attributes[GRID_GOOD] = attributes[GRID_WARN] = A_BOLD;
    attributes[GRID_TITLE] = attributes[GRID_SELECTED] = A_REVERSE;
    attributes[GRID_BAD] = A_BOLD | A_REVERSE;
    if (!color || !has_colors() || start_color() == ERR || use_default_colors() == ERR) {
        return;
    }
    color_style(GRID_GOOD, COLOR_GREEN);
    color_style(GRID_WARN, COLOR_YELLOW);
    color_style(GRID_BAD, COLOR_RED);
    color_style(GRID_LABEL, COLOR_CYAN);
    attributes[GRID_GOOD] = A_NORMAL;
    attributes[GRID_BAD] = A_BOLD;
}

bool top_screen_open(bool color)
{
    if (!is_capable()) {
        return false;
    }
    screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        return false;
    }
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(25);
    /* Terminals that were not told to send the keys of their description send these. */
    (void)define_key("\033[A", KEY_UP);
    (void)define_key("\033[B", KEY_DOWN);
    (void)define_key("\033[H", KEY_HOME);
    (void)define_key("\033[F", KEY_END);
    (void)curs_set(0);
    choose_styles(color);
    return true;
}

void top_screen_close(void)
{
    if (!screen) {
        return;
    }
    (void)endwin();
    delscreen(screen);
    screen = NULL;
}

/* Asked of the kernel each time: nothing depends on who was told of the change, and when. */
void top_screen_size(int *width, int *height)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        is_term_resized(size.ws_row, size.ws_col)) {
        (void)resizeterm(size.ws_row, size.ws_col);
        (void)clearok(curscr, TRUE);
    }
    getmaxyx(stdscr, *height, *width);
}

void top_screen_show(const struct grid *grid)
{
    (void)erase();
    for (int y = 0; y < grid->height; y++) {
        for (int x = 0; x < grid->width; x++) {
            const struct grid_cell *cell = &grid->cells[y * grid->width + x];
            wchar_t text[2] = {(wchar_t)cell->c, L'\0'};
            cchar_t c;
            if (cell->c == 0 ||
                setcchar(&c, text, attributes[cell->style], pairs[cell->style], NULL) == ERR) {
                continue;
            }
            /* In the last corner it draws, and complains that it cannot move on. */
            (void)mvadd_wch(y, x, &c);
        }
    }
    (void)move(grid->height > 0 ? grid->height - 1 : 0, 0);
    (void)refresh();
}

void top_screen_redraw(void)
{
    (void)clearok(curscr, TRUE);
}

int top_screen_key(void)
{
    int key = getch();
    switch (key) {
    case ERR: return -1;
    case KEY_UP: return TOP_KEY_UP;
    case KEY_DOWN: return TOP_KEY_DOWN;
    case KEY_PPAGE: return TOP_KEY_PAGE_UP;
    case KEY_NPAGE: return TOP_KEY_PAGE_DOWN;
    case KEY_HOME: return TOP_KEY_HOME;
    case KEY_END: return TOP_KEY_END;
    case KEY_ENTER:
    case '\r':
    case '\n': return TOP_KEY_ENTER;
    case 27: return TOP_KEY_ESCAPE;
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b': return TOP_KEY_ERASE;
    case KEY_RESIZE: return TOP_KEY_RESIZE;
    case '\f': return TOP_KEY_REDRAW;
    default: return key < 0x100 ? key : 0;
    }
}
