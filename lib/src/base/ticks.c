/* See ticks.h. The rate is what the counter and the monotonic clock did between two looks that lie far apart; a suspended
 * machine stops one of them and not the other, so a rate that is not like the one before begins anew. */
#include "base/ticks.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define BASE_NS_MIN (2 * COS_NS_PER_MS) /* a look errs by some 50 ns: 25 parts in a million */
#define BASE_NS_SURE \
    (100 * COS_NS_PER_MS) /* from here on a rate is good enough to judge others by */
#define DRIFT_MAX 0.001   /* more than any clock is slewed */

struct look {
    uint64_t ticks;
    int64_t ns;
};

bool cos_ticks_counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct look first;
static double known; /* ns per tick, from a long base; 0: not yet */

/* The counter goes on at one speed whatever the CPU does. */
static bool has_counter(void)
{
#if !COS_TICKS_COUNTER
    return false;
#elif defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & 1U << 8) != 0;
#else
    return true;
#endif
}

/* Both at one moment: of several tries the one that took least. */
static struct look look(void)
{
    struct look best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5 && least > 0; i++) {
        uint64_t before = cos_ticks_now();
        int64_t ns = cos_clock_now();
        uint64_t took = cos_ticks_between(before, cos_ticks_now());
        if (took < least) {
            least = took;
            best = (struct look){before + took / 2, ns};
        }
    }
    return best;
}

void cos_ticks_init(void)
{
    pthread_mutex_lock(&mutex);
    if (first.ns == 0) {
        cos_ticks_counter = has_counter();
        first = look();
    }
    pthread_mutex_unlock(&mutex);
}

static void rate_locked(struct cos_ticks_rate *out)
{
    struct look now = look();
    while (now.ns - first.ns < BASE_NS_MIN) {
        now = look();
    }
    double rate = now.ticks > first.ticks
                      ? (double)(now.ns - first.ns) / (double)(now.ticks - first.ticks)
                      : 0;
    if (known > 0 && (rate < known * (1 - DRIFT_MAX) || rate > known * (1 + DRIFT_MAX))) {
        rate = known;
        first = now;
    } else if (now.ns - first.ns >= BASE_NS_SURE) {
        known = rate;
    }
    *out = (struct cos_ticks_rate){now.ticks, now.ns, rate};
}

void cos_ticks_rate(struct cos_ticks_rate *out)
{
    if (!cos_ticks_counter) {
        uint64_t now = cos_ticks_now();
        *out = (struct cos_ticks_rate){now, (int64_t)now, 1};
        return;
    }
    pthread_mutex_lock(&mutex);
    rate_locked(out);
    pthread_mutex_unlock(&mutex);
}
