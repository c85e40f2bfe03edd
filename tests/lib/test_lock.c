/* Lock, futex and the asymmetric fence. Threads are held by gates and counters, never by the clock; the only
 * deadlines are those whose passing is the subject. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "arch/fence.h"
#include "arch/futex.h"
#include "arch/lock.h"
#include "arch/sanitizer.h"
#include "base/clock.h"

/* ---- lock ---- */

START_TEST(try_fails_while_held)
{
    struct cos_lock lock = {0};
    ck_assert(cos_lock_try(&lock));
    ck_assert(!cos_lock_try(&lock));
    cos_lock_release(&lock);
    ck_assert(cos_lock_try(&lock));
    cos_lock_release(&lock);
    ck_assert_uint_eq(cos_atomic_load(&lock.word, relaxed), COS_LOCK_FREE);
}

END_TEST

/* What the invariant of the switch asks: debug builds know, others say none. */
START_TEST(debug_builds_count_what_a_thread_holds)
{
#if defined(COS_DEBUG) && COS_DEBUG
    const int each = 1;
#else
    const int each = 0;
#endif
    struct cos_lock a = {0}, b = {0};
    ck_assert_int_eq(cos_lock_held(), 0);
    cos_lock_acquire(&a);
    ck_assert(cos_lock_try(&b));
    ck_assert(!cos_lock_try(&a));
    ck_assert_int_eq(cos_lock_held(), 2 * each);
    cos_lock_release(&a);
    ck_assert_int_eq(cos_lock_held(), each);
    cos_lock_release(&b);
    ck_assert_int_eq(cos_lock_held(), 0);
}

END_TEST

static void *takes_and_leaves(void *arg)
{
    struct cos_lock *lock = arg;
    cos_lock_acquire(lock);
    cos_lock_release(lock);
    return NULL;
}

/* The holder's memory is given back under him, and zeros are what is left of it. Whoever sleeps there is not forgotten. */
START_TEST(who_sleeps_at_a_lock_that_became_zeros_is_woken)
{
    struct cos_lock lock = {0};
    pthread_t thread;
    cos_lock_acquire(&lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, takes_and_leaves, &lock), 0);
    while (cos_atomic_load(&lock.word, relaxed) != COS_LOCK_CONTENDED) {
        sched_yield();
    }
    cos_atomic_store(&lock.word, COS_LOCK_FREE, relaxed); /* as the system does it */
    ck_assert(cos_lock_forget(1));
    cos_lock_wake_all(&lock);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(cos_lock_held(), 0);
    ck_assert(!cos_lock_forget(0)); /* nobody sleeps any more */
}

END_TEST

struct counter {
    struct cos_lock lock;
    uint64_t value; /* lock */
    bool inside;    /* lock */
    bool overlapped;
    uint64_t rounds;
};

static void *count_up(void *arg)
{
    struct counter *counter = arg;
    for (uint64_t i = 0; i < counter->rounds; i++) {
        cos_lock_acquire(&counter->lock);
        counter->overlapped |= counter->inside;
        counter->inside = true;
        counter->value++;
        if (i % 1024 == 0) {
            sched_yield(); /* the holder off its processor: waiters must get as far as sleeping */
        }
        counter->inside = false;
        cos_lock_release(&counter->lock);
    }
    return NULL;
}

START_TEST(contended_by_more_threads_than_processors)
{
    enum { THREADS = 6 };
    struct counter counter = {.rounds = COS_SANITIZED ? 20000 : 100000};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, &counter), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(counter.value, THREADS * counter.rounds);
    ck_assert(!counter.overlapped);
    ck_assert_uint_eq(cos_atomic_load(&counter.lock.word, relaxed), COS_LOCK_FREE);
}

END_TEST

/* The last user frees the object that holds the lock: a release that looked at it again would be caught by
 * AddressSanitizer. */
struct shared {
    struct cos_lock lock;
    int users; /* lock */
};

static void *drop(void *arg)
{
    struct shared *shared = arg;
    cos_lock_acquire(&shared->lock);
    bool last = --shared->users == 0;
    cos_lock_release(&shared->lock);
    if (last) {
        free(shared);
    }
    return NULL;
}

START_TEST(last_user_frees_the_lock)
{
    for (int i = 0; i < 300; i++) {
        struct shared *shared = calloc(1, sizeof *shared);
        ck_assert_ptr_nonnull(shared);
        shared->users = 3;
        pthread_t threads[2];
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(pthread_create(&threads[k], NULL, drop, shared), 0);
        }
        (void)drop(shared);
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(pthread_join(threads[k], NULL), 0);
        }
    }
}

END_TEST

/* ---- futex ---- */

START_TEST(futex_refuses_a_changed_word)
{
    COS_ATOMIC(uint32_t) word = 7;
    ck_assert_int_eq(cos_futex_wait(&word, 6, INT64_MAX), -EAGAIN);
    ck_assert_int_eq(cos_futex_wake(&word, 1), 0);
}

END_TEST

START_TEST(futex_times_out_at_its_deadline_and_not_before)
{
    COS_ATOMIC(uint32_t) word = 0;
    int64_t past[] = {INT64_MIN, -1, 0, 1, cos_clock_now() - 1};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        ck_assert_int_eq(cos_futex_wait(&word, 0, past[i]), -ETIMEDOUT);
    }
    int64_t deadline = cos_clock_now() + 2 * COS_NS_PER_MS;
    int rc;
    do {
        rc = cos_futex_wait(&word, 0, deadline);
    } while (rc == 0 || rc == -EINTR);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(cos_clock_now(), deadline);
}

END_TEST

struct gate {
    COS_ATOMIC(uint32_t) word;
    COS_ATOMIC(uint32_t) passed;
};

static void *wait_at_gate(void *arg)
{
    struct gate *gate = arg;
    while (cos_atomic_load(&gate->word, acquire) == 0) {
        int rc = cos_futex_wait(&gate->word, 0, INT64_MAX);
        if (rc != 0 && rc != -EAGAIN && rc != -EINTR) {
            return gate;
        }
    }
    cos_atomic_add(&gate->passed, 1, relaxed);
    return NULL;
}

START_TEST(futex_wakes_every_sleeper)
{
    enum { SLEEPERS = 4 };
    struct gate gate = {0};
    pthread_t threads[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_at_gate, &gate), 0);
    }
    cos_atomic_store(&gate.word, 1, release);
    int woken = cos_futex_wake(&gate.word, SLEEPERS + 1);
    ck_assert(woken >= 0 && woken <= SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++) {
        void *result = &gate;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_null(result);
    }
    ck_assert_uint_eq(cos_atomic_load(&gate.passed, relaxed), SLEEPERS);
}

END_TEST

/* ---- fences ---- */

/* Store buffering: each side stores its word and loads the other's. Without an order between the two, both can
 * read zero, and on x86-64 plain stores do so within a few thousand rounds. */
struct litmus {
    _Alignas(128) COS_ATOMIC(uint32_t) round; /* release opens a round, acquire sees it */
    _Alignas(128) COS_ATOMIC(uint32_t) done;
    _Alignas(128) COS_ATOMIC(uint32_t) x;
    _Alignas(128) COS_ATOMIC(uint32_t) y;
    _Alignas(128) uint32_t seen_by_light; /* published by done */
};

enum { ROUNDS = 20000, ROUNDS_AT_LEAST = 200, OVER = ROUNDS + 1 };

/* On a machine with much else to do each round may wait for two turns of a processor: then fewer have to do. */
#define ROUNDS_NS (20 * COS_NS_PER_S)

/* Meets the other side at all its places. */
static void dawdle(uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        __asm__ volatile("" ::: "memory");
    }
}

/* The n-th processor we may use, if there are so many: the sides must run at the same time to meet. */
static void pin_to(int n)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && n-- == 0) {
            CPU_ZERO(&allowed);
            CPU_SET(cpu, &allowed);
            (void)sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
    }
}

static void *light_side(void *arg)
{
    struct litmus *litmus = arg;
    pin_to(1);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t seen;
        for (uint32_t spins = 0; (seen = cos_atomic_load(&litmus->round, acquire)) < round; spins++) {
            if (spins > 1000) {
                sched_yield();
            }
        }
        if (seen == OVER) {
            break;
        }
        dawdle(round % 61);
        cos_atomic_store(&litmus->x, 1, relaxed);
        cos_fence_light();
        litmus->seen_by_light = cos_atomic_load(&litmus->y, relaxed);
        cos_atomic_store(&litmus->done, round, release);
    }
    return NULL;
}

START_TEST(heavy_and_light_forbid_that_both_miss)
{
    struct litmus litmus = {.seen_by_light = 0};
    cos_fence_init();
    cos_fence_init();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, light_side, &litmus), 0);
    pin_to(0);
    uint32_t both_missed = 0;
    int64_t end = cos_clock_add(cos_clock_now(), ROUNDS_NS);
    for (uint32_t round = 1; round <= ROUNDS && (round <= ROUNDS_AT_LEAST || cos_clock_now() < end);
         round++) {
        cos_atomic_store(&litmus.x, 0, relaxed);
        cos_atomic_store(&litmus.y, 0, relaxed);
        cos_atomic_store(&litmus.round, round, release);
        dawdle(round % 1024);
        cos_atomic_store(&litmus.y, 1, relaxed);
        cos_fence_heavy();
        uint32_t seen = cos_atomic_load(&litmus.x, relaxed);
        for (uint32_t spins = 0; cos_atomic_load(&litmus.done, acquire) != round; spins++) {
            if (spins > 1000) {
                sched_yield();
            }
        }
        both_missed += seen == 0 && litmus.seen_by_light == 0;
    }
    cos_atomic_store(&litmus.round, OVER, release);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(both_missed, 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tcase = tcase_create("lock");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, try_fails_while_held);
    tcase_add_test(tcase, debug_builds_count_what_a_thread_holds);
    tcase_add_test(tcase, who_sleeps_at_a_lock_that_became_zeros_is_woken);
    tcase_add_test(tcase, contended_by_more_threads_than_processors);
    tcase_add_test(tcase, last_user_frees_the_lock);
    tcase_add_test(tcase, futex_refuses_a_changed_word);
    tcase_add_test(tcase, futex_times_out_at_its_deadline_and_not_before);
    tcase_add_test(tcase, futex_wakes_every_sleeper);
    tcase_add_test(tcase, heavy_and_light_forbid_that_both_miss);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
