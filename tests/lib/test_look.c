/* Looking at tasks while they go on: what is seen holds together, and nobody is disturbed. */
#include "base/text.h"
#include "run.h"
#include "sched/look.h"

static int64_t hops(void *arg)
{
    cosched_hop(COSCHED_MAIN);
    atomic_store((_Atomic(int) *)arg, 1);
    return 0;
}

static bool looks_like(cosched_task t, cosched_state state, cosched_reason reason)
{
    struct cos_look look;
    return cos_look_at(t.index, &look) && look.task.generation == t.generation &&
           look.state == state && look.reason == reason;
}

SCENARIO(a_task_on_its_way_waits_for_a_thread)
{
    cosched_stats s = run_stats();
    if (s.workers == 0) {
        return; /* there is nowhere to go */
    }
    _Atomic(int) arrived = 0;
    cosched_task t = run_spawn(hops, &arrived, COSCHED_WORKER);
    UNTIL_SPIN(
        looks_like(t, COSCHED_WAITING, COSCHED_FOR_THREAD)); /* this thread is its destination */
    EXPECT_EQ(arrived, 0);
    run_join(t);
    EXPECT_EQ(arrived, 1);
}

SCENARIO(a_task_that_has_not_started_and_one_that_has_ended)
{
    cosched_task t = run_spawn(run_return, NULL, COSCHED_MAIN);
    EXPECT(looks_like(t, COSCHED_UNSTARTED, COSCHED_FOR_NOTHING));
    EXPECT(looks_like(cosched_self(), COSCHED_ACTIVE, COSCHED_FOR_NOTHING));
    cosched_yield();
    struct cos_look look;
    UNTIL(!cos_look_at(t.index, &look)); /* it has ended, though nobody took its result yet */
    cosched_token token;
    EXPECT_EQ(cosched_after(&token, INT64_C(1000000000000), run_return, NULL, NULL), 0);
    EXPECT(looks_like((cosched_task){token.index, token.generation}, COSCHED_UNSTARTED,
                      COSCHED_FOR_TIME));
    EXPECT(cosched_token_cancel(&token));
    run_join(t);
}

static int64_t short_lives(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (intptr_t i = 0; i < n; i++) {
        cosched_task t[3] = {run_spawn(run_return, NULL, COSCHED_INHERIT),
                             run_spawn(run_return, NULL, COSCHED_WORKER),
                             run_spawn(run_until_canceled, NULL, COSCHED_INHERIT)};
        cosched_scope scope;
        EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(1000000), 0), 0);
        run_join(t[0]);
        cosched_scope_end(&scope);
        run_join(t[1]);
        cosched_cancel(t[2]);
        run_join(t[2]);
    }
    return 0;
}

static int64_t looks_around(void *arg)
{
    const _Atomic(int) *stop = arg;
    struct cos_look all[32];
    int64_t rounds = 0;
    for (; !atomic_load(stop); rounds++) {
        size_t n = cos_look_around(all, 32);
        for (size_t i = 0; i < n && i < 32; i++) {
            char line[200];
            struct cos_text text;
            cos_text_init(&text, line, sizeof line);
            EXPECT(all[i].fn != NULL);
            EXPECT(all[i].affinity >= COSCHED_MAIN && all[i].affinity <= COSCHED_BLOCKING);
            cos_look_describe(&text, &all[i], cosched_now());
        }
        cosched_yield();
    }
    return rounds;
}

SCENARIO(looking_disturbs_nobody)
{
    _Atomic(int) stop = 0;
    cosched_task watcher = run_spawn(looks_around, &stop, COSCHED_BLOCKING);
    cosched_task t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = run_spawn(short_lives, (void *)(intptr_t)RUN_SIZE(2000, 300, 200),
                         i == 0 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 3; i++) {
        run_join(t[i]);
    }
    atomic_store(&stop, 1);
    EXPECT(run_join(watcher) >= 0);
}

RUN_MAIN("look", EACH(a_task_on_its_way_waits_for_a_thread),
         EACH(a_task_that_has_not_started_and_one_that_has_ended), EACH(looking_disturbs_nobody))
