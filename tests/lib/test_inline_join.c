/* A child that its parent runs inline, and somebody else who holds a copy of its handle: what the stranger finds, and what
 * becomes of both when they come at the same moment (the handshake of cos_join_stranger). */
#include "base/rng.h"
#include "run.h"
#include "sched/runtime.h"

struct meeting {
    cosched_task child; /* a copy of the handle */
    cosched_event came, left;
    int rc, awaited;
    bool detached;
};

static int64_t stranger(void *arg)
{
    struct meeting *m = arg;
    EXPECT_EQ(cosched_event_wait(&m->came, COSCHED_NEVER), 0);
    cosched_task copy = m->child, other = m->child;
    m->awaited = cosched_await(&copy, NULL, COSCHED_NEVER);
    cosched_detach(&other);
    m->detached = other.index == 0;
    cosched_event_set(&m->left);
    return 0;
}

static int64_t child(void *arg)
{
    struct meeting *m = arg;
    cosched_event_set(&m->came);
    /* cancelled: its parent found the stranger there, and gave up */
    int rc = cosched_event_wait(&m->left, COSCHED_NEVER);
    EXPECT(rc == 0 || rc == -ECANCELED);
    return rc == 0 ? 77 : rc;
}

static int64_t parent(void *arg)
{
    struct meeting *m = arg;
    int64_t result = 0;
    EXPECT_EQ(cosched_spawn(&m->child, child, m, NULL), 0);
    cosched_task mine = m->child;
    m->rc = cosched_await(&mine, &result, COSCHED_NEVER);
    return result;
}

SCENARIO(a_child_that_its_parent_awaits_is_nobody_elses)
{
    struct meeting m = {0};
    cosched_task s = run_spawn(stranger, &m, COSCHED_MAIN);
    cosched_yield(); /* it waits for the child to come */
    int64_t got = run_join(run_spawn(parent, &m, COSCHED_WORKER));
    EXPECT_EQ(run_join(s), 0);
    EXPECT(m.detached);
    if (m.rc == 0) {
        EXPECT_EQ(got, 77);
        EXPECT_EQ(m.awaited, -EBUSY);
    } else { /* it was stolen, and the stranger was faster than its parent */
        EXPECT(run_stats().workers > 1);
        EXPECT_EQ(m.rc, -EBUSY);
        EXPECT(m.awaited == 0 || m.awaited == -ESTALE); /* the parent's end may have had it first */
    }
}

/* --- cancelled by its handle, far below ------------------------------------------------------------- */

struct chain {
    cosched_task first; /* a copy of the outermost inline task's handle */
    int depth;
    cosched_event known, deep;
    int64_t met;
};

static int64_t link_of(void *arg)
{
    struct chain *c = arg;
    cosched_task t;
    if (c->depth-- > 0) {
        EXPECT_EQ(cosched_spawn(&t, link_of, c, NULL), 0);
        return cosched_await(&t, NULL, COSCHED_NEVER);
    }
    cosched_event_set(&c->deep);
    int rc;
    do { /* awaits that never wait, and so never link a scope on their own */
        EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), 0);
        rc = cosched_await(&t, NULL, COSCHED_NEVER);
        cosched_yield();
    } while (rc == 0);
    c->met = rc;
    return 0;
}

static int64_t outermost(void *arg)
{
    struct chain *c = arg;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, link_of, c, NULL), 0);
    c->first = t;
    cosched_event_set(&c->known);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

SCENARIO(a_cancel_by_handle_reaches_the_inline_tasks_above)
{
    static const int depths[] = {1, 2, 9, 31, 32, 33, 100};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct chain c = {.depth = depths[i]};
        cosched_task t = run_spawn(outermost, &c, COSCHED_WORKER);
        EXPECT_EQ(cosched_event_wait(&c.known, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_event_wait(&c.deep, COSCHED_NEVER), 0);
        cosched_cancel(c.first);
        run_join(t);
        EXPECT_EQ(c.met, -ECANCELED);
    }
}

/* --- both at the same moment -------------------------------------------------------------------------- */

struct crowd {
    _Atomic uint64_t handle; /* of the child that is awaited now, or was just now */
    _Atomic int over;
    _Atomic uint64_t had; /* by strangers */
    uint64_t lost;        /* by the parent */
    int n;
    atomic_uint meddlers;
};

static int64_t short_child(void *arg)
{
    struct crowd *c = arg;
    if ((atomic_load(&c->handle) & 3) == 0) {
        cosched_yield();
    }
    return 5;
}

static int64_t meddler(void *arg)
{
    struct crowd *c = arg;
    uint64_t rng = UINT64_C(0x9E3779B97F4A7C15) * (1 + atomic_fetch_add(&c->meddlers, 1));
    while (!atomic_load(&c->over)) {
        uint64_t h = atomic_load(&c->handle);
        cosched_task t = {(uint32_t)(h >> 32), (uint32_t)h};
        int64_t result = 0;
        switch (cos_rng_below(&rng, 4)) {
        case 0: cosched_cancel(t); break;
        case 1: cosched_detach(&t); break;
        default:
            if (cosched_await(&t, &result, COSCHED_NEVER) == 0) {
                EXPECT(result == 5);
                atomic_fetch_add(&c->had, 1);
            }
        }
        cosched_yield();
    }
    return 0;
}

static int64_t busy_parent(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < c->n; i++) {
        cosched_task t;
        int64_t result = 0;
        EXPECT_EQ(cosched_spawn(&t, short_child, c, NULL), 0);
        atomic_store(&c->handle, (uint64_t)t.index << 32 | t.generation);
        int rc = cosched_await(&t, &result, COSCHED_NEVER);
        EXPECT(rc == 0 || rc == -EBUSY || rc == -ESTALE);
        EXPECT(rc != 0 || result == 5);
        c->lost += rc != 0;
    }
    atomic_store(&c->over, 1);
    return 0;
}

SCENARIO(strangers_that_come_at_the_same_moment)
{
    struct crowd c = {.n = RUN_SIZE(100000, 20000, 5000)};
    cosched_task meddlers[3];
    for (int i = 0; i < 3; i++) {
        meddlers[i] = run_spawn(meddler, &c, i == 0 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    run_join(run_spawn(busy_parent, &c, COSCHED_WORKER));
    for (int i = 0; i < 3; i++) {
        run_join(meddlers[i]);
    }
    UNTIL(run_stats().tasks_live == 1); /* a detached child may look at c still */
    EXPECT(atomic_load(&c.had) <= c.lost);
}

/* --- what strangers leave behind ------------------------------------------------------------------------------ */

enum { OLD = 100, YOUNG = 40 };

static int64_t takes_all(void *kids)
{
    for (int i = 0; i < OLD; i++) {
        EXPECT_EQ(cosched_await((cosched_task *)kids + i, NULL, cosched_in_ms(60000)), 0);
    }
    return 0;
}

static int listed(void)
{
    uint32_t first = cos_fiber_self(NULL)->current->kids, at = first;
    int n = 0;
    for (; at != 0 && (n == 0 || at != first); at = cos_task_at(at)->kid_older) {
        n++;
    }
    return n;
}

/* Below many that live lie old ones that a stranger took: who goes on making children gets their blocks back, a few at a time. */
SCENARIO(old_children_that_a_stranger_took_are_found_below_those_that_live)
{
    cosched_task old[OLD], copies[OLD];
    for (int i = 0; i < OLD; i++) {
        old[i] = copies[i] = run_spawn(run_return, NULL, COSCHED_MAIN);
    }
    for (int i = 0; i < YOUNG; i++) {
        run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    }
    cosched_task stranger = run_spawn(takes_all, copies, COSCHED_WORKER);
    EXPECT_EQ(run_join(stranger), 0);
    EXPECT_EQ(listed(), OLD + YOUNG);
    for (int i = 0; i < OLD; i++) { /* more than enough: eight are looked at each time */
        EXPECT_EQ(run_join(run_spawn(run_return, NULL, COSCHED_MAIN)), 0);
    }
    EXPECT_EQ(listed(), YOUNG);
    for (int i = 0; i < OLD; i++) {
        EXPECT_EQ(cosched_await(&old[i], NULL, COSCHED_NOW), -ESTALE);
    }
}

RUN_MAIN("inline_join", EACH(a_child_that_its_parent_awaits_is_nobody_elses),
         EACH(a_cancel_by_handle_reaches_the_inline_tasks_above),
         EACH(strangers_that_come_at_the_same_moment),
         EACH(old_children_that_a_stranger_took_are_found_below_those_that_live))
