/* The log-linear histogram: its error bound over the whole range, its ends, and adding up. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

static struct histogram h, other;

START_TEST(empty_answers_zero)
{
    ck_assert_uint_eq(histogram_quantile(&h, 500), 0);
    ck_assert_uint_eq(h.max, 0);
}

END_TEST

START_TEST(every_value_is_within_a_sixteenth)
{
    for (uint64_t value = 0; value < (UINT64_C(1) << 40); value += 1 + value / 37) {
        memset(&h, 0, sizeof h);
        histogram_record(&h, value);
        histogram_record(&h, UINT64_MAX); /* so that max does not hide the bucket's end */
        uint64_t got = histogram_quantile(&h, 500);
        ck_assert_uint_ge(got, value);
        ck_assert_uint_le(got, value + value / 16 + 1);
    }
}

END_TEST

START_TEST(quantiles_of_a_uniform_run)
{
    for (uint64_t value = 1; value <= 1000; value++) {
        histogram_record(&h, value);
    }
    ck_assert_uint_ge(histogram_quantile(&h, 500), 500);
    ck_assert_uint_le(histogram_quantile(&h, 500), 532);
    ck_assert_uint_ge(histogram_quantile(&h, 990), 990);
    ck_assert_uint_le(histogram_quantile(&h, 990), 1000);
    ck_assert_uint_eq(histogram_quantile(&h, 1000), 1000);
    ck_assert_uint_eq(h.max, 1000);
    ck_assert_uint_eq(h.count, 1000);
    ck_assert_uint_eq(h.sum, 500500);
}

END_TEST

START_TEST(the_last_bucket_takes_what_is_beyond)
{
    histogram_record(&h, UINT64_MAX);
    ck_assert_uint_eq(histogram_quantile(&h, 500), UINT64_MAX);
    ck_assert_uint_eq(h.max, UINT64_MAX);
}

END_TEST

START_TEST(adding_keeps_count_sum_and_max)
{
    histogram_record(&h, 10);
    histogram_record(&other, 1000);
    histogram_record(&other, 3);
    histogram_add(&h, &other);
    ck_assert_uint_eq(h.count, 3);
    ck_assert_uint_eq(h.sum, 1013);
    ck_assert_uint_eq(h.max, 1000);
    ck_assert_uint_eq(histogram_quantile(&h, 1), 3);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tc = tcase_create("histogram");
    tcase_add_test(tc, empty_answers_zero);
    tcase_add_test(tc, every_value_is_within_a_sixteenth);
    tcase_add_test(tc, quantiles_of_a_uniform_run);
    tcase_add_test(tc, the_last_bucket_takes_what_is_beyond);
    tcase_add_test(tc, adding_keeps_count_sum_and_max);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
