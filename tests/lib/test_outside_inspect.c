/* What the calls of inspect.h answer outside a task: on MAIN's thread, on a foreign one, inside cosched_blocking, and in a
 * forked child. */
#include <cosched/inspect.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static void ignore(void *data, const char *json, size_t n)
{
    (void)data;
    EXPECT(json[0] == '{' && json[n - 1] == '}' && json[n] == '\0');
}

/* --- tasks --- */

static int count_task(void *data, const cosched_task_info *info)
{
    (void)info;
    ++*(int64_t *)data;
    return 0;
}

static void look_at_tasks(cosched_runtime *rt)
{
    char name[32];
    int64_t told = 0, live = cosched_self().index != 0 ? 1 : 0;
    EXPECT(cosched_tasks_each(rt, NULL, count_task, &told) >= live);
    EXPECT(told >= live);
    EXPECT_EQ(cosched_tasks_stuck(rt, count_task, &told), 0);
    EXPECT_EQ(cosched_tasks_chain(rt, cosched_self(), count_task, &told), live ? 1 : -ESTALE);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(cosched_dump(rt, fd), 0);
    close(fd);
    cosched_symbol(name, sizeof name, NULL);
    EXPECT(strcmp(name, "0x0") == 0);
    EXPECT(strcmp(cosched_reason_name(COSCHED_FOR_MUTEX), "mutex") == 0);
}

static bool tasks_in_child(cosched_runtime *rt)
{
    int64_t told = 0;
    return cosched_tasks_each(rt, NULL, count_task, &told) == -EPERM &&
           cosched_tasks_stuck(rt, count_task, &told) == -EPERM &&
           cosched_tasks_chain(rt, (cosched_task){1, 1}, count_task, &told) == -EPERM &&
           cosched_dump(rt, 1) == -EPERM && told == 0;
}

static void *look(void *arg)
{
    cosched_runtime *rt = arg;
    cosched_latency latency = {.struct_size = sizeof latency};
    EXPECT_EQ(cosched_latency_get(rt, COSCHED_LATENCY_HOP, &latency), 0);
    cosched_trace *trace;
    cosched_trace_counts counts = {.struct_size = sizeof counts};
    cosched_trace_mark("looked", 1, COSCHED_TRACE_INSTANT);
    EXPECT_EQ(cosched_trace_open(&trace, rt, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_trace_read(trace, ignore, NULL), 0);
    EXPECT_EQ(cosched_trace_count(trace, &counts), 0);
    EXPECT(counts.records > 0);
    cosched_trace_close(trace, ignore, NULL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(cosched_trace_write(rt, COSCHED_NOW, null), 0);
    EXPECT_EQ(close(null), 0);
    look_at_tasks(rt);
    return NULL;
}

static int in_child(cosched_runtime *rt)
{
    cosched_latency latency = {.struct_size = sizeof latency};
    cosched_trace *trace;
    cosched_trace_mark("in a child", 1, COSCHED_TRACE_INSTANT); /* nothing */
    return cosched_latency_get(rt, COSCHED_LATENCY_HOP, &latency) == -EPERM &&
                   cosched_trace_open(&trace, rt, COSCHED_NOW) == -EPERM &&
                   cosched_trace_write(rt, COSCHED_NOW, 1) == -EPERM && tasks_in_child(rt)
               ? 0
               : __LINE__;
}

static int64_t look_blocking(void *arg)
{
    (void)look(arg);
    return 1;
}

static int64_t from_a_task(void *arg)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_blocking(&result, look_blocking, arg), 0);
    EXPECT_EQ(result, 1);
    (void)look(arg);
    return 0;
}

START_TEST(everything_that_looks_works_on_any_thread)
{
    cosched_config config = {.struct_size = sizeof config, .workers = run_workers[_i]};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    (void)look(rt);
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, look, rt), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, from_a_task, rt, 0), 0);
    EXPECT_EQ(cosched_runtime_loop(rt), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
}

END_TEST

START_TEST(a_forked_child_may_not_look)
{
    cosched_config config = {.struct_size = sizeof config, .workers = run_workers[_i]};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(in_child(rt) != 0);
    }
    int status;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
}

END_TEST

RUN_MAIN("outside_inspect", EACH(everything_that_looks_works_on_any_thread),
         EACH(a_forked_child_may_not_look))
