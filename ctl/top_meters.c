/* The numbers above the list: jobs, waits, store, MAIN, workers, queues. A row is a label and items; items that do not fit
 * are left out from the right. See top_view.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "show.h"
#include "top_view.h"

#define LABEL_COLUMNS 11 /* on a narrow screen one less */
#define NARROW        60
#define SPARK_COLUMNS 24 /* at most; it needs SPARK_MIN of what the items leave */
#define SPARK_MIN     6
#define RATE_COLUMNS  7 /* 99.9k/s */
#define COUNT_COLUMNS 6 /* 999999 */
#define WIDE          96
#define QUEUE_END     (LABEL_COLUMNS + 13) /* of the name */

/* A row in the making. */
struct row {
    struct grid *grid;
    int y, x;
    bool full; /* an item did not fit: those after it are less important */
};

static struct row row_begin(struct grid *grid, int y, enum grid_style style, const char *label)
{
    int columns = grid->width < NARROW ? LABEL_COLUMNS - 1 : LABEL_COLUMNS;
    (void)grid_put(grid, y, 0, columns - 1, style, label);
    return (struct row){grid, y, columns, false};
}

/* A value and what it is. */
static void item(struct row *row, enum grid_style style, const char *value, const char *what)
{
    int need = grid_columns(row->grid, value) + 1 + grid_columns(row->grid, what);
    if (row->full || row->x + need > row->grid->width) {
        row->full = true;
        return;
    }
    row->x = grid_put(row->grid, row->y, row->x, row->grid->width, style, value);
    row->x = grid_put(row->grid, row->y, row->x + 1, row->grid->width, GRID_LABEL, what) + 2;
}

/* Values below each other: at the right of so many columns. */
static void item_in(struct row *row, int columns, enum grid_style style, const char *value,
                    const char *what)
{
    struct buf padded = BUF_INIT;
    buf_printf(&padded, "%*s%s", columns - grid_columns(row->grid, value), "", value);
    item(row, style, buf_text(&padded), what);
    buf_free(&padded);
}

static void spark(struct row *row, const struct top_view *view, const struct top_ring *ring,
                  double full)
{
    char text[TOP_SPARK_BYTES];
    int room = row->grid->width - row->x;
    if (view->plain || room < SPARK_MIN) {
        return;
    }
    int columns = room < SPARK_COLUMNS ? room : SPARK_COLUMNS;
    (void)top_spark(ring, (size_t)columns, full, row->grid->utf8, text);
    (void)grid_put(row->grid, row->y, row->grid->width - columns, row->grid->width, GRID_GOOD, text);
}

struct text {
    char is[48];
};

static struct text text_of(struct buf *b)
{
    struct text t;
    top_text(t.is, sizeof t.is, buf_text(b));
    buf_free(b);
    return t;
}

static struct text number(double value)
{
    struct buf b = BUF_INIT;
    static const char units[] = "kMGT";
    if (value < 9.95) {
        buf_printf(&b, "%.1f", value);
    } else if (value < 9999.5) {
        buf_printf(&b, "%.0f", value);
    } else {
        size_t i = 0;
        for (value /= 1000; value >= 999.5 && i < 3; i++) {
            value /= 1000;
        }
        buf_printf(&b, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[i]);
    }
    return text_of(&b);
}

static struct text rate(double per_s)
{
    struct text t = number(per_s);
    (void)strncat(t.is, "/s", sizeof t.is - strlen(t.is) - 1);
    return t;
}

static struct text count(int64_t value)
{
    struct buf b = BUF_INIT;
    if (value > 999999) {
        return number((double)value);
    }
    buf_int(&b, value);
    return text_of(&b);
}

static struct text bytes(double value)
{
    struct buf b = BUF_INIT;
    show_bytes(&b, value);
    return text_of(&b);
}

static struct text percent(double value)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "%3.0f%%", value);
    return text_of(&b);
}

static struct text quantiles(struct top_quantiles q)
{
    struct buf b = BUF_INIT;
    show_duration_us(&b, q.p50_us);
    buf_putc(&b, '/');
    show_duration_us(&b, q.p99_us);
    return text_of(&b);
}

static void jobs_rows(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_model *m = view->model;
    struct row row = row_begin(grid, y, GRID_BOLD, "Jobs");
    item(&row, GRID_PLAIN, rate(m->rate[TOP_SUBMITTED]).is, "submitted");
    item(&row, GRID_PLAIN, rate(m->rate[TOP_STARTED]).is, "started");
    item(&row, GRID_PLAIN, rate(m->rate[TOP_ENDED]).is, "ended");
    spark(&row, view, &m->started, 0);
    row = row_begin(grid, y + 1, GRID_BOLD, "");
    item(&row, m->running > 0 ? GRID_GOOD : GRID_PLAIN, count(m->running).is, "running");
    item(&row, GRID_PLAIN, count(m->queued).is, "queued");
    item(&row, GRID_PLAIN, count(m->delayed).is, "delayed");
    item(&row, GRID_PLAIN, count(m->blocked).is, "blocked");
}

static void waits_row(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_quantiles *l = view->model->latency;
    struct row row = row_begin(grid, y, GRID_BOLD, "p50/p99");
    item(&row, GRID_PLAIN, quantiles(l[TOP_WAIT]).is, "in queue");
    item(&row, GRID_PLAIN, quantiles(l[TOP_RUN]).is, "run");
    item(&row, GRID_PLAIN, quantiles(l[TOP_SUBMIT]).is, "submit");
}

static void store_row(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_model *m = view->model;
    struct row row = row_begin(grid, y, GRID_BOLD, "Store");
    char commits[64];
    (void)snprintf(commits, sizeof commits, "commits of %s", number(m->batch_avg).is);
    item(&row, GRID_PLAIN, rate(m->rate[TOP_COMMITS]).is, commits);
    item(&row, GRID_PLAIN, quantiles(m->latency[TOP_COMMIT]).is, "each");
    item(&row, GRID_PLAIN, bytes(m->db_bytes).is, "db");
    item(&row, GRID_PLAIN, bytes(m->wal_bytes).is, "wal");
}

static void memory_row(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_model *m = view->model;
    struct row row = row_begin(grid, y, GRID_BOLD, "Memory");
    item(&row, GRID_PLAIN, bytes(m->rss_bytes).is, "resident");
    item(&row, GRID_PLAIN, count(m->tasks).is, "tasks");
    item(&row, GRID_PLAIN, count(m->stacks).is, "stacks");
    item(&row, GRID_PLAIN, bytes(m->stack_bytes).is, "reserved");
}

static void main_row(const struct top_view *view, struct grid *grid, int y)
{
    const struct top_model *m = view->model;
    struct row row = row_begin(grid, y, GRID_BOLD, "MAIN");
    item(&row, m->main_idle_pct < 10 ? GRID_BAD : GRID_PLAIN, percent(m->main_idle_pct).is, "idle");
    item(&row, GRID_PLAIN, quantiles(m->poll_gap).is, "poll gap");
    item(&row, GRID_PLAIN, rate(m->rate[TOP_MAIN_SLICES]).is, "slices");
    item(&row, GRID_PLAIN, count(m->main_ready + m->main_inbox).is, "in line");
    spark(&row, view, &m->main_busy, 100);
}

static void worker_row(const struct top_view *view, struct grid *grid, int y, const char *label,
                       const struct top_worker *w)
{
    struct row row = row_begin(grid, y, GRID_BOLD, label);
    item(&row, w->busy_pct > 90 ? GRID_WARN : GRID_PLAIN, percent(w->busy_pct).is, "busy");
    item_in(&row, RATE_COLUMNS, GRID_PLAIN, rate(w->slices_s).is, "slices");
    item_in(&row, RATE_COLUMNS, GRID_PLAIN, rate(w->steals_s).is, "steals");
    item_in(&row, RATE_COLUMNS, GRID_PLAIN, rate(w->parks_s).is, "parks");
    if (grid->width >= WIDE) { /* before that, the history is worth more */
        item_in(&row, COUNT_COLUMNS, GRID_PLAIN, count(w->in_line).is, "in line");
    }
    spark(&row, view, &w->busy, 100);
}

/* One row each, as far as there are rows; the last of them stands for those that have none. */
static int workers_rows(const struct top_view *view, struct grid *grid, int y, int rows)
{
    const struct top_model *m = view->model;
    int all = (int)top_model_workers(m), single = all <= rows ? all : rows - 1;
    char label[24];
    for (int i = 0; i < single; i++, y++) {
        (void)snprintf(label, sizeof label, "Worker %d", i);
        worker_row(view, grid, y, label, &m->workers[i]);
    }
    if (single >= 0 && all > single) {
        struct top_worker sum;
        top_model_sum(m, (size_t)single, &sum);
        (void)snprintf(label, sizeof label, single > 0 ? "%d more" : "%d worker%s", all - single,
                       all == 1 ? "" : "s");
        if (grid->width < NARROW && all > 9) {
            (void)snprintf(label, sizeof label, "All %d", all);
        }
        worker_row(view, grid, y++, label, &sum);
    }
    return y;
}

int top_view_meters(const struct top_view *view, struct grid *grid, int y, int workers, bool small)
{
    jobs_rows(view, grid, y);
    y += 2;
    waits_row(view, grid, y++);
    if (!small) {
        store_row(view, grid, y++);
        memory_row(view, grid, y++);
    }
    main_row(view, grid, y++);
    return workers_rows(view, grid, y, workers);
}

int top_view_queues(const struct top_view *view, struct grid *grid, int y, int rows)
{
    const struct top_model *m = view->model;
    for (int i = 0; i < rows && (size_t)i < m->queue_count; i++, y++) {
        const struct top_queue *q = &m->queues[i];
        struct buf oldest = BUF_INIT, limit = BUF_INIT;
        struct row row = row_begin(grid, y, GRID_BOLD, i == 0 ? "Queues" : "");
        show_duration_us(&oldest, q->oldest_s * 1e6);
        buf_printf(&limit, "of %lld running", (long long)q->parallel);
        item(&row, GRID_PLAIN, q->name[0] ? q->name : "-", "");
        row.x = row.x < QUEUE_END ? QUEUE_END : row.x;
        item_in(&row, COUNT_COLUMNS, GRID_PLAIN, count(q->depth).is, "waiting");
        item_in(&row, COUNT_COLUMNS, q->running > 0 ? GRID_GOOD : GRID_PLAIN, count(q->running).is,
                buf_text(&limit));
        if (q->paused) {
            item(&row, GRID_WARN, "paused", "");
        }
        item(&row, GRID_PLAIN, text_of(&oldest).is, "old");
        buf_free(&limit);
    }
    return y;
}
