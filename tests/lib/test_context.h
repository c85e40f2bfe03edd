/* What the tests of switching share: stacks, and two flows. */
#ifndef TEST_CONTEXT_H
#define TEST_CONTEXT_H
#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "arch/context.h"
#include "arch/stack.h"
#include "base/atomic.h"

static struct cos_stack_cache cache;

static inline struct cos_stack get_stack(size_t bytes)
{
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, bytes, &stack), 0);
    return stack;
}

static inline void setup(void)
{
    cos_stack_cache_init(&cache);
}

static inline void teardown(void)
{
    cos_stack_cache_fini(&cache);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
}

struct pair {
    struct cos_context home;
    struct cos_context fiber;
    uint64_t rounds;
    uint64_t seed;
    uintptr_t frame;
    uint64_t damaged;
    uint64_t sum;
    void *first_message;
};

/* --- a flow that threads take turns with --- */

struct traveller {
    struct cos_context fiber;
    struct cos_context *back; /* of the thread that runs it now */
    COS_ATOMIC(int)
    turn; /* release by the thread that let it go, acquire by the one that takes it */
    int threads;
    int rounds;
    int64_t steps;
    struct nest *nest;
};

struct ride {
    struct traveller *traveller;
    int number;
    bool saw_end;
};

static COS_SWITCHES void ride_in_turn(struct ride *ride, struct cos_context *home)
{
    struct traveller *traveller = ride->traveller;
    for (;;) {
        int turn;
        do {
            turn = cos_atomic_load(&traveller->turn, acquire);
            sched_yield();
        } while (turn >= 0 && turn % traveller->threads != ride->number);
        if (turn < 0) {
            return;
        }
        traveller->back = home;
        if (cos_context_switch(home, &traveller->fiber, traveller) != NULL) {
            ride->saw_end = true;
            cos_atomic_store(&traveller->turn, -1, release);
            return;
        }
        cos_atomic_store(&traveller->turn, turn + 1, release);
    }
}

static inline void *ride_thread(void *arg)
{
    struct cos_context home;
    cos_context_init_thread(&home);
    ride_in_turn(arg, &home);
    cos_context_fini(&home);
    return NULL;
}

static inline void run_riders(struct traveller *traveller, int threads)
{
    pthread_t ids[4];
    struct ride rides[4];
    traveller->threads = threads;
    for (int i = 0; i < threads; i++) {
        rides[i] = (struct ride){.traveller = traveller, .number = i};
        ck_assert_int_eq(pthread_create(&ids[i], NULL, ride_thread, &rides[i]), 0);
    }
    int ends = 0;
    for (int i = 0; i < threads; i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
        ends += rides[i].saw_end;
    }
    ck_assert_int_eq(ends, 1);
}

#endif
