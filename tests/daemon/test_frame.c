/* Lines out of a stream, however the stream was cut. */
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "wire/frame.h"

/* Feeds text in pieces of `step` bytes; what frame_next says is written down, a line in <>. */
static void feed(struct frame *f, const char *text, size_t n, size_t step, char *seen, bool finish)
{
    size_t at = 0;
    for (;;) {
        char *line;
        size_t len;
        enum frame_result r = frame_next(f, &line, &len);
        if (r == FRAME_LINE) {
            ck_assert_uint_eq(strlen(line), len);
            seen += sprintf(seen, "<%s>", line);
            continue;
        }
        if (r == FRAME_TOO_LONG) {
            seen += sprintf(seen, "!");
            continue;
        }
        ck_assert_int_eq(r, FRAME_MORE);
        if (at == n) {
            if (!finish) {
                return;
            }
            finish = false;
            frame_finish(f);
            continue;
        }
        size_t room, take = n - at < step ? n - at : step;
        char *space = frame_space(f, &room);
        ck_assert_ptr_nonnull(space);
        ck_assert_uint_ge(room, 4096);
        memcpy(space, text + at, take);
        frame_added(f, take);
        at += take;
    }
}

static void expect(size_t line_max, const char *text, const char *want, bool finish)
{
    for (size_t step = 1; step <= 9; step++) {
        char seen[512] = "";
        struct frame f;
        frame_init(&f, line_max);
        feed(&f, text, strlen(text), step, seen, finish);
        ck_assert_str_eq(seen, want);
        frame_fini(&f);
    }
}

START_TEST(lines_end_in_lf_or_crlf)
{
    expect(100, "one\ntwo\r\nthree\n", "<one><two><three>", false);
    expect(100, "a\rb\n\r\r\nc", "<a\rb>", false);
    expect(100, "\n\n \t\r\nx\n\n", "<x>", false);
}

END_TEST

START_TEST(last_line_counts_only_at_the_end)
{
    expect(100, "a\nlast", "<a>", false);
    expect(100, "a\nlast", "<a><last>", true);
    expect(100, "a\n", "<a>", true);
    expect(100, "a\r", "<a>", true);
    expect(100, " ", "", true);
    expect(100, "", "", true);
}

END_TEST

START_TEST(line_of_max_passes_and_max_plus_one_is_skipped)
{
    expect(4, "1234\nx\n", "<1234><x>", false);
    expect(4, "1234\r\nx\n", "<1234><x>", false);
    expect(4, "12345\nx\n", "!<x>", false);
    expect(4, "12345\r\nx\n", "!<x>", false);
    expect(4, "1234567890123456789012345\nx\n", "!<x>", false);
    expect(4, "12345678\n12345678\nok\n", "!!<ok>", false);
    expect(4, "12345678", "!", true);
}

END_TEST

START_TEST(over_long_line_is_told_before_it_ends_and_costs_no_memory)
{
    struct frame f;
    char *line, *space;
    size_t len, room, told = 0;
    frame_init(&f, FRAME_LINE_MAX);
    for (size_t total = 0; total < 64 * FRAME_LINE_MAX;) {
        space = frame_space(&f, &room);
        ck_assert_ptr_nonnull(space);
        memset(space, 'x', room);
        frame_added(&f, room);
        total += room;
        enum frame_result r = frame_next(&f, &line, &len);
        told += r == FRAME_TOO_LONG;
        ck_assert_uint_le(f.cap, 4 * FRAME_LINE_MAX);
    }
    ck_assert_uint_eq(told, 1);
    space = frame_space(&f, &room);
    memcpy(space, "\nping\n", 6);
    frame_added(&f, 6);
    ck_assert_int_eq(frame_next(&f, &line, &len), FRAME_LINE);
    ck_assert_str_eq(line, "ping");
    ck_assert_int_eq(frame_next(&f, &line, &len), FRAME_MORE);
    ck_assert_ptr_nonnull(frame_space(&f, &room));
    ck_assert_uint_le(f.cap, 65536); /* an idle stream keeps little */
    frame_fini(&f);
    frame_fini(NULL);
}

END_TEST

START_TEST(line_of_a_mebibyte_passes)
{
    struct frame f;
    size_t n = FRAME_LINE_MAX + 1, at = 0;
    char *text = malloc(n), *line = NULL;
    size_t len = 0;
    ck_assert_ptr_nonnull(text);
    memset(text, 'y', n);
    text[n - 1] = '\n';
    frame_init(&f, FRAME_LINE_MAX);
    while (at < n) {
        size_t room;
        char *space = frame_space(&f, &room);
        size_t take = n - at < room ? n - at : room;
        memcpy(space, text + at, take);
        frame_added(&f, take);
        at += take;
        ck_assert_int_eq(frame_next(&f, &line, &len), at < n ? FRAME_MORE : FRAME_LINE);
    }
    ck_assert_uint_eq(len, FRAME_LINE_MAX);
    free(text);
    frame_fini(&f);
}

END_TEST

SUITE_MAIN("frame", lines_end_in_lf_or_crlf, last_line_counts_only_at_the_end,
           line_of_max_passes_and_max_plus_one_is_skipped,
           over_long_line_is_told_before_it_ends_and_costs_no_memory, line_of_a_mebibyte_passes)
