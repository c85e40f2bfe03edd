/* The watchdog of slices: what is found, what is said of it, how often, and that an idle process stays idle. The bounds in time are
 * asked for in virtual time (tests/sim runs this file, too); elsewhere a slice simply goes on until it is reported. */
#define RUN_HELP COSCHED_HELP_OFF
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "arch/glance.h"
#include "emulated.h"
#include "run.h"
#include "sched/runtime.h"

#define MS INT64_C(1000000)

static struct {
    atomic_int count;
    atomic_int wake_fd; /* gets a byte for each report; -1: none */
    char text[16][1600];
} told;

static void on_log(void *data, cosched_log_level level, const char *text)
{
    (void)data;
    EXPECT_EQ(level, COSCHED_LOG_WARNING);
    int i = atomic_load(&told.count);
    EXPECT(i < 16);
    snprintf(told.text[i], sizeof told.text[i], "%s", text);
    int fd = atomic_load(&told.wake_fd);
    atomic_fetch_add(&told.count, 1);
    if (fd >= 0) {
        EXPECT_EQ(write(fd, "", 1), 1);
    }
}

static void run_watched(int workers, int64_t main_ns, int64_t worker_ns, cosched_fn fn)
{
    static const cosched_hooks hooks = {.struct_size = sizeof hooks, .log = on_log};
    cosched_config config = {.struct_size = sizeof config,
                             .workers = workers,
                             .main_help = RUN_HELP,
                             .flags = COSCHED_WATCH_SLICES,
                             .hooks = &hooks,
                             .slice_main_ns = main_ns,
                             .slice_worker_ns = worker_ns};
    memset(&told, 0, sizeof told);
    atomic_store(&told.wake_fd, -1);
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

static int reports(void)
{
    return atomic_load(&told.count);
}

#if !RUN_SIM
static int64_t cpu_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
#endif

/* Computes for so long. */
static void burn(int64_t ns)
{
#if RUN_SIM
    sim_busy(ns);
#else
    for (int64_t end = cpu_now() + ns; cpu_now() < end;) {
    }
#endif
}

static __attribute__((noinline)) void burn_until_reported(int before)
{
    while (reports() == before) {
        burn(MS);
    }
    while (run_stats().slices_reported == (uint64_t)before) { /* counted a moment after it is told */
        burn(MS);
    }
    burn(50 * MS); /* once is enough */
}

static const char *last_report(void)
{
    int n = reports();
    return n > 0 ? told.text[n - 1] : "";
}

static int64_t burner(void *arg)
{
    (void)arg;
    burn_until_reported(reports());
    return 0;
}

static void expect_one(const char *where, uint64_t found)
{
    EXPECT_EQ(reports(), found);
    EXPECT(strstr(last_report(), where) != NULL);
    EXPECT(strstr(last_report(), ", on CPU") != NULL);
    /* ThreadSanitizer lets signals wait; in virtual time there are none */
    if (!RUN_TSAN && !RUN_SIM &&
        !emulator_lacks("where a long slice was", "does not interrupt a thread for it")) {
        EXPECT(strstr(last_report(), ", on CPU: ") != NULL && strstr(last_report(), " < ") != NULL);
    }
    EXPECT_EQ(run_stats().slices_long, found);
    EXPECT_EQ(run_stats().slices_reported, found);
}

static int64_t computes_on_main(void *arg)
{
    (void)arg;
    cosched_attr named = {.struct_size = sizeof named, .name = "hog"};
    cosched_task t;
    burn_until_reported(0);
    expect_one("has kept MAIN for ", 1);
    EXPECT_EQ(cosched_spawn(&t, burner, NULL, &named), 0);
    cosched_yield(); /* on a stack of its own */
    EXPECT_EQ(run_join(t), 0);
    expect_one("task hog #", 2);
    EXPECT(strstr(last_report(), "its share is 0.020 s") != NULL);
    return 0;
}

START_TEST(a_task_that_keeps_main_is_reported_once)
{
    run_watched(run_workers[_i], 20 * MS, COSCHED_NEVER, computes_on_main);
}

END_TEST

static int64_t computes_on_a_worker(void *arg)
{
    (void)arg;
    EXPECT_EQ(run_join(run_spawn(burner, NULL, COSCHED_WORKER)), 0);
    expect_one(run_stats().workers > 0 ? "has kept worker " : "has kept MAIN", 1);
    return 0;
}

START_TEST(a_task_that_keeps_a_worker_is_reported_once)
{
    int workers = run_workers[_i];
    run_watched(workers, workers > 0 ? COSCHED_NEVER : 20 * MS, 20 * MS, computes_on_a_worker);
}

END_TEST

/* --- in the kernel ------------------------------------------------------------------------------------------------ */

#if !RUN_SIM
static int pipe_ends[2];

static int64_t reads_until_reported(void *arg)
{
    char byte;
    (void)arg;
    /* The report writes the byte that ends this call: nothing else does. */
    EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
    EXPECT_EQ(reports(), 1);
    EXPECT(strstr(last_report(), "on CPU") == NULL);
    EXPECT(strstr(last_report(), ", in system call ") != NULL);
    if (strstr(last_report(), "(unknown)") == NULL && /* where /proc may be read */
        !emulator_lacks("a system call's name", "shows the calls of the machine below")) {
        EXPECT(strstr(last_report(), ", in system call read: ") != NULL);
    }
    return 0;
}

static int64_t blocks_in_a_call(void *arg)
{
    (void)arg;
    atomic_store(&told.wake_fd, pipe_ends[1]);
    return reads_until_reported(NULL);
}

START_TEST(a_task_that_blocks_in_a_system_call_is_reported_with_its_name)
{
    EXPECT_EQ(pipe(pipe_ends), 0);
    run_watched(run_workers[_i], 20 * MS, 20 * MS, blocks_in_a_call);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

END_TEST

static int64_t sleeps_in_the_kernel(void *arg)
{
    (void)arg;
    while (reports() == 0) {
        struct timespec ts = {.tv_nsec = 30 * MS};
        EXPECT_EQ(nanosleep(&ts, NULL), 0);
    }
    return 0;
}

/* nanosleep ends with EINTR after any handler, SA_RESTART or not. */
START_TEST(looking_at_a_task_in_the_kernel_does_not_disturb_it)
{
    run_watched(run_workers[_i], 20 * MS, 20 * MS, sleeps_in_the_kernel);
    EXPECT(strstr(last_report(), ", in system call ") != NULL);
}

END_TEST
#endif

/* --- how often ---------------------------------------------------------------------------------------------------- */

static int64_t burn_until_found(void *arg)
{
    uint64_t before = (uint64_t)(intptr_t)arg;
    while (run_stats().slices_long == before) {
        burn(MS);
    }
    return 0;
}

static int64_t keeps_main_often(void *arg)
{
    (void)arg;
    int64_t begin = cosched_now();
    for (intptr_t i = 0; i < 8; i++) {
        (void)burn_until_found((void *)i);
        cosched_yield();
    }
    EXPECT_EQ(run_stats().slices_long, 8);
    if (cosched_now() - begin < 60000 * MS) {
        EXPECT_EQ(run_stats().slices_reported, 5);
        EXPECT_EQ(reports(), 5);
    }
#if RUN_SIM
    cosched_sleep_until(cosched_in_ms(61000));
    (void)burn_until_found((void *)8);
    cosched_yield();
    EXPECT_EQ(reports(), 6);
    EXPECT(strstr(last_report(), "(3 like it were not reported)") != NULL);
#endif
    return 0;
}

START_TEST(no_more_than_five_are_reported_in_a_minute)
{
    run_watched(run_workers[_i], 10 * MS, 10 * MS, keeps_main_often);
}

END_TEST

/* --- nothing to find ------------------------------------------------------------------------------------------------ */

static cosched_chan *line;

static int64_t echo(void *arg)
{
    int64_t value;
    while (cosched_chan_recv(line, &value, COSCHED_NEVER) == 0) {
        burn(100000);
    }
    return run_return(arg);
}

/* A minute of many short slices and long waits; an hour in virtual time. */
static int64_t works_and_rests(void *arg)
{
    (void)arg;
    int rounds = RUN_SIM ? 3600 : 20;
    EXPECT_EQ(cosched_chan_create(&line, sizeof(int64_t), 4), 0);
    cosched_task t[2] = {run_spawn(echo, NULL, COSCHED_MAIN), run_spawn(echo, NULL, COSCHED_WORKER)};
    for (int64_t i = 0; i < rounds; i++) {
        EXPECT_EQ(cosched_chan_send(line, &i, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_chan_send(line, &i, COSCHED_NEVER), 0);
        cosched_hop(i % 2 != 0 ? COSCHED_WORKER : COSCHED_MAIN);
        burn(100000);
        cosched_sleep_until(cosched_in_ms(RUN_SIM ? 1000 : 5));
    }
    cosched_chan_close(line);
    EXPECT_EQ(run_join(t[0]) + run_join(t[1]), 0);
    cosched_chan_unref(line);
    EXPECT_EQ(run_stats().slices_long, 0);
    return 0;
}

START_TEST(short_slices_and_long_waits_are_no_finding)
{
    /* In real time a slice of 100 us may last as long as the machine likes; it has to compute for half of this. */
    run_watched(run_workers[_i], RUN_SIM ? 10 * MS : 1000 * MS, RUN_SIM ? 100 * MS : 1000 * MS,
                works_and_rests);
    EXPECT_EQ(reports(), 0);
}

END_TEST

#if RUN_SIM
/* The default thresholds, to the moment: a slice of 25 ms is told of between 10 and 20 ms, one of 9 ms never; and on workers. */
static int64_t burn_some(void *arg)
{
    burn((intptr_t)arg);
    return 0;
}

static int64_t exact(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        burn(9 * MS);
        cosched_sleep_until(cosched_in_ms(7));
    }
    EXPECT_EQ(reports(), 0);
    burn(9900000);
    EXPECT_EQ(reports(), 0);
    burn(10200000);
    EXPECT_EQ(reports(), 1);
    cosched_yield();
    if (run_stats().workers > 0) {
        EXPECT_EQ(run_join(run_spawn(burn_some, (void *)(intptr_t)(99 * MS), COSCHED_WORKER)), 0);
        EXPECT_EQ(reports(), 1);
        EXPECT_EQ(run_join(run_spawn(burn_some, (void *)(intptr_t)(112 * MS), COSCHED_WORKER)), 0);
        EXPECT_EQ(reports(), 2);
        EXPECT(strstr(last_report(), "its share is 0.100 s") != NULL);
    }
    return 0;
}

START_TEST(a_slice_is_told_of_in_time)
{
    run_watched(run_workers[_i], 0, 0, exact);
}

END_TEST
#else
/* How often this thread has gone to sleep, by the kernel's count. */
static long sleeps_of(pid_t thread)
{
    char path[64], text[128];
    long n = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    EXPECT(file != NULL);
    while (fgets(text, sizeof text, file) != NULL) {
        if (sscanf(text, "voluntary_ctxt_switches: %ld", &n) == 1) {
            break;
        }
    }
    fclose(file);
    EXPECT(n >= 0);
    return n;
}

/* On a thread of cosched_blocking: MAIN waits in its poll, and nobody begins a slice. */
static int64_t watches_the_watcher(void *arg)
{
    cosched_runtime *rt = arg;
    struct timespec many_periods = {.tv_nsec = 300 * MS};
    struct cos_glance seen;
    clockid_t clock;
    EXPECT_EQ(pthread_getcpuclockid(rt->slices.thread, &clock), 0);
    pid_t watcher = (pid_t) ~(clock >> 3); /* such a clock is made of the thread's id */
    UNTIL_SPIN(cos_atomic_load(&rt->execs[0]->slice_at, relaxed) == 0);
    UNTIL_SPIN(cos_atomic_load(&rt->slices.armed, relaxed) == 0);
    UNTIL_SPIN((cos_glance_state(watcher, &seen), seen.state == 'S'));
    long before = sleeps_of(watcher);
    EXPECT_EQ(nanosleep(&many_periods, NULL), 0);
    EXPECT(sleeps_of(watcher) - before <= 1); /* it may have been on its way */
    return 0;
}

static int64_t idles(void *arg)
{
    int64_t result = -1;
    (void)arg;
    EXPECT_EQ(cosched_blocking(&result, watches_the_watcher, cosched_runtime_self()), 0);
    EXPECT_EQ(result, 0);
    return 0;
}

START_TEST(an_idle_process_has_no_wake_ups_for_it)
{
    (void)_i;
    run_watched(0, 10 * MS, 10 * MS, idles);
}

END_TEST
#endif

/* --- what is asked wrongly, and what stays ----------------------------------------------------------------------------- */

START_TEST(thresholds_are_checked_and_handlers_given_back)
{
    (void)_i;
    cosched_config config = {.struct_size = sizeof config, .slice_main_ns = -1};
    EXPECT_EQ(cosched_run(&config, run_return, NULL), -EINVAL);
    config = (cosched_config){.struct_size = sizeof config, .slice_worker_ns = -1};
    EXPECT_EQ(cosched_run(&config, run_return, NULL), -EINVAL);
    run_watched(1, COSCHED_NEVER, COSCHED_NEVER, run_return);
    run_watched(1, 0, 0, run_return);
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
        struct sigaction found;
        EXPECT_EQ(sigaction(i, NULL, &found), 0);
        EXPECT(found.sa_handler == SIG_DFL);
    }
}

END_TEST

#if RUN_SIM
#define IN_THIS_WORLD EACH(a_slice_is_told_of_in_time)
#else
#define IN_THIS_WORLD                                                    \
    EACH(a_task_that_blocks_in_a_system_call_is_reported_with_its_name), \
        EACH(looking_at_a_task_in_the_kernel_does_not_disturb_it),       \
        ONCE(an_idle_process_has_no_wake_ups_for_it)
#endif

RUN_MAIN("slices", EACH(a_task_that_keeps_main_is_reported_once),
         EACH(a_task_that_keeps_a_worker_is_reported_once),
         EACH(no_more_than_five_are_reported_in_a_minute),
         EACH(short_slices_and_long_waits_are_no_finding),
         ONCE(thresholds_are_checked_and_handlers_given_back), IN_THIS_WORLD)
