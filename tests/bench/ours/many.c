/* Very many tasks at a time: suspended, spawned and not started; and what of their memory comes back. */
#include "ours.h"

static long arrived;

static int64_t wait_for_turn(void *sem)
{
    arrived++;
    return cosched_sem_acquire(sem, COSCHED_NEVER);
}

static void per_task(const char *name, double bytes, long count)
{
    figure(name, bytes / (double)count, "B");
}

/* All on one executor. What a task costs while it waits, what its creation takes, and what waking it and its end. */
static int64_t suspend_all(struct load *load)
{
    cosched_sem sem = {0};
    cosched_group group;
    int64_t result = cosched_group_init(&group, NULL);
    double rss = memory_of("VmRSS"), tables = memory_of("VmPTE");
    int64_t start = now_ns();
    arrived = 0;
    for (long i = 0; i < load->count && result == 0; i++) {
        result = cosched_group_spawn(&group, wait_for_turn, &sem, NULL);
    }
    while (result == 0 && arrived < load->count) {
        cosched_yield();
    }
    int64_t created = now_ns();
    figure("create", (double)(created - start) / 1e6, "ms");
    per_task("memory", memory_of("VmRSS") - rss, load->count);
    per_task("tables", memory_of("VmPTE") - tables, load->count);
    start = now_ns();
    cosched_sem_release(&sem, (uint32_t)load->count);
    int64_t joined = cosched_group_join(&group, COSCHED_NEVER);
    figure("wake", (double)(now_ns() - start) / 1e6, "ms");
    return result < 0 ? result : joined;
}

int64_t run_suspended(void *load)
{
    return suspend_all(load);
}

int64_t run_queued(void *arg)
{
    struct load *load = arg;
    cosched_group group;
    int64_t result = cosched_group_init(&group, NULL);
    double rss = memory_of("VmRSS");
    int64_t start = now_ns();
    for (long i = 0; i < load->count && result == 0; i++) {
        result = cosched_group_spawn(&group, leaf, NULL, NULL);
    }
    figure("create", (double)(now_ns() - start) / 1e6, "ms");
    per_task("memory", memory_of("VmRSS") - rss, load->count);
    int64_t joined = cosched_group_join(&group, COSCHED_NEVER);
    return result < 0 ? result : joined;
}

/* How much is resident two seconds after all of it ended, beside what was before. */
int64_t run_memory_back(void *arg)
{
    cosched_sleep_until(cosched_in_ms(10));
    double before = memory_of("VmRSS");
    int64_t result = suspend_all(arg);
    double most = memory_of("VmHWM");
    cosched_sleep_until(cosched_in_ms(2000));
    figure("most", most / before, "x");
    figure("back", memory_of("VmRSS") / before, "x");
    return result;
}
