/* The queues tested by themselves, as arch_selftest.c does the floor below: no libcheck, no libuv, static. An emulator executes with
 * its host's ordering, so this is for the code that a compiler makes of them, never for their memory orders. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/fence.h"
#include "base/assert.h"
#include "base/clock.h"
#include "queue/deque.h"
#include "queue/injector.h"
#include "queue/parker.h"

enum { VALUES = 20000, THIEVES = 3 };

static struct cos_deque deque, loot[THIEVES];
static struct cos_injector injector;
static struct cos_parker parker;
static COS_ATOMIC(uint32_t) next[VALUES + 1];
static COS_ATOMIC(uint32_t) taken[VALUES + 1]; /* how often; each must be 1 */
static COS_ATOMIC(uint32_t) left, over;

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &next[v];
}

static void take(uint32_t v)
{
    COS_ASSERT(v <= VALUES);
    (void)cos_atomic_add(&taken[v], 1, relaxed);
    (void)cos_atomic_sub(&left, 1, acq_rel);
}

/* One of the workers: steals and takes from the injector until all is taken, and sleeps when there is nothing. */
static void *steal(void *arg)
{
    uint32_t id = (uint32_t)(uintptr_t)arg;
    while (cos_atomic_load(&over, acquire) == 0) {
        uint32_t v = cos_deque_steal_batch(&deque, &loot[id], 8);
        v = v != 0 ? v : cos_injector_pop(&injector);
        for (; v != 0; v = cos_deque_take_bottom_owner(&loot[id])) {
            take(v);
        }
        cos_parker_prepare(&parker, id);
        if (cos_deque_size(&deque) > 0 || cos_injector_depth(&injector) > 0 ||
            cos_atomic_load(&over, acquire) != 0) {
            cos_parker_cancel(&parker, id);
        } else {
            (void)cos_parker_wait(&parker, id, cos_clock_now() + COS_NS_PER_S);
        }
    }
    return NULL;
}

static void begin(pthread_t *threads)
{
    cos_fence_init();
    cos_atomic_store(&left, VALUES, relaxed);
    cos_parker_init(&parker, THIEVES);
    COS_ASSERT(cos_deque_init(&deque, 4) == 0);
    COS_ASSERT(cos_injector_init(&injector, 4, link_of, NULL) == 0);
    for (uintptr_t i = 0; i < THIEVES; i++) {
        COS_ASSERT(cos_deque_init(&loot[i], 4) == 0);
        COS_ASSERT(pthread_create(&threads[i], NULL, steal, (void *)i) == 0);
    }
}

int main(void)
{
    pthread_t threads[THIEVES];
    begin(threads);
    for (uint32_t v = 1; v <= VALUES; v++) {
        if (v % 3 == 0) {
            cos_injector_push(&injector, v);
        } else {
            COS_ASSERT(cos_deque_push_owner(&deque, v) == 0);
        }
        (void)cos_parker_notify(&parker);
        uint32_t mine = v % 5 == 0 ? cos_deque_take_bottom_owner(&deque) : 0;
        if (mine != 0) {
            take(mine);
        }
    }
    uint32_t mine;
    while ((mine = cos_deque_take_top_owner(&deque)) != 0 ||
           (mine = cos_injector_pop(&injector)) != 0) {
        take(mine);
    }
    while (cos_atomic_load(&left, acquire) != 0) { /* the thieves still hold some */
        sched_yield();
    }
    cos_atomic_store(&over, 1, release);
    cos_parker_wake_all(&parker);
    for (int i = 0; i < THIEVES; i++) {
        COS_ASSERT(pthread_join(threads[i], NULL) == 0);
        cos_deque_fini(&loot[i]);
    }
    for (uint32_t v = 1; v <= VALUES; v++) {
        COS_ASSERT(cos_atomic_load(&taken[v], relaxed) == 1);
    }
    cos_deque_fini(&deque);
    cos_injector_fini(&injector);
    printf("queue_selftest: passed; fences are %s\n",
#if COS_TSAN
           "plain");
#else
           cos_fence_asymmetric ? "asymmetric" : "plain");
#endif
    return EXIT_SUCCESS;
}
