/* libuv by hand.   usage: peer_uv sleepers COUNT */
#include <uv.h>

#include "../figure.h"

static void woken(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

/* A timer each, due at times spread evenly over a second, in no order. */
int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "sleepers") != 0) {
        return unknown("peer_uv");
    }
    long n = param(argc, argv, 1, 1000);
    uv_loop_t loop;
    uv_timer_t *timers = calloc((size_t)n, sizeof *timers);
    if (timers == NULL || uv_loop_init(&loop) < 0) {
        return 1;
    }
    int64_t start = now_ns(), cpu = cpu_ns();
    for (long i = 0; i < n; i++) {
        uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], woken, (uint64_t)(i * 7919 % n * 1000 / n), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    figure("wall", (double)(now_ns() - start) / 1e6, "ms");
    figure("cpu", (double)(cpu_ns() - cpu) / 1e6, "ms");
    return 0;
}
