/* The clock of the platform seam: monotonic nanoseconds. The simulator replaces clock_gettime beneath it. */
#ifndef COS_BASE_CLOCK_H
#define COS_BASE_CLOCK_H
#include <stdint.h>

#define COS_NS_PER_MS INT64_C(1000000)
#define COS_NS_PER_S  INT64_C(1000000000)

int64_t cos_clock_now(void);    /* CLOCK_MONOTONIC, ns; any thread */
int64_t cos_clock_coarse(void); /* the same to some milliseconds, for a tenth of the price */
int64_t cos_clock_cpu(
    void); /* what the calling thread has computed, ns: waiting for a CPU does not count */

/* a + b without overflow: INT64_MAX (never) absorbs. b may be negative; the result is at least 1. */
int64_t cos_clock_add(int64_t a, int64_t b);
#endif
