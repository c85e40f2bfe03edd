/* One task after another: called, spawned and awaited, spawned in a bunch; and the turn given away. */
#include "ours.h"

int64_t run_call(void *arg)
{
    struct load *load = arg;
    int64_t start = now_ns();
    for (long i = 0; i < load->count; i++) {
        int64_t value;
        cosched_call(&value, COSCHED_INHERIT, leaf, (void *)(intptr_t)i, COSCHED_NEVER);
    }
    figure("call", (double)(now_ns() - start) / (double)load->count, "ns");
    return 0;
}

int64_t run_await(void *arg)
{
    struct load *load = arg;
    int64_t start = now_ns();
    for (long i = 0; i < load->count; i++) {
        cosched_task task;
        int64_t value;
        cosched_spawn(&task, leaf, (void *)(intptr_t)i, NULL);
        cosched_await(&task, &value, COSCHED_NEVER);
    }
    figure("await", (double)(now_ns() - start) / (double)load->count, "ns");
    return 0;
}

static int64_t bunch(void *arg)
{
    struct load *load = arg;
    int64_t start = now_ns();
    cosched_group group;
    int64_t result = cosched_group_init(&group, NULL);
    for (long i = 0; i < load->count && result == 0; i++) {
        result = cosched_group_spawn(&group, leaf, (void *)(intptr_t)i, NULL);
    }
    int64_t joined = cosched_group_join(&group, COSCHED_NEVER);
    figure("bunch", (double)(now_ns() - start) / (double)load->count, "ns");
    return result < 0 ? result : joined;
}

/* So many tasks into a group from a worker, then waited for all together. */
int64_t run_bunch(void *arg)
{
    int64_t result;
    int how = cosched_call(&result, COSCHED_WORKER, bunch, arg, COSCHED_NEVER);
    return how < 0 ? how : result;
}

static int64_t yields(void *arg)
{
    struct load *load = arg;
    for (long i = 0; i < load->count; i++) {
        cosched_yield();
    }
    return 0;
}

/* Two tasks that give each other the turn: each yield is a switch. */
int64_t run_yield(void *arg)
{
    struct load *load = arg;
    cosched_task other;
    int64_t start = now_ns();
    int result = cosched_spawn(&other, yields, load, NULL);
    yields(load);
    if (result == 0) {
        result = cosched_await(&other, NULL, COSCHED_NEVER);
    }
    figure("yield", (double)(now_ns() - start) / (2.0 * (double)load->count), "ns");
    return result;
}
