/* How long a hop there and back takes, and how late a task runs after it was woken from the other side or its time has come.
 * Figures only. */
#include "timing.h"

enum { HOPS = 5000, WAKES = 2000, SLEEPS = 200 };

static struct timing hop, wake, late;

static int64_t nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void measure_hops(void)
{
    for (int i = 0; i < HOPS; i++) {
        int64_t begin = cosched_now();
        timing_must(cosched_call(NULL, COSCHED_WORKER, nothing, NULL, COSCHED_NEVER));
        timing_add(&hop, cosched_now() - begin);
    }
}

/* A time goes one way, an acknowledgement the other. */
struct line {
    cosched_chan *there, *back;
};

static int64_t receives(void *arg)
{
    struct line *l = arg;
    int64_t sent;
    while (cosched_chan_recv(l->there, &sent, COSCHED_NEVER) == 0) {
        timing_add(&wake, cosched_now() - sent);
        cosched_chan_send(l->back, &sent, COSCHED_NEVER);
    }
    return 0;
}

static void measure_wakes(void)
{
    struct line l;
    timing_must(cosched_chan_create(&l.there, sizeof(int64_t), 0));
    timing_must(cosched_chan_create(&l.back, sizeof(int64_t), 0));
    cosched_task t = timing_spawn(receives, &l, COSCHED_WORKER);
    for (int i = 0; i < WAKES; i++) {
        int64_t now = i % 10 == 0 ? 0 : 1;
        if (now == 0) { /* now and then after a pause, when the other side sleeps */
            cosched_sleep_until(cosched_in_ms(2));
        }
        now = cosched_now();
        cosched_chan_send(l.there, &now, COSCHED_NEVER);
        cosched_chan_recv(l.back, &now, COSCHED_NEVER);
    }
    cosched_chan_close(l.there);
    timing_await(&t);
    cosched_chan_unref(l.there);
    cosched_chan_unref(l.back);
}

static int64_t sleeps(void *arg)
{
    (void)arg;
    for (int i = 0; i < SLEEPS; i++) {
        int64_t deadline = cosched_in_ns(500000 + i * 10000);
        cosched_sleep_until(deadline);
        timing_add(&late, cosched_now() - deadline);
    }
    return 0;
}

static int64_t measure(void *arg)
{
    int workers = *(int *)arg;
    hop.n = wake.n = late.n = 0;
    measure_hops();
    timing_print("timing_hop MAIN-WORKER-MAIN", workers, &hop);
    measure_wakes();
    timing_print("timing_wake", workers, &wake);
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        late.n = 0;
        cosched_task t = timing_spawn(sleeps, NULL, (cosched_affinity)place);
        timing_await(&t);
        timing_print(place == COSCHED_MAIN ? "timing_sleep_late MAIN" : "timing_sleep_late WORKER",
                     workers, &late);
    }
    return 0;
}

int main(void)
{
    for (int workers = 0; workers <= 8; workers = workers == 0 ? 1 : workers * 2) {
        cosched_config c = {.struct_size = sizeof c, .workers = workers};
        timing_must((int)cosched_run(&c, measure, &workers));
    }
    return 0;
}
