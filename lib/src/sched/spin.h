/* Spinning before a sleep, only where it recently paid.
 *
 * A sleep that is ended at once costs microseconds here and tens of them on a halted virtual CPU; a spin that finds nothing
 * costs the CPU to somebody else. So each executor keeps a credit: a spin that found work earns, one that did not
 * pays double, and without credit only one sleep in many is preceded by a spin, to notice when times change. */
#ifndef COS_SCHED_SPIN_H
#define COS_SCHED_SPIN_H
#include <stdbool.h>
#include <stdint.h>

#ifndef COS_SPIN_NS                /* 0: a benchmark's library without spinning */
#define COS_SPIN_NS INT64_C(20000) /* about what one sleep and wake-up cost */
#endif

struct cos_spin { /* owner thread only */
    uint32_t credit, sleeps;
};

enum {
    COS_SPIN_CREDIT_MAX = 16,
    COS_SPIN_PROBE = 64,
    COS_SPIN_LOOKS = 8 /* between two at the clock, which cost as much as all of them */
};

static inline bool cos_spin_may(struct cos_spin *s)
{
    return s->credit > 0 || ++s->sleeps % COS_SPIN_PROBE == 0;
}

static inline void cos_spin_result(struct cos_spin *s, bool paid)
{
    if (paid) {
        s->credit = s->credit + 2 < COS_SPIN_CREDIT_MAX ? s->credit + 2 : COS_SPIN_CREDIT_MAX;
    } else {
        s->credit = s->credit > 4 ? s->credit - 4 : 0;
    }
}
#endif
