/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
 * Not for secrets. The state must not be 0. */
#ifndef COS_BASE_RNG_H
#define COS_BASE_RNG_H
#include <stdint.h>

static inline uint64_t cos_rng_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* 0 … n - 1 without division (Lemire 2016); n > 0. */
static inline uint32_t cos_rng_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((cos_rng_next(state) >> 32) * n) >> 32);
}
#endif
