/* base/: lists, clock arithmetic, injected allocation failures, error texts. */
#include <cosched/cosched.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/rng.h"

START_TEST(list_keeps_order_and_survives_double_removal)
{
    struct cos_list head, node[3];
    cos_list_init(&head);
    for (int i = 0; i < 3; i++) {
        cos_list_push_back(&head, &node[i]);
    }
    cos_list_remove(&node[1]);
    cos_list_remove(&node[1]);
    ck_assert_ptr_eq(cos_list_pop_front(&head), &node[0]);
    ck_assert_ptr_eq(cos_list_pop_front(&head), &node[2]);
    ck_assert_ptr_null(cos_list_pop_front(&head));
    ck_assert(cos_list_empty(&head));
}

END_TEST

START_TEST(clock_addition_saturates_at_never_and_never_reaches_now)
{
    ck_assert_int_eq(cos_clock_add(INT64_MAX, -5), INT64_MAX);
    ck_assert_int_eq(cos_clock_add(INT64_MAX - 1, 2), INT64_MAX);
    ck_assert_int_eq(cos_clock_add(5, -10),
                     1); /* 0 is COSCHED_NOW: a past deadline is not "try once" */
    ck_assert_int_eq(cos_clock_add(5, 10), 15);
    ck_assert_int_eq(cosched_in_ms(INT64_MAX), COSCHED_NEVER);
}

END_TEST

START_TEST(allocation_fails_when_told_and_only_then)
{
    cos_alloc_fail_at(2);
    void *first = cos_alloc(8);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(cos_alloc(8));
    void *third = cos_alloc_aligned(128, 8);
    ck_assert_ptr_nonnull(third);
    ck_assert_uint_eq((uintptr_t)third % 128, 0);
    cos_free(first);
    cos_free_aligned(third);
    cos_free(NULL);
}

END_TEST

START_TEST(every_error_has_a_text)
{
    ck_assert_str_eq(cosched_strerror(0), "success");
    ck_assert_str_eq(cosched_strerror(-ENOENT), "No such file or directory");
    ck_assert_str_eq(cosched_strerror(-ESTALE), "the handle was used before, or names nothing");
    ck_assert_str_eq(cosched_strerror(-ETIMEDOUT), "the deadline has passed");
    ck_assert_str_eq(cosched_strerror(-ECANCELED), "the task was canceled");
    ck_assert_str_eq(cosched_strerror(-EDEADLK), "a task cannot wait for itself");
    ck_assert_str_eq(cosched_strerror(INT64_MIN), "unknown error");
    ck_assert_str_eq(cosched_strerror(-4095), "unknown error");
}

END_TEST

START_TEST(random_numbers_stay_below_their_limit)
{
    uint64_t state = 42;
    for (int i = 0; i < 10000; i++) {
        ck_assert_uint_lt(cos_rng_below(&state, 7), 7);
    }
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, list_keeps_order_and_survives_double_removal);
    tcase_add_test(tests, clock_addition_saturates_at_never_and_never_reaches_now);
    tcase_add_test(tests, allocation_fails_when_told_and_only_then);
    tcase_add_test(tests, every_error_has_a_text);
    tcase_add_test(tests, random_numbers_stay_below_their_limit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
