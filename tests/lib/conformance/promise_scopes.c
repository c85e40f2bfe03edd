/* Scopes: deadlines and cancellation flow down by themselves, stay, and never undo what has completed; a shield has an end. */
#include "promise.h"

static atomic_int begun, ended;

/* A tree over both executors: by calls, by awaited children and by forgotten ones; each leaf waits for ever. */
struct branch {
    int depth, number;
};

static int64_t grow(void *arg)
{
    struct branch b = *(struct branch *)arg;
    atomic_fetch_add(&begun, 1);
    int64_t rc = 0;
    if (b.depth == 0) {
        rc = cosched_sleep_until(COSCHED_NEVER);
    } else {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = promise_place(b.depth + b.number),
                             .arg_size = sizeof b};
        cosched_task kid, forgotten;
        b.depth--;
        EXPECT_EQ(cosched_spawn(&kid, grow, &b, &attr), 0);
        b.number++;
        EXPECT_EQ(cosched_spawn(&forgotten, grow, &b, &attr), 0);
        /* once cancelled neither leaves nor waits, but a child's end may be faster */
        int way = cosched_call(&rc, promise_place(b.number), grow, &b, COSCHED_NEVER);
        EXPECT(way == -ECANCELED || (way == 0 && rc == -ECANCELED));
        way = cosched_await(&kid, &rc, COSCHED_NEVER);
        rc = way < 0 ? way : rc;
    }
    EXPECT_EQ(rc, -ECANCELED);
    EXPECT(cosched_cancelled());
    atomic_fetch_add(&ended, 1);
    return rc;
}

enum { DEPTH = 4, LEAVES = 81 };

static void all_ended(void)
{
    EXPECT(begun >= 1);
    EXPECT_EQ(ended, begun);
    promise_alone();
}

PROMISE(a_deadline_flows_down_through_calls_and_children)
{
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        struct branch b = {DEPTH, place};
        int64_t deadline = cosched_in_ms(2), result = 0;
        cosched_scope scope;
        begun = ended = 0;
        EXPECT_EQ(cosched_scope_begin(&scope, deadline, 0), 0);
        cosched_task t = run_spawn(grow, &b, (cosched_affinity)place);
        int rc = cosched_await(&t, &result, COSCHED_NEVER);
        EXPECT(rc == -ECANCELED || result == -ECANCELED);
        EXPECT(cosched_now() >= deadline);
        EXPECT(cosched_cancelled());
        EXPECT(cosched_scope_end(&scope));
        EXPECT(!cosched_cancelled()); /* it was this block's time that was over */
        EXPECT(rc == 0 || run_join(t) == -ECANCELED);
        all_ended();
    }
}

PROMISE(a_cancellation_flows_down_to_everything_below)
{
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        for (int when = 0; when < 3; when++) { /* before its start, while it grows, when all wait */
            struct branch b = {DEPTH, place};
            begun = ended = 0;
            cosched_task t = run_spawn(grow, &b, (cosched_affinity)place);
            if (when == 1) {
                UNTIL(begun > 3);
            } else if (when == 2) {
                UNTIL(begun >= LEAVES);
            }
            cosched_cancel(t);
            EXPECT_EQ(run_join(t), -ECANCELED);
            EXPECT(when != 2 || begun >= LEAVES);
            all_ended();
        }
    }
}

/* --- level-triggered ------------------------------------------------------------------------------------------ */

static cosched_chan *empty, *full;
static cosched_mutex held;

static int64_t waits_in_everything(void *arg)
{
    (void)arg;
    int v = 0;
    cosched_sem none = {0};
    cosched_cond never = {0};
    cosched_mutex mine = {0};
    cosched_wait_group undone = {0};
    cosched_event unset;
    cosched_event_init(&unset);
    cosched_wait_group_add(&undone, 1);
    EXPECT(cosched_mutex_try(&mine));
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    for (int i = 0; i < 3; i++) { /* each time again, until the scope ends */
        EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_event_wait(&unset, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_chan_recv(empty, &v, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_chan_send(full, &v, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_select(&(cosched_case){.ch = empty, .recv_into = &v}, 1, COSCHED_NEVER),
                  -ECANCELED);
        EXPECT_EQ(cosched_mutex_lock(&held, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_cond_wait(&never, &mine, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_sem_acquire(&none, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_wait_group_wait(&undone, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), -ECANCELED);
        cosched_task kid = run_spawn(run_until_canceled, NULL, promise_place(i));
        EXPECT_EQ(cosched_await(&kid, NULL, COSCHED_NEVER), -ECANCELED);
        cosched_yield(); /* these alone go on: a clean-up can always go home */
        cosched_affinity was = cosched_hop(COSCHED_WORKER);
        EXPECT_EQ(cosched_where(), COSCHED_WORKER);
        cosched_hop(was);
        EXPECT_EQ(cosched_where(), was);
    }
    cosched_mutex_unlock(&mine);
    return 7;
}

PROMISE(once_cancelled_each_wait_says_so_again)
{
    int v = 1;
    EXPECT_EQ(cosched_chan_create(&empty, sizeof v, 1), 0);
    EXPECT_EQ(cosched_chan_create(&full, sizeof v, 1), 0);
    EXPECT_EQ(cosched_chan_send(full, &v, COSCHED_NOW), 0);
    memset(&held, 0, sizeof held);
    EXPECT(cosched_mutex_try(&held));
    for (int i = 0; i < 4; i++) {
        cosched_task t = run_spawn(waits_in_everything, NULL, promise_place(i));
        if (i < 2) {
            cosched_yield();
        }
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), 7);
    }
    cosched_mutex_unlock(&held);
    EXPECT_EQ(cosched_chan_count(full), 1);
    cosched_chan_unref(empty);
    cosched_chan_unref(full);
}

/* --- completion wins ------------------------------------------------------------------------------------------- */

struct served {
    cosched_event event;
    cosched_chan *ch;
    cosched_mutex m;
    cosched_sem s;
    cosched_wait_group g;
    cosched_task kid;
    int kind, value;
};

enum { KINDS = 7 };

static int64_t waits_for_one(void *arg)
{
    struct served *s = arg;
    int rc = -EINVAL;
    int64_t result = 0;
    switch (s->kind) {
    case 0: rc = cosched_event_wait(&s->event, COSCHED_NEVER); break;
    case 1: rc = cosched_chan_recv(s->ch, &s->value, COSCHED_NEVER); break;
    case 2: rc = cosched_mutex_lock(&s->m, COSCHED_NEVER); break;
    case 3: rc = cosched_sem_acquire(&s->s, COSCHED_NEVER); break;
    case 4: rc = cosched_wait_group_wait(&s->g, COSCHED_NEVER); break;
    case 5:
        rc = cosched_select(&(cosched_case){.ch = s->ch, .recv_into = &s->value}, 1, COSCHED_NEVER);
        break;
    case 6: rc = cosched_await(&s->kid, &result, COSCHED_NEVER); break;
    default: break;
    }
    EXPECT_EQ(rc, 0); /* it was served, then cancelled: it has what it waited for */
    EXPECT_EQ(result, s->kind == 6 ? 9 : 0);
    EXPECT(cosched_cancelled());
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED); /* and hears of the cancel next */
    if (s->kind == 2) {
        cosched_mutex_unlock(&s->m);
    }
    return 1;
}

static int64_t waits_then_nine(void *arg)
{
    EXPECT_EQ(cosched_event_wait(arg, COSCHED_NEVER), 0);
    return 9;
}

/* MAIN runs one task at a time, so what it serves and then cancels has been served. */
static void serve(struct served *s)
{
    int value = 5;
    switch (s->kind) {
    case 0: cosched_event_set(&s->event); break;
    case 1:
    case 5: EXPECT_EQ(cosched_chan_send(s->ch, &value, COSCHED_NOW), 0); break;
    case 2: cosched_mutex_unlock(&s->m); break;
    case 3: cosched_sem_release(&s->s, 1); break;
    case 4: cosched_wait_group_done(&s->g); break;
    default: break;
    }
}

PROMISE(what_has_completed_wins_over_a_cancel)
{
    for (int kind = 0; kind < KINDS - 1; kind++) {
        struct served s = {.kind = kind};
        cosched_event_init(&s.event);
        EXPECT_EQ(cosched_chan_create(&s.ch, sizeof(int), 0), 0);
        EXPECT(cosched_mutex_try(&s.m));
        cosched_wait_group_add(&s.g, 1);
        cosched_task t = run_spawn(waits_for_one, &s, COSCHED_MAIN);
        cosched_yield(); /* it waits */
        serve(&s);
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), 1);
        EXPECT_EQ(s.value, kind == 1 || kind == 5 ? 5 : 0);
        cosched_chan_unref(s.ch);
    }
}

/* The awaited child ends, which takes the waiter; then, before that has run, it is cancelled. */
PROMISE(an_awaited_result_wins_over_a_cancel)
{
    struct served s = {.kind = 6};
    cosched_event_init(&s.event);
    s.kid = run_spawn(waits_then_nine, &s.event, COSCHED_WORKER);
    cosched_task t = run_spawn(waits_for_one, &s, COSCHED_MAIN);
    cosched_yield();
    cosched_event_set(&s.event);
    if (run_stats().workers > 0) {
        UNTIL_SPIN(run_stats().main_inbox > 0); /* the waiter; MAIN is kept from running it */
    }
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), 1);
}

/* --- shields ---------------------------------------------------------------------------------------------------- */

static int64_t cleans_up(void *arg)
{
    cosched_scope shield;
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT_EQ(cosched_scope_begin(&shield, LATEST, COSCHED_SHIELD), 0);
    EXPECT(!cosched_cancelled());
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1)), 0);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)2, COSCHED_MAIN)), 2);
    EXPECT(!cosched_scope_end(&shield));
    EXPECT(cosched_cancelled()); /* what waited outside comes in */
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    return run_return(arg);
}

static int64_t cleans_up_too_long(void *arg)
{
    cosched_scope shield;
    int64_t limit = cosched_in_ms(2);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT_EQ(cosched_scope_begin(&shield, limit, COSCHED_SHIELD), 0);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT(cosched_now() >= limit);
    EXPECT(cosched_scope_end(&shield));
    return run_return(arg);
}

PROMISE(a_shield_lets_clean_up_wait_within_its_grace_limit)
{
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, COSCHED_NEVER, COSCHED_SHIELD), -EINVAL);
    for (int i = 0; i < 4; i++) {
        cosched_task good = run_spawn(cleans_up, (void *)1, promise_place(i));
        cosched_task bad = run_spawn(cleans_up_too_long, (void *)2, promise_place(i));
        if (i < 2) {
            cosched_yield();
        }
        cosched_cancel(good);
        cosched_cancel(bad);
        EXPECT_EQ(run_join(good), 1);
        EXPECT_EQ(run_join(bad), 2);
    }
    promise_alone();
}

PROMISE_MAIN("promise_scopes", ALL(a_deadline_flows_down_through_calls_and_children),
             ALL(a_cancellation_flows_down_to_everything_below),
             ALL(once_cancelled_each_wait_says_so_again),
             ALL(what_has_completed_wins_over_a_cancel), ALL(an_awaited_result_wins_over_a_cancel),
             ALL(a_shield_lets_clean_up_wait_within_its_grace_limit))
