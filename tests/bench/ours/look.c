/* What it costs to look in: so many suspended tasks are written out with their calls and frames, while a worker is busy. */
#include <cosched/inspect.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ours.h"

enum { ROUNDS = 3, WINDOW_MS = 1000, CONSTANTLY = 1000000 };

static atomic_long loaded; /* relaxed, like `enough`: a count and a flag, nothing behind them */
static atomic_bool enough;

static int64_t wait_for_turn(void *sem)
{
    return cosched_sem_acquire(sem, COSCHED_NEVER);
}

/* Makes and awaits children on its worker for as long as it may. */
static int64_t be_busy(void *unused)
{
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
        for (int i = 0; i < 100; i++) {
            cosched_task task;
            if (cosched_spawn(&task, leaf, unused, NULL) == 0) {
                cosched_await(&task, NULL, COSCHED_NEVER);
            }
        }
        atomic_fetch_add_explicit(&loaded, 1, memory_order_relaxed);
    }
    return 0;
}

/* What the load does in a window with so many looks, one after the other from its beginning. */
static double rate(int looks, int to, double *look_ms)
{
    int64_t start = now_ns(), end = start + WINDOW_MS * INT64_C(1000000);
    long before = atomic_load_explicit(&loaded, memory_order_relaxed);
    int done = 0;
    for (; done < looks && now_ns() < end; done++) {
        cosched_dump(cosched_runtime_self(), to);
    }
    if (done > 0) {
        *look_ms = (double)(now_ns() - start) / 1e6 / done;
    }
    cosched_sleep_until(end);
    return (double)(atomic_load_explicit(&loaded, memory_order_relaxed) - before) /
           (double)(now_ns() - start);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static void measure(int to)
{
    double lost_once[ROUNDS], lost[ROUNDS], once_ms[ROUNDS], ms;
    for (int i = 0; i < ROUNDS; i++) {
        double alone = rate(0, to, &ms);
        lost_once[i] = 100 * (1 - rate(1, to, &once_ms[i]) / alone);
        lost[i] = 100 * (1 - rate(CONSTANTLY, to, &ms) / alone);
    }
    figure("look", median(once_ms), "ms");
    figure("lost", median(lost_once), "%");
    figure("lost_constantly", median(lost), "%");
}

/* The suspended tasks and who looks are MAIN's, the load is a worker's. */
int64_t run_look(void *arg)
{
    struct load *load = arg;
    cosched_sem sem = {0};
    cosched_group group;
    cosched_task busy;
    int to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int64_t result = cosched_group_init(&group, NULL);
    for (long i = 0; i < load->count && result == 0; i++) {
        result = cosched_group_spawn(&group, wait_for_turn, &sem, NULL);
    }
    const cosched_attr on_worker = {.struct_size = sizeof on_worker, .affinity = COSCHED_WORKER};
    if (result == 0) {
        result = cosched_spawn(&busy, be_busy, NULL, &on_worker);
    }
    if (result == 0) {
        cosched_sleep_until(cosched_in_ms(500)); /* all of them wait by then, and the load is warm */
        measure(to);
        atomic_store_explicit(&enough, true, memory_order_relaxed);
        result = cosched_await(&busy, NULL, COSCHED_NEVER);
    }
    cosched_sem_release(&sem, (uint32_t)load->count);
    int64_t joined = cosched_group_join(&group, COSCHED_NEVER);
    close(to);
    return result < 0 ? result : joined;
}
