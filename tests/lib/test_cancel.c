/* Cancellation: how far it reaches, and what it interrupts. */
#include "test_cancel.h"

static atomic_int canceled;

/* Everything a task can wait in, each cut short by a cancel. */
static cosched_event never_set;
static cosched_chan *empty_chan, *full_chan;

static int64_t in_event(void *arg)
{
    (void)arg;
    cosched_event e;
    cosched_event_init(&e);
    atomic_fetch_add(&started, 1);
    return cosched_event_wait(&e, COSCHED_NEVER);
}

static int64_t in_await(void *arg)
{
    (void)arg;
    cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    atomic_fetch_add(&started, 1);
    int64_t result = 0; /* the child is cancelled, too, and may be faster: completion wins */
    int rc = cosched_await(&t, &result, cosched_in_ms(600000));
    return rc < 0 ? rc : result;
}

static int64_t in_recv(void *arg)
{
    (void)arg;
    int v;
    atomic_fetch_add(&started, 1);
    return cosched_chan_recv(empty_chan, &v, COSCHED_NEVER);
}

static int64_t in_send(void *arg)
{
    (void)arg;
    int v = 1;
    atomic_fetch_add(&started, 1);
    return cosched_chan_send(full_chan, &v, COSCHED_NEVER);
}

static int64_t in_group_join(void *arg)
{
    (void)arg;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    int rc = cosched_group_spawn(&g, run_until_canceled, NULL, NULL);
    EXPECT(rc == 0 || rc == -ECANCELED);
    atomic_fetch_add(&started, 1);
    if (rc < 0) {
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        return rc;
    }
    return cosched_group_join(&g, COSCHED_NEVER);
}

static const cosched_fn waits[] = {in_sleep, in_event, in_await, in_recv, in_send, in_group_join};

enum { WAITS = sizeof waits / sizeof waits[0] };

static void channels_open(void)
{
    int v = 0;
    EXPECT_EQ(cosched_chan_create(&empty_chan, sizeof v, 1), 0);
    EXPECT_EQ(cosched_chan_create(&full_chan, sizeof v, 1), 0);
    EXPECT_EQ(cosched_chan_send(full_chan, &v, COSCHED_NOW), 0);
}

static void channels_close(void)
{
    EXPECT_EQ(cosched_chan_count(full_chan), 1); /* no cancelled sender's value came in */
    cosched_chan_unref(empty_chan);
    cosched_chan_unref(full_chan);
}

SCENARIO(cancel_cuts_every_kind_of_wait_short)
{
    channels_open();
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        for (int when = 0; when < 3; when++) { /* before the start, about then, once it has begun */
            cosched_task t[WAITS];
            started = 0;
            for (int i = 0; i < WAITS; i++) {
                t[i] = run_spawn(waits[i], NULL, (cosched_affinity)affinity);
            }
            if (when == 1) {
                cosched_yield();
            } else if (when == 2) {
                UNTIL(started == WAITS);
                cosched_yield();
            }
            for (int i = 0; i < WAITS; i++) {
                cosched_cancel(t[i]);
                cosched_cancel(t[i]); /* idempotent */
            }
            for (int i = 0; i < WAITS; i++) {
                EXPECT_EQ(run_join(t[i]), -ECANCELED);
            }
        }
    }
    channels_close();
}

static void *cancel_from_outside(void *arg)
{
    for (int i = 0; i < WAITS; i++) {
        cosched_cancel(((cosched_task *)arg)[i]);
    }
    return NULL;
}

SCENARIO(cancel_comes_from_a_foreign_thread)
{
    channels_open();
    cosched_task t[WAITS];
    started = 0;
    for (int i = 0; i < WAITS; i++) {
        t[i] = run_spawn(waits[i], NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    UNTIL(started == WAITS);
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, cancel_from_outside, t), 0);
    for (int i = 0; i < WAITS; i++) {
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    channels_close();
}

static int64_t sees_it_everywhere(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    int v = 0;
    for (int i = 0; i < 2; i++) { /* level-triggered: again and again */
        EXPECT(cosched_cancelled());
        EXPECT_EQ(cosched_sleep_until(COSCHED_NOW), -ECANCELED);
        EXPECT_EQ(cosched_chan_recv(full_chan, &v, COSCHED_NOW), -ECANCELED);
        EXPECT_EQ(cosched_chan_send(empty_chan, &v, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_event_wait(&never_set, COSCHED_NEVER), -ECANCELED);
        EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), -ECANCELED);
        cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_INHERIT);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ECANCELED);
        cosched_yield(); /* these two cannot fail */
        cosched_affinity was = cosched_hop(COSCHED_MAIN);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
        cosched_hop(was);
    }
    return 5;
}

SCENARIO(once_cancelled_every_suspending_call_says_so_again)
{
    channels_open();
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        cosched_task t = run_spawn(sees_it_everywhere, NULL, (cosched_affinity)affinity);
        cosched_yield();
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), 5);
    }
    channels_close();
}

struct tree {
    int depth;
};

static int64_t grow_tree(void *arg)
{
    struct tree below = *(struct tree *)arg;
    if (below.depth-- == 0) {
        atomic_fetch_add(&started, 1);
        int rc = cosched_sleep_until(COSCHED_NEVER);
        atomic_fetch_add(&canceled, rc == -ECANCELED);
        return rc;
    }
    cosched_task kids[3];
    for (int i = 0; i < 3; i++) {
        cosched_attr attr = *run_at(i == 0   ? COSCHED_INHERIT
                                    : i == 1 ? COSCHED_MAIN
                                             : COSCHED_WORKER);
        attr.arg_size = sizeof below;
        EXPECT_EQ(cosched_spawn(&kids[i], grow_tree, &below, &attr), 0);
    }
    int64_t rc = 0;
    for (int i = 2; i >= 0; i--) {
        int64_t result = 0;
        int one = cosched_await(&kids[i], &result, COSCHED_NEVER);
        rc = one < 0 ? one : result < 0 ? result : rc;
    }
    return rc;
}

SCENARIO(cancel_reaches_grandchildren_parked_on_other_executors)
{
    started = canceled = 0;
    struct tree top = {.depth = 4};
    cosched_task t = run_spawn(grow_tree, &top, COSCHED_WORKER);
    UNTIL(started == 81);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(canceled, 81);
}

static int64_t sleep_and_count(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static int64_t spawn_though_canceled(void *arg)
{
    cosched_cancel(cosched_self());
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    for (int at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        run_spawn(sleep_and_count, arg, (cosched_affinity)at);
    }
    UNTIL(*(atomic_int *)arg == 2); /* before we return, which would cancel them */
    return 0;
}

SCENARIO(a_child_of_a_cancelled_task_is_cancelled_from_its_birth)
{
    atomic_int counted = 0;
    EXPECT_EQ(run_join(run_spawn(spawn_though_canceled, &counted, COSCHED_WORKER)), 0);
    EXPECT_EQ(counted, 2);
}

SCENARIO(cancel_with_a_stale_handle_reaches_nobody)
{
    cosched_task old[64], young[64];
    for (int i = 0; i < 64; i++) {
        old[i] = run_spawn(run_return, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    cosched_task stale[64];
    memcpy(stale, old, sizeof stale);
    for (int i = 0; i < 64; i++) {
        run_join(old[i]);
    }
    for (int i = 0; i < 64; i++) { /* the same blocks again */
        young[i] = run_spawn(run_return, (void *)1, COSCHED_MAIN);
        cosched_cancel(stale[i]);
        cosched_cancel(stale[63 - i]);
    }
    EXPECT(!cosched_cancelled());
    for (int i = 0; i < 64; i++) {
        EXPECT_EQ(run_join(young[i]), 1);
    }
    cosched_task t = run_spawn(in_sleep, NULL, COSCHED_MAIN);
    for (int i = 0; i < 64; i++) {
        cosched_cancel(stale[i]);
    }
    EXPECT_EQ(cosched_await(&t, NULL, cosched_in_ms(1)), -ETIMEDOUT);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
}

static atomic_int detached;

static int64_t detaches_a_sleeper(void *arg)
{
    cosched_task kid = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    *(cosched_task *)arg = kid;
    UNTIL(started >= 1);
    cosched_detach(&kid);
    detached = 1;
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(detached_child_is_no_longer_cancelled_with_its_former_parent)
{
    cosched_task kid = {0, 0};
    started = detached = 0;
    cosched_task t = run_spawn(detaches_a_sleeper, &kid, COSCHED_WORKER);
    UNTIL(detached);
    cosched_task probe = run_spawn(in_event, NULL, COSCHED_WORKER);
    UNTIL(started == 2);
    cosched_cancel(t);
    cosched_cancel(probe);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(run_join(probe), -ECANCELED);
    EXPECT_EQ(run_stats().tasks_live, 2); /* it, and we: the end of the run cancels it */
    cosched_cancel(kid);
    UNTIL(run_stats().tasks_live == 1);
}

static int64_t deep_cancel(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        atomic_fetch_add(&started, 1);
        return cosched_sleep_until(COSCHED_NEVER);
    }
    cosched_task t = run_spawn(deep_cancel, (void *)(depth - 1), COSCHED_INHERIT);
    int64_t result = 0;
    int rc = cosched_await(&t, &result, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

SCENARIO(cancel_reaches_the_end_of_a_long_inline_chain)
{
    started = 0;
    cosched_task t =
        run_spawn(deep_cancel, (void *)(intptr_t)RUN_SIZE(20000, 2000, 500), COSCHED_WORKER);
    UNTIL(started >= 1);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
}

RUN_MAIN("cancel", EACH(cancel_cuts_every_kind_of_wait_short),
         EACH(cancel_comes_from_a_foreign_thread),
         EACH(once_cancelled_every_suspending_call_says_so_again),
         EACH(cancel_reaches_grandchildren_parked_on_other_executors),
         EACH(a_child_of_a_cancelled_task_is_cancelled_from_its_birth),
         EACH(cancel_with_a_stale_handle_reaches_nobody),
         EACH(detached_child_is_no_longer_cancelled_with_its_former_parent),
         EACH(cancel_reaches_the_end_of_a_long_inline_chain))
