/* Embedding: a host with a frame of its own, such as a game, gives the runtime two milliseconds of each. Tasks on MAIN run
 * inside cosched_runtime_run_expired and nowhere else, so they share the host's data without a lock. */
#include <cosched/cosched.h>

#include <uv.h>

enum { ACTORS = 50, WALK = 20 };

static struct {
    int frames, arrived;
    int place[ACTORS]; /* the host draws these */
} world;

static int64_t find_way(void *arg) /* on WORKER: takes its time */
{
    int64_t way = *(int *)arg;
    for (int i = 0; i < 20000; i++) {
        way = (way * 31 + i) % 1000003;
    }
    return 1 + way % 3;
}

static int64_t actor(void *arg)
{
    int *place = &world.place[*(int *)arg];
    while (*place < WALK) {
        int64_t step = 0;
        if (cosched_call(&step, COSCHED_WORKER, find_way, arg, COSCHED_NEVER) < 0) {
            return -1;
        }
        *place += (int)step; /* on MAIN again, within a frame */
    }
    world.arrived++;
    return 0;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop(); /* the host's: its own timers and sockets go on with it */
    cosched_runtime *rt;
    bool closed = false;
    cosched_runtime_create(&rt, NULL, loop);
    for (int i = 0; i < ACTORS; i++) {
        cosched_runtime_post(rt, COSCHED_MAIN, actor, &i, sizeof i); /* i is copied */
    }
    while (world.arrived < ACTORS) {
        world.frames++; /* … draw, read the keyboard … */
        cosched_runtime_run_expired(rt, 2000000);
    }
    cosched_runtime_stop(rt, cosched_in_ms(1000));
    cosched_runtime_close(rt, on_closed, &closed);
    uv_run(loop, UV_RUN_DEFAULT); /* until the runtime's handles are closed */
    printf("%d actors arrived\n", world.arrived);
    return cosched_runtime_destroy(rt) == 0 && uv_loop_close(loop) == 0 && closed ? 0 : 1;
}
