/* What top shows, laid out for a screen of any size. Pure: a model, a list and what the user is doing go in, cells come
 * out. What does not fit is left out whole: a number that is cut is a wrong number. */
#ifndef CTL_TOP_VIEW_H
#define CTL_TOP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "top_grid.h"
#include "top_jobs.h"
#include "top_model.h"

enum top_mode { TOP_LIST, TOP_HELP, TOP_DETAIL, TOP_FILTER, TOP_CONFIRM };

/* What the user is doing. */
struct top_ui {
    enum top_mode mode;
    bool paused;
    char input[TOP_FILTER_MAX]; /* TOP_FILTER: what is being typed */
    int64_t confirm;            /* TOP_CONFIRM: the job to cancel */
    char message[200];          /* of the last thing done; until the next key. Harmless */
    int64_t detail;             /* TOP_DETAIL: the job */
    struct buf lines;           /* owned; TOP_DETAIL: text in lines, harmless */
    int scroll;                 /* first line of TOP_DETAIL and TOP_HELP */
};

struct top_view {
    const struct top_model *model;
    const struct top_jobs *jobs;
    const struct top_ui *ui;
    const char *trouble; /* NULL: connected. Why not; harmless */
    double interval_s;
    int64_t now_us;
    bool plain; /* for a file: no bars, no keys, no selection */
};

/* Draws over the whole grid. */
void top_view_draw(const struct top_view *view, struct grid *grid);
/* Rows that a plain view of all there is needs, with at most so many jobs. */
int top_view_plain_rows(const struct top_view *view, int jobs);
/* Rows of jobs (or of detail) on a screen of this height: what a page is. */
int top_view_page(const struct top_view *view, int height);

/* The parts, for the two files that make them. `y` is the first row; they return the row behind. */
int top_view_meters(const struct top_view *view, struct grid *grid, int y, int workers, bool small);
int top_view_queues(const struct top_view *view, struct grid *grid, int y, int rows);
int top_view_help_lines(void);
const char *top_view_help_line(int i);

#endif
