/* How many ticks of an interval, and of a plain 1 ms uv timer on the same loop, are kept with and without load. Figures only:
 * a wall clock on a shared machine proves nothing, so nothing here can fail but the program itself. */
#include <stdlib.h>
#include <uv.h>

#include "timing.h"

enum { SECONDS_MS = 500 };

struct load {
    const char *name;
    int tasks;
    cosched_affinity place;
    int64_t slice_ns, pause_ns;
};

static const struct load loads[] = {
    {"idle", 0, COSCHED_MAIN, 0, 0},
    {"MAIN, 100 us slices that yield", 4, COSCHED_MAIN, 100000, 0},
    {"MAIN, 5 ms slices, half of the time", 1, COSCHED_MAIN, 5000000, 5000000},
    {"WORKER, 200 ms slices on each", 8, COSCHED_WORKER, 200000000, 0},
    {"WORKER, 100 us slices that yield", 8, COSCHED_WORKER, 100000, 0},
};

static atomic_bool over;

static int64_t loads_it(void *arg)
{
    const struct load *l = arg;
    while (!over) {
        timing_spin(l->slice_ns);
        if (l->pause_ns > 0) {
            cosched_sleep_until(cosched_in_ns(l->pause_ns));
        } else {
            cosched_yield();
        }
    }
    return 0;
}

static int ticks, uv_ticks;

static int64_t tick(void *arg)
{
    (void)arg;
    ticks++;
    return 0;
}

static void uv_tick(uv_timer_t *timer)
{
    (void)timer;
    uv_ticks++;
}

static int64_t measure(void *arg)
{
    const struct load *l = arg;
    cosched_token token;
    cosched_task t[8];
    over = false;
    for (int i = 0; i < l->tasks; i++) {
        t[i] = timing_spawn(loads_it, arg, l->place);
    }
    ticks = uv_ticks = 0;
    timing_must(cosched_every(&token, 10000000, COSCHED_SKIP, tick, NULL,
                              &(cosched_attr){.struct_size = sizeof(cosched_attr)}));
    cosched_sleep_until(cosched_in_ms(SECONDS_MS));
    int kept = ticks, uv_kept = uv_ticks;
    cosched_token_cancel(&token);
    over = true;
    for (int i = 0; i < l->tasks; i++) {
        timing_await(&t[i]);
    }
    printf("FIGURES timing_ticks: %s: 10 ms interval %.0f %%, 1 ms uv timer %.0f %%\n", l->name,
           100.0 * kept / (SECONDS_MS / 10 + 1), 100.0 * uv_kept / SECONDS_MS);
    fflush(stdout);
    return 0;
}

static void with(int workers, const struct load *l)
{
    uv_loop_t loop;
    uv_timer_t timer;
    cosched_runtime *rt;
    cosched_config c = {.struct_size = sizeof c, .workers = workers};
    timing_must(uv_loop_init(&loop));
    timing_must(cosched_runtime_create(&rt, &c, &loop));
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, uv_tick, 1, 1);
    uv_unref((uv_handle_t *)&timer);
    timing_must(cosched_runtime_post(rt, COSCHED_MAIN, measure, l, sizeof *l));
    timing_must(uv_run(&loop, UV_RUN_DEFAULT));
    cosched_runtime_stop(rt, COSCHED_NOW);
    uv_close((uv_handle_t *)&timer, NULL);
    cosched_runtime_close(rt, NULL, NULL);
    timing_must(uv_run(&loop, UV_RUN_DEFAULT));
    timing_must(cosched_runtime_destroy(rt));
    timing_must(uv_loop_close(&loop));
}

int main(void)
{
    for (int workers = 0; workers <= 4; workers += 2) {
        printf("workers %d\n", workers);
        for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
            with(workers, &loads[i]);
        }
    }
    return 0;
}
