/* Thin cover over malloc, or over what the user has put in its place, with a countdown to an injected failure. */
#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"

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

/* --- the user's allocator ------------------------------------------------------------------------------------ */

#define CHANGING UINT64_MAX

static struct {
    void *data;
    void *(*alloc)(void *data, size_t bytes); /* NULL: malloc */
    void (*free)(void *data, void *ptr);
} use; /* const while `live` is neither 0 nor CHANGING */

static COS_ATOMIC(uint64_t) live; /* blocks in use; CHANGING: `use` is being written */

int cos_alloc_use(void *data, void *(*alloc)(void *data, size_t bytes),
                  void (*free)(void *data, void *ptr))
{
    uint64_t none = 0;
    /* acquire: pairs with the release of drop(); the last block of the old allocator is gone. */
    if (!cos_atomic_cas(&live, &none, CHANGING, acquire, acquire)) {
        return alloc == use.alloc && free == use.free && data == use.data ? 0 : -EBUSY;
    }
    use.data = data;
    use.alloc = alloc;
    use.free = free;
    cos_atomic_store(&live, 0, release); /* pairs with the acquire in claim() */
    return 0;
}

/* From here to drop() the allocator stays. */
static void claim(void)
{
    uint64_t n = cos_atomic_load(&live, relaxed);
    for (;;) {
        if (n == CHANGING) {
            cos_relax();
            n = cos_atomic_load(&live, relaxed);
        } else if (cos_atomic_cas(&live, &n, n + 1, acquire, relaxed)) {
            return;
        }
    }
}

static void drop(void)
{
    cos_atomic_sub(&live, 1, release);
}

void *cos_alloc(size_t bytes)
{
    if (injected_failure()) {
        return NULL;
    }
    claim();
    void *ptr = use.alloc != NULL ? use.alloc(use.data, bytes) : calloc(1, bytes);
    if (ptr == NULL) {
        drop();
    } else if (use.alloc != NULL) {
        memset(ptr, 0, bytes);
    }
    return ptr;
}

void cos_free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    if (use.free != NULL) {
        use.free(use.data, ptr);
    } else {
        free(ptr);
    }
    drop();
}

/* The user's allocator knows no alignment: the block is larger, and what it gave stands before the part that is used. */
void *cos_alloc_aligned(size_t align, size_t bytes)
{
    char *raw = cos_alloc(bytes + align + sizeof raw);
    if (raw == NULL) {
        return NULL;
    }
    char *end = raw + sizeof raw;
    char *ptr = end + (align - (uintptr_t)end % align) % align;
    memcpy(ptr - sizeof raw, &raw, sizeof raw);
    return ptr;
}

void cos_free_aligned(void *ptr)
{
    if (ptr != NULL) {
        char *raw;
        memcpy(&raw, (char *)ptr - sizeof raw, sizeof raw);
        cos_free(raw);
    }
}
