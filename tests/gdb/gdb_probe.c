/* What check.py looks at through gdb: tasks that wait, each in a function known by name, one that runs, one that has not
 * started; then SIGTRAP. Public API only: it is linked both ways.
 *
 * Everybody is where the test looks for them when it comes to that: on MAIN, tasks wait once those after them in line have
 * had their turn; on the one worker, the task that keeps it busy starts after the one that waits there. */
#include <cosched/cosched.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { TURNS = 16, DEEP = 48 };

static cosched_chan *channel;
static cosched_mutex mutex;
static cosched_event never;
static atomic_int worker_is_busy, over;

__attribute__((noinline)) static int64_t waits_for_value(void *arg)
{
    int64_t value = 0;
    int rc = cosched_chan_recv(channel, &value, COSCHED_NEVER);
    return rc < 0 ? rc : value + *(const int64_t *)arg;
}

__attribute__((noinline)) static int64_t reads_channel(void *arg)
{
    int64_t more = *(const int64_t *)arg + 1, result = 0;
    int rc = cosched_call(&result, COSCHED_MAIN, waits_for_value, &more, COSCHED_NEVER);
    return rc < 0 ? rc : result + more;
}

static int64_t locks(void *arg)
{
    (void)arg;
    int rc = cosched_mutex_lock(&mutex, COSCHED_NEVER);
    if (rc == 0) {
        cosched_mutex_unlock(&mutex);
    }
    return rc;
}

/* Frames of a kilobyte: the chain goes on on fresh stacks. */
__attribute__((noinline)) static int64_t goes_deep(void *arg)
{
    char frame[1024];
    int64_t left = *(const int64_t *)arg - 1, result = 0;
    memset(frame, (int)left, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory"); /* it is used */
    int rc = left == 0 ? cosched_event_wait(&never, COSCHED_NEVER)
                       : cosched_call(&result, COSCHED_MAIN, goes_deep, &left, COSCHED_NEVER);
    return rc < 0 ? rc : result + frame[0];
}

static int64_t sleeps_on_worker(void *arg)
{
    (void)arg;
    return cosched_sleep_until(COSCHED_NEVER - 1);
}

static int64_t keeps_worker_busy(void *arg)
{
    (void)arg;
    atomic_store(&worker_is_busy, 1);
    while (atomic_load(&over) == 0) {
    }
    return 0;
}

static int64_t child_sleeps(void *arg)
{
    (void)arg;
    return cosched_sleep_until(COSCHED_NEVER - 1);
}

static int64_t awaits_inline(void *arg)
{
    cosched_task child;
    int rc = cosched_spawn(&child, child_sleeps, arg,
                           &(cosched_attr){.struct_size = sizeof(cosched_attr), .name = "child"});
    return rc < 0 ? rc : cosched_await(&child, NULL, COSCHED_NEVER);
}

static int64_t never_starts(void *arg)
{
    (void)arg;
    return 0;
}

static void start(const char *name, cosched_affinity where, cosched_fn fn, void *arg)
{
    cosched_attr attr = {.struct_size = sizeof attr, .name = name, .affinity = where};
    cosched_task task;
    if (cosched_spawn(&task, fn, arg, &attr) < 0) {
        (void)fputs("cannot spawn\n", stderr);
    }
}

__attribute__((noinline)) static void everybody_waits(void)
{
    if (raise(SIGTRAP) != 0) { /* looked at, so that it is no tail call */
        (void)fputs("cannot raise\n", stderr);
    }
}

static int64_t starts_all(void *arg)
{
    static int64_t one = 1, deep = DEEP;
    (void)arg;
    (void)cosched_mutex_lock(&mutex, COSCHED_NEVER);
    start("reader", COSCHED_MAIN, reads_channel, &one);
    start("reader", COSCHED_MAIN, reads_channel, &one);
    start("locker", COSCHED_MAIN, locks, NULL);
    start("deep", COSCHED_MAIN, goes_deep, &deep);
    start("inliner", COSCHED_MAIN, awaits_inline, NULL);
    start("evil \x1b[31m", COSCHED_WORKER, sleeps_on_worker, NULL);
    start("busy", COSCHED_WORKER, keeps_worker_busy, NULL);
    for (int turn = 0; turn < TURNS || atomic_load(&worker_is_busy) == 0; turn++) {
        cosched_yield();
    }
    start("late", COSCHED_MAIN, never_starts, NULL);
    everybody_waits();
    cosched_mutex_unlock(&mutex);
    atomic_store(&over, 1);
    return 0; /* cancels those that wait */
}

int main(void)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = 1, .main_help = COSCHED_HELP_OFF};
    cosched_event_init(&never);
    if (cosched_chan_create(&channel, sizeof(int64_t), 1) < 0) {
        return 1;
    }
    int64_t result = cosched_run(&config, starts_all, NULL);
    cosched_chan_unref(channel);
    return result == 0 ? 0 : 1;
}
