/* queue/parker: the bookkeeping of searchers and beds. One thread: a wake-up comes before its sleep. */
#include <errno.h>

#include "arch/fence.h"
#include "base/clock.h"
#include "queue/parker.h"
#include "suite.h"

static struct cos_parker parker;

static void setup(uint32_t workers)
{
    cos_fence_init();
    cos_parker_init(&parker, workers);
}

START_TEST(notify_wakes_nobody_when_nobody_sleeps)
{
    setup(2);
    ck_assert(!cos_parker_notify(&parker));
    ck_assert_uint_eq(parker.searching, 0);
    setup(0);
    ck_assert(!cos_parker_notify(&parker));
    cos_parker_wake_all(&parker);
}

END_TEST

START_TEST(notify_wakes_one_and_counts_it_as_searcher)
{
    setup(3);
    cos_parker_prepare(&parker, 0);
    cos_parker_prepare(&parker, 2);
    ck_assert(cos_parker_notify(&parker));
    ck_assert_uint_eq(parker.parked, 4); /* the lowest first */
    ck_assert_uint_eq(parker.searching, 1);
    ck_assert(!cos_parker_notify(&parker)); /* somebody searches */
    ck_assert_int_eq(cos_parker_wait(&parker, 0, INT64_MAX), 0);
    ck_assert(cos_parker_search_end(&parker, true)); /* the last searcher, with work */
    ck_assert(cos_parker_notify(&parker));
    ck_assert_int_eq(cos_parker_wait(&parker, 2, INT64_MAX), 0);
    ck_assert(!cos_parker_search_end(&parker, false));
    ck_assert_uint_eq(parker.searching, 0);
    ck_assert_uint_eq(parker.bed[0].parks, 1);
    ck_assert_uint_eq(parker.bed[0].wakes, 1);
    ck_assert_uint_eq(parker.bed[1].parks, 0);
}

END_TEST

START_TEST(nobody_is_woken_while_somebody_searches)
{
    setup(2);
    cos_parker_prepare(&parker, 1);
    ck_assert(cos_parker_search_begin(&parker));
    ck_assert(!cos_parker_notify(&parker));
    ck_assert(cos_parker_search_end(&parker, true));
    ck_assert(cos_parker_notify(&parker));
}

END_TEST

START_TEST(at_most_half_of_the_awake_workers_search)
{
    setup(8);
    for (int i = 0; i < 4; i++) {
        ck_assert(cos_parker_search_begin(&parker));
    }
    ck_assert(!cos_parker_search_begin(&parker));
    ck_assert(!cos_parker_search_end(&parker, true)); /* not the last */
    setup(1);
    ck_assert(cos_parker_search_begin(&parker));
    ck_assert(!cos_parker_search_begin(&parker));
}

END_TEST

START_TEST(cancel_makes_a_searcher_whoever_was_faster)
{
    setup(1);
    cos_parker_prepare(&parker, 0);
    cos_parker_cancel(&parker, 0);
    ck_assert_uint_eq(parker.parked, 0);
    ck_assert_uint_eq(parker.searching, 1);
    ck_assert(cos_parker_search_end(&parker, true));
    cos_parker_prepare(&parker, 0);
    ck_assert(cos_parker_notify(&parker)); /* faster than the cancel */
    cos_parker_cancel(&parker, 0);
    ck_assert_uint_eq(parker.searching, 1);
    ck_assert(cos_parker_search_end(&parker, true));
    ck_assert_uint_eq(parker.bed[0].parks, 0);
}

END_TEST

START_TEST(deadline_withdraws_the_bed)
{
    setup(1);
    cos_parker_prepare(&parker, 0);
    ck_assert_int_eq(cos_parker_wait(&parker, 0, cos_clock_now()), -ETIMEDOUT);
    ck_assert_uint_eq(parker.parked, 0);
    ck_assert_uint_eq(parker.searching, 0);
    ck_assert_uint_eq(parker.bed[0].parks, 1);
    ck_assert_uint_eq(parker.bed[0].wakes, 0);
    ck_assert(!cos_parker_notify(&parker));
}

END_TEST

START_TEST(a_late_raise_of_the_word_does_not_end_the_next_sleep)
{
    setup(1);
    cos_parker_prepare(&parker, 0);
    ck_assert(cos_parker_notify(&parker));
    cos_parker_cancel(&parker, 0); /* does not look at the word that was raised */
    ck_assert(cos_parker_search_end(&parker, true));
    cos_parker_prepare(&parker, 0);
    ck_assert_int_eq(cos_parker_wait(&parker, 0, cos_clock_now()), -ETIMEDOUT);
}

END_TEST

START_TEST(wake_all_wakes_all_64)
{
    setup(COS_PARKER_WORKERS_MAX);
    for (uint32_t id = 0; id < COS_PARKER_WORKERS_MAX; id++) {
        cos_parker_prepare(&parker, id);
    }
    cos_parker_wake_all(&parker);
    ck_assert_uint_eq(parker.parked, 0);
    ck_assert_uint_eq(parker.searching, COS_PARKER_WORKERS_MAX);
    for (uint32_t id = 0; id < COS_PARKER_WORKERS_MAX; id++) {
        ck_assert_int_eq(cos_parker_wait(&parker, id, INT64_MAX), 0);
        ck_assert(!cos_parker_search_end(&parker, false));
    }
    ck_assert_uint_eq(parker.searching, 0);
}

END_TEST

SUITE_MAIN("parker", notify_wakes_nobody_when_nobody_sleeps,
           notify_wakes_one_and_counts_it_as_searcher, nobody_is_woken_while_somebody_searches,
           at_most_half_of_the_awake_workers_search, cancel_makes_a_searcher_whoever_was_faster,
           deadline_withdraws_the_bed, a_late_raise_of_the_word_does_not_end_the_next_sleep,
           wake_all_wakes_all_64)
