/* From MAIN to a worker and back: one after another, many under way, and how long the slowest take on busy CPUs. */
#include <pthread.h>
#include <stdatomic.h>

#include "ours.h"

static int64_t hop_once(void)
{
    int64_t value;
    return cosched_call(&value, COSCHED_WORKER, leaf, NULL, COSCHED_NEVER);
}

int64_t run_hop(void *arg)
{
    struct load *load = arg;
    int64_t start = now_ns();
    for (long i = 0; i < load->count; i++) {
        hop_once();
    }
    figure("hop", (double)(now_ns() - start) / (double)load->count, "ns");
    return 0;
}

static int64_t hop_on(void *arg)
{
    const long *n = arg;
    for (long i = 0; i < *n; i++) {
        hop_once();
    }
    return 0;
}

/* `extra` tasks hop to and fro, so that as many are under way. */
int64_t run_hops(void *arg)
{
    struct load *load = arg;
    long tasks = load->extra > 0 ? load->extra : 100;
    long each = load->count / tasks > 0 ? load->count / tasks : 1;
    cosched_group group;
    int64_t result = cosched_group_init(&group, NULL);
    int64_t start = now_ns();
    for (long i = 0; i < tasks && result == 0; i++) {
        result = cosched_group_spawn(&group, hop_on, &each, NULL);
    }
    int64_t joined = cosched_group_join(&group, COSCHED_NEVER);
    figure("hops", (double)(now_ns() - start) / (double)(each * tasks), "ns");
    return result < 0 ? result : joined;
}

static atomic_bool enough; /* set by the measuring task, read by the hogs; nothing else is published by it */

static void *hog(void *unused)
{
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
    }
    return unused;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* `extra` threads keep the CPUs busy meanwhile; a pause before each hop, so that both sides have gone to sleep. */
int64_t run_hop_tail(void *arg)
{
    struct load *load = arg;

    enum { HOGS_MAX = 64 };

    pthread_t hogs[HOGS_MAX];
    long busy = load->extra < HOGS_MAX ? load->extra : HOGS_MAX;
    int64_t *took = calloc((size_t)load->count, sizeof *took);
    if (took == NULL) {
        return -1;
    }
    for (long i = 0; i < busy; i++) {
        pthread_create(&hogs[i], NULL, hog, NULL);
    }
    for (long i = 0; i < load->count; i++) {
        cosched_sleep_until(cosched_in_ns(200000));
        int64_t start = now_ns();
        hop_once();
        took[i] = now_ns() - start;
    }
    atomic_store_explicit(&enough, true, memory_order_relaxed);
    for (long i = 0; i < busy; i++) {
        pthread_join(hogs[i], NULL);
    }
    qsort(took, (size_t)load->count, sizeof *took, compare);
    figure("p50", (double)took[load->count / 2], "ns");
    figure("p99", (double)took[load->count * 99 / 100], "ns");
    free(took);
    return 0;
}
