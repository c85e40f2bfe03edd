/* The layout of top, cell by cell: whole screens at 80 × 24, 120 × 40 and 40 × 10, what is laid over them, and that nothing
 * is written outside of any screen, however small. */
#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "top_fixture.h"
#include "top_view.h"

static struct top_model model;
static struct top_jobs jobs;
static struct top_ui ui;
static struct grid grid;
static struct top_view view = {
    .model = &model, .jobs = &jobs, .ui = &ui, .interval_s = 1, .now_us = FIXTURE_NOW_US};

static void fill(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    fixture_stats(&model, FIXTURE_FIRST, 5000000);
    fixture_stats(&model, FIXTURE_SECOND, 7000000);
    fixture_list(&jobs, TOP_PART_RUNNING, FIXTURE_RUNNING);
    fixture_list(&jobs, TOP_PART_WAITING, FIXTURE_WAITING);
}

static void draw(int width, int height, bool utf8)
{
    ck_assert(grid_reset(&grid, width, height, utf8));
    top_view_draw(&view, &grid);
}

/* Rows from `first` on; the others must be empty, but for the last if `foot` is given. */
static void screen_is(int width, int height, bool utf8, const char *rows, const char *foot)
{
    struct buf text = BUF_INIT, expected = BUF_INIT;
    draw(width, height, utf8);
    for (int y = 0; y < height; y++) {
        grid_text(&grid, y, &text);
    }
    buf_puts(&expected, rows);
    int lines = 0;
    for (const char *p = rows; *p; p++) {
        lines += *p == '\n';
    }
    for (; lines < height - 1; lines++) {
        buf_putc(&expected, '\n');
    }
    buf_printf(&expected, "%s\n", foot);
    ck_assert_msg(strcmp(buf_text(&text), buf_text(&expected)) == 0, "is:\n%sshould be:\n%s",
                  buf_text(&text), buf_text(&expected));
    buf_free(&text);
    buf_free(&expected);
}

static void row_is(int y, const char *expected)
{
    struct buf text = BUF_INIT;
    grid_text(&grid, y, &text);
    ck_assert_msg(strlen(expected) + 1 == text.len &&
                      strncmp(buf_text(&text), expected, text.len - 1) == 0,
                  "row %d is \"%s\", should be \"%s\"", y, buf_text(&text), expected);
    buf_free(&text);
}

#define FOOT " ? help  q quit  / filter  s sort  c cancel  Enter open  p pause"

/* Screens are as wide as they are. */
/* clang-format off */
START_TEST(screen_of_80_by_24)
{
    fill();
    screen_is(80, 24, true,
" coschedd 0.1.0   up 2h05m   pid 123   3 connections                 every 1.0s\n"
"Jobs       125/s submitted  12/s started  12/s ended                          ▁█\n"
"           2 running  1284 queued  3 delayed  0 blocked\n"
"p50/p99    3.4ms/120ms in queue  5.2ms/1.0s run  120us/1.2ms submit\n"
"Store      310/s commits of 4.1  900us/4.0ms each  14.0 MiB db  1.2 MiB wal\n"
"Memory     14.2 MiB resident  17 tasks  15 stacks  4.0 MiB reserved\n"
"MAIN        30% idle  12us/1.2ms poll gap  15.0k/s slices  3 in line          ▁▆\n"
"Worker 0    70% busy  15.0k/s slices    0.0/s steals    0.0/s parks           ▁▆\n"
"Worker 1     0% busy    0.0/s slices    0.0/s steals    0.0/s parks\n"
"Worker 2    40% busy    0.0/s slices    0.0/s steals    0.0/s parks           ▄▄\n"
"Queues     default        1200 waiting       2 of 2 running  1m15s old\n"
"           night            84 waiting       0 of 1 running  paused   1h06m old\n"
"      ID STATE▲    QUEUE            TIME  TRY NAME\n"
"       9 running   default         40.0s    1 exec\n"
"      12 running   default         1m35s    2 evil \\x1b[31mred\\n\n"
"      13 queued    night           1m10s    0 alpha\n"
"      14 queued    default         10.0s    0 漢字 é\n"
"      15 delayed   night           1m40s    0 a name that is far longer than wha\n",
FOOT);
}

END_TEST

START_TEST(screen_of_120_by_40)
{
    fill();
    screen_is(120, 40, true,
" coschedd 0.1.0   up 2h05m   pid 123   3 connections                                                         every 1.0s\n"
"Jobs       125/s submitted  12/s started  12/s ended                                                                  ▁█\n"
"           2 running  1284 queued  3 delayed  0 blocked\n"
"p50/p99    3.4ms/120ms in queue  5.2ms/1.0s run  120us/1.2ms submit\n"
"Store      310/s commits of 4.1  900us/4.0ms each  14.0 MiB db  1.2 MiB wal\n"
"Memory     14.2 MiB resident  17 tasks  15 stacks  4.0 MiB reserved\n"
"MAIN        30% idle  12us/1.2ms poll gap  15.0k/s slices  3 in line                                                  ▁▆\n"
"Worker 0    70% busy  15.0k/s slices    0.0/s steals    0.0/s parks       4 in line                                   ▁▆\n"
"Worker 1     0% busy    0.0/s slices    0.0/s steals    0.0/s parks       0 in line\n"
"Worker 2    40% busy    0.0/s slices    0.0/s steals    0.0/s parks       0 in line                                   ▄▄\n"
"Queues     default        1200 waiting       2 of 2 running  1m15s old\n"
"           night            84 waiting       0 of 1 running  paused   1h06m old\n"
"      ID STATE▲    QUEUE            USER             TIME  TRY NAME\n"
"       9 running   default          root            40.0s    1 exec\n"
"      12 running   default          root            1m35s    2 evil \\x1b[31mred\\n\n"
"      13 queued    night            ann             1m10s    0 alpha\n"
"      14 queued    default          root            10.0s    0 漢字 é\n"
"      15 delayed   night            ann             1m40s    0 a name that is far longer than what is left of any narrow\n",
FOOT);
}

END_TEST

START_TEST(screen_of_40_by_10)
{
    fill();
    screen_is(40, 10, true,
" coschedd 0.1.0   up 2h05m   pid 123\n"
"Jobs      125/s submitted  12/s started\n"
"          2 running  1284 queued\n"
"p50/p99   3.4ms/120ms in queue\n"
"MAIN       30% idle  12us/1.2ms poll gap\n"
"3 workers  37% busy  15.0k/s slices\n"
"      ID STATE▲        TIME NAME\n"
"       9 running      40.0s exec\n"
"      12 running      1m35s evil \\x1b[31\n",
" ? help  q quit  / filter  s sort");
}

END_TEST

START_TEST(screen_of_ascii)
{
    fill();
    jobs.reverse = true;
    jobs.sort = TOP_SORT_ID;
    top_jobs_arrange(&jobs);
    screen_is(60, 16, false,
" coschedd 0.1.0   up 2h05m   pid 123   3 connections\n"
"Jobs       125/s submitted  12/s started  12/s ended      .#\n"
"           2 running  1284 queued  3 delayed  0 blocked\n"
"p50/p99    3.4ms/120ms in queue  5.2ms/1.0s run\n"
"Store      310/s commits of 4.1  900us/4.0ms each\n"
"Memory     14.2 MiB resident  17 tasks  15 stacks\n"
"MAIN        30% idle  12us/1.2ms poll gap  15.0k/s slices\n"
"3 workers   37% busy  15.0k/s slices    0.0/s steals      .:\n"
"Queues     default        1200 waiting       2 of 2 running\n"
"     IDv STATE     QUEUE            TIME  TRY NAME\n"
"      15 delayed   night           1m40s    0 a name that is\n"
"      14 queued    default         10.0s    0 ?? ?\n"
"      13 queued    night           1m10s    0 alpha\n"
"      12 running   default         1m35s    2 evil \\x1b[31mr\n"
"       9 running   default         40.0s    1 exec\n",
" ? help  q quit  / filter  s sort  c cancel  Enter open");
}

END_TEST

START_TEST(screen_of_30_by_8)
{
    fill();
    screen_is(29, 8, true,
" coschedd 0.1.0   up 2h05m\n"
"      ID STATE▲    NAME\n"
"       9 running   exec\n"
"      12 running   evil \\x1b[\n"
"      13 queued    alpha\n"
"      14 queued    漢字 é\n"
"      15 delayed   a name tha\n",
" ? help  q quit  / filter");
}

END_TEST

START_TEST(plain_lines)
{
    fill();
    view.plain = true;
    ck_assert_int_eq(top_view_plain_rows(&view, 20), 18);
    ck_assert_int_eq(top_view_plain_rows(&view, 3), 16);
    screen_is(100, 17, true,
"coschedd 0.1.0   up 2h05m   pid 123   3 connections                      2030-01-01T00:01:40.000000Z\n"
"Jobs       125/s submitted  12/s started  12/s ended\n"
"           2 running  1284 queued  3 delayed  0 blocked\n"
"p50/p99    3.4ms/120ms in queue  5.2ms/1.0s run  120us/1.2ms submit\n"
"Store      310/s commits of 4.1  900us/4.0ms each  14.0 MiB db  1.2 MiB wal\n"
"Memory     14.2 MiB resident  17 tasks  15 stacks  4.0 MiB reserved\n"
"MAIN        30% idle  12us/1.2ms poll gap  15.0k/s slices  3 in line\n"
"Worker 0    70% busy  15.0k/s slices    0.0/s steals    0.0/s parks       4 in line\n"
"Worker 1     0% busy    0.0/s slices    0.0/s steals    0.0/s parks       0 in line\n"
"Worker 2    40% busy    0.0/s slices    0.0/s steals    0.0/s parks       0 in line\n"
"Queues     default        1200 waiting       2 of 2 running  1m15s old\n"
"           night            84 waiting       0 of 1 running  paused   1h06m old\n"
"      ID STATE     QUEUE            USER             TIME  TRY NAME\n"
"       9 running   default          root            40.0s    1 exec\n"
"      12 running   default          root            1m35s    2 evil \\x1b[31mred\\n\n"
"      13 queued    night            ann             1m10s    0 alpha\n",
"      14 queued    default          root            10.0s    0 漢字 é");
    jobs.part_count[TOP_PART_RUNNING] = jobs.part_count[TOP_PART_WAITING] = 0;
    top_jobs_arrange(&jobs);
    ck_assert_int_eq(top_view_plain_rows(&view, 20), 12);
}

END_TEST

/* clang-format on */

START_TEST(more_workers_than_rows)
{
    struct buf text = BUF_INIT;
    fill();
    buf_puts(&text, "{'daemon':{'pid':123,'uptime_s':7503},'scheduler':{'workers':[");
    for (int i = 0; i < 32; i++) {
        buf_printf(&text, "%s{'busy_pct':%d,'slices':%d}", i > 0 ? "," : "", 2 * i, 100 * i);
    }
    buf_puts(&text, "]}}");
    fixture_stats(&model, buf_text(&text), 8000000);
    buf_free(&text);
    draw(80, 24, true);
    row_is(8, "Worker 1     2% busy    100/s slices    0.0/s steals    0.0/s parks            ▁");
    row_is(9, "30 more     33% busy  49.5k/s slices    0.0/s steals    0.0/s parks          ▁▁▃");
    row_is(10, "      ID STATE▲    QUEUE            TIME  TRY NAME");
    draw(40, 10, true);
    row_is(5, "All 32     31% busy  49.6k/s slices");
}

END_TEST

START_TEST(before_the_first_answer)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    screen_is(80, 24, true,
              " coschedd                                                            every 1.0s\n"
              "      ID STATE▲    QUEUE            TIME  TRY NAME\n",
              FOOT);
}

END_TEST

START_TEST(foot_tells_what_goes_on)
{
    fill();
    ui.paused = true;
    top_text(ui.message, sizeof ui.message, "job 9 is canceled");
    draw(80, 24, true);
    row_is(0, " coschedd 0.1.0   up 2h05m   pid 123   3 connections                     paused");
    row_is(23, " job 9 is canceled");
    view.trouble = "lost the daemon at s: it closed the connection; trying again";
    draw(80, 24, true);
    row_is(23, " lost the daemon at s: it closed the connection; trying again");
    ck_assert_uint_eq(grid.cells[23 * 80].style, GRID_BAD);
    ui.mode = TOP_CONFIRM;
    ui.confirm = 12;
    draw(80, 24, true);
    row_is(23, " Cancel job 12? y: yes, any other key: no");
    ui.mode = TOP_FILTER;
    top_text(ui.input, sizeof ui.input, "naïve");
    draw(80, 24, true);
    row_is(23, "/naïve_");
    ui.mode = TOP_LIST;
    ui.message[0] = '\0';
    view.trouble = NULL;
    top_text(jobs.filter, sizeof jobs.filter, "alp");
    top_jobs_arrange(&jobs);
    draw(80, 24, true);
    row_is(23, " 1 of 6+ like \"alp\"   ? help  q quit  / filter  s sort  c cancel  Enter open");
    row_is(13, "      13 queued    night           1m10s    0 alpha");
    row_is(14, "");
    top_text(jobs.filter, sizeof jobs.filter, "nothing of that");
    top_jobs_arrange(&jobs);
    draw(80, 24, true);
    row_is(13, "no job like that");
}

END_TEST

START_TEST(the_selected_row_is_marked_and_its_page_is_shown)
{
    fill();
    top_jobs_move(&jobs, 2);
    draw(80, 24, true);
    ck_assert_uint_eq(grid.cells[14 * 80 + 79].style, GRID_PLAIN);
    ck_assert_uint_eq(grid.cells[15 * 80].style, GRID_SELECTED);
    ck_assert_uint_eq(grid.cells[15 * 80 + 79].style, GRID_SELECTED);
    ck_assert_int_eq(top_view_page(&view, 10), 2);
    draw(40, 10, true);
    row_is(7, "      13 queued       1m10s alpha");
    row_is(8, "      14 queued       10.0s 漢字 é");
    ck_assert_uint_eq(grid.cells[7 * 40].style, GRID_SELECTED);
}

END_TEST

START_TEST(help_and_details_scroll)
{
    fill();
    ui.mode = TOP_HELP;
    ui.scroll = 1;
    draw(80, 6, true);
    row_is(1, top_view_help_line(1));
    row_is(4, top_view_help_line(4));
    row_is(5, " q back");
    ck_assert_int_eq(top_view_page(&view, 6), 4);
    ui.mode = TOP_DETAIL;
    buf_puts(&ui.lines, "one\ntwo\nthree\nfour");
    draw(10, 4, true);
    row_is(1, "two");
    row_is(2, "three");
    row_is(3, " q back");
    ui.scroll = 3;
    draw(10, 4, true);
    row_is(1, "four");
    row_is(2, "");
    buf_free(&ui.lines);
    for (int i = 0; i < top_view_help_lines(); i++) {
        ck_assert_int_le(grid_columns(&grid, top_view_help_line(i)), 80);
    }
}

END_TEST

START_TEST(every_size_is_drawn_within_its_cells)
{
    static const enum top_mode modes[] = {TOP_LIST, TOP_HELP, TOP_DETAIL, TOP_FILTER, TOP_CONFIRM};

    fill();
    buf_puts(&ui.lines, "a line\n漢字\n");
    for (int height = 0; height < 45; height += height < 18 ? 1 : 5) {
        for (int width = 0; width < 130; width += width < 40 ? 1 : 7) {
            for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
                ui.mode = modes[i];
                draw(width, height, (width + height) % 2 == 0);
                /* check reports each assertion that holds, too: one for all */
                int torn = 0;
                for (int cell = 0; cell < width * height; cell++) {
                    torn += grid.cells[cell].c == 0 && cell % width == 0;
                }
                ck_assert_int_eq(torn, 0);
            }
        }
    }
    ui.mode = TOP_LIST;
    buf_free(&ui.lines);
}

END_TEST

START_TEST(cells_are_clipped)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    ck_assert(grid_reset(&grid, 4, 2, true));
    ck_assert_int_eq(grid_put(&grid, 0, 0, 99, GRID_BOLD, "abcdef"), 4);
    ck_assert_int_eq(grid_put(&grid, 1, 1, 99, GRID_PLAIN, "漢字"),
                     3); /* half a character does not fit */
    ck_assert_int_eq(grid_put(&grid, 2, 0, 99, GRID_PLAIN, "x"), 0);
    ck_assert_int_eq(grid_put(&grid, -1, 0, 99, GRID_PLAIN, "x"), 0);
    ck_assert_int_eq(grid_put(&grid, 0, 4, 99, GRID_PLAIN, "x"), 4);
    ck_assert_int_eq(grid_put(&grid, 0, 0, 2, GRID_PLAIN, "xyz"), 2);
    row_is(0, "xycd");
    row_is(1, " 漢");
    grid_style(&grid, 1, 2, GRID_BAD);
    grid_style(&grid, 5, 0, GRID_BAD);
    ck_assert_uint_eq(grid.cells[5].style, GRID_PLAIN);
    ck_assert_uint_eq(grid.cells[6].style, GRID_BAD);
    /* What takes no column, or is no character, shows as one. */
    ck_assert(grid_reset(&grid, 8, 1, true));
    (void)grid_put(&grid, 0, 0, 8, GRID_PLAIN, "a\xcc\x81\xff\x07z");
    row_is(0, "a???z");
    ck_assert(grid_reset(&grid, 8, 1, false));
    (void)grid_put(&grid, 0, 0, 8, GRID_PLAIN, "é漢x");
    row_is(0, "??x");
    grid_fini(&grid);
    grid_fini(&grid);
}

END_TEST

SUITE_MAIN("top_view", screen_of_80_by_24, screen_of_120_by_40, screen_of_40_by_10, screen_of_ascii,
           screen_of_30_by_8, plain_lines, more_workers_than_rows, before_the_first_answer,
           foot_tells_what_goes_on, the_selected_row_is_marked_and_its_page_is_shown,
           help_and_details_scroll, every_size_is_drawn_within_its_cells, cells_are_clipped)
