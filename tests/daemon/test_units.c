/* Durations, sizes and times: what is read, what is refused, what is written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "suite.h"
#include "wire/units.h"

START_TEST(durations_of_the_contract_are_read)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"250ms", 250000000},
        {"5s", 5000000000},
        {"1h30m", INT64_C(5400000000000)},
        {"1d", INT64_C(86400000000000)},
        {"1w2d", INT64_C(777600000000000)},
        {"0s", 0},
        {"1m1s1ms1us1ns", INT64_C(61001001001)},
        {"9223372036854775807ns", INT64_MAX},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ns = -1;
        ck_assert_msg(units_parse_duration(good[i].text, &ns) == 0, "%s", good[i].text);
        ck_assert_int_eq(ns, good[i].ns);
    }
}

END_TEST

START_TEST(durations_that_mislead_are_refused)
{
    static const char *const bad[] = {"",    "5",   "s",     "-5s",   "+5s",  " 5s",
                                      "5s ", "5 s", "1.5s",  "30m1h", "1s1s", "5S",
                                      "1mo", "1hm", "1ms1s", "0x5s"};
    int64_t ns = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(units_parse_duration(bad[i], &ns) == -EINVAL, "%s", bad[i]);
    }
    ck_assert_int_eq(units_parse_duration("9223372036854775808ns", &ns), -ERANGE);
    ck_assert_int_eq(units_parse_duration("106752d", &ns), -ERANGE);
    ck_assert_int_eq(units_parse_duration("99999999999999999999999999s", &ns), -ERANGE);
    ck_assert_int_eq(units_parse_duration("99999999999999999999999999x", &ns), -EINVAL);
    ck_assert_int_eq(ns, 77);
}

END_TEST

START_TEST(durations_written_read_back_the_same)
{
    static const int64_t values[] = {0,
                                     1,
                                     999,
                                     1500000000,
                                     INT64_C(5400000000000),
                                     INT64_C(864000000000000),
                                     INT64_C(123456789123456789),
                                     INT64_MAX};
    char text[UNITS_DURATION_SIZE];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t back = -1;
        units_format_duration(values[i], text);
        ck_assert_uint_lt(strlen(text), sizeof text);
        ck_assert_int_eq(units_parse_duration(text, &back), 0);
        ck_assert_int_eq(back, values[i]);
    }
    units_format_duration(INT64_C(5400000000000), text);
    ck_assert_str_eq(text, "1h30m");
    units_format_duration(INT64_C(864000000000000), text);
    ck_assert_str_eq(text, "10d");
    units_format_duration(-1500000000, text);
    ck_assert_str_eq(text, "-1s500ms");
    units_format_duration(INT64_MIN, text);
    ck_assert_uint_lt(strlen(text), sizeof text);
}

END_TEST

START_TEST(sizes_are_powers_of_1024)
{
    uint64_t bytes = 77;
    ck_assert_int_eq(units_parse_size("0", &bytes), 0);
    ck_assert_uint_eq(bytes, 0);
    ck_assert_int_eq(units_parse_size("4096", &bytes), 0);
    ck_assert_uint_eq(bytes, 4096);
    ck_assert_int_eq(units_parse_size("64K", &bytes), 0);
    ck_assert_uint_eq(bytes, 65536);
    ck_assert_int_eq(units_parse_size("10M", &bytes), 0);
    ck_assert_uint_eq(bytes, 10485760);
    ck_assert_int_eq(units_parse_size("1G", &bytes), 0);
    ck_assert_uint_eq(bytes, 1073741824);
    ck_assert_int_eq(units_parse_size("16777215T", &bytes), 0);
    ck_assert_int_eq(units_parse_size("16777216T", &bytes), -ERANGE);
    ck_assert_int_eq(units_parse_size("18446744073709551615", &bytes), 0);
    ck_assert_uint_eq(bytes, UINT64_MAX);
    ck_assert_int_eq(units_parse_size("18446744073709551616", &bytes), -ERANGE);
    static const char *const bad[] = {"", "K", "-1", "1k", "1KB", "1.5M", "1 K", "0x10", "1P"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(units_parse_size(bad[i], &bytes) == -EINVAL, "%s", bad[i]);
    }
}

END_TEST

START_TEST(times_with_offsets_and_fractions_are_read)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.5Z", -500000},
        {"2023-11-14T22:13:20Z", INT64_C(1700000000000000)},
        {"2023-11-14T23:43:20.123456789+01:30", INT64_C(1700000000123456)},
        {"2023-11-14t22:13:20z", INT64_C(1700000000000000)},
        {"2024-02-29T00:00:00-00:00", INT64_C(1709164800000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000)},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t us = -1;
        ck_assert_msg(units_parse_time(good[i].text, &us) == 0, "%s", good[i].text);
        ck_assert_int_eq(us, good[i].us);
    }
}

END_TEST

START_TEST(times_that_do_not_exist_are_refused)
{
    static const char *const bad[] = {
        "",
        "2024-05-01",
        "2024-05-01T12:00:00",
        "2024-05-01 12:00:00Z",
        "2024-05-01T12:00Z",
        "2024-13-01T12:00:00Z",
        "2024-00-01T12:00:00Z",
        "2024-04-31T12:00:00Z",
        "2023-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T12:60:00Z",
        "2024-05-01T12:00:61Z",
        "2024-05-01T12:00:00.Z",
        "2024-05-01T12:00:00+1:00",
        "2024-05-01T12:00:00+24:00",
        "2024-05-01T12:00:00ZZ",
        "2024-05-01T12:00:00Z ",
        "+2024-05-01T12:00:00Z",
    };
    int64_t us = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(units_parse_time(bad[i], &us) == -EINVAL, "%s", bad[i]);
    }
    ck_assert_int_eq(us, 77);
}

END_TEST

START_TEST(times_written_agree_with_the_c_library)
{
    char text[UNITS_TIME_SIZE], want[96];
    for (int64_t s = INT64_C(-62167219200); s < INT64_C(253402300800); s += INT64_C(34567891)) {
        time_t seconds = (time_t)s;
        struct tm tm;
        ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
        (void)snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.000042Z", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        units_format_time(s * 1000000 + 42, text);
        ck_assert_str_eq(text, want);
        int64_t back;
        ck_assert_int_eq(units_parse_time(text, &back), 0);
        ck_assert_int_eq(back, s * 1000000 + 42);
    }
    units_format_time(INT64_MIN, text);
    ck_assert_str_eq(text, "0000-01-01T00:00:00.000000Z");
    units_format_time(INT64_MAX, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
}

END_TEST

SUITE_MAIN("units", durations_of_the_contract_are_read, durations_that_mislead_are_refused,
           durations_written_read_back_the_same, sizes_are_powers_of_1024,
           times_with_offsets_and_fractions_are_read, times_that_do_not_exist_are_refused,
           times_written_agree_with_the_c_library)
