/* Mutex, condition, semaphore, reader-writer lock, barrier, once and wait group, shared by MAIN and WORKER: they exclude or
 * count as they should though waiters are cancelled, serve in order of arrival, and block the task and never its thread. */
#include "promise.h"

/* --- storms ------------------------------------------------------------------------------------------------------ */

enum { TASKS = 16, STEPS = 15 };

struct shared {
    cosched_mutex m;
    cosched_cond c;
    cosched_sem s;
    cosched_rwlock l;
    cosched_wait_group g;
    cosched_once once;
    atomic_int inside, readers, runs, given_up;
    int plain, items, taken, made;
};

struct player {
    struct shared *shared;
    uint64_t rng;
    int number;
};

/* For ever, for a while, or not at all. */
static int64_t deadline(struct player *p)
{
    uint32_t how = cos_rng_below(&p->rng, 4);
    return how == 0   ? COSCHED_NOW
           : how == 1 ? cosched_in_ns(cos_rng_below(&p->rng, 200000))
                      : COSCHED_NEVER;
}

static void linger(struct player *p)
{
    switch (cos_rng_below(&p->rng, 5)) {
    case 0: cosched_yield(); break;
    case 1: cosched_hop(COSCHED_MAIN); break;
    case 2: cosched_hop(COSCHED_WORKER); break;
    default: break;
    }
}

static bool got(struct player *p, int rc)
{
    EXPECT(rc >= 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    atomic_fetch_add(&p->shared->given_up, rc < 0);
    return rc >= 0;
}

static void use_mutex(struct player *p)
{
    struct shared *s = p->shared;
    if (got(p, cosched_mutex_lock(&s->m, deadline(p)))) {
        EXPECT_EQ(atomic_fetch_add(&s->inside, 1), 0);
        s->plain++;
        linger(p);
        EXPECT_EQ(atomic_fetch_sub(&s->inside, 1), 1);
        cosched_mutex_unlock(&s->m);
    }
}

/* A producer for each even number, a consumer for each odd one. */
static void use_cond(struct player *p)
{
    struct shared *s = p->shared;
    if (!got(p, cosched_mutex_lock(&s->m, deadline(p)))) {
        return;
    }
    if (p->number % 2 == 0) {
        s->made++;
        s->items++;
        cosched_cond_signal(&s->c);
    } else {
        int rc = 0;
        while (s->items == 0 && rc == 0) {
            int64_t soon = cosched_in_ns(cos_rng_below(&p->rng, 100000));
            rc = cosched_cond_wait(&s->c, &s->m, soon);
            EXPECT_EQ(atomic_fetch_add(&s->inside, 1), 0); /* it is ours again, whatever happened */
            EXPECT_EQ(atomic_fetch_sub(&s->inside, 1), 1);
        }
        if (s->items > 0) {
            s->items--;
            s->taken++;
        }
    }
    cosched_mutex_unlock(&s->m);
}

enum { PERMITS = 3 };

static void use_sem(struct player *p)
{
    struct shared *s = p->shared;
    if (got(p, cosched_sem_acquire(&s->s, deadline(p)))) {
        EXPECT(atomic_fetch_add(&s->inside, 1) < PERMITS);
        linger(p);
        atomic_fetch_sub(&s->inside, 1);
        cosched_sem_release(&s->s, 1);
    }
}

static void use_rwlock(struct player *p)
{
    struct shared *s = p->shared;
    if (p->number % 4 == 0) {
        if (got(p, cosched_rwlock_write_lock(&s->l, deadline(p)))) {
            EXPECT_EQ(atomic_fetch_add(&s->inside, 1), 0);
            EXPECT_EQ(s->readers, 0);
            s->plain++;
            linger(p);
            EXPECT_EQ(atomic_fetch_sub(&s->inside, 1), 1);
            cosched_rwlock_write_unlock(&s->l);
        }
    } else if (got(p, cosched_rwlock_read_lock(&s->l, deadline(p)))) {
        atomic_fetch_add(&s->readers, 1);
        int seen = s->plain;
        EXPECT_EQ(s->inside, 0);
        linger(p);
        EXPECT_EQ(s->plain, seen);
        atomic_fetch_sub(&s->readers, 1);
        cosched_rwlock_read_unlock(&s->l);
    }
}

static void use_wait_group(struct player *p)
{
    struct shared *s = p->shared;
    if (p->number % 2 == 0) {
        cosched_wait_group_add(&s->g, 1);
        linger(p);
        cosched_wait_group_done(&s->g);
    } else {
        got(p, cosched_wait_group_wait(&s->g, deadline(p)));
    }
}

typedef void (*use_fn)(struct player *);

struct game {
    struct player player;
    use_fn use;
};

static int64_t play(void *arg)
{
    struct game *g = arg;
    for (int i = 0; i < STEPS; i++) {
        g->use(&g->player);
        linger(&g->player);
    }
    return 0;
}

static void storm(struct shared *s, use_fn use, uint64_t *rng)
{
    struct game game[TASKS];
    cosched_task t[TASKS];
    for (int i = 0; i < TASKS; i++) {
        game[i] = (struct game){{s, cos_rng_next(rng) | 1, i}, use};
        t[i] = run_spawn(play, &game[i], promise_place(i / 2));
    }
    for (uint32_t n = cos_rng_below(rng, TASKS / 2); n > 0; n--) {
        cosched_yield();
        cosched_cancel(t[cos_rng_below(rng, TASKS)]);
    }
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(s->inside, 0);
}

enum { ROUNDS = RUN_SIZE(20, 6, 4), FULL_ROUNDS = 400 };

#define STORM_TEST(name, use, before, after)                                      \
    PROMISE(name)                                                                 \
    {                                                                             \
        uint64_t rng = promise_seed;                                              \
        for (int round = 0; round < promise_size(ROUNDS, FULL_ROUNDS); round++) { \
            struct shared s = {.plain = 0};                                       \
            before;                                                               \
            storm(&s, use, &rng);                                                 \
            after;                                                                \
        }                                                                         \
        promise_alone();                                                          \
    }

STORM_TEST(a_mutex_excludes_though_waiters_are_cancelled, use_mutex, (void)0,
           EXPECT(cosched_mutex_try(&s.m)))
STORM_TEST(a_condition_loses_no_signal_and_returns_with_the_mutex, use_cond, (void)0,
           EXPECT_EQ(s.items + s.taken, s.made))
STORM_TEST(a_semaphore_gives_no_more_than_it_has_and_loses_none, use_sem,
           cosched_sem_init(&s.s, PERMITS),
           EXPECT(cosched_sem_try(&s.s) && cosched_sem_try(&s.s) && cosched_sem_try(&s.s) &&
                  !cosched_sem_try(&s.s)))
STORM_TEST(a_rwlock_lets_many_read_or_one_write, use_rwlock, (void)0,
           EXPECT(cosched_rwlock_write_try(&s.l)))
STORM_TEST(a_wait_group_ends_at_0, use_wait_group, (void)0,
           EXPECT_EQ(cosched_wait_group_wait(&s.g, COSCHED_NOW), 0))

/* --- barrier, once ------------------------------------------------------------------------------------------------- */

struct phases {
    cosched_barrier b;
    atomic_int arrived, led;
};

static int64_t marches(void *arg)
{
    struct phases *p = arg;
    for (int phase = 1; phase <= 20; phase++) {
        atomic_fetch_add(&p->arrived, 1);
        int rc = cosched_barrier_wait(&p->b, COSCHED_NEVER);
        EXPECT(rc == 0 || rc == 1);
        EXPECT(p->arrived >= phase * TASKS); /* nobody is let go before all are there */
        atomic_fetch_add(&p->led, rc);
    }
    return 0;
}

static int64_t gives_up(void *arg)
{
    struct phases *p = arg;
    int rc = cosched_barrier_wait(&p->b, cosched_in_ns(1000));
    EXPECT(rc == -ETIMEDOUT || rc == -ECANCELED);
    return cosched_barrier_wait(&p->b, COSCHED_NEVER);
}

PROMISE(a_barrier_lets_all_go_at_once_and_one_of_them_lead)
{
    struct phases p = {.arrived = 0};
    cosched_task t[TASKS];
    EXPECT_EQ(cosched_barrier_init(&p.b, 0), -EINVAL);
    EXPECT_EQ(cosched_barrier_init(&p.b, TASKS), 0);
    cosched_task quitter = run_spawn(gives_up, &p, COSCHED_WORKER);
    cosched_yield();
    cosched_cancel(quitter);
    EXPECT_EQ(run_join(quitter), -ECANCELED); /* who gave up has not been there */
    for (int i = 0; i < TASKS; i++) {
        t[i] = run_spawn(marches, &p, promise_place(i));
    }
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(p.led, 20);
}

static int64_t first(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    cosched_yield();
    cosched_hop(COSCHED_WORKER);
    return -EIO;
}

static int64_t asks_once(void *arg)
{
    struct shared *s = arg;
    int64_t result = 0;
    int rc = cosched_once_run(&s->once, &result, first, &s->runs, COSCHED_NEVER);
    EXPECT(rc == 0 || rc == -ECANCELED);
    EXPECT_EQ(result, rc == 0 ? -EIO : 0);
    return rc;
}

PROMISE(once_runs_once_and_all_have_its_result)
{
    for (int round = 0; round < 20; round++) {
        struct shared s = {.runs = 0};
        cosched_task t[TASKS];
        int good = 0;
        for (int i = 0; i < TASKS; i++) {
            t[i] = run_spawn(asks_once, &s, promise_place(i));
        }
        cosched_yield();
        cosched_cancel(t[round % TASKS]);
        for (int i = 0; i < TASKS; i++) {
            good += run_join(t[i]) == 0;
        }
        EXPECT(good >= TASKS - 1);
        EXPECT_EQ(s.runs, 1);
    }
}

/* --- order, and the thread ------------------------------------------------------------------------------------------- */

struct queue {
    struct shared s;
    int order[TASKS], n;
};

struct place {
    struct queue *q;
    int number, kind;
};

static int64_t takes_turn(void *arg)
{
    struct place *p = arg;
    struct queue *q = p->q;
    switch (p->kind) {
    case 0: EXPECT_EQ(cosched_mutex_lock(&q->s.m, COSCHED_NEVER), 0); break;
    case 1: EXPECT_EQ(cosched_sem_acquire(&q->s.s, COSCHED_NEVER), 0); break;
    default: EXPECT_EQ(cosched_rwlock_write_lock(&q->s.l, COSCHED_NEVER), 0); break;
    }
    q->order[q->n++] = p->number;
    cosched_yield(); /* whoever comes to it now must not overtake the others */
    switch (p->kind) {
    case 0: cosched_mutex_unlock(&q->s.m); break;
    case 1: cosched_sem_release(&q->s.s, 1); break;
    default: cosched_rwlock_write_unlock(&q->s.l); break;
    }
    return 0;
}

PROMISE(waiters_are_served_in_order_of_arrival)
{
    for (int kind = 0; kind < 3; kind++) {
        struct queue q = {.n = 0};
        struct place place[TASKS];
        cosched_task t[TASKS];
        EXPECT(cosched_mutex_try(&q.s.m));
        EXPECT(cosched_rwlock_write_try(&q.s.l));
        for (int i = 0; i < TASKS; i++) { /* MAIN starts them in this order */
            place[i] = (struct place){&q, i, kind};
            t[i] = run_spawn(takes_turn, &place[i], COSCHED_MAIN);
        }
        cosched_yield();
        EXPECT_EQ(q.n, 0);
        cosched_mutex_unlock(&q.s.m);
        EXPECT(!cosched_mutex_try(&q.s.m) || kind != 0); /* it went to the first in line */
        cosched_sem_release(&q.s.s, 1);
        cosched_rwlock_write_unlock(&q.s.l);
        for (int i = 0; i < TASKS; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
            EXPECT_EQ(q.order[i], i);
        }
    }
}

enum { KINDS = 7, CROWD = 80 };

struct crowd {
    struct shared s;
    cosched_barrier b;
    cosched_event open;
    atomic_int waiting, passed;
};

struct person {
    struct crowd *c;
    int kind;
};

static int64_t only_opens(void *arg)
{
    return cosched_event_wait(arg, COSCHED_NEVER);
}

static int64_t waits_in_line(void *arg)
{
    struct person *p = arg;
    struct crowd *c = p->c;
    struct shared *s = &c->s;
    int rc = 0;
    atomic_fetch_add(&c->waiting, 1);
    switch (p->kind) {
    case 0:
        rc = cosched_mutex_lock(&s->m, COSCHED_NEVER);
        cosched_mutex_unlock(&s->m);
        break;
    case 1: rc = cosched_sem_acquire(&s->s, COSCHED_NEVER); break;
    case 2:
        rc = cosched_rwlock_read_lock(&s->l, COSCHED_NEVER);
        cosched_rwlock_read_unlock(&s->l);
        break;
    case 3: rc = cosched_wait_group_wait(&s->g, COSCHED_NEVER); break;
    case 4: rc = cosched_once_run(&s->once, NULL, only_opens, &c->open, COSCHED_NEVER); break;
    case 5: rc = cosched_barrier_wait(&c->b, COSCHED_NEVER) < 0; break;
    default: {
        cosched_mutex own = {0};
        EXPECT_EQ(cosched_mutex_lock(&own, COSCHED_NEVER), 0);
        rc = cosched_cond_wait(&s->c, &own, cosched_in_ns(MS)) == -ETIMEDOUT ? 0 : -1;
        cosched_mutex_unlock(&own);
        break;
    }
    }
    EXPECT_EQ(rc, 0);
    atomic_fetch_add(&c->passed, 1);
    return 0;
}

/* More tasks than threads wait in every kind of line, on both sides; MAIN and the workers run others as ever. */
PROMISE(waiting_blocks_the_task_and_never_its_thread)
{
    struct crowd c = {.waiting = 0};
    struct person person[CROWD * KINDS / 4];
    cosched_task t[CROWD * KINDS / 4];
    int n = CROWD * KINDS / 4;
    EXPECT(cosched_mutex_try(&c.s.m));
    EXPECT(cosched_rwlock_write_try(&c.s.l));
    cosched_wait_group_add(&c.s.g, 1);
    EXPECT_EQ(cosched_barrier_init(&c.b, (uint32_t)(n / KINDS) + 1), 0);
    cosched_event_init(&c.open);
    for (int i = 0; i < n; i++) {
        person[i] = (struct person){&c, i % KINDS};
        t[i] = run_spawn(waits_in_line, &person[i], promise_place(i / KINDS));
    }
    UNTIL(c.waiting == n);
    for (intptr_t i = 0; i < 100; i++) {
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)i, promise_place(i))), i);
    }
    EXPECT(c.passed <= n / KINDS); /* those whose time was up */
    cosched_mutex_unlock(&c.s.m);
    cosched_rwlock_write_unlock(&c.s.l);
    cosched_sem_release(&c.s.s, (uint32_t)n);
    cosched_wait_group_done(&c.s.g);
    cosched_event_set(&c.open);
    EXPECT(cosched_barrier_wait(&c.b, COSCHED_NEVER) >= 0);
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(c.passed, n);
}

PROMISE_MAIN("promise_locks", ALL(a_mutex_excludes_though_waiters_are_cancelled),
             ALL(a_condition_loses_no_signal_and_returns_with_the_mutex),
             ALL(a_semaphore_gives_no_more_than_it_has_and_loses_none),
             ALL(a_rwlock_lets_many_read_or_one_write), ALL(a_wait_group_ends_at_0),
             ALL(a_barrier_lets_all_go_at_once_and_one_of_them_lead),
             ALL(once_runs_once_and_all_have_its_result),
             ALL(waiters_are_served_in_order_of_arrival),
             ALL(waiting_blocks_the_task_and_never_its_thread))
