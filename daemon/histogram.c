/* histogram.c - see histogram.h. The index of a value is its highest bit and the four bits below that one, which is
 * what HdrHistogram does with 4 sub-bucket bits.
 */
#include "histogram.h"

#define SUB ((uint64_t)1 << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB) {
        return (unsigned)value;
    }
    unsigned top = 63U - (unsigned)__builtin_clzll(value);
    if (top >= HISTOGRAM_TOP_BIT) {
        return HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    return ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)((value >> shift) - SUB);
}

static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < SUB) {
        return bucket;
    }
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t step = SUB + (bucket & (SUB - 1));
    return ((step + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t value)
{
    h->buckets[bucket_of(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max) {
        h->max = value;
    }
}

uint64_t histogram_quantile(const struct histogram *h, unsigned permille)
{
    if (h->count == 0) {
        return 0;
    }
    uint64_t rank = (h->count * permille + 999) / 1000;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->buckets[i];
        if (seen >= rank && seen > 0) {
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
        }
    }
    return h->max;
}

void histogram_below(const struct histogram *h, unsigned first, unsigned last, uint64_t *below)
{
    uint64_t seen = 0;
    unsigned i = 0;
    for (unsigned bit = first; bit <= last; bit++) {
        for (unsigned end = bucket_of(UINT64_C(1) << bit); i < end; i++) {
            seen += h->buckets[i];
        }
        below[bit - first] = seen;
    }
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max) {
        into->max = from->max;
    }
}
