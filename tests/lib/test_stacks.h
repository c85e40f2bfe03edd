/* What the tests of stacks share: a cache around each, and many stacks at once. */
#ifndef TEST_STACKS_H
#define TEST_STACKS_H
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/sanitizer.h"
#include "arch/stack.h"
#include "suite.h"

static struct cos_stack_cache cache;

static inline void setup(void)
{
    cos_stack_cache_init(&cache);
}

static inline void teardown(void)
{
    cos_stack_set_cap(0);
    cos_stack_cache_fini(&cache);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
    ck_assert_int_eq(cos_stack_force_guard(COS_STACK_GUARD_UNKNOWN), 0);
}

static inline struct cos_stack_stats stats(void)
{
    struct cos_stack_stats now;
    cos_stack_stats(&now);
    return now;
}

static inline struct cos_stack *get_many(size_t n, size_t bytes)
{
    struct cos_stack *stacks = calloc(n, sizeof *stacks);
    ck_assert_ptr_nonnull(stacks);
    for (size_t i = 0; i < n; i++) {
        int rc = cos_stack_get(&cache, bytes, &stacks[i]);
        if (rc != 0) {
            ck_abort_msg("stack %zu of %zu: %s", i, n, strerror(-rc));
        }
    }
    return stacks;
}

static inline void put_many(struct cos_stack *stacks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cos_stack_put(&cache, &stacks[i]);
    }
    free(stacks);
}

/* The kernel's word for it: what cannot be read cannot be written to a pipe. */
static inline bool page_faults(const char *page)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    bool refused = write(fds[1], page, 1) < 0 && errno == EFAULT;
    close(fds[0]);
    close(fds[1]);
    return refused;
}

#endif
