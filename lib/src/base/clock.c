/* The production clock. */
#include "base/clock.h"

#include <time.h>

int64_t cos_clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * COS_NS_PER_S + ts.tv_nsec;
}

int64_t cos_clock_coarse(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * COS_NS_PER_S + ts.tv_nsec;
}

int64_t cos_clock_cpu(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * COS_NS_PER_S + ts.tv_nsec;
}

int64_t cos_clock_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (a == INT64_MAX || __builtin_add_overflow(a, b, &sum)) {
        return b < 0 && a != INT64_MAX ? 1 : INT64_MAX;
    }
    return sum < 1 ? 1 : sum;
}
