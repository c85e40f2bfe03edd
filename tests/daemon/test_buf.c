/* Growable bytes: growth, sticky failure, taking and dropping. */
#include <limits.h>
#include <stdint.h>

#include "suite.h"
#include "wire/buf.h"

START_TEST(empty_buf_reads_as_empty_text)
{
    struct buf b = BUF_INIT;
    ck_assert_str_eq(buf_text(&b), "");
    buf_append(&b, "", 0);
    ck_assert_ptr_null(b.data);
    buf_free(&b);
    buf_free(NULL);
}

END_TEST

START_TEST(text_stays_terminated_while_it_grows)
{
    struct buf b = BUF_INIT;
    for (unsigned i = 0; i < 5000; i++) {
        buf_putc(&b, (char)('a' + i % 26));
        ck_assert_uint_eq(b.len, i + 1);
        ck_assert_int_eq(b.data[b.len], '\0');
    }
    for (unsigned i = 0; i < 5000; i++) {
        ck_assert_int_eq(b.data[i], (char)('a' + i % 26));
    }
    buf_free(&b);
}

END_TEST

START_TEST(integers_are_written_to_their_limits)
{
    struct buf b = BUF_INIT;
    buf_int(&b, 0);
    buf_putc(&b, ' ');
    buf_int(&b, LLONG_MIN);
    buf_putc(&b, ' ');
    buf_int(&b, LLONG_MAX);
    buf_putc(&b, ' ');
    buf_uint(&b, ULLONG_MAX);
    ck_assert_str_eq(b.data, "0 -9223372036854775808 9223372036854775807 18446744073709551615");
    buf_free(&b);
}

END_TEST

START_TEST(printf_appends_text_longer_than_the_room)
{
    struct buf b = BUF_INIT;
    buf_puts(&b, "x=");
    buf_printf(&b, "%0*d;", 1000, 7);
    ck_assert_uint_eq(b.len, 1003);
    ck_assert_int_eq(b.data[1001], '7');
    ck_assert_int_eq(b.data[1002], ';');
    buf_free(&b);
}

END_TEST

START_TEST(failure_is_sticky_until_reset)
{
    struct buf b = BUF_INIT;
    buf_puts(&b, "kept");
    ck_assert(!buf_reserve(&b, SIZE_MAX - 8));
    ck_assert(b.failed);
    buf_puts(&b, "lost");
    buf_putc(&b, '!');
    ck_assert_str_eq(b.data, "kept");
    buf_reset(&b);
    buf_puts(&b, "again");
    ck_assert_str_eq(b.data, "again");
    ck_assert(!buf_reserve(&b, SIZE_MAX));
    ck_assert_ptr_null(buf_take(&b));
    ck_assert(!b.failed);
    buf_free(&b);
}

END_TEST

START_TEST(drop_and_truncate_keep_the_rest)
{
    struct buf b = BUF_INIT;
    buf_literal(&b, "0123456789");
    buf_drop(&b, 3);
    ck_assert_str_eq(b.data, "3456789");
    buf_truncate(&b, 2);
    ck_assert_str_eq(b.data, "34");
    buf_truncate(&b, 20);
    ck_assert_uint_eq(b.len, 2);
    buf_drop(&b, 20);
    ck_assert_str_eq(b.data, "");
    buf_free(&b);
}

END_TEST

START_TEST(take_hands_over_even_an_empty_text)
{
    struct buf b = BUF_INIT;
    char *text = buf_take(&b);
    ck_assert_str_eq(text, "");
    free(text);
    buf_puts(&b, "mine");
    text = buf_take(&b);
    ck_assert_str_eq(text, "mine");
    ck_assert_ptr_null(b.data);
    free(text);
}

END_TEST

SUITE_MAIN("buf", empty_buf_reads_as_empty_text, text_stays_terminated_while_it_grows,
           integers_are_written_to_their_limits, printf_appends_text_longer_than_the_room,
           failure_is_sticky_until_reset, drop_and_truncate_keep_the_rest,
           take_hands_over_even_an_empty_text)
