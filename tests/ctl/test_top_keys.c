/* What keys mean in top: over the list, in the filter, before a cancellation. */
#include "test_top.h"
#include "top_keys.h"

static struct top_ui ui;

static enum top_wish press(const char *keys)
{
    enum top_wish wish = TOP_NOTHING;
    for (; *keys; keys++) {
        int key = *keys == '\r'     ? TOP_KEY_ENTER
                  : *keys == '\x1b' ? TOP_KEY_ESCAPE
                  : *keys == '\b'   ? TOP_KEY_ERASE
                                    : (unsigned char)*keys;
        wish = top_keys(&ui, &jobs, key, 2);
    }
    return wish;
}

START_TEST(keys_of_the_list)
{
    list();
    top_jobs_move(&jobs, 0);
    ck_assert_int_eq(press("q"), TOP_QUIT);
    ck_assert_int_eq(press("jj"), TOP_NOTHING);
    ck_assert_int_eq(jobs.selected, 13);
    (void)press("k");
    ck_assert_int_eq(jobs.selected, 12);
    (void)top_keys(&ui, &jobs, TOP_KEY_PAGE_DOWN, 2);
    ck_assert_int_eq(jobs.selected, 14);
    (void)top_keys(&ui, &jobs, TOP_KEY_PAGE_UP, 3);
    ck_assert_int_eq(jobs.selected, 9);
    (void)press("G");
    ck_assert_int_eq(jobs.selected, 15);
    (void)press("g");
    ck_assert_int_eq(jobs.selected, 9);
    (void)press("sS");
    ck_assert_int_eq(jobs.sort, TOP_SORT_ID);
    ck_assert(jobs.reverse);
    (void)press("ssss");
    ck_assert_int_eq(jobs.sort, TOP_SORT_STATE);
    ck_assert_int_eq(press("p"), TOP_NOTHING);
    ck_assert(ui.paused);
    ck_assert_int_eq(press(" "), TOP_REFRESH);
    ck_assert_int_eq(press("+"), TOP_FASTER);
    ck_assert_int_eq(press("-"), TOP_SLOWER);
    ck_assert_int_eq(press("x"), TOP_NOTHING);
}

END_TEST

START_TEST(keys_of_the_filter)
{
    list();
    ck_assert_int_eq(press("/alpjq"), TOP_NOTHING);
    ck_assert_int_eq(ui.mode, TOP_FILTER);
    ck_assert_int_eq(press("\b\bh\r"), TOP_REFRESH);
    ck_assert_str_eq(jobs.filter, "alph");
    shown_are("13");
    (void)press("/");
    ck_assert_str_eq(ui.input, "alph");
    (void)press("\xc3\xa9\b");
    ck_assert_str_eq(ui.input, "alph"); /* a character, not a byte */
    ck_assert_int_eq(press("\x1b"), TOP_REFRESH);
    ck_assert_str_eq(jobs.filter, "");
    (void)press("/run\r");
    ck_assert_int_eq(press("\x1b"), TOP_REFRESH);
    shown_are("9 12 13 14 15");
    ck_assert_int_eq(press("\x1b"), TOP_NOTHING);
    (void)press("/");
    for (int i = 0; i < 2 * TOP_FILTER_MAX; i++) {
        (void)press("x");
    }
    ck_assert_uint_eq(strlen(ui.input), TOP_FILTER_MAX - 1);
}

END_TEST

START_TEST(cancelling_needs_a_yes)
{
    ck_assert_int_eq(press("c"), TOP_NOTHING);
    ck_assert_int_eq(ui.mode, TOP_LIST); /* nobody there */
    list();
    (void)press("jc");
    ck_assert_int_eq(ui.mode, TOP_CONFIRM);
    ck_assert_int_eq(ui.confirm, 12);
    ck_assert_int_eq(press("q"), TOP_NOTHING);
    ck_assert_str_eq(ui.message, "not canceled");
    ck_assert_int_eq(press("cy"), TOP_CANCEL);
    ck_assert_int_eq(ui.confirm, 12);
    ck_assert_int_eq(ui.mode, TOP_LIST);
}

END_TEST

START_TEST(keys_over_the_list)
{
    ck_assert_int_eq(press("\r"), TOP_NOTHING);
    ck_assert_int_eq(ui.mode, TOP_LIST);
    list();
    ck_assert_int_eq(press("\r"), TOP_OPEN);
    ck_assert_int_eq(ui.mode, TOP_DETAIL);
    ck_assert_int_eq(ui.detail, 9);
    buf_puts(&ui.lines, "a\nb\nc\n");
    (void)press("jj");
    ck_assert_int_eq(ui.scroll, 2);
    (void)press("jGj");
    ck_assert_int_eq(ui.scroll, 2);
    (void)press("gk");
    ck_assert_int_eq(ui.scroll, 0);
    (void)press("c");
    ck_assert_int_eq(ui.mode, TOP_CONFIRM);
    ck_assert_int_eq(press("y"), TOP_CANCEL);
    ck_assert_int_eq(ui.confirm, 9);
    (void)press("?");
    ck_assert_int_eq(ui.mode, TOP_HELP);
    (void)press("G");
    ck_assert_int_eq(ui.scroll, top_view_help_lines() - 1);
    ck_assert_int_eq(press("q"), TOP_NOTHING);
    ck_assert_int_eq(ui.mode, TOP_LIST);
}

END_TEST

SUITE_MAIN("top_keys", keys_of_the_list, keys_of_the_filter, cancelling_needs_a_yes,
           keys_over_the_list)
