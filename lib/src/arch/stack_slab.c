/* Slabs of stack slots: mapping them, cutting and guarding slots, finding a slot by address.
 *
 * Everything but the list of slabs is guarded by the depot's lock, which the callers in stack.c hold. The fault
 * handler walks the list without it: slabs are pushed at its head, never changed in what it reads, and freed
 * only when no stack is in use. A slab costs address space until slots are cut from it, and it is never a
 * reason for huge pages. */
#include "arch/stack_slab.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/stack_guard.h"
#include "base/alloc.h"
#include "base/assert.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#if COS_VALGRIND
#include <valgrind/memcheck.h>
#endif

#define SLAB_BYTES_MIN ((size_t)2 * 1024 * 1024)   /* a small program stays small */
#define SLAB_BYTES_MAX ((size_t)256 * 1024 * 1024) /* a million stacks are a few hundred slabs */
#define GAP_STEP       ((size_t)64)
#define GAP_STEPS      16u

struct slab_class {
    struct cos_stack_slab *newest; /* borrowed from slabs: the only one of its class with fresh slots */
    size_t bytes_next;
};

static COS_ATOMIC(
    struct cos_stack_slab *) slabs;     /* owned; atomic: pushed under the lock, walked without */
static COS_ATOMIC(uint32_t) guard_kind; /* atomic: enum cos_stack_guard, decided under the lock */
static COS_ATOMIC(size_t) page_bytes; /* atomic: a copy of sysconf's, the same from every thread */
static struct slab_class classes[COS_STACK_CLASSES];
static size_t slots_cut;
static size_t bytes_mapped;
static size_t slots_cap; /* 0: by kind of guard */
static enum cos_stack_guard forced;

size_t cos_stack_guard_bytes(void)
{
    size_t bytes = cos_atomic_load(&page_bytes, relaxed);
    if (COS_UNLIKELY(bytes == 0)) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
        cos_atomic_store(&page_bytes, bytes, relaxed);
    }
    return bytes;
}

enum cos_stack_guard cos_stack_slab_guard(void)
{
    /* relaxed: whoever holds a stack got it through the lock, after the kind was decided. */
    return (enum cos_stack_guard)cos_atomic_load(&guard_kind, relaxed);
}

static void set_guard(enum cos_stack_guard guard)
{
    cos_atomic_store(&guard_kind, (uint32_t)guard, relaxed);
}

void cos_stack_slot_describe(const struct cos_stack_slot *slot, struct cos_stack *out)
{
    uint32_t class_index = slot->slab->class_index;
    char *base = cos_stack_slot_base(slot->slab, slot->number);
    out->lo = base + cos_stack_guard_bytes();
    out->hi = base + cos_stack_class_bytes(class_index) - slot->number % GAP_STEPS * GAP_STEP;
    out->slab = slot->slab;
    out->class_index = class_index;
    out->slot = slot->number;
}

static void announce_cut(struct cos_stack_slab *slab, char *base)
{
#if COS_ASAN
    /* What only a suspended task holds is no leak. By slot, because the scanner would fault on the guards. */
    size_t bytes = cos_stack_class_bytes(slab->class_index) - cos_stack_guard_bytes();
    __lsan_register_root_region(base + cos_stack_guard_bytes(), bytes);
#elif COS_VALGRIND
    if (slab->valgrind_ids != NULL) {
        char *end = base + cos_stack_class_bytes(slab->class_index);
        slab->valgrind_ids[slab->fresh] =
            (unsigned)VALGRIND_STACK_REGISTER(base + cos_stack_guard_bytes(), end - 1);
        (void)end; /* where valgrind knows nothing of the machine */
    }
#endif
    (void)slab;
    (void)base;
}

static void announce_unmap(struct cos_stack_slab *slab)
{
#if COS_ASAN
    size_t bytes = cos_stack_class_bytes(slab->class_index);
    for (uint32_t i = 0; i < slab->fresh; i++) {
        __lsan_unregister_root_region(slab->base + i * bytes + cos_stack_guard_bytes(),
                                      bytes - cos_stack_guard_bytes());
    }
    __asan_unpoison_memory_region(slab->base, slab->bytes);
#elif COS_VALGRIND
    for (uint32_t i = 0; slab->valgrind_ids != NULL && i < slab->fresh; i++) {
        VALGRIND_STACK_DEREGISTER(slab->valgrind_ids[i]);
    }
#endif
    (void)slab;
}

static size_t slots_max(void)
{
    if (slots_cap != 0) {
        return slots_cap;
    }
    return cos_stack_slab_guard() == COS_STACK_GUARD_MPROTECT ? COS_STACK_MPROTECT_MAX
                                                              : COS_STACK_SLOTS_MAX;
}

/* Takes less than *bytes, down to least, where address space is limited. */
static void *map(size_t *bytes, size_t least)
{
    for (;;) {
        void *base = mmap(NULL, *bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (base != MAP_FAILED) {
            /* One touched page of a stack must not become a huge one. Refused where there are none. */
            (void)madvise(base, *bytes, MADV_NOHUGEPAGE);
            return base;
        }
        if (*bytes == least) {
            return NULL;
        }
        *bytes = *bytes / 2 < least ? least : *bytes / 2;
    }
}

static int add(uint32_t class_index)
{
    struct slab_class *class = &classes[class_index];
    size_t slot_bytes = cos_stack_class_bytes(class_index);
    size_t bytes = class->bytes_next != 0 ? class->bytes_next : SLAB_BYTES_MIN;
    if (bytes < slot_bytes) {
        bytes = slot_bytes;
    }
    struct cos_stack_slab *slab = cos_alloc(sizeof *slab);
    if (slab == NULL) {
        return -ENOMEM;
    }
    size_t page = cos_stack_guard_bytes();
    bytes += page;
    char *bits = map(&bytes, page + slot_bytes);
    if (bits == NULL) {
        cos_free(slab);
        return -ENOMEM;
    }
    slab->base = bits + page;
    slab->bytes = bytes - page;
    slab->class_index = class_index;
    slab->slots = (uint32_t)(slab->bytes / slot_bytes);
    COS_ASSERT(slab->slots <= page * CHAR_BIT / 2);
    slab->out = (uint64_t *)(void *)bits;
    slab->warm = (uint64_t *)(void *)(bits + page / 2);
#if COS_VALGRIND
    if (RUNNING_ON_VALGRIND) { /* stacks that it does not know it takes for growth of one, and for undefined */
        slab->valgrind_ids = cos_alloc(slab->slots * sizeof *slab->valgrind_ids);
        if (slab->valgrind_ids == NULL) {
            (void)munmap(bits, bytes);
            cos_free(slab);
            return -ENOMEM;
        }
    }
#endif
    slab->next = cos_atomic_load(&slabs, relaxed);
    /* release: pairs with the acquire in cos_stack_find_guard; publishes the slab's constants. */
    cos_atomic_store(&slabs, slab, release);
    bytes_mapped += bytes;
    class->newest = slab;
    class->bytes_next = slab->bytes < SLAB_BYTES_MAX / 2 ? 2 * slab->bytes : SLAB_BYTES_MAX;
    return 0;
}

struct cos_stack_slab *cos_stack_slab_cut(uint32_t class_index, uint32_t n, int *cut)
{
    COS_ASSERT(class_index < COS_STACK_CLASSES && n > 0);
    if (cos_stack_slab_guard() == COS_STACK_GUARD_UNKNOWN) {
        set_guard(forced != COS_STACK_GUARD_UNKNOWN ? forced : cos_stack_guard_probe());
    }
    if (slots_cut >= slots_max()) {
        *cut = -EAGAIN;
        return NULL;
    }
    struct slab_class *class = &classes[class_index];
    if (class->newest == NULL || class->newest->fresh == class->newest->slots) {
        *cut = add(class_index);
        if (*cut < 0) {
            return NULL;
        }
    }
    struct cos_stack_slab *slab = class->newest;
    *cut = 0;
    for (; (uint32_t)*cut < n && slab->fresh < slab->slots && slots_cut < slots_max(); (*cut)++) {
        char *base = cos_stack_slot_base(slab, slab->fresh);
        if (cos_stack_guard_install(cos_stack_slab_guard(), base, cos_stack_guard_bytes()) < 0) {
            break; /* the slot stays fresh: the next call tries again */
        }
        announce_cut(slab, base);
        slab->fresh++;
        slots_cut++;
    }
    if (*cut == 0) {
        *cut = -ENOMEM;
        return NULL;
    }
    return slab;
}

size_t cos_stack_slab_slots(void)
{
    return slots_cut;
}

size_t cos_stack_slab_bytes(void)
{
    return bytes_mapped;
}

void cos_stack_slab_set_cap(size_t slots_max)
{
    slots_cap = slots_max;
}

void cos_stack_slab_force_guard(enum cos_stack_guard guard)
{
    COS_ASSERT(bytes_mapped == 0);
    forced = guard;
    set_guard(COS_STACK_GUARD_UNKNOWN);
}

void cos_stack_slab_unmap_all(void)
{
    struct cos_stack_slab *slab = cos_atomic_exchange(&slabs, NULL, acq_rel);
    while (slab != NULL) {
        struct cos_stack_slab *next = slab->next;
        announce_unmap(slab);
        size_t page = cos_stack_guard_bytes();
        (void)munmap(slab->base - page, slab->bytes + page);
        cos_free(slab->valgrind_ids);
        cos_free(slab);
        slab = next;
    }
    memset(classes, 0, sizeof classes);
    slots_cut = 0;
    bytes_mapped = 0;
    set_guard(COS_STACK_GUARD_UNKNOWN);
}

/* The slot that an address lies in. */
static bool find(const char *wanted, struct cos_stack_slot *slot)
{
    /* acquire: pairs with the release in add. */
    struct cos_stack_slab *slab = cos_atomic_load(&slabs, acquire);
    while (slab != NULL && (wanted < slab->base || wanted >= slab->base + slab->bytes)) {
        slab = slab->next;
    }
    if (slab == NULL) {
        return false;
    }
    size_t number = (size_t)(wanted - slab->base) / cos_stack_class_bytes(slab->class_index);
    *slot = (struct cos_stack_slot){.slab = slab, .number = (uint32_t)number};
    return number < slab->slots;
}

bool cos_stack_find_guard(const void *address, struct cos_stack *out)
{
    struct cos_stack_slot slot;
    if (!find(address, &slot) ||
        (size_t)((const char *)address - cos_stack_slot_base(slot.slab, slot.number)) >=
            cos_stack_guard_bytes()) {
        return false;
    }
    cos_stack_slot_describe(&slot, out);
    return true;
}

bool cos_stack_find(const void *address, struct cos_stack *out)
{
    struct cos_stack_slot slot;
    if (!find(address, &slot)) {
        return false;
    }
    cos_stack_slot_describe(&slot, out);
    return (const char *)address >= out->lo && (const char *)address < out->hi;
}
