/* Semaphores: never more than n inside, first come first served, and no unit goes down with a waiter that gave up. */
#include "test_sync.h"

static uint32_t count_of(cosched_sem *s)
{
    uint32_t n = 0;
    while (cosched_sem_try(s)) {
        n++;
    }
    return n;
}

START_TEST(it_counts_on_any_thread)
{
    cosched_sem s;
    cosched_sem_init(&s, 3);
    EXPECT_EQ(count_of(&s), 3);
    EXPECT(!cosched_sem_try(&s));
    cosched_sem_release(&s, 2);
    cosched_sem_release(&s, 0);
    EXPECT_EQ(count_of(&s), 2);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NOW), -EPERM);
    cosched_sem_init(&s, UINT32_MAX - 1);
    cosched_sem_release(&s, 1);
    EXPECT(cosched_sem_try(&s));
}

END_TEST

struct room {
    cosched_sem s;
    atomic_int inside, most;
};

static void stay(struct room *r)
{
    int now = atomic_fetch_add(&r->inside, 1) + 1, most = r->most;
    while (now > most && !atomic_compare_exchange_weak(&r->most, &most, now)) {
    }
    cosched_yield();
    atomic_fetch_sub(&r->inside, 1);
}

static int64_t visit(void *arg)
{
    struct room *r = arg;
    for (int i = 0; i < RUN_SIZE(500, 150, 60); i++) {
        EXPECT_EQ(cosched_sem_acquire(&r->s, COSCHED_NEVER), 0);
        stay(r);
        cosched_sem_release(&r->s, 1);
    }
    return 0;
}

SCENARIO(never_more_than_n_inside)
{
    for (uint32_t n = 1; n <= 4; n++) {
        struct room r = {.inside = 0};
        cosched_task t[12];
        cosched_sem_init(&r.s, n);
        for (int i = 0; i < 12; i++) {
            t[i] = run_spawn(visit, &r, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        for (int i = 0; i < 12; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
        EXPECT(r.most <= (int)n);
        EXPECT_EQ(count_of(&r.s), n);
    }
}

struct line {
    cosched_sem s;
    int served;
};

static int64_t acquire_and_number(void *arg)
{
    struct line *l = arg;
    int rc = cosched_sem_acquire(&l->s, COSCHED_NEVER);
    return rc < 0 ? rc : l->served++; /* MAIN only */
}

SCENARIO(units_go_to_those_who_wait_in_order_the_rest_to_the_count)
{
    struct line l = {.served = 0};
    cosched_task t[10];
    cosched_sem_init(&l.s, 0);
    for (int i = 0; i < 10; i++) {
        t[i] = sync_spawn_and_let_wait(acquire_and_number, &l);
    }
    cosched_cancel(t[1]);
    cosched_cancel(t[4]);
    cosched_sem_release(&l.s, 3); /* to 0, 2, 3 */
    EXPECT(!cosched_sem_try(&l.s));
    cosched_sem_release(&l.s, 7); /* to 5 … 9, and two are left */
    EXPECT_EQ(count_of(&l.s), 2);
    int next = 0;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run_join(t[i]), i == 1 || i == 4 ? -ECANCELED : next++);
    }
}

SCENARIO(deadlines_and_cancellation_take_nothing)
{
    cosched_sem s;
    cosched_scope scope;
    cosched_sem_init(&s, 0);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_sem_acquire(&s, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(1), 0), 0);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), -ECANCELED);
    cosched_sem_release(&s, 1);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), -ECANCELED); /* level-triggered */
    EXPECT(cosched_scope_end(&scope));
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), 0);
}

static int64_t release_it(void *arg)
{
    cosched_sem_release(arg, 1);
    return 0;
}

static void *release_on_thread(void *arg)
{
    release_it(arg);
    return NULL;
}

static void be_released(cosched_affinity by)
{
    cosched_sem s; /* gone as soon as it is acquired */
    pthread_t thread;
    cosched_sem_init(&s, 0);
    if (by == COSCHED_INHERIT) {
        EXPECT_EQ(pthread_create(&thread, NULL, release_on_thread, &s), 0);
        EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), 0);
        memset(&s, 0xff, sizeof s);
        pthread_join(thread, NULL);
        return;
    }
    cosched_task t = run_spawn(release_it, &s, by);
    cosched_detach(&t);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), 0);
    memset(&s, 0xff, sizeof s);
}

SCENARIO(it_may_go_as_soon_as_it_is_acquired)
{
    for (int i = 0; i < RUN_SIZE(1000, 300, 100); i++) {
        be_released(COSCHED_WORKER);
        be_released(COSCHED_MAIN);
        if (i % 10 == 0) {
            be_released(COSCHED_INHERIT);
        }
    }
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct room *r = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        if (!storm_gave_up(cosched_sem_acquire(&r->s, storm_deadline(t)))) {
            EXPECT(atomic_fetch_add(&r->inside, 1) < 3);
            storm_pause(t);
            atomic_fetch_sub(&r->inside, 1);
            cosched_sem_release(&r->s, 1);
        }
    }
    return 0;
}

SCENARIO(a_storm_leaves_every_unit)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(150, 40, 20); round++) {
        struct room r = {.inside = 0};
        cosched_sem_init(&r.s, 3);
        storm_round(storm, &r, &rng);
        EXPECT_EQ(count_of(&r.s), 3);
    }
}

RUN_MAIN("sem", ONCE(it_counts_on_any_thread), EACH(never_more_than_n_inside),
         EACH(units_go_to_those_who_wait_in_order_the_rest_to_the_count),
         EACH(deadlines_and_cancellation_take_nothing), EACH(it_may_go_as_soon_as_it_is_acquired),
         EACH(a_storm_leaves_every_unit))
