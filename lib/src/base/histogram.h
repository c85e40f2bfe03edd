/* How long things take: 16 steps to an octave, so a quantile is right to 6 %. One thread writes, without a lock or a locked
 * operation; any thread reads meanwhile. Values are in whatever unit the writer counts in. */
#ifndef COS_BASE_HISTOGRAM_H
#define COS_BASE_HISTOGRAM_H
#include <stdint.h>

#include "base/atomic.h"

#define COS_HISTOGRAM_SUB_BITS 4
#define COS_HISTOGRAM_TOP_BIT \
    41 /* from 2^41 on (a quarter of an hour of ticks) all share the last bucket */
#define COS_HISTOGRAM_BUCKETS \
    ((COS_HISTOGRAM_TOP_BIT - COS_HISTOGRAM_SUB_BITS + 1) << COS_HISTOGRAM_SUB_BITS)

struct cos_histogram { /* zeroed is empty */
    COS_ATOMIC(uint64_t) sum, max;
    COS_ATOMIC(uint64_t) bucket[COS_HISTOGRAM_BUCKETS];
};

static inline unsigned cos_histogram_bucket(uint64_t value)
{
    if (value < 1U << COS_HISTOGRAM_SUB_BITS) {
        return (unsigned)value;
    }
    unsigned top = 63U - (unsigned)__builtin_clzll(value);
    unsigned shift = top - COS_HISTOGRAM_SUB_BITS;
    /* The leading bit of value >> shift carries into the octave. */
    return top >= COS_HISTOGRAM_TOP_BIT
               ? COS_HISTOGRAM_BUCKETS - 1
               : (shift << COS_HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static inline uint64_t cos_histogram_end(unsigned bucket)
{
    if (bucket < 1U << COS_HISTOGRAM_SUB_BITS) {
        return bucket;
    }
    unsigned shift = (bucket >> COS_HISTOGRAM_SUB_BITS) - 1;
    uint64_t step = bucket - (shift << COS_HISTOGRAM_SUB_BITS);
    return ((step + 1) << shift) - 1;
}

static inline void cos_histogram_count_owner(struct cos_histogram *h, uint64_t value)
{
    COS_ATOMIC(uint64_t) *bucket = &h->bucket[cos_histogram_bucket(value)];
    /* relaxed: one writer; numbers that carry no data */
    cos_atomic_store(bucket, cos_atomic_load(bucket, relaxed) + 1, relaxed);
    cos_atomic_store(&h->sum, cos_atomic_load(&h->sum, relaxed) + value, relaxed);
    if (value > cos_atomic_load(&h->max, relaxed)) {
        cos_atomic_store(&h->max, value, relaxed);
    }
}
#endif
