/* See top_keys.h. */
#include "top_keys.h"

#include <limits.h>
#include <string.h>

/* As far as there are lines; the view shows no more than there are. */
static void scroll(struct top_ui *ui, int lines, long by)
{
    long to = ui->scroll + by;
    to = to > lines - 1 ? lines - 1 : to;
    ui->scroll = to < 0 ? 0 : (int)to;
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

/* Rows that a key moves by; 0: it is no such key. */
static long step_of(int key, int page)
{
    switch (key) {
    case TOP_KEY_UP:
    case 'k': return -1;
    case TOP_KEY_DOWN:
    case 'j': return 1;
    case TOP_KEY_PAGE_UP: return -page;
    case TOP_KEY_PAGE_DOWN: return page;
    case TOP_KEY_HOME:
    case 'g': return INT_MIN;
    case TOP_KEY_END:
    case 'G': return INT_MAX;
    default: return 0;
    }
}

static enum top_wish filter_key(struct top_ui *ui, struct top_jobs *jobs, int key)
{
    size_t n = strlen(ui->input);
    if (key == TOP_KEY_ESCAPE) {
        ui->input[0] = '\0';
    }
    if (key == TOP_KEY_ENTER || key == TOP_KEY_ESCAPE) {
        top_text(jobs->filter, sizeof jobs->filter, ui->input);
        top_jobs_arrange(jobs);
        ui->mode = TOP_LIST;
        return TOP_REFRESH;
    }
    if (key == TOP_KEY_ERASE && n > 0) {
        while (n > 0 && ((unsigned char)ui->input[--n] & 0xc0) == 0x80) {
        }
        ui->input[n] = '\0';
    } else if (key >= ' ' && key < 0x100 && key != 0x7f && n + 1 < sizeof ui->input) {
        ui->input[n] = (char)key;
        ui->input[n + 1] = '\0';
    }
    return TOP_NOTHING;
}

static void ask_cancel(struct top_ui *ui, int64_t id)
{
    ui->confirm = id;
    ui->mode = TOP_CONFIRM;
}

static enum top_wish confirm_key(struct top_ui *ui, int key)
{
    ui->mode = TOP_LIST;
    if (key == 'y' || key == 'Y') {
        return TOP_CANCEL;
    }
    top_text(ui->message, sizeof ui->message, "not canceled");
    return TOP_NOTHING;
}

static enum top_wish overlay_key(struct top_ui *ui, int key, int page)
{
    int lines = ui->mode == TOP_HELP ? top_view_help_lines() : count_lines(buf_text(&ui->lines));
    long step = step_of(key, page);
    if (step != 0) {
        scroll(ui, lines, step);
    } else if (key == 'c' && ui->mode == TOP_DETAIL) {
        ask_cancel(ui, ui->detail);
    } else if (key == 'q' || key == '?' || key == TOP_KEY_ESCAPE || key == TOP_KEY_ENTER) {
        ui->mode = TOP_LIST;
    }
    return TOP_NOTHING;
}

static enum top_wish list_key(struct top_ui *ui, struct top_jobs *jobs, int key)
{
    const struct top_job *job = top_jobs_selected(jobs);
    switch (key) {
    case 'q':
    case 'Q': return TOP_QUIT;
    case '?':
    case 'h':
        ui->mode = TOP_HELP;
        ui->scroll = 0;
        return TOP_NOTHING;
    case '/':
        top_text(ui->input, sizeof ui->input, jobs->filter);
        ui->mode = TOP_FILTER;
        return TOP_NOTHING;
    case 's':
        jobs->sort = (enum top_sort)((jobs->sort + 1) % TOP_SORTS);
        top_jobs_arrange(jobs);
        return TOP_NOTHING;
    case 'S':
        jobs->reverse = !jobs->reverse;
        top_jobs_arrange(jobs);
        return TOP_NOTHING;
    case 'p':
    case ' ': ui->paused = !ui->paused; return ui->paused ? TOP_NOTHING : TOP_REFRESH;
    case '+': return TOP_FASTER;
    case '-': return TOP_SLOWER;
    case 'c':
        if (job) {
            ask_cancel(ui, job->id);
        }
        return TOP_NOTHING;
    case TOP_KEY_ENTER:
        if (!job) {
            return TOP_NOTHING;
        }
        ui->detail = job->id;
        ui->mode = TOP_DETAIL;
        ui->scroll = 0;
        return TOP_OPEN;
    case TOP_KEY_ESCAPE:
        if (jobs->filter[0]) {
            jobs->filter[0] = '\0';
            top_jobs_arrange(jobs);
            return TOP_REFRESH;
        }
        return TOP_NOTHING;
    default: return TOP_NOTHING;
    }
}

enum top_wish top_keys(struct top_ui *ui, struct top_jobs *jobs, int key, int page)
{
    ui->message[0] = '\0';
    switch (ui->mode) {
    case TOP_FILTER: return filter_key(ui, jobs, key);
    case TOP_CONFIRM: return confirm_key(ui, key);
    case TOP_HELP:
    case TOP_DETAIL: return overlay_key(ui, key, page);
    case TOP_LIST: break;
    }
    long step = step_of(key, page);
    if (step != 0) {
        top_jobs_move(jobs, step);
        return TOP_NOTHING;
    }
    return list_key(ui, jobs, key);
}
