/* One owner with all its verbs against 0, 1, 2, 4 and 8 thieves (every other one steals in batches): each entry is
 * consumed exactly once, and its payload, written before the push, is there. */
#include <sched.h>
#include <string.h>

#include "base/rng.h"
#include "queue/deque.h"
#include "stress.h"

static struct cos_deque deque;
static struct cos_deque thief_deque[STRESS_THREADS_MAX];
static uint64_t *payload; /* plain: whoever takes v reads what the owner wrote, then counts it in place */
static uint32_t entries;
static COS_ATOMIC(uint32_t) consumed, stolen;
static uint64_t seed;

static uint64_t secret(uint32_t v)
{
    return v * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

static void consume(uint32_t v)
{
    STRESS_CHECK(v >= 1 && v <= entries);
    STRESS_CHECK(payload[v] == secret(v)); /* visible, and not consumed before */
    payload[v] = 0;
    cos_atomic_add(&consumed, 1, relaxed);
}

static void owner(void)
{
    uint64_t rng = seed;
    uint32_t next = 1;
    while (next <= entries) {
        uint32_t burst = 1 + cos_rng_below(&rng, 400); /* beyond the first ring */
        for (; burst > 0 && next <= entries; burst--, next++) {
            payload[next] = secret(next);
            STRESS_CHECK(cos_deque_push_owner(&deque, next) == 0);
        }
        for (uint32_t takes = cos_rng_below(&rng, 400); takes > 0; takes--) {
            uint32_t v = 0;
            switch (cos_rng_below(&rng, 4)) {
            case 0: v = cos_deque_take_top_owner(&deque); break;
            case 1: v = cos_deque_take_bottom_if_owner(&deque, next - 1) ? next - 1 : 0; break;
            default: v = cos_deque_take_bottom_owner(&deque); break;
            }
            if (v != 0) {
                consume(v);
            }
        }
    }
    uint32_t v;
    while ((v = cos_deque_take_bottom_owner(&deque)) != 0) {
        consume(v);
    }
}

static void thief(unsigned id)
{
    struct cos_deque *own = &thief_deque[id];
    uint64_t rng = seed + id;
    while (cos_atomic_load(&consumed, relaxed) < entries) {
        uint32_t v = 0;
        if (id % 2 == 0) {
            v = cos_deque_steal_batch(&deque, own, 1 + cos_rng_below(&rng, 8));
        } else if (cos_deque_steal(&deque, &v) != COS_STEAL_TAKEN) {
            v = 0;
        }
        if (v == 0) {
            sched_yield();
            continue;
        }
        cos_atomic_add(&stolen, 1, relaxed);
        consume(v);
        while ((v = cos_deque_take_bottom_owner(own)) != 0) {
            cos_atomic_add(&stolen, 1, relaxed);
            consume(v);
        }
    }
}

static void body(unsigned id)
{
    if (id == 0) {
        owner();
    } else {
        thief(id);
    }
}

static uint64_t runs, consumed_total, stolen_total;

static void run(unsigned thieves, const char *fences)
{
    cos_atomic_store(&consumed, 0, relaxed);
    cos_atomic_store(&stolen, 0, relaxed);
    STRESS_CHECK(cos_deque_init(&deque, 1) == 0);
    for (unsigned t = 1; t <= thieves; t++) {
        STRESS_CHECK(cos_deque_init(&thief_deque[t], 1) == 0);
    }
    stress_run(1 + thieves, body);
    STRESS_CHECK(cos_atomic_load(&consumed, relaxed) == entries);
    for (uint32_t v = 1; v <= entries; v++) {
        STRESS_CHECK(payload[v] == 0);
    }
    STRESS_CHECK(cos_deque_size(&deque) == 0);
    cos_deque_fini(&deque);
    for (unsigned t = 1; t <= thieves; t++) {
        cos_deque_fini(&thief_deque[t]);
    }
    runs++;
    consumed_total += entries;
    stolen_total += cos_atomic_load(&stolen, relaxed);
    printf("deque: %s, %u thieves, %u entries, each consumed once, %u stolen\n", fences, thieves,
           entries, cos_atomic_load(&stolen, relaxed));
}

int main(void)
{
    static const unsigned thieves[] = {0, 1, 2, 4, 8};
    seed = stress_seed();
    entries = (uint32_t)stress_scale(1000000);
    payload = calloc((size_t)entries + 1, sizeof *payload);
    STRESS_CHECK(payload != NULL);
    /* Before cos_fence_init both fences are full ones, which steals a hundred times as often; then membarrier. */
    for (unsigned i = 0; i < sizeof thieves / sizeof thieves[0]; i++) {
        run(thieves[i], "full fences");
    }
    cos_fence_init();
    for (unsigned i = 0; i < sizeof thieves / sizeof thieves[0]; i++) {
        run(thieves[i], "chosen fences");
    }
    free(payload);
    printf("FIGURES stress_deque: runs %" PRIu64 ", entries %" PRIu64 ", steals %" PRIu64
           ", thieves 0 1 2 4 8\n",
           runs, consumed_total, stolen_total);
    return 0;
}
