/* Rates and shares in virtual time: how many starts fit into a span, and how turns divide among weights. */
#include <check.h>
#include <stdlib.h>

#include "pace.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

/* Starts between from and to when somebody tries every `step`, and starts whatever may. */
static int starts(struct pace_rate *rate, int64_t from, int64_t to, int64_t step)
{
    int count = 0;
    for (int64_t now = from; now < to; now += step) {
        while (count < 1000000 && pace_rate_take(rate, now)) {
            count++;
        }
    }
    return count;
}

START_TEST(spaced_evenly_at_a_low_rate)
{
    struct pace_rate rate = {0, 0};
    int64_t begin = 77 * SECOND, last = 0;
    pace_rate_set(&rate, 10, begin);
    for (int64_t now = begin; now < begin + 2 * SECOND; now += MS) {
        if (!pace_rate_take(&rate, now)) {
            continue;
        }
        ck_assert(last == 0 || now - last == 100 * MS);
        ck_assert_int_eq(pace_rate_when(&rate), now + 100 * MS);
        last = now;
    }
    ck_assert_int_eq(last, begin + 1900 * MS);
}

END_TEST

START_TEST(never_more_than_its_rate_in_any_span)
{
    static const double rates[] = {0.5, 1, 3, 99, 100, 101, 1000, 25000};
    static const int64_t steps[] = {MS / 10, MS, 4 * MS, 50 * MS, 300 * MS};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            struct pace_rate rate = {0, 0};
            pace_rate_set(&rate, rates[r], SECOND);
            /* after an idle hour too: nothing is saved up but the ten milliseconds */
            int n = starts(&rate, 3600 * SECOND, 3610 * SECOND, steps[s]);
            ck_assert_msg(n <= rates[r] * 10 + 1 + rates[r] / 100 + 1, "%g/s: %d in 10 s", rates[r],
                          n);
            if (steps[s] <= 4 * MS) {
                ck_assert_msg(n >= rates[r] * 10 - 1, "%g/s: only %d in 10 s", rates[r], n);
            }
        }
    }
}

END_TEST

START_TEST(no_limit_takes_all)
{
    struct pace_rate rate = {0, 0};
    pace_rate_set(&rate, 0, SECOND);
    ck_assert_int_eq(pace_rate_when(&rate), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert(pace_rate_take(&rate, SECOND));
    }
}

END_TEST

START_TEST(a_new_rate_does_not_wait_for_the_old_one)
{
    struct pace_rate rate = {0, 0};
    pace_rate_set(&rate, 0.001, SECOND);
    ck_assert(pace_rate_take(&rate, SECOND) && !pace_rate_take(&rate, 2 * SECOND));
    pace_rate_set(&rate, 2, 2 * SECOND);
    ck_assert_int_eq(pace_rate_when(&rate), 2 * SECOND + 500 * MS);
    pace_rate_set(&rate, 0, 2 * SECOND);
    ck_assert(pace_rate_take(&rate, 2 * SECOND));
}

END_TEST

START_TEST(given_back_is_there_again)
{
    struct pace_rate rate = {0, 0};
    pace_rate_set(&rate, 1, SECOND);
    ck_assert(pace_rate_take(&rate, SECOND) && !pace_rate_take(&rate, SECOND));
    pace_rate_give_back(&rate);
    ck_assert(pace_rate_take(&rate, SECOND) && !pace_rate_take(&rate, SECOND));
}

END_TEST

/* How often each goes when all always want to. */
static void share_out(const int64_t *weights, struct pace_share *shares, int *went, int count,
                      int rounds, uint64_t *present)
{
    for (int i = 0; i < rounds; i++) {
        int best = 0;
        for (int k = 1; k < count; k++) {
            if (pace_turn(&shares[k], *present) < pace_turn(&shares[best], *present)) {
                best = k;
            }
        }
        pace_go(&shares[best], weights[best], present);
        went[best]++;
    }
}

START_TEST(turns_follow_the_weights)
{
    static const int64_t weights[] = {1, 2, 7, 1000};
    struct pace_share shares[4] = {{0}};
    int went[4] = {0};
    uint64_t present = 0;
    share_out(weights, shares, went, 4, 101000, &present);
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(abs(went[i] - (int)(weights[i] * 100)) <= (int)weights[i], "%d: %d", i,
                      went[i]);
    }
}

END_TEST

START_TEST(whoever_was_away_saved_nothing_up)
{
    static const int64_t weights[] = {1, 1};
    struct pace_share shares[2] = {{0}};
    int went[2] = {0};
    uint64_t present = 0;
    share_out(weights, shares, went, 1, 1000, &present); /* the other one has nothing to start */
    went[0] = 0;
    share_out(weights, shares, went, 2, 100, &present);
    ck_assert_int_le(abs(went[0] - went[1]), 2);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tc = tcase_create("pace");
    tcase_add_test(tc, spaced_evenly_at_a_low_rate);
    tcase_add_test(tc, never_more_than_its_rate_in_any_span);
    tcase_add_test(tc, no_limit_takes_all);
    tcase_add_test(tc, a_new_rate_does_not_wait_for_the_old_one);
    tcase_add_test(tc, given_back_is_there_again);
    tcase_add_test(tc, turns_follow_the_weights);
    tcase_add_test(tc, whoever_was_away_saved_nothing_up);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
