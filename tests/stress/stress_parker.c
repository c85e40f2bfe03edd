/* 1, 2, 4 and 8 workers that sleep whenever the injector looks empty, 1 to 3 submitters that pause until everything was
 * done after each burst: a lost wake-up hangs the run. Half of the sleeps have a deadline that has nearly passed. */
#include <errno.h>
#include <sched.h>

#include "arch/fence.h"
#include "base/clock.h"
#include "base/rng.h"
#include "queue/injector.h"
#include "queue/parker.h"
#include "stress.h"

enum { ITEMS_MAX = 4096 };

static struct cos_injector injector;
static struct cos_parker parker;
static COS_ATOMIC(uint32_t) link_field[ITEMS_MAX];
static uint64_t payload[ITEMS_MAX];
static COS_ATOMIC(uint32_t) stop, outstanding[STRESS_THREADS_MAX], submitters_left;
static COS_ATOMIC(uint64_t) done;
static unsigned workers, submitters;
static uint64_t bursts, seed;

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &link_field[v];
}

/* Entries of submitter s are s * 1024 + 1 and up. */
static void run_item(uint32_t v)
{
    STRESS_CHECK(payload[v] == v * UINT64_C(13));
    payload[v] = 0;
    cos_atomic_add(&done, 1, relaxed);
    /* release: pairs with the acquire in submit; the entry may be used again. */
    cos_atomic_sub(&outstanding[v / 1024], 1, release);
}

static uint32_t search(void)
{
    uint32_t v = cos_injector_pop(&injector);
    if (cos_parker_search_end(&parker, v != 0)) {
        cos_parker_notify(&parker);
    }
    return v;
}

static void work(uint32_t id)
{
    uint64_t rng = seed + 100 + id;
    bool searching = false; /* woken, so counted already */
    for (;;) {
        uint32_t v = 0;
        if (searching || cos_parker_search_begin(&parker)) {
            searching = false;
            v = search();
        }
        if (v == 0) {
            cos_parker_prepare(&parker, id);
            v = cos_injector_pop(&injector);
            bool home = v == 0 && cos_atomic_load(&stop, acquire) != 0;
            if (v != 0 || home) {
                cos_parker_cancel(&parker, id);
                if (cos_parker_search_end(&parker, v != 0)) {
                    cos_parker_notify(&parker);
                }
            } else {
                bool timed = cos_rng_below(&rng, 2) == 0;
                int rc = cos_parker_wait(&parker, id, timed ? cos_clock_now() + 20000 : INT64_MAX);
                STRESS_CHECK(rc == 0 || (timed && rc == -ETIMEDOUT));
                searching = rc == 0;
                continue;
            }
            if (home) {
                return;
            }
        }
        run_item(v);
    }
}

static void submit(unsigned s)
{
    uint64_t rng = seed + s;
    for (uint64_t b = 0; b < bursts; b++) {
        uint32_t n = 1 + cos_rng_below(&rng, 6);
        cos_atomic_store(&outstanding[s], n, relaxed);
        for (uint32_t i = 1; i <= n; i++) {
            uint32_t v = s * 1024 + i;
            payload[v] = v * UINT64_C(13);
            cos_injector_push(&injector, v);
            cos_parker_notify(&parker);
        }
        /* acquire: pairs with the release in run_item. */
        while (cos_atomic_load(&outstanding[s], acquire) != 0) {
            sched_yield();
        }
    }
    if (cos_atomic_sub(&submitters_left, 1, acq_rel) == 1) {
        cos_atomic_store(&stop, 1, release);
        cos_parker_wake_all(&parker);
    }
}

static void body(unsigned id)
{
    if (id < workers) {
        work(id);
    } else {
        submit(id - workers);
    }
}

int main(void)
{
    static const unsigned counts[] = {1, 2, 4, 8};
    seed = stress_seed();
    cos_fence_init();
    bursts = stress_scale(1500);
    uint64_t items_total = 0, parks_total = 0, wakes_total = 0;
    for (unsigned i = 0; i < 4; i++) {
        for (submitters = 1; submitters <= 3; submitters++) {
            workers = counts[i];
            cos_parker_init(&parker, workers);
            STRESS_CHECK(cos_injector_init(&injector, 2, link_of, NULL) == 0);
            cos_atomic_store(&stop, 0, relaxed);
            cos_atomic_store(&done, 0, relaxed);
            cos_atomic_store(&submitters_left, submitters, relaxed);
            stress_run(workers + submitters, body);
            uint64_t parks = 0, wakes = 0;
            for (unsigned w = 0; w < workers; w++) {
                parks += cos_atomic_load(&parker.bed[w].parks, relaxed);
                wakes += cos_atomic_load(&parker.bed[w].wakes, relaxed);
            }
            STRESS_CHECK(cos_atomic_load(&parker.parked, relaxed) == 0);
            STRESS_CHECK(cos_atomic_load(&parker.searching, relaxed) == 0);
            cos_injector_fini(&injector);
            printf("parker: %u workers, %u submitters, %" PRIu64 " items, %" PRIu64
                   " parks, %" PRIu64 " wakes\n",
                   workers, submitters, cos_atomic_load(&done, relaxed), parks, wakes);
            items_total += cos_atomic_load(&done, relaxed);
            parks_total += parks;
            wakes_total += wakes;
        }
    }
    printf("FIGURES stress_parker: workers 1 2 4 8, items %" PRIu64 ", parks %" PRIu64
           ", wakes %" PRIu64 "\n",
           items_total, parks_total, wakes_total);
    return 0;
}
