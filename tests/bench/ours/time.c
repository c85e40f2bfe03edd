/* Very many sleepers, and a runtime that has nothing to do. */
#include "ours.h"

static long woken;

static int64_t wake(void *unused)
{
    (void)unused;
    woken++;
    return 0;
}

/* `extra` 0: tasks that sleep, on a stack each. 1: runs that are armed (cosched_after), which have none until their time. The
 * times are spread evenly over the second that begins with the first, in no order. */
static int64_t sleep_on(void *until)
{
    int64_t result = cosched_sleep_until((int64_t)(intptr_t)until);
    woken++;
    return result;
}

int64_t run_sleepers(void *arg)
{
    struct load *load = arg;
    int64_t start = now_ns(), cpu = cpu_ns();
    int result = 0;
    woken = 0;
    for (long i = 0; i < load->count && result == 0; i++) {
        int64_t due = start + (i * 7919 % load->count) * (1000000000 / load->count);
        if (load->extra == 1) {
            result = cosched_after(NULL, due - now_ns(), wake, NULL, NULL);
        } else {
            result = cosched_spawn(NULL, sleep_on, (void *)(intptr_t)due, NULL);
        }
    }
    while (result == 0 && woken < load->count) {
        cosched_sleep_until(cosched_in_ms(1));
    }
    figure("wall", (double)(now_ns() - start) / 1e6, "ms");
    figure("cpu", (double)(cpu_ns() - cpu) / 1e6, "ms");
    return result;
}

/* So many milliseconds of nothing. Said on standard output when it begins, for whoever traces. */
int64_t run_idle(void *arg)
{
    struct load *load = arg;
    cosched_sleep_until(
        cosched_in_ms(200)); /* workers that were just made look around before they sleep */
    int64_t start = now_ns(), cpu = cpu_ns();
    cosched_sleep_until(cosched_in_ms(load->count));
    figure("cpu", 100.0 * (double)(cpu_ns() - cpu) / (double)(now_ns() - start), "%");
    figure("memory", memory_of("VmRSS") / 1e6, "MB");
    return 0;
}
