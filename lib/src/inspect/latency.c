/* cosched_latency_get: adds up histograms that their owners go on writing, and turns ticks into nanoseconds. Any thread; a
 * task's stack has no room for a copy, so it looks at them twice: to count, then to place. Counts only grow, so every rank is
 * found. */
#include <cosched/inspect.h>

#include <errno.h>
#include <string.h>

#include "base/ticks.h"
#include "sched/fork.h"
#include "sched/runtime.h"

/* The i-th of those that are asked for; NULL: no more. */
static const struct cos_histogram *part(const struct cosched_runtime *rt, cosched_latency_kind kind,
                                        uint32_t i)
{
    if (kind == COSCHED_LATENCY_POLL_GAP) {
        return i == 0 ? &rt->loop.gaps : NULL;
    }
    if (kind == COSCHED_LATENCY_HOP_TO_MAIN) {
        return i == 0 ? &rt->main->hops : NULL;
    }
    i += kind == COSCHED_LATENCY_HOP_TO_WORKER ? 1 : 0;
    return i <= rt->workers ? &rt->execs[i]->hops : NULL;
}

/* relaxed, here and below: numbers that carry no data. */
static uint64_t in_bucket(const struct cosched_runtime *rt, cosched_latency_kind kind,
                          unsigned bucket)
{
    uint64_t n = 0;
    const struct cos_histogram *h;
    for (uint32_t i = 0; (h = part(rt, kind, i)) != NULL; i++) {
        n += cos_atomic_load(&h->bucket[bucket], relaxed);
    }
    return n;
}

static void add_up(cosched_latency *l, const struct cosched_runtime *rt, cosched_latency_kind kind,
                   const struct cos_ticks_rate *rate)
{
    uint64_t ticks = 0, max = 0;
    const struct cos_histogram *h;
    for (uint32_t i = 0; (h = part(rt, kind, i)) != NULL; i++) {
        uint64_t its_max = cos_atomic_load(&h->max, relaxed);
        max = its_max > max ? its_max : max;
        ticks += cos_atomic_load(&h->sum, relaxed);
    }
    for (unsigned b = 0; b < COS_HISTOGRAM_BUCKETS; b++) {
        l->count += in_bucket(rt, kind, b);
    }
    l->sum_ns = cos_ticks_ns(rate, ticks);
    l->max_ns = cos_ticks_ns(rate, max);
}

static uint64_t rank(uint64_t count, uint64_t permille)
{
    return (count * permille + 999) / 1000;
}

/* Those up to now, `seen` of them, took `end_ns` at most: sets what this is the first bucket for. */
static void place(cosched_latency *l, uint64_t seen, uint64_t end_ns)
{
    const struct {
        uint64_t permille, *at;
    } quantiles[] = {{500, &l->p50_ns}, {900, &l->p90_ns}, {990, &l->p99_ns}, {999, &l->p999_ns}};

    end_ns = end_ns < l->max_ns ? end_ns : l->max_ns; /* what is largest of all is known exactly */
    for (unsigned i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        if (*quantiles[i].at == UINT64_MAX && seen >= rank(l->count, quantiles[i].permille)) {
            *quantiles[i].at = end_ns;
        }
    }
}

static void fill(cosched_latency *l, const struct cosched_runtime *rt, cosched_latency_kind kind,
                 const struct cos_ticks_rate *rate)
{
    uint64_t seen = 0;
    unsigned step = 0;
    l->p50_ns = l->p90_ns = l->p99_ns = l->p999_ns = UINT64_MAX;
    for (unsigned b = 0; b < COS_HISTOGRAM_BUCKETS; b++) {
        bool last = b == COS_HISTOGRAM_BUCKETS - 1; /* it has no end */
        uint64_t end_ns = last ? UINT64_MAX : cos_ticks_ns(rate, cos_histogram_end(b));
        for (; step < COSCHED_LATENCY_STEPS && end_ns > UINT64_C(1000) << step; step++) {
            l->within[step] = seen;
        }
        seen += in_bucket(rt, kind, b);
        if (seen > 0) {
            place(l, seen, end_ns);
        }
    }
}

int cosched_latency_get(cosched_runtime *rt, cosched_latency_kind kind, cosched_latency *out)
{
    size_t size = out->struct_size;
    if (rt == NULL || size == 0 || size > sizeof *out || (unsigned)kind > COSCHED_LATENCY_POLL_GAP) {
        return -EINVAL;
    }
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    struct cos_ticks_rate rate;
    cos_ticks_rate(&rate);
    cosched_latency l = {.struct_size = size};
    add_up(&l, rt, kind, &rate);
    if (l.count > 0) {
        fill(&l, rt, kind, &rate);
    }
    memcpy(out, &l, size);
    return 0;
}
