/* The layout: how much each part gets on a screen of this size, the table of jobs, and what is laid over it. See
 * top_view.h; the numbers above the table are in top_meters.c. */
#include "top_view.h"

#include <stdio.h>
#include <string.h>

#include "show.h"
#include "wire/units.h"

/* Rows of each part on a screen. */
struct plan {
    bool meters, small, titles;
    int workers, queues, list;
};

#define SMALL_HEIGHT 16 /* below: no store, no memory, no queues, workers in one row */
#define TINY_HEIGHT  9  /* below: the table alone */
#define FIXED_ROWS   9  /* title, two of jobs, waits, store, memory, MAIN, table head, foot */
#define FIXED_SMALL  7

static int least(int a, int b)
{
    return a < b ? a : b;
}

static struct plan plan_for(const struct top_view *view, int height)
{
    const struct top_model *m = view->model;
    int workers = (int)top_model_workers(m), queues = (int)m->queue_count;
    struct plan p = {.meters = m->seen && height >= TINY_HEIGHT, .titles = height > 3};
    if (!p.meters) {
        p.list = height - 2 - (p.titles ? 1 : 0);
    } else if (height < SMALL_HEIGHT) {
        p.small = true;
        p.workers = least(workers, 1);
        p.list = height - FIXED_SMALL - p.workers;
    } else {
        int left = height - FIXED_ROWS;
        p.workers = least(workers, left / 4 > 1 ? left / 4 : 1);
        p.queues = least(queues, left / 5 > 1 ? left / 5 : 1);
        p.list = left - p.workers - p.queues;
    }
    p.list = p.list > 0 ? p.list : 0;
    return p;
}

int top_view_page(const struct top_view *view, int height)
{
    if (view->ui->mode == TOP_HELP || view->ui->mode == TOP_DETAIL) {
        return height > 2 ? height - 2 : 1;
    }
    int list = plan_for(view, height).list;
    return list > 0 ? list : 1;
}

/* Cuts text that is too long where two spaces stand apart what belongs together; where there are none, the edge cuts. */
static void keep_whole(const struct grid *grid, struct buf *text)
{
    for (size_t end = text->len; end > 1 && grid_columns(grid, buf_text(text)) > grid->width;) {
        end--;
        if (text->data[end] == ' ' && text->data[end - 1] == ' ') {
            buf_truncate(text, end - 1);
        }
    }
}

static void title_row(const struct top_view *view, struct grid *grid)
{
    const struct top_model *m = view->model;
    struct buf left = BUF_INIT, right = BUF_INIT;
    enum grid_style style = view->plain ? GRID_BOLD : GRID_TITLE;
    buf_printf(&left, "%scoschedd", view->plain ? "" : " ");
    if (m->seen) {
        buf_printf(&left, " %s   up ", m->version);
        show_duration_us(&left, m->uptime_s * 1e6);
        buf_printf(&left, "   pid %lld   %lld connection%s", (long long)m->pid,
                   (long long)m->connections, m->connections == 1 ? "" : "s");
    }
    if (view->plain) {
        char time[UNITS_TIME_SIZE];
        units_format_time(view->now_us, time);
        buf_puts(&right, time);
    } else if (view->ui->paused) {
        buf_literal(&right, "paused ");
    } else {
        buf_literal(&right, "every ");
        show_duration_us(&right, view->interval_s * 1e6);
        buf_putc(&right, ' ');
    }
    grid_style(grid, 0, 0, style);
    keep_whole(grid, &left);
    int x = grid_put(grid, 0, 0, grid->width, style, buf_text(&left));
    int at = grid->width - grid_columns(grid, buf_text(&right));
    if (at > x) {
        (void)grid_put(grid, 0, at, grid->width, style, buf_text(&right));
    }
    buf_free(&left);
    buf_free(&right);
}

/* --- the table of jobs ------------------------------------------------------------------------------------ */

enum column {
    COLUMN_ID,
    COLUMN_STATE,
    COLUMN_QUEUE,
    COLUMN_USER,
    COLUMN_TIME,
    COLUMN_TRY,
    COLUMN_NAME,
    COLUMNS
};

/* Widths; 0: not shown. The name has what is left. */
struct columns {
    int width[COLUMNS];
};

static struct columns columns_for(int width)
{
    struct columns c = {{[COLUMN_ID] = 8, [COLUMN_STATE] = 9, [COLUMN_TIME] = 8}};
    if (width < 30) {
        c.width[COLUMN_TIME] = 0;
    }
    if (width >= 60) {
        c.width[COLUMN_QUEUE] = 12;
        c.width[COLUMN_TRY] = 4;
    }
    if (width >= 90) {
        c.width[COLUMN_USER] = 12;
        c.width[COLUMN_QUEUE] = 16;
    }
    int name = width;
    for (size_t i = 0; i < COLUMN_NAME; i++) {
        name -= c.width[i] > 0 ? c.width[i] + 1 : 0;
    }
    c.width[COLUMN_NAME] = name > 0 ? name : 0;
    return c;
}

/* Numbers stand at the right of their column. */
static void cell(struct grid *grid, int y, const struct columns *c, enum column column,
                 enum grid_style style, const char *text)
{
    int x = 0, width = c->width[column];
    bool right = column == COLUMN_ID || column == COLUMN_TIME || column == COLUMN_TRY;
    for (size_t i = 0; i < column; i++) {
        x += c->width[i] > 0 ? c->width[i] + 1 : 0;
    }
    int need = grid_columns(grid, text);
    int at = right && need < width ? x + width - need : x;
    (void)grid_put(grid, y, at, x + width, style, text);
}

static void table_titles(const struct top_view *view, struct grid *grid, int y)
{
    static const char *const titles[COLUMNS] = {"ID",   "STATE", "QUEUE", "USER",
                                                "TIME", "TRY",   "NAME"};

    static const enum column sorted[TOP_SORTS] = {COLUMN_STATE, COLUMN_ID, COLUMN_QUEUE,
                                                  COLUMN_TIME, COLUMN_NAME};
    struct columns c = columns_for(grid->width);
    const char *up = grid->utf8 ? "▲" : "^", *down = grid->utf8 ? "▼" : "v";
    enum grid_style style = view->plain ? GRID_BOLD : GRID_TITLE;
    grid_style(grid, y, 0, style);
    for (size_t i = 0; i < COLUMNS; i++) {
        char title[16];
        bool mark = !view->plain && i == sorted[view->jobs->sort];
        (void)snprintf(title, sizeof title, "%s%s", titles[i],
                       !mark                 ? ""
                       : view->jobs->reverse ? down
                                             : up);
        cell(grid, y, &c, (enum column)i, style, title);
    }
}

static void job_row(const struct top_view *view, struct grid *grid, int y, const struct top_job *job)
{
    static const enum grid_style styles[] = {GRID_GOOD, GRID_PLAIN, GRID_LABEL, GRID_LABEL,
                                             GRID_PLAIN};
    struct columns c = columns_for(grid->width);
    struct buf id = BUF_INIT, time = BUF_INIT, attempt = BUF_INIT;
    bool selected = !view->plain && job->id == view->jobs->selected;
    enum grid_style style = selected ? GRID_SELECTED : GRID_PLAIN;
    if (selected) {
        grid_style(grid, y, 0, GRID_SELECTED);
    }
    buf_int(&id, job->id);
    buf_int(&attempt, job->attempt);
    if (job->since_us > 0) {
        show_duration_us(&time, (double)(view->now_us - job->since_us));
    } else {
        buf_putc(&time, '-');
    }
    cell(grid, y, &c, COLUMN_ID, style, buf_text(&id));
    cell(grid, y, &c, COLUMN_STATE, selected ? style : styles[job->state], job->state_text);
    cell(grid, y, &c, COLUMN_QUEUE, style, job->queue);
    cell(grid, y, &c, COLUMN_USER, style, job->user);
    cell(grid, y, &c, COLUMN_TIME, style, buf_text(&time));
    cell(grid, y, &c, COLUMN_TRY, style, buf_text(&attempt));
    cell(grid, y, &c, COLUMN_NAME, style, job->name);
    buf_free(&id);
    buf_free(&time);
    buf_free(&attempt);
}

/* The page that has the selected row: pages do not slide under the eyes. */
static void jobs_rows(const struct top_view *view, struct grid *grid, int y, int rows)
{
    const struct top_jobs *jobs = view->jobs;
    size_t first = rows > 0 ? jobs->selected_row / (size_t)rows * (size_t)rows : 0;
    for (int i = 0; i < rows && first + (size_t)i < jobs->shown_count; i++) {
        job_row(view, grid, y + i, jobs->shown[first + (size_t)i]);
    }
    if (rows > 0 && jobs->shown_count == 0) {
        (void)grid_put(grid, y, 0, grid->width, GRID_LABEL,
                       !view->model->seen ? ""
                       : *jobs->filter    ? "no job like that"
                                          : "no jobs");
    }
}

/* --- the foot --------------------------------------------------------------------------------------------- */

static void hints(const struct top_view *view, struct buf *out)
{
    const struct top_jobs *jobs = view->jobs;
    switch (view->ui->mode) {
    case TOP_HELP: buf_literal(out, " q back"); return;
    case TOP_DETAIL: buf_literal(out, " q back   c cancel   arrows scroll"); return;
    case TOP_LIST:
    case TOP_FILTER:
    case TOP_CONFIRM: break;
    }
    if (*jobs->filter) {
        bool more = jobs->part_more[TOP_PART_RUNNING] || jobs->part_more[TOP_PART_WAITING];
        buf_printf(out, " %zu of %zu%s like \"%s\"  ", jobs->shown_count,
                   jobs->part_count[TOP_PART_RUNNING] + jobs->part_count[TOP_PART_WAITING],
                   more ? "+" : "", jobs->filter);
    }
    buf_literal(out, " ? help  q quit  / filter  s sort  c cancel  Enter open  p pause");
}

static void foot_row(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_ui *ui = view->ui;
    struct buf text = BUF_INIT;
    enum grid_style style = GRID_TITLE;
    if (ui->mode == TOP_FILTER) {
        buf_printf(&text, "/%s_", ui->input);
    } else if (ui->mode == TOP_CONFIRM) {
        style = GRID_WARN;
        buf_printf(&text, " Cancel job %lld? y: yes, any other key: no", (long long)ui->confirm);
    } else if (view->trouble) {
        style = GRID_BAD;
        buf_printf(&text, " %s", view->trouble);
    } else if (ui->message[0]) {
        style = GRID_BOLD;
        buf_printf(&text, " %s", ui->message);
    } else {
        hints(view, &text);
        keep_whole(grid, &text);
    }
    grid_style(grid, y, 0, style);
    (void)grid_put(grid, y, 0, grid->width, style, buf_text(&text));
    buf_free(&text);
}

/* --- what is laid over ------------------------------------------------------------------------------------ */

static void lines_rows(const struct top_view *view, struct grid *grid, const char *text)
{
    int skip = view->ui->scroll;
    for (int y = 1; *text && y < grid->height - 1;) {
        size_t n = strcspn(text, "\n");
        if (skip > 0) {
            skip--;
        } else {
            char line[512];
            size_t copied = n < sizeof line ? n : sizeof line - 1;
            memcpy(line, text, copied);
            line[copied] = '\0';
            (void)grid_put(grid, y++, 0, grid->width, GRID_PLAIN, line);
        }
        text += n + (text[n] == '\n');
    }
}

static void help_rows(const struct top_view *view, struct grid *grid)
{
    for (int i = view->ui->scroll, y = 1; i < top_view_help_lines() && y < grid->height - 1;
         i++, y++) {
        (void)grid_put(grid, y, 0, grid->width, GRID_PLAIN, top_view_help_line(i));
    }
}

static const char *const help[] = {
    "",
    "  Up Down k j        select a job         PgUp PgDn Home End  by pages",
    "  Enter              open it: its state, what it waits for, its chain of awaits",
    "  c                  cancel it, after a question",
    "  /                  filter: words that must occur; for the daemon to look up:",
    "                     queue:Q  kind:K  name:N  label:K=V.  Esc clears",
    "  s S                sort by the next column, the other way round",
    "  p Space            pause the display",
    "  + -                look more often, less often",
    "  q Ctrl-C           quit            Ctrl-L  draw again      Ctrl-Z  suspend",
    "",
    "  Jobs      per second, since the last look; then how many there are now",
    "  p50/p99   half of all took at most the first, 99 % the second, since the start",
    "  MAIN      poll gap: how long sockets wait for the main thread's attention",
    "  Worker    a bar is the share of a second that it did not sleep",
    "  TIME      running: since its start; else since it was submitted",
};

int top_view_help_lines(void)
{
    return (int)(sizeof help / sizeof help[0]);
}

const char *top_view_help_line(int i)
{
    return help[i];
}

static int draw_list(const struct top_view *view, struct grid *grid, int y, const struct plan *plan)
{
    if (plan->meters) {
        y = top_view_meters(view, grid, y, plan->workers, plan->small);
        y = top_view_queues(view, grid, y, plan->queues);
    }
    if (plan->titles) {
        table_titles(view, grid, y++);
    }
    jobs_rows(view, grid, y, plan->list);
    return y;
}

void top_view_draw(const struct top_view *view, struct grid *grid)
{
    struct plan plan = plan_for(view, grid->height);
    title_row(view, grid);
    if (view->plain) {
        plan = (struct plan){.meters = true,
                             .titles = view->jobs->shown_count > 0,
                             .workers = (int)top_model_workers(view->model),
                             .queues = (int)view->model->queue_count};
        plan.list = grid->height - 7 - plan.workers - plan.queues - (plan.titles ? 1 : 0);
        plan.list = plan.titles ? plan.list : 0;
        (void)draw_list(view, grid, 1, &plan);
        return;
    }
    if (view->ui->mode == TOP_HELP) {
        help_rows(view, grid);
    } else if (view->ui->mode == TOP_DETAIL) {
        lines_rows(view, grid, buf_text(&view->ui->lines));
    } else {
        (void)draw_list(view, grid, 1, &plan);
    }
    if (grid->height > 1) {
        foot_row(view, grid, grid->height - 1);
    }
}

int top_view_plain_rows(const struct top_view *view, int jobs)
{
    int list = least((int)view->jobs->shown_count, jobs);
    return 7 + (int)top_model_workers(view->model) + (int)view->model->queue_count +
           (list > 0 ? list + 1 : 0);
}
