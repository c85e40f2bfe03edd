/* histogram.h - how long things take: a log-linear histogram, 16 steps to an octave (error <= 6.25 %).
 *
 * Pure: no clock, no allocation, no lock; the writer is its only thread. Counts only grow.
 */
#ifndef DAEMON_HISTOGRAM_H
#define DAEMON_HISTOGRAM_H
#include <stdint.h>

/* Values below 16 have a bucket each; then 16 for each power of two up to 2^41 (25 days in microseconds); larger
 * ones share the last bucket, and max stays exact. */
#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_TOP_BIT  41
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_TOP_BIT - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count, sum, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t value);
/* The value below or at which `permille` of 1000 samples lie: the upper end of its bucket, never above max.
 * 0 when nothing was recorded. */
uint64_t histogram_quantile(const struct histogram *h, unsigned permille);
/* below[i]: how many samples are smaller than 2^(first + i), for bits first … last; last is at most HISTOGRAM_TOP_BIT. */
void histogram_below(const struct histogram *h, unsigned first, unsigned last, uint64_t *below);
/* `into` gets the samples of `from` as well. */
void histogram_add(struct histogram *into, const struct histogram *from);

#endif
