/* Stacks: sizes, reuse, limits, and giving back. Their guards are test_stack_guard.c. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "memory_limit.h"
#include "test_stacks.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

/* ---- sizes ---- */

static void check_size(size_t bytes, size_t class_bytes)
{
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, bytes, &stack), 0);
    ck_assert_uint_eq(cos_stack_class_bytes(stack.class_index), class_bytes);
    size_t usable = (size_t)(stack.hi - stack.lo);
    ck_assert_uint_ge(usable, class_bytes - cos_stack_guard_bytes() - COS_STACK_GAP_MAX);
    ck_assert_uint_le(usable, class_bytes - cos_stack_guard_bytes());
    ck_assert_uint_eq((uintptr_t)stack.lo % cos_stack_guard_bytes(), 0);
    ck_assert_uint_eq((uintptr_t)stack.hi % 64, 0);
    stack.lo[0] = 1;
    stack.hi[-1] = 1;
    cos_stack_put(&cache, &stack);
}

START_TEST(sizes_round_up_to_a_class)
{
    for (size_t class_bytes = 16384; class_bytes <= COS_STACK_BYTES_MAX; class_bytes *= 2) {
        check_size(class_bytes, class_bytes);
        check_size(class_bytes - 1, class_bytes);
        if (class_bytes < COS_STACK_BYTES_MAX) {
            check_size(class_bytes + 1, class_bytes * 2);
        }
    }
    check_size(0, 16384);
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, COS_STACK_BYTES_MAX + 1, &stack), -EINVAL);
    ck_assert_int_eq(cos_stack_get(&cache, SIZE_MAX, &stack), -EINVAL);
    ck_assert_int_eq(cos_stack_get(&cache, cos_stack_bytes_for(16384), &stack), 0);
    ck_assert_uint_ge((size_t)(stack.hi - stack.lo), 16384);
    cos_stack_put(&cache, &stack);
}

END_TEST

START_TEST(tops_are_spread_over_sixteen_lines)
{
    struct cos_stack *stacks = get_many(64, 65536);
    unsigned seen = 0;
    for (size_t i = 0; i < 64; i++) {
        size_t gap = 65536 - cos_stack_guard_bytes() - (size_t)(stacks[i].hi - stacks[i].lo);
        ck_assert_uint_eq(gap, stacks[i].slot % 16 * 64);
        seen |= 1u << gap / 64;
    }
    ck_assert_uint_eq(seen, 0xffff);
    put_many(stacks, 64);
}

END_TEST

/* ---- reuse and accounts ---- */

START_TEST(last_put_is_next_got)
{
    struct cos_stack first;
    struct cos_stack second;
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &first), 0);
    cos_stack_put(&cache, &first);
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &second), 0);
    ck_assert_ptr_eq(first.lo, second.lo);
    ck_assert_ptr_eq(first.hi, second.hi);
    memset(second.lo, 0x5a, (size_t)(second.hi - second.lo));
    cos_stack_put(&cache, &second);
}

END_TEST

START_TEST(nothing_new_is_cut_while_free_stacks_are_known)
{
    put_many(get_many(1000, 32768), 1000);
    struct cos_stack_stats before = stats();
    ck_assert_uint_eq(before.in_use, 0);
    ck_assert_uint_ge(before.cached, 1000);
    for (int round = 0; round < 20; round++) {
        struct cos_stack *stacks = get_many(1000, 32768);
        ck_assert_uint_eq(stats().in_use, 1000);
        put_many(stacks, 1000);
    }
    struct cos_stack_stats after = stats();
    ck_assert_uint_eq(after.in_use, 0);
    ck_assert_uint_eq(after.cached, before.cached);
    ck_assert_uint_eq(after.bytes_mapped, before.bytes_mapped);
}

END_TEST

START_TEST(put_into_a_cache_that_never_got_one)
{
    struct cos_stack_cache other;
    cos_stack_cache_init(&other);
    struct cos_stack *stacks = get_many(300, 65536);
    for (size_t i = 0; i < 300; i++) {
        cos_stack_put(&other, &stacks[i]);
    }
    free(stacks);
    ck_assert_uint_eq(stats().in_use, 0);
    cos_stack_cache_fini(&other);
    cos_stack_cache_flush(&cache, cos_clock_now());
    size_t cached = stats().cached;
    put_many(get_many(cached, 65536), cached); /* all of them can be had again */
    ck_assert_uint_eq(stats().cached, cached);
}

END_TEST

START_TEST(cache_fini_accepts_null_zeroed_and_twice)
{
    struct cos_stack_cache other;
    memset(&other, 0, sizeof other);
    cos_stack_cache_fini(NULL);
    cos_stack_cache_fini(&other);
    cos_stack_cache_init(&other);
    cos_stack_cache_fini(&other);
    cos_stack_cache_fini(&other);
}

END_TEST

START_TEST(shutdown_waits_for_the_last_user)
{
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &stack), 0);
    ck_assert_int_eq(cos_stack_shutdown(), -EBUSY);
    ck_assert_int_eq(cos_stack_force_guard(COS_STACK_GUARD_CANARY), -EBUSY);
    cos_stack_put(&cache, &stack);
    ck_assert_int_eq(cos_stack_shutdown(), -EBUSY); /* the cache */
    cos_stack_cache_fini(&cache);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
    ck_assert_uint_eq(stats().bytes_mapped, 0);
    cos_stack_cache_init(&cache);
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &stack), 0);
    cos_stack_put(&cache, &stack);
}

END_TEST

/* Every allocation on the way refused in turn: an error, and nothing lost. */
START_TEST(get_survives_each_refused_allocation)
{
    cos_stack_cache_fini(&cache);
    unsigned at = 1;
    for (int rc = -ENOMEM; rc != 0; at++) {
        struct cos_stack stack;
        cos_stack_cache_init(&cache);
        cos_alloc_fail_at(at);
        rc = cos_stack_get(&cache, 65536, &stack);
        cos_alloc_fail_at(0);
        if (rc == 0) {
            cos_stack_put(&cache, &stack);
        } else {
            ck_assert_int_eq(rc, -ENOMEM);
        }
        ck_assert_uint_eq(stats().in_use, 0);
        cos_stack_cache_fini(&cache);
        ck_assert_int_eq(cos_stack_shutdown(), 0);
    }
    ck_assert_uint_eq(at, 4); /* the cache, the slab: and the third was not needed */
}

END_TEST

/* ---- limits ---- */

START_TEST(cap_answers_eagain_at_max_plus_one)
{
    cos_stack_set_cap(100);
    struct cos_stack *stacks = get_many(100, 65536);
    struct cos_stack more;
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &more), -EAGAIN);
    ck_assert_int_eq(cos_stack_get(&cache, 16384, &more), -EAGAIN);
    cos_stack_put(&cache, &stacks[0]);
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &stacks[0]), 0);
    cos_stack_set_cap(101);
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &more), 0);
    cos_stack_put(&cache, &more);
    put_many(stacks, 100);
}

END_TEST

START_TEST(address_space_limit_answers_enomem)
{
    if (!limits_memory("address_space_limit_answers_enomem")) {
        return;
    }
    struct cos_stack *stacks = get_many(1, 65536);
    struct rlimit limit = {.rlim_cur = 512u << 20, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 512u << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    struct cos_stack large[64];
    size_t n = 0;
    int rc = 0;
    while (n < 64 && (rc = cos_stack_get(&cache, COS_STACK_BYTES_MAX, &large[n])) == 0) {
        n++;
    }
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_uint_gt(n, 30); /* slabs shrink with what is left, down to one slot */
    for (size_t i = 0; i < n; i++) {
        cos_stack_put(&cache, &large[i]);
    }
    put_many(stacks, 1);
}

END_TEST

/* ---- giving back ---- */

static size_t resident_pages(const struct cos_stack *stacks, size_t n)
{
    size_t resident = 0;
    size_t page = cos_stack_guard_bytes();
    for (size_t i = 0; i < n; i++) {
        unsigned char vec[16];
        size_t bytes = (size_t)(stacks[i].hi - stacks[i].lo);
        ck_assert_int_eq(mincore(stacks[i].lo, bytes, vec), 0);
        for (size_t k = 0; k < (bytes + page - 1) / page; k++) {
            resident += vec[k] & 1;
        }
    }
    return resident;
}

START_TEST(idle_stacks_give_their_memory_back)
{
    size_t n = 500;
    struct cos_stack *stacks = get_many(n, 65536);
    for (size_t i = 0; i < n; i++) {
        memset(stacks[i].lo, 1, (size_t)(stacks[i].hi - stacks[i].lo));
    }
    struct cos_stack *copies = calloc(n, sizeof *copies);
    ck_assert_ptr_nonnull(copies);
    memcpy(copies, stacks, n * sizeof *copies);
    size_t dirty = resident_pages(copies, n);
    ck_assert_uint_ge(dirty, n * (65536 / cos_stack_guard_bytes() - 1));
    int64_t before = cos_clock_now();
    put_many(stacks, n);
    cos_stack_cache_flush(&cache, cos_clock_now());

    int64_t due = cos_stack_trim(before + COS_STACK_IDLE_NS - 1);
    ck_assert_int_ge(due, before + COS_STACK_IDLE_NS); /* too early: nothing happened */
    ck_assert_uint_eq(resident_pages(copies, n), dirty);

    int64_t later = cos_clock_now() + COS_STACK_IDLE_NS;
    int calls = 0;
    while ((due = cos_stack_trim(later)) == later) {
        calls++;
    }
    ck_assert_int_eq(due, INT64_MAX);
    ck_assert_int_ge(calls, 2); /* bounded work a call */
    ck_assert_uint_eq(resident_pages(copies, n), 0);
    ck_assert_int_eq(cos_stack_trim(later), INT64_MAX);

    /* The guards are there still, the stacks are there still. */
    struct cos_stack *again = get_many(n, 65536);
    for (size_t i = 0; i < n; i++) {
        ck_assert(stats().guard == COS_STACK_GUARD_CANARY || page_faults(again[i].lo - 1));
        again[i].lo[0] = 1;
    }
    ck_assert_uint_eq(stats().in_use, n);
    put_many(again, n);
    free(copies);
}

END_TEST

/* ---- many threads ---- */

struct churn {
    unsigned seed;
    int rounds;
    bool damaged;
};

static void *churn_stacks(void *arg)
{
    struct churn *churn = arg;
    struct cos_stack_cache mine;
    cos_stack_cache_init(&mine);
    struct cos_stack held[100];
    size_t n = 0;
    unsigned x = churn->seed;
    for (int i = 0; i < churn->rounds; i++) {
        x = x * 1664525u + 1013904223u;
        bool get = n == 0 || (n < 100 && (x >> 16) % 100 < (i / 500 % 2 == 0 ? 65u : 35u));
        if (get && cos_stack_get(&mine, 16384u << (x >> 28) % 3, &held[n]) == 0) {
            memset(held[n].hi - sizeof x, 0, sizeof x);
            memcpy(held[n].hi - sizeof x, &churn->seed, sizeof x);
            n++;
        } else if (n > 0) {
            size_t which = (x >> 8) % n;
            unsigned tag;
            memcpy(&tag, held[which].hi - sizeof x, sizeof tag);
            churn->damaged |= tag != churn->seed;
            cos_stack_put(&mine, &held[which]);
            held[which] = held[--n];
        }
        if (i % 1000 == 999) {
            (void)cos_stack_trim(cos_clock_now() + COS_STACK_IDLE_NS);
        }
        if (i % 5000 == 4999) {
            cos_stack_cache_flush(&mine, cos_clock_now());
        }
    }
    while (n > 0) {
        cos_stack_put(&mine, &held[--n]);
    }
    cos_stack_cache_fini(&mine);
    return NULL;
}

START_TEST(no_stack_has_two_owners)
{
    enum { THREADS = 4 };

    pthread_t threads[THREADS];
    struct churn churns[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        churns[i] = (struct churn){.seed = 12345 + i, .rounds = COS_SANITIZED ? 20000 : 100000};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn_stacks, &churns[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert(!churns[i].damaged);
    }
    ck_assert_uint_eq(stats().in_use, 0);
}

END_TEST

SUITE_MAIN_WITH("stack", setup, teardown, sizes_round_up_to_a_class,
                tops_are_spread_over_sixteen_lines, last_put_is_next_got,
                nothing_new_is_cut_while_free_stacks_are_known, put_into_a_cache_that_never_got_one,
                cache_fini_accepts_null_zeroed_and_twice, shutdown_waits_for_the_last_user,
                get_survives_each_refused_allocation, cap_answers_eagain_at_max_plus_one,
                address_space_limit_answers_enomem, idle_stacks_give_their_memory_back,
                no_stack_has_two_owners)
