/* malloc and its kin. Blocks that libcosched or libuv asked for during a run are kept in a table until they are freed. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define SLOTS 65536U
#define EARLY 65536U /* bytes for what dlsym itself asks for */

static struct {
    void *block;
    const void *caller;
} slots[SLOTS];

static size_t blocks;
static atomic_flag slots_lock = ATOMIC_FLAG_INIT;
static char early[EARLY] __attribute__((aligned(16)));
static size_t early_used;
static _Thread_local bool resolving;

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&slots_lock, memory_order_acquire)) {
        sched_yield();
    }
}

static void unlock(void)
{
    atomic_flag_clear_explicit(&slots_lock, memory_order_release);
}

static size_t home(const void *p)
{
    return (size_t)(((uintptr_t)p >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32) % SLOTS;
}

static void remember(void *p, const void *caller)
{
    if (p == NULL || !torture_under_way() || torture_caller_of(caller) == BY_OTHERS) {
        return;
    }
    lock();
    size_t i = home(p);
    while (slots[i].block != NULL) {
        i = (i + 1) % SLOTS;
    }
    slots[i].block = p;
    slots[i].caller = caller;
    blocks++;
    if (blocks > SLOTS / 2) {
        abort();
    }
    unlock();
}

static void forget(void *p)
{
    if (p == NULL || blocks == 0) {
        return;
    }
    lock();
    size_t i = home(p);
    while (slots[i].block != NULL && slots[i].block != p) {
        i = (i + 1) % SLOTS;
    }
    if (slots[i].block == p) {
        blocks--;
        /* the ones behind it move up, so that a search never meets a hole */
        size_t hole = i;
        for (size_t k = (i + 1) % SLOTS; slots[k].block != NULL; k = (k + 1) % SLOTS) {
            size_t h = home(slots[k].block);
            if ((k - h) % SLOTS >= (k - hole) % SLOTS) {
                slots[hole] = slots[k];
                hole = k;
            }
        }
        slots[hole].block = NULL;
    }
    unlock();
}

void torture_heap_begin(void)
{
    if (blocks > 0) { /* what the last run left, and was told of */
        memset(slots, 0, sizeof slots);
        blocks = 0;
    }
}

size_t torture_heap_left(char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "blocks asked for at");
    for (size_t i = 0; blocks > 0 && i < SLOTS && used < size; i++) {
        if (slots[i].block != NULL) {
            used += (size_t)snprintf(text + used, size - used, " %p", slots[i].caller);
        }
    }
    return blocks;
}

static void *early_block(size_t size)
{
    size_t at = early_used;
    early_used += (size + 15) / 16 * 16;
    if (early_used > EARLY) {
        abort();
    }
    return early + at;
}

static bool is_early(const void *p)
{
    return (uintptr_t)p >= (uintptr_t)early && (uintptr_t)p < (uintptr_t)early + EARLY;
}

static void *real(void **cache, const char *name)
{
    if (*cache == NULL) {
        resolving = true;
        torture_real(cache, name);
        resolving = false;
    }
    return *cache;
}

static void *real_malloc, *real_calloc, *real_realloc, *real_aligned_alloc, *real_free;

void *malloc(size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (resolving) {
        return early_block(size);
    }
    void *p = ((void *(*)(size_t))real(&real_malloc, "malloc"))(size);
    remember(p, caller);
    return p;
}

void *calloc(size_t n, size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (resolving) {
        return early_block(n * size);
    }
    if (torture_fault(F_calloc, caller) != 0) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = ((void *(*)(size_t, size_t))real(&real_calloc, "calloc"))(n, size);
    remember(p, caller);
    return p;
}

void *aligned_alloc(size_t align, size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (torture_fault(F_aligned_alloc, caller) != 0) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = ((void *(*)(size_t, size_t))real(&real_aligned_alloc, "aligned_alloc"))(align, size);
    remember(p, caller);
    return p;
}

void *realloc(void *old, size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (resolving || is_early(old)) {
        void *p = resolving ? early_block(size) : malloc(size);
        if (old != NULL && p != NULL) {
            size_t room = (size_t)(early + EARLY - (char *)old);
            memcpy(p, old, size < room ? size : room);
        }
        return p;
    }
    forget(old);
    void *p = ((void *(*)(void *, size_t))real(&real_realloc, "realloc"))(old, size);
    remember(p, caller);
    return p;
}

void free(void *p)
{
    if (is_early(p) || resolving) { /* resolving: what dlsym kept of its last error */
        return;
    }
    forget(p);
    ((void (*)(void *))real(&real_free, "free"))(p);
}
