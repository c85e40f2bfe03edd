/* queue/injector: order, ring to list and back, batches, counters, refusals. One thread. */
#include <errno.h>

#include "base/alloc.h"
#include "queue/injector.h"
#include "suite.h"

enum { VALUES = 5000 };

static struct cos_injector injector;
static COS_ATOMIC(uint32_t) next[VALUES + 1];

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    ck_assert_ptr_eq(ctx, &injector);
    return &next[v];
}

static void setup(uint32_t capacity_log2)
{
    ck_assert_int_eq(cos_injector_init(&injector, capacity_log2, link_of, &injector), 0);
}

static void check_counts(uint64_t pushed, uint64_t popped, uint64_t overflowed)
{
    struct cos_injector_counts counts;
    cos_injector_counts(&injector, &counts);
    ck_assert_uint_eq(counts.pushed, pushed);
    ck_assert_uint_eq(counts.popped, popped);
    ck_assert_uint_eq(counts.overflowed, overflowed);
    ck_assert_uint_eq(cos_injector_depth(&injector), pushed - popped);
}

START_TEST(first_in_first_out_within_the_ring)
{
    setup(4);
    ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    for (uint32_t lap = 0; lap < 10; lap++) {
        for (uint32_t v = 1; v <= 16; v++) {
            cos_injector_push(&injector, v);
        }
        for (uint32_t v = 1; v <= 16; v++) {
            ck_assert_uint_eq(cos_injector_pop(&injector), v);
        }
        ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    }
    check_counts(160, 160, 0);
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(one_more_than_the_ring_holds_goes_to_the_list)
{
    setup(4);
    for (uint32_t v = 1; v <= 16; v++) {
        cos_injector_push(&injector, v);
    }
    check_counts(16, 0, 0);
    cos_injector_push(&injector, 17);
    check_counts(17, 0, 1);
    for (uint32_t v = 1; v <= 17; v++) {
        ck_assert_uint_eq(cos_injector_pop(&injector), v);
    }
    ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    check_counts(17, 17, 1);
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(a_long_backlog_keeps_its_order)
{
    setup(4);
    for (uint32_t v = 1; v <= VALUES; v++) {
        cos_injector_push(&injector, v);
    }
    for (uint32_t v = 1; v <= VALUES; v++) {
        ck_assert_uint_eq(cos_injector_pop(&injector), v);
    }
    ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    check_counts(VALUES, VALUES, VALUES - 16);
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(newcomers_do_not_overtake_the_list)
{
    setup(1);
    for (uint32_t v = 1; v <= 4; v++) {
        cos_injector_push(&injector, v);
    }
    ck_assert_uint_eq(cos_injector_pop(&injector), 1);
    ck_assert_uint_eq(cos_injector_pop(&injector), 2); /* the ring is empty now, the list is not */
    cos_injector_push(&injector, 5);
    for (uint32_t v = 3; v <= 5; v++) {
        ck_assert_uint_eq(cos_injector_pop(&injector), v);
    }
    ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(batches_of_any_size_in_order)
{
    uint32_t in[200], out[200];
    setup(5);
    for (uint32_t i = 0; i < 200; i++) {
        in[i] = i + 1;
    }
    for (size_t n = 0; n <= 200; n++) {
        cos_injector_push_batch(&injector, in, n);
        size_t got = 0;
        for (size_t k; (k = cos_injector_pop_batch(&injector, out + got, 7)) != 0; got += k) {
            ck_assert_uint_le(k, 7);
        }
        ck_assert_uint_eq(got, n);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(out[i], in[i]);
        }
    }
    ck_assert_uint_eq(cos_injector_depth(&injector), 0);
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(pop_batch_larger_than_everything)
{
    uint32_t out[100];
    setup(3);
    for (uint32_t v = 1; v <= 20; v++) {
        cos_injector_push(&injector, v);
    }
    size_t got = 0;
    for (size_t k; (k = cos_injector_pop_batch(&injector, out + got, 100 - got)) != 0;) {
        got += k;
    }
    ck_assert_uint_eq(got, 20);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(out[i], i + 1);
    }
    cos_injector_fini(&injector);
}

END_TEST

START_TEST(init_without_memory_and_fini_of_anything)
{
    struct cos_injector zeroed = {0};
    cos_injector_fini(NULL);
    cos_injector_fini(&zeroed);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cos_injector_init(&injector, 10, link_of, NULL), -ENOMEM);
    cos_alloc_fail_at(0);
    cos_injector_fini(&injector);
    setup(1);
    cos_alloc_fail_at(1); /* a push never allocates */
    for (uint32_t v = 1; v <= 100; v++) {
        cos_injector_push(&injector, v);
    }
    cos_alloc_fail_at(0);
    ck_assert_uint_eq(cos_injector_depth(&injector), 100);
    cos_injector_fini(&injector);
    cos_injector_fini(&injector);
}

END_TEST

SUITE_MAIN("injector", first_in_first_out_within_the_ring,
           one_more_than_the_ring_holds_goes_to_the_list, a_long_backlog_keeps_its_order,
           newcomers_do_not_overtake_the_list, batches_of_any_size_in_order,
           pop_batch_larger_than_everything, init_without_memory_and_fini_of_anything)
