/* Lines of the log: escaping, quoting, cutting, priorities; levels. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static char line[LOG_LINE_MAX + 1];

static const char *format(bool journal, enum log_level level, const char *message,
                          const struct log_field *fields)
{
    struct log_format how = {journal, 1700000000000042};
    int length = log_line(line, LOG_LINE_MAX, &how, level, message, fields);
    ck_assert_int_eq(length, (int)strlen(line));
    return line;
}

START_TEST(line_on_a_terminal_has_time_and_level)
{
    const struct log_field fields[] = {LOG_STR("socket", "/run/x"), LOG_INT("pid", -7), LOG_NONE};
    ck_assert_str_eq(format(false, LOG_LEVEL_INFO, "listening", fields),
                     "2023-11-14T22:13:20.000042Z info listening socket=/run/x pid=-7");
}

END_TEST

START_TEST(line_under_the_journal_has_a_priority_and_no_time)
{
    const struct log_field fields[] = {LOG_ERR(-2), LOG_NONE};
    ck_assert_str_eq(format(true, LOG_LEVEL_WARNING, "cannot open", fields),
                     "<4>cannot open error=\"No such file or directory\"");
}

END_TEST

START_TEST(control_characters_cannot_forge_a_line)
{
    const struct log_field fields[] = {LOG_STR("name", "a\nb\x1b[31m\x7f\"c\\"), LOG_NONE};
    ck_assert_str_eq(format(true, LOG_LEVEL_ERROR, "one\ntwo", fields),
                     "<3>one\\x0atwo name=\"a\\x0ab\\x1b[31m\\x7f\\\"c\\\\\"");
}

END_TEST

START_TEST(c1_controls_are_escaped_and_utf8_passes)
{
    const struct log_field fields[] = {LOG_STR("a", "\xc2\x9b"
                                                    "31m"),
                                       LOG_STR("b", "\xc3\xa4"), LOG_NONE};
    ck_assert_str_eq(format(true, LOG_LEVEL_DEBUG, "x", fields), "<7>x a=\\x9b31m b=\xc3\xa4");
}

END_TEST

START_TEST(empty_and_absent_values_are_told_apart)
{
    const struct log_field fields[] = {LOG_STR("a", ""), LOG_STR("b", NULL), LOG_NONE};
    ck_assert_str_eq(format(true, LOG_LEVEL_INFO, "x", fields), "<6>x a=\"\" b=-");
}

END_TEST

START_TEST(long_line_is_cut_and_says_so)
{
    static char big[LOG_LINE_MAX * 2];
    memset(big, 'y', sizeof big - 1);
    const struct log_field fields[] = {LOG_STR("k", big), LOG_NONE};
    format(true, LOG_LEVEL_INFO, "x", fields);
    ck_assert_uint_eq(strlen(line), LOG_LINE_MAX - 1);
    ck_assert_str_eq(line + LOG_LINE_MAX - 4, "...");
}

END_TEST

START_TEST(levels_parse_and_filter)
{
    ck_assert_int_eq(log_level_parse("error"), LOG_LEVEL_ERROR);
    ck_assert_int_eq(log_level_parse("debug"), LOG_LEVEL_DEBUG);
    ck_assert_int_eq(log_level_parse("Debug"), -1);
    log_open(LOG_LEVEL_WARNING);
    ck_assert(log_wants(LOG_LEVEL_ERROR) && log_wants(LOG_LEVEL_WARNING));
    ck_assert(!log_wants(LOG_LEVEL_INFO));
    log_set_level(LOG_LEVEL_DEBUG);
    ck_assert(log_wants(LOG_LEVEL_DEBUG));
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");
    tcase_add_test(tc, line_on_a_terminal_has_time_and_level);
    tcase_add_test(tc, line_under_the_journal_has_a_priority_and_no_time);
    tcase_add_test(tc, control_characters_cannot_forge_a_line);
    tcase_add_test(tc, c1_controls_are_escaped_and_utf8_passes);
    tcase_add_test(tc, empty_and_absent_values_are_told_apart);
    tcase_add_test(tc, long_line_is_cut_and_says_so);
    tcase_add_test(tc, levels_parse_and_filter);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
