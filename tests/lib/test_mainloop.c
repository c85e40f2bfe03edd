/* MAIN on a loop: tasks and the loop's own callbacks take turns, and no task runs inside a callback. */
#include <uv.h>

#include "run.h"

struct host {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_check_t check;
    cosched_runtime *rt;
    int ticks, turns;
    atomic_int slices;
    bool in_callback;
};

static struct host h;

static void on_tick(uv_timer_t *timer)
{
    h.in_callback = true;
    h.ticks++;
    (void)timer;
    h.in_callback = false;
}

static void on_check(uv_check_t *check)
{
    (void)check;
    h.turns++;
}

static void host_open(int workers)
{
    memset(&h, 0, sizeof h);
    EXPECT_EQ(uv_loop_init(&h.loop), 0);
    cosched_config c = {.struct_size = sizeof c, .workers = workers};
    EXPECT_EQ(cosched_runtime_create(&h.rt, &c, &h.loop), 0);
    uv_check_init(&h.loop, &h.check);
    uv_check_start(&h.check, on_check);
    uv_unref((uv_handle_t *)&h.check);
}

static void count_closed(void *data)
{
    *(bool *)data = true;
}

static void host_close(void)
{
    bool closed = false;
    EXPECT_EQ(cosched_runtime_stop(h.rt, COSCHED_NEVER), 0);
    uv_close((uv_handle_t *)&h.check, NULL);
    cosched_runtime_close(h.rt, count_closed, &closed);
    EXPECT_EQ(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
    EXPECT(closed);
    EXPECT_EQ(cosched_runtime_destroy(h.rt), 0);
    EXPECT_EQ(uv_loop_close(&h.loop), 0);
    run_left_nothing();
}

static int64_t yield_until_ticked(void *arg)
{
    (void)arg;
    while (h.ticks < 3) { /* MAIN: the same thread as the callbacks */
        EXPECT(!h.in_callback);
        atomic_fetch_add(&h.slices, 1);
        cosched_yield();
    }
    return 0;
}

START_TEST(tasks_that_never_wait_do_not_keep_the_loop_from_its_callbacks)
{
    host_open(run_workers[_i]);
    uv_timer_init(&h.loop, &h.timer);
    uv_timer_start(&h.timer, on_tick, 1, 1);
    uv_unref((uv_handle_t *)&h.timer);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(cosched_runtime_post(h.rt, COSCHED_MAIN, yield_until_ticked, NULL, 0), 0);
    }
    EXPECT_EQ(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
    EXPECT(h.ticks >= 3);
    EXPECT(h.slices >= 4);
    uv_close((uv_handle_t *)&h.timer, NULL);
    host_close();
}

END_TEST

static int64_t sleep_briefly(void *arg)
{
    (void)arg;
    return cosched_sleep_until(cosched_in_ms(20));
}

START_TEST(a_sleeping_main_does_not_turn_in_place)
{
    host_open(run_workers[_i]);
    EXPECT_EQ(cosched_runtime_post(h.rt, COSCHED_MAIN, sleep_briefly, NULL, 0), 0);
    EXPECT_EQ(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
    EXPECT(h.turns <= 20); /* a few for the timer's rounding; a busy loop makes thousands */
    host_close();
}

END_TEST

static void post_from_callback(uv_timer_t *timer)
{
    EXPECT_EQ(cosched_runtime_post(h.rt, COSCHED_MAIN, yield_until_ticked, NULL, 0), 0);
    EXPECT_EQ(h.slices, 0); /* posted, not run: we are inside a callback */
    h.ticks = 2;
    uv_timer_start(timer, on_tick, 1, 0);
}

START_TEST(a_post_from_a_callback_runs_afterwards)
{
    host_open(run_workers[_i]);
    uv_timer_init(&h.loop, &h.timer);
    uv_timer_start(&h.timer, post_from_callback, 1, 0);
    EXPECT_EQ(uv_run(&h.loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(h.ticks, 3);
    EXPECT(h.slices > 0);
    uv_close((uv_handle_t *)&h.timer, NULL);
    host_close();
}

END_TEST

static int64_t bump_slices(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&h.slices, 1);
}

static void *post_and_wait(void *arg)
{
    for (int i = 0; i < 500; i++) { /* one at a time: each finds MAIN asleep, or about to be */
        EXPECT_EQ(cosched_runtime_call(arg, COSCHED_MAIN, bump_slices, NULL, NULL), 0);
    }
    return NULL;
}

static int64_t wait_for_slices(void *arg)
{
    UNTIL(atomic_load(&h.slices) == (int)(intptr_t)arg);
    return 0;
}

SCENARIO(a_sleeping_main_hears_every_call)
{
    memset(&h, 0, sizeof h);
    pthread_t t;
    EXPECT_EQ(pthread_create(&t, NULL, post_and_wait, cosched_runtime_self()), 0);
    cosched_hop(COSCHED_WORKER); /* MAIN has nothing to do but sleep and hear */
    wait_for_slices((void *)500);
    cosched_hop(COSCHED_MAIN);
    EXPECT_EQ(pthread_join(t, NULL), 0);
}

RUN_MAIN("mainloop", EACH(tasks_that_never_wait_do_not_keep_the_loop_from_its_callbacks),
         EACH(a_sleeping_main_does_not_turn_in_place), EACH(a_post_from_a_callback_runs_afterwards),
         EACH(a_sleeping_main_hears_every_call))
