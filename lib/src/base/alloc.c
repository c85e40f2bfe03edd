/* Thin cover over malloc with a countdown to an injected failure. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint fail_at; /* relaxed: a test's switch, no data depends on it */

static int injected_failure(void)
{
    unsigned n = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (n == 0) {
        return 0;
    }
    atomic_store_explicit(&fail_at, n - 1, memory_order_relaxed);
    return n == 1;
}

void cos_alloc_fail_at(unsigned n)
{
    atomic_store_explicit(&fail_at, n, memory_order_relaxed);
}

void *cos_alloc(size_t bytes)
{
    return injected_failure() ? NULL : calloc(1, bytes);
}

void *cos_alloc_aligned(size_t align, size_t bytes)
{
    if (injected_failure()) {
        return NULL;
    }
    size_t rounded = (bytes + align - 1) / align * align;
    void *ptr = aligned_alloc(align, rounded);
    return ptr != NULL ? memset(ptr, 0, rounded) : NULL;
}

void cos_free(void *ptr)
{
    free(ptr);
}
