/* Producers and consumers in several numbers, single and in batches, over a small and a usual ring: each entry comes
 * out exactly once with its payload. Order is the unit test's business. */
#include <sched.h>
#include <string.h>

#include "base/rng.h"
#include "queue/injector.h"
#include "stress.h"

static struct cos_injector injector;
static COS_ATOMIC(uint32_t) * next;
static uint64_t *payload;
static uint32_t entries;
static unsigned producers;
static COS_ATOMIC(uint32_t) consumed;
static uint64_t seed;

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &next[v];
}

static uint64_t secret(uint32_t v)
{
    return v * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

/* Producer id owns the entries id + 1, id + 1 + producers, … in ascending order. */
static void produce(unsigned id)
{
    uint64_t rng = seed + id;
    uint32_t batch[32];
    uint32_t v = id + 1;
    while (v <= entries) {
        uint32_t n = 0, want = 1 + cos_rng_below(&rng, 32);
        for (; n < want && v <= entries; v += producers) {
            payload[v] = secret(v);
            batch[n++] = v;
        }
        if (n == 1) {
            cos_injector_push(&injector, batch[0]);
        } else {
            cos_injector_push_batch(&injector, batch, n);
        }
    }
}

static void consume(unsigned id)
{
    uint64_t rng = seed + 1000 + id;
    uint32_t batch[32];
    while (cos_atomic_load(&consumed, relaxed) < entries) {
        size_t n = cos_injector_pop_batch(&injector, batch, 1 + cos_rng_below(&rng, 32));
        if (n == 0) {
            sched_yield();
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            STRESS_CHECK(batch[i] >= 1 && batch[i] <= entries);
            STRESS_CHECK(payload[batch[i]] == secret(batch[i]));
            payload[batch[i]] = 0;
        }
        cos_atomic_add(&consumed, (uint32_t)n, relaxed);
    }
}

static void body(unsigned id)
{
    if (id < producers) {
        produce(id);
    } else {
        consume(id - producers);
    }
}

static uint64_t runs, pushed_total, overflowed_total;

static void run(uint32_t capacity_log2, unsigned p, unsigned c)
{
    producers = p;
    cos_atomic_store(&consumed, 0, relaxed);
    STRESS_CHECK(cos_injector_init(&injector, capacity_log2, link_of, NULL) == 0);
    stress_run(p + c, body);
    for (uint32_t v = 1; v <= entries; v++) {
        STRESS_CHECK(payload[v] == 0);
    }
    struct cos_injector_counts counts;
    cos_injector_counts(&injector, &counts);
    STRESS_CHECK(counts.pushed == entries && counts.popped == entries &&
                 cos_injector_depth(&injector) == 0);
    cos_injector_fini(&injector);
    runs++;
    pushed_total += counts.pushed;
    overflowed_total += counts.overflowed;
    printf("injector: ring of %u, %u producers, %u consumers, %u entries, %" PRIu64
           " through the list\n",
           1u << capacity_log2, p, c, entries, counts.overflowed);
}

int main(void)
{
    static const unsigned sizes[] = {1, 2, 4};
    seed = stress_seed();
    entries = (uint32_t)stress_scale(600000);
    next = calloc((size_t)entries + 1, sizeof *next);
    payload = calloc((size_t)entries + 1, sizeof *payload);
    STRESS_CHECK(next != NULL && payload != NULL);
    for (unsigned p = 0; p < 3; p++) {
        for (unsigned c = 0; c < 3; c++) {
            run(1, sizes[p], sizes[c]);
            run(COS_INJECTOR_CAPACITY_LOG2, sizes[p], sizes[c]);
        }
    }
    free(next);
    free(payload);
    printf("FIGURES stress_injector: runs %" PRIu64 ", entries %" PRIu64
           ", through the list %" PRIu64 "\n",
           runs, pushed_total, overflowed_total);
    return 0;
}
