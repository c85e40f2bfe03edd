/* Guards of stacks: pages that fault, what stands in for them where there are too many, and whose they are. */
#include <sys/mman.h>
#include <unistd.h>

#include "test_stacks.h"

START_TEST(hundred_thousand_guarded_stacks)
{
    struct cos_stack first;
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &first), 0);
    enum cos_stack_guard guard = stats().guard;
    cos_stack_put(&cache, &first);
    /* Where only mprotect guards (qemu-user, old kernels), mappings run out: that many, and no more. */
    size_t n = guard == COS_STACK_GUARD_MPROTECT ? COS_STACK_MPROTECT_MAX : 100000;
    struct cos_stack *stacks = get_many(n, 65536);
    ck_assert_int_ne(guard, COS_STACK_GUARD_UNKNOWN);
    ck_assert_uint_eq(stats().in_use, n);
    for (size_t i = 0; i < n; i += 997) {
        stacks[i].hi[-1] = (char)i;
        stacks[i].lo[0] = (char)i;
        ck_assert(guard == COS_STACK_GUARD_CANARY || page_faults(stacks[i].lo - 1));
    }
    put_many(stacks, n);
}

END_TEST

START_TEST(mprotect_guards_fault_and_stop_at_their_cap)
{
    ck_assert_int_eq(cos_stack_force_guard(COS_STACK_GUARD_MPROTECT), 0);
    size_t n = COS_STACK_MPROTECT_MAX;
#if defined(RUNNING_ON_VALGRIND)
    if (RUNNING_ON_VALGRIND) { /* whose own table of mappings is smaller than the kernel's */
        n = 1000;
        cos_stack_set_cap(n);
    }
#endif
    struct cos_stack *stacks = get_many(n, 16384);
    ck_assert_int_eq(stats().guard, COS_STACK_GUARD_MPROTECT);
    for (size_t i = 0; i < n; i += 997) {
        ck_assert(page_faults(stacks[i].lo - 1));
        stacks[i].lo[0] = 1;
    }
    struct cos_stack more;
    ck_assert_int_eq(cos_stack_get(&cache, 16384, &more), -EAGAIN);
    put_many(stacks, n);
}

END_TEST

START_TEST(canary_notices_what_no_page_stops)
{
    ck_assert_int_eq(cos_stack_force_guard(COS_STACK_GUARD_CANARY), 0);
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &stack), 0);
    ck_assert_int_eq(stats().guard, COS_STACK_GUARD_CANARY);
    memset(stack.lo, 0x77, (size_t)(stack.hi - stack.lo));
    ck_assert(cos_stack_canary_ok(&stack));
    for (int below = 1; below <= 64; below += 21) {
        char kept = stack.lo[-below];
        stack.lo[-below] = (char)~kept;
        ck_assert(!cos_stack_canary_ok(&stack));
        stack.lo[-below] = kept;
        ck_assert(cos_stack_canary_ok(&stack));
    }
    stack.lo[-1] = 0;
    cos_stack_put(&cache, &stack);
    ck_assert_int_eq(cos_stack_get(&cache, 65536, &stack), 0);
    ck_assert(cos_stack_canary_ok(&stack)); /* a reused one starts whole */
    cos_stack_put(&cache, &stack);
}

END_TEST

START_TEST(guards_are_found_by_address)
{
    struct cos_stack *stacks = get_many(200, 32768);
    struct cos_stack found;
    for (size_t i = 0; i < 200; i++) {
        const char *lo = stacks[i].lo;
        const char *addresses[] = {lo - 1, lo - cos_stack_guard_bytes()};
        for (size_t k = 0; k < 2; k++) {
            ck_assert(cos_stack_find_guard(addresses[k], &found));
            ck_assert_ptr_eq(found.lo, lo);
            ck_assert_ptr_eq(found.hi, stacks[i].hi);
            ck_assert_uint_eq(found.class_index, stacks[i].class_index);
        }
        ck_assert(!cos_stack_find_guard(lo, &found));
        ck_assert(!cos_stack_find_guard(stacks[i].hi - 1, &found));
    }
    ck_assert(!cos_stack_find_guard(NULL, &found));
    ck_assert(!cos_stack_find_guard(&found, &found));
    put_many(stacks, 200);
}

END_TEST

SUITE_MAIN_WITH("stack_guard", setup, teardown, hundred_thousand_guarded_stacks,
                mprotect_guards_fault_and_stop_at_their_cap, canary_notices_what_no_page_stops,
                guards_are_found_by_address)
