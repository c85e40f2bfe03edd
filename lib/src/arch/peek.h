/* Reading memory that others may be writing: for looking in without stopping anybody.
 *
 * Word by word, each load whole, and hidden from the compiler and from ThreadSanitizer: what is read here means nothing until
 * a stamp, read again after a heavy fence, says that nobody wrote meanwhile. The memory has to be mapped. */
#ifndef COS_ARCH_PEEK_H
#define COS_ARCH_PEEK_H
#include <stddef.h>
#include <stdint.h>

#include "arch/fence.h"

static inline uint64_t cos_arch_peek(const void *at)
{
    uint64_t word;
#if defined(__x86_64__)
    __asm__ volatile("movq (%1), %0" : "=r"(word) : "r"(at) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("ldr %0, [%1]" : "=r"(word) : "r"(at) : "memory");
#else
    __asm__ volatile("ld %0, 0(%1)" : "=r"(word) : "r"(at) : "memory");
#endif
    return word;
}

/* The same, and no later load passes it: for what is stored word by word with release. */
static inline uint64_t cos_arch_peek_acquire(const void *at)
{
    uint64_t word;
#if defined(__x86_64__)
    word = cos_arch_peek(at); /* loads keep their order */
#elif defined(__aarch64__)
    __asm__ volatile("ldar %0, [%1]" : "=r"(word) : "r"(at) : "memory");
#else
    __asm__ volatile("ld %0, 0(%1)\n\tfence r, r" : "=r"(word) : "r"(at) : "memory");
#endif
    return word;
}

/* Between the reading and the second look at the stamps. Whoever writes has a light fence at least between stamp and contents
 * (arch/fence.h), so a heavy one here orders both sides. Where the machine keeps stores in order, and loads, as x86-64 does, there is
 * nothing to add: and a heavy fence would interrupt every thread that runs (10 % of a load in a virtual machine). */
static inline void cos_arch_peek_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory");
#else
    cos_fence_heavy();
#endif
}

/* Both aligned to 8; bytes a multiple of 8. */
static inline void cos_arch_peek_words(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
        ((uint64_t *)to)[i] = cos_arch_peek((const char *)from + i * sizeof(uint64_t));
    }
}
#endif
