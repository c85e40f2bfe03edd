/* See inline_probe.c. The answers of one build for one number of rounds are all the same. */
#ifndef TESTS_INLINE_PROBE_H
#define TESTS_INLINE_PROBE_H
#include <stdint.h>

typedef uint64_t inline_probe_fn(void *stack_lo, void *stack_hi, int main_inline, int fiber_inline,
                                 uint64_t rounds);

inline_probe_fn inline_probe_o0;
inline_probe_fn inline_probe_o2;
inline_probe_fn inline_probe_o3;
inline_probe_fn inline_probe_avx2;
inline_probe_fn inline_probe_avx512;
#endif
