/* Cancellation against everything it can race with. Each wait may end in two ways; neither may lose or double anything. */
#include "run.h"

#define SOON_NS 100000000 /* all is over long before, unless a wake-up was lost */

static cosched_affinity side(uint64_t n)
{
    return n % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

static int64_t cancel_it(void *arg)
{
    sim_busy((int64_t)sim_below(3000));
    cosched_cancel(*(cosched_task *)arg);
    return 0;
}

/* --- a hop that is withdrawn ---------------------------------------------------------------------------- */

struct trip {
    int ran;
};

static int64_t arrive_there(void *arg)
{
    ((struct trip *)arg)->ran++;
    EXPECT(cosched_where() == COSCHED_WORKER);
    return 3;
}

static int64_t travel(void *arg)
{
    struct trip *trip = arg;
    int64_t deadline = sim_below(2) == 0 ? COSCHED_NEVER : cosched_in_ns((int64_t)sim_below(4000));
    int64_t result = 0;
    int rc = cosched_call(&result, COSCHED_WORKER, arrive_there, trip, deadline);
    EXPECT(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    EXPECT_EQ(trip->ran, rc == 0);
    EXPECT_EQ(result, rc == 0 ? 3 : 0);
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    return 0;
}

SCENARIO(a_call_is_withdrawn_or_made_and_comes_home)
{
    sim_within(SOON_NS);
    sim_stalls(20000);
    for (int i = 0; i < 3; i++) {
        struct trip trip = {0};
        cosched_task t = run_spawn(travel, &trip, COSCHED_MAIN);
        cosched_task c = run_spawn(cancel_it, &t, COSCHED_WORKER);
        cosched_task busy = run_spawn(run_return, NULL, COSCHED_WORKER);
        EXPECT_EQ(run_join(t), 0);
        EXPECT_EQ(run_join(c), 0);
        EXPECT_EQ(run_join(busy), 0);
    }
}

/* --- storms --------------------------------------------------------------------------------------------- */

enum { VICTIMS = 6 };

static int64_t wait_somehow(void *arg)
{
    cosched_chan *ch = arg;
    int64_t v;
    int64_t deadline = sim_below(2) == 0 ? COSCHED_NEVER : cosched_in_ns((int64_t)sim_below(20000));
    int64_t rc = 0;
    switch (sim_below(5)) {
    case 0: rc = cosched_sleep_until(deadline); break;
    case 1: rc = cosched_chan_recv(ch, &v, deadline); break;
    case 2:
        v = 1;
        rc = cosched_chan_send(ch, &v, deadline);
        break;
    case 3: rc = cosched_call(NULL, side(sim_below(2)), run_until_canceled, NULL, deadline); break;
    default: {
        cosched_task t = run_spawn(run_until_canceled, NULL, side(sim_below(2)));
        rc = cosched_await(&t, NULL, deadline);
        break;
    }
    }
    EXPECT(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    return 0;
}

SCENARIO(storms_end_and_leave_nothing)
{
    sim_within(SOON_NS);
    sim_stalls(50000);
    cosched_chan *ch;
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), sim_below(2)), 0);
    cosched_task t[VICTIMS];
    for (uint64_t i = 0; i < VICTIMS; i++) {
        t[i] = run_spawn(wait_somehow, ch, side(i));
    }
    cosched_task c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = run_spawn(cancel_it, &t[sim_below(VICTIMS)], side(sim_below(2)));
    }
    for (int i = 0; i < VICTIMS; i++) {
        cosched_cancel(t[i]);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(c[i]), 0);
    }
    for (int i = 0; i < VICTIMS; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    cosched_chan_unref(ch);
}

/* A handle is cancelled while its task ends and its block is used again: the next task must not notice. */
static int64_t must_not_be_cancelled(void *arg)
{
    for (int i = 0; i < 3; i++) {
        cosched_yield();
        EXPECT(!cosched_cancelled());
    }
    return run_return(arg);
}

static int64_t cancel_at_once(void *arg)
{
    cosched_cancel(*(cosched_task *)arg);
    return 0;
}

SCENARIO(a_late_cancel_never_meets_the_next_task)
{
    sim_within(SOON_NS);
    for (int i = 0; i < 4; i++) {
        cosched_affinity at = side(sim_below(2));
        cosched_task t = run_spawn(run_return, NULL, at);
        cosched_task copy = t;
        cosched_task c = run_spawn(cancel_at_once, &copy, COSCHED_WORKER);
        EXPECT_EQ(run_join(t), 0);
        for (int k = 0; k < 3; k++) {
            EXPECT_EQ(run_join(run_spawn(must_not_be_cancelled, (void *)1, at)), 1);
        }
        EXPECT_EQ(run_join(c), 0);
    }
}

/* --- completion wins -------------------------------------------------------------------------------------- */

static int64_t give(void *arg)
{
    int64_t v = 42;
    return cosched_chan_send(arg, &v, COSCHED_NEVER);
}

static int64_t take(void *arg)
{
    int64_t v = 0;
    int rc = cosched_chan_recv(arg, &v, COSCHED_NEVER);
    EXPECT(rc == 0 ? v == 42 : rc == -ECANCELED && v == 0);
    return rc == 0;
}

/* A rendezvous that is cancelled on one side has happened for both or for neither. */
SCENARIO(what_was_handed_over_was_received)
{
    sim_within(SOON_NS);
    cosched_chan *ch;
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), 0), 0);
    cosched_task taker = run_spawn(take, ch, side(sim_below(2)));
    cosched_task giver = run_spawn(give, ch, side(sim_below(2)));
    cosched_task c = run_spawn(cancel_it, &taker, COSCHED_WORKER);
    bool taken = run_join(taker) == 1;
    int64_t v = 0;
    int rc = taken ? 0 : cosched_chan_recv(ch, &v, COSCHED_NEVER);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(run_join(giver), 0);
    EXPECT_EQ(run_join(c), 0);
    cosched_chan_unref(ch);
}

static int64_t set_soon(void *arg)
{
    sim_busy((int64_t)sim_below(6000));
    cosched_event_set(arg);
    return 0;
}

SCENARIO(a_scope_that_expires_while_an_event_is_set)
{
    sim_stalls(COSCHED_NEVER / 2);
    cosched_event e;
    cosched_event_init(&e);
    cosched_scope scope;
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ns((int64_t)sim_below(6000)), 0), 0);
    cosched_task s = run_spawn(set_soon, &e, COSCHED_WORKER);
    int rc = cosched_event_wait(&e, COSCHED_NEVER);
    EXPECT(rc == 0 || rc == -ECANCELED);
    if (rc != 0) {
        EXPECT(cosched_cancelled());
        cosched_event_wait_always(&e);
    }
    bool expired = cosched_scope_end(&scope);
    EXPECT(rc == 0 || expired);
    EXPECT_EQ(run_join(s), 0);
    EXPECT(!cosched_cancelled());
}

/* --- tokens --------------------------------------------------------------------------------------------- */

static atomic_int fired;

static int64_t fire(void *arg)
{
    atomic_fetch_add(&fired, 1);
    return arg == NULL;
}

static int64_t cancel_token(void *arg)
{
    sim_busy((int64_t)sim_below(1500000));
    return cosched_token_cancel(arg);
}

SCENARIO(a_token_fires_or_is_cancelled_by_one)
{
    sim_stalls(2000000);
    fired = 0;
    cosched_token token;
    int kept = 0;
    cosched_attr attr = {.struct_size = sizeof attr,
                         .affinity = side(sim_below(2)),
                         .arg_size = sim_below(2) * sizeof kept}; /* with a record, or without */
    EXPECT_EQ(cosched_after(&token, (int64_t)sim_below(1000000), fire, &kept, &attr), 0);
    cosched_task a = run_spawn(cancel_token, &token, COSCHED_WORKER);
    cosched_task b = run_spawn(cancel_token, &token, COSCHED_MAIN);
    int64_t winners = run_join(a) + run_join(b);
    EXPECT(winners <= 1);
    UNTIL(run_stats().tasks_live == 1);
    EXPECT_EQ(winners + atomic_load(&fired), 1);
}

RUN_MAIN("cancel", EACH(a_call_is_withdrawn_or_made_and_comes_home),
         EACH(storms_end_and_leave_nothing), EACH(a_late_cancel_never_meets_the_next_task),
         EACH(what_was_handed_over_was_received), EACH(a_scope_that_expires_while_an_event_is_set),
         EACH(a_token_fires_or_is_cancelled_by_one))
