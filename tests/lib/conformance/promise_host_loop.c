/* A host that owns the thread: a game loop that gives the runtime a slice of each frame, and a uv loop of the host's own. */
#include <uv.h>

#include "promise.h"

static atomic_int ran;

static cosched_runtime *create(uv_loop_t *loop, int workers)
{
    cosched_config c = {.struct_size = sizeof c, .workers = workers};
    cosched_runtime *rt;
    EXPECT_EQ(uv_loop_init(loop), 0);
    EXPECT_EQ(cosched_runtime_create(&rt, &c, loop), 0);
    return rt;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

static void destroy(cosched_runtime *rt, uv_loop_t *loop)
{
    bool closed = false;
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), -EBUSY);
    cosched_runtime_close(rt, on_closed, &closed);
    EXPECT(!closed); /* from the loop, not from here */
    EXPECT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
    EXPECT(closed);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    EXPECT_EQ(uv_loop_close(loop), 0);
    run_left_nothing();
}

/* --- the game loop ------------------------------------------------------------------------------------------- */

static pthread_t game;
static bool in_frame;

static int64_t think(void *arg)
{
    (void)arg;
    return pthread_equal(run_thread(), game);
}

static int64_t actor(void *arg)
{
    int frames = (int)(intptr_t)arg;
    for (int i = 0; i < frames; i++) {
        int64_t there = 0;
        EXPECT_EQ(cosched_call(&there, COSCHED_WORKER, think, NULL, COSCHED_NEVER), 0);
        EXPECT(in_frame); /* MAIN's tasks run inside run_expired and nowhere else */
        EXPECT(pthread_equal(run_thread(), game));
        EXPECT_EQ(cosched_sleep_until(cosched_in_ns(20000)), 0);
        EXPECT(in_frame);
    }
    atomic_fetch_add(&ran, 1);
    return 0;
}

START_TEST(a_game_loop_runs_what_has_expired)
{
    uv_loop_t loop;
    cosched_runtime *rt = create(&loop, promise_workers[_i]);
    game = run_thread();
    ran = 0;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, actor, (void *)20, 0), 0);
    }
    while (ran < 10) {
        in_frame = true;
        EXPECT(cosched_runtime_run_expired(rt, 2 * MS) >= 0);
        in_frame = false;
    }
    destroy(rt, &loop);
}

END_TEST

static atomic_bool enough;

static int64_t never_idle(void *arg)
{
    while (!enough) {
        cosched_yield();
    }
    atomic_fetch_add(&ran, 1);
    return run_return(arg);
}

static int64_t far_away(void *arg)
{
    (void)arg;
    return cosched_sleep_until(cosched_in_ns(HOUR));
}

/* Neither tasks that are always ready nor tasks that never are keep it from returning, and a budget is not idled away. */
START_TEST(a_frame_ends_though_tasks_are_always_ready_or_none_is)
{
    uv_loop_t loop;
    cosched_runtime *rt = create(&loop, promise_workers[_i]);
    EXPECT(cosched_runtime_run_expired(rt, HOUR) < HOUR); /* none lives */
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, far_away, NULL, 0), 0);
    for (int i = 0; i < 10; i++) {
        EXPECT(cosched_runtime_run_expired(rt, HOUR) < HOUR); /* one sleeps */
    }
    ran = 0;
    enough = false;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, never_idle, NULL, 0), 0);
    }
    for (int64_t budget = 0; budget <= MS; budget += MS / 4) {
        EXPECT(cosched_runtime_run_expired(rt, budget) >= 0);
    }
    EXPECT_EQ(ran, 0);
    enough = true;
    while (ran < 3) {
        cosched_runtime_run_expired(rt, MS);
    }
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 1); /* the one that sleeps */
    destroy(rt, &loop);
}

END_TEST

/* --- the host's uv loop --------------------------------------------------------------------------------------- */

struct host {
    cosched_runtime *rt;
    int left;
    bool in_callback;
};

static struct host host;

static int64_t outside_callbacks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        cosched_hop(COSCHED_WORKER);
        cosched_hop(COSCHED_MAIN);
        EXPECT(!host.in_callback);
    }
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(100000)), 0);
    EXPECT(!host.in_callback);
    atomic_fetch_add(&ran, 1);
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
    host.in_callback = true;
    EXPECT_EQ(cosched_runtime_post(host.rt, COSCHED_MAIN, outside_callbacks, NULL, 0), 0);
    EXPECT_EQ(cosched_runtime_post(host.rt, COSCHED_WORKER, outside_callbacks, NULL, 0), 0);
    if (--host.left == 0) {
        uv_close((uv_handle_t *)timer, NULL);
    }
    host.in_callback = false;
}

START_TEST(tasks_and_the_hosts_own_handles_share_its_uv_loop)
{
    uv_loop_t loop;
    uv_timer_t timer;
    host = (struct host){create(&loop, promise_workers[_i]), 10, false};
    ran = 0;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_tick, 0, 1);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(host.left, 0);
    EXPECT_EQ(ran, 20); /* the loop went on until the last of them had ended */
    destroy(host.rt, &loop);
}

END_TEST

static cosched_token beat;

static int64_t on_beat(void *arg)
{
    if (atomic_fetch_add(&ran, 1) + 1 == 5) {
        EXPECT(cosched_token_cancel(&beat));
    }
    return run_return(arg);
}

static int64_t start_beat(void *arg)
{
    EXPECT_EQ(cosched_every(&beat, 200000, COSCHED_SKIP, on_beat, NULL, run_at(COSCHED_MAIN)), 0);
    return run_return(arg);
}

START_TEST(the_hosts_loop_lives_as_long_as_tasks_and_what_is_armed)
{
    uv_loop_t loop;
    cosched_runtime *rt = create(&loop, promise_workers[_i]);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0); /* nothing to live for */
    for (int round = 1; round <= 3; round++) {
        ran = 0;
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, start_beat, NULL, 0), 0);
        EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
        EXPECT_EQ(ran, 5);
    }
    destroy(rt, &loop);
}

END_TEST

PROMISE_MAIN("promise_host_loop", ALL(a_game_loop_runs_what_has_expired),
             ALL(a_frame_ends_though_tasks_are_always_ready_or_none_is),
             ALL(tasks_and_the_hosts_own_handles_share_its_uv_loop),
             ALL(the_hosts_loop_lives_as_long_as_tasks_and_what_is_armed))
