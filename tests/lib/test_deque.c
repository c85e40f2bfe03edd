/* queue/deque: both ends, growth, limits. One thread, so thieves are calls; races: tests/stress, tests/explore. */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "queue/deque.h"
#include "suite.h"

static struct cos_deque deque;

static void setup(void)
{
    cos_fence_init();
    ck_assert_int_eq(cos_deque_init(&deque, 2), 0);
}

static void teardown(void)
{
    cos_deque_fini(&deque);
}

static void push_range(struct cos_deque *d, uint32_t from, uint32_t to)
{
    for (uint32_t v = from; v <= to; v++) {
        ck_assert_int_eq(cos_deque_push_owner(d, v), 0);
    }
}

START_TEST(bottom_is_last_in_first_out)
{
    setup();
    push_range(&deque, 1, 3);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 3);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 2);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 1);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 0);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 0);
    ck_assert_int_eq(cos_deque_size(&deque), 0);
    teardown();
}

END_TEST

START_TEST(top_is_first_in_first_out_for_owner_and_thief)
{
    setup();
    uint32_t v = 0;
    push_range(&deque, 1, 3);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 1);
    ck_assert_int_eq(cos_deque_steal(&deque, &v), COS_STEAL_TAKEN);
    ck_assert_uint_eq(v, 2);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 3);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 0);
    ck_assert_int_eq(cos_deque_steal(&deque, &v), COS_STEAL_EMPTY);
    teardown();
}

END_TEST

START_TEST(claim_takes_exactly_the_newest_or_nothing)
{
    setup();
    ck_assert(!cos_deque_take_bottom_if_owner(&deque, 1));
    push_range(&deque, 1, 2);
    ck_assert(!cos_deque_take_bottom_if_owner(&deque, 1));
    ck_assert_int_eq(cos_deque_size(&deque), 2);
    ck_assert(cos_deque_take_bottom_if_owner(&deque, 2));
    ck_assert(!cos_deque_take_bottom_if_owner(&deque, 2)); /* the stale cell still says 2 */
    ck_assert(cos_deque_take_bottom_if_owner(&deque, 1));
    ck_assert(!cos_deque_take_bottom_if_owner(&deque, 1));
    teardown();
}

END_TEST

START_TEST(who_looks_ahead_sees_the_line_and_takes_nothing)
{
    setup();
    ck_assert_uint_eq(cos_deque_peek_owner(&deque, 0), 0);
    push_range(&deque, 1, 10);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 1);
    ck_assert_uint_eq(cos_deque_peek_owner(&deque, 0), 2);
    ck_assert_uint_eq(cos_deque_peek_owner(&deque, 8), 10);
    ck_assert_uint_eq(cos_deque_peek_owner(&deque, 9), 0);
    ck_assert_int_eq(cos_deque_size(&deque), 9);
    teardown();
}

END_TEST

/* Large enough to be given back; what is pushed afterwards comes out as ever. */
START_TEST(an_empty_deque_that_was_trimmed_goes_on)
{
    uint32_t many =
        3 * COS_DEQUE_TRIM_PAGES * (uint32_t)(sysconf(_SC_PAGESIZE) / (long)sizeof(uint32_t));

    setup();
    push_range(&deque, 1, many);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 1);
    cos_deque_trim_owner(&deque); /* not empty: nothing is lost */
    for (uint32_t v = 2; v <= many; v++) {
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), v);
    }
    cos_deque_trim_owner(&deque);
    ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 0);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 0);
    struct cos_deque_ring *ring = cos_atomic_load(&deque.ring, relaxed);
    size_t zeros = 0;
    for (int64_t i = 0; i <= ring->mask; i++) {
        zeros += cos_atomic_load(&ring->cell[i], relaxed) == 0;
    }
    ck_assert_uint_gt(zeros,
                      many / 2); /* all but the ends of the ring, on pages with something else */
    push_range(&deque, 1, many);
    for (uint32_t v = 1; v <= many; v++) {
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), v);
    }
    teardown();
}

END_TEST

START_TEST(growth_keeps_all_entries_in_order)
{
    setup();
    for (uint32_t round = 0; round < 3; round++) { /* a head that is not at cell 0 */
        push_range(&deque, 1, 3);
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 1);
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 2);
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), 3);
    }
    push_range(&deque, 1, 1000);
    ck_assert_int_eq(cos_deque_size(&deque), 1000);
    for (uint32_t v = 1; v <= 500; v++) {
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), v);
        ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 1001 - v);
    }
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 0);
    teardown();
}

END_TEST

START_TEST(full_ring_at_capacity_and_one_more)
{
    setup();
    push_range(&deque, 1, 4);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cos_deque_push_owner(&deque, 5), -ENOMEM); /* max + 1 */
    ck_assert_int_eq(cos_deque_size(&deque), 4);
    cos_alloc_fail_at(0);
    ck_assert_int_eq(cos_deque_push_owner(&deque, 5), 0);
    for (uint32_t v = 1; v <= 5; v++) {
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), v);
    }
    teardown();
}

END_TEST

START_TEST(no_growth_while_the_top_moves_on)
{
    setup();
    cos_alloc_fail_at(1); /* any growth would answer -ENOMEM */
    for (uint32_t v = 1; v < 100; v++) {
        ck_assert_int_eq(cos_deque_push_owner(&deque, v), 0);
        ck_assert_int_eq(cos_deque_push_owner(&deque, v + 1000), 0);
        ck_assert_uint_eq(cos_deque_take_top_owner(&deque), v);
        ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), v + 1000);
    }
    cos_alloc_fail_at(0);
    teardown();
}

END_TEST

START_TEST(reserve_refuses_more_than_the_maximum)
{
    setup();
    ck_assert_int_eq(cos_deque_reserve_owner(&deque, 4), 0);
    ck_assert_int_eq(cos_deque_push_owner(&deque, 1), 0);
    ck_assert_int_eq(cos_deque_reserve_owner(&deque, INT64_C(1) << COS_DEQUE_CAPACITY_LOG2_MAX),
                     -ENOMEM);
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&deque), 1);
    teardown();
}

END_TEST

START_TEST(batch_takes_half_and_keeps_the_order)
{
    setup();
    struct cos_deque own;
    ck_assert_int_eq(cos_deque_init(&own, 1), 0);
    push_range(&deque, 1, 9);
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 32),
                      1); /* half of nine, rounded up: 1 … 5 */
    ck_assert_int_eq(cos_deque_size(&own), 4);
    for (uint32_t v = 2; v <= 5; v++) {
        ck_assert_uint_eq(cos_deque_take_top_owner(&own), v);
    }
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 2), 6); /* max */
    ck_assert_uint_eq(cos_deque_take_bottom_owner(&own), 7);
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 1), 8);
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 32), 9);
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 32), 0);
    ck_assert_int_eq(cos_deque_size(&own), 0);
    cos_deque_fini(&own);
    teardown();
}

END_TEST

START_TEST(batch_without_memory_takes_one)
{
    setup();
    struct cos_deque own;
    ck_assert_int_eq(cos_deque_init(&own, 1), 0);
    push_range(&deque, 1, 9);
    push_range(&own, 101, 102);
    cos_alloc_fail_at(1);
    ck_assert_uint_eq(cos_deque_steal_batch(&deque, &own, 32), 1);
    cos_alloc_fail_at(0);
    ck_assert_int_eq(cos_deque_size(&own), 2);
    ck_assert_int_eq(cos_deque_size(&deque), 8);
    cos_deque_fini(&own);
    teardown();
}

END_TEST

START_TEST(fini_accepts_null_zeroed_and_twice)
{
    struct cos_deque zeroed = {0}, failed;
    cos_deque_fini(NULL);
    cos_deque_fini(&zeroed);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cos_deque_init(&failed, 8), -ENOMEM);
    cos_alloc_fail_at(0);
    cos_deque_fini(&failed);
    ck_assert_int_eq(cos_deque_init(&zeroed, 1), 0);
    cos_deque_fini(&zeroed);
    cos_deque_fini(&zeroed);
}

END_TEST

SUITE_MAIN("deque", bottom_is_last_in_first_out, top_is_first_in_first_out_for_owner_and_thief,
           claim_takes_exactly_the_newest_or_nothing,
           who_looks_ahead_sees_the_line_and_takes_nothing, an_empty_deque_that_was_trimmed_goes_on,
           growth_keeps_all_entries_in_order, full_ring_at_capacity_and_one_more,
           no_growth_while_the_top_moves_on, reserve_refuses_more_than_the_maximum,
           batch_takes_half_and_keeps_the_order, batch_without_memory_takes_one,
           fini_accepts_null_zeroed_and_twice)
