/* What test_trace.py looks at: a run with hops, wakes from tasks, timers and other threads, marks, blocking calls and own threads,
 * its trace in a file.
 *
 *   trace_sample WORKERS FILE [streamed]      streamed: read while it runs, in many pieces */
#include <cosched/inspect.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cosched_chan *line;
static FILE *out;
static bool comma;
static uint64_t lost;

static int64_t hopper(void *arg)
{
    int64_t id = (int64_t)(intptr_t)arg;
    cosched_trace_mark("job", id, COSCHED_TRACE_BEGIN);
    for (int i = 0; i < 5; i++) {
        cosched_hop(COSCHED_WORKER);
        cosched_hop(COSCHED_MAIN);
    }
    cosched_trace_mark("job", id, COSCHED_TRACE_END);
    return 0;
}

static int64_t producer(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < 50; i++) {
        cosched_chan_send(line, &i, COSCHED_NEVER);
    }
    return 0;
}

static int64_t consumer(void *arg)
{
    (void)arg;
    for (int64_t i = 0, value; i < 50; i++) {
        cosched_chan_recv(line, &value, COSCHED_NEVER);
    }
    return 0;
}

static int64_t sleeper(void *arg)
{
    for (int i = 0; i < 3; i++) {
        cosched_sleep_until(cosched_in_ms((int64_t)(intptr_t)arg));
    }
    return 0;
}

static int64_t nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t blocker(void *arg)
{
    for (int i = 0; i < 5; i++) {
        cosched_blocking(NULL, nothing, arg);
    }
    return 0;
}

static int64_t own(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < 3; i++) {
        cosched_trace_mark("commit", i, COSCHED_TRACE_BEGIN);
        cosched_sleep_until(cosched_in_ms(1));
        cosched_trace_mark("commit", i, COSCHED_TRACE_END);
    }
    return 0;
}

static void put(void *data, const char *json, size_t n)
{
    (void)data;
    fputs(comma ? ",\n" : "\n", out);
    fwrite(json, 1, n, out);
    comma = true;
}

static cosched_task start(cosched_fn fn, const char *name, cosched_affinity at, intptr_t arg)
{
    cosched_task t;
    cosched_attr a = {.struct_size = sizeof a,
                      .name = name,
                      .affinity = at,
                      .flags = at == COSCHED_BLOCKING ? COSCHED_PINNED : 0};
    if (cosched_spawn(&t, fn, (void *)arg, &a) < 0) {
        abort();
    }
    return t;
}

static int64_t everything(void *arg)
{
    cosched_trace *reader = arg;
    if (cosched_chan_create(&line, sizeof(int64_t), 2) < 0) {
        return -1;
    }
    cosched_task t[] = {
        start(hopper, "hopper", COSCHED_MAIN, 1),     start(hopper, "hopper", COSCHED_MAIN, 2),
        start(producer, NULL, COSCHED_WORKER, 0),     start(consumer, NULL, COSCHED_MAIN, 0),
        start(sleeper, "sleeper", COSCHED_MAIN, 8),   start(sleeper, "sleeper", COSCHED_WORKER, 9),
        start(blocker, "blocker", COSCHED_WORKER, 0), start(own, "own", COSCHED_BLOCKING, 0),
    };
    cosched_trace_mark("here", 7, COSCHED_TRACE_INSTANT);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        cosched_await(&t[i], NULL, COSCHED_NEVER);
        if (reader != NULL) {
            cosched_trace_read(reader, put, NULL);
        }
    }
    cosched_chan_unref(line);
    return 0;
}

static int streamed(cosched_runtime *rt)
{
    cosched_trace *reader;
    cosched_trace_counts counts = {.struct_size = sizeof counts};
    if (cosched_trace_open(&reader, rt, COSCHED_NOW) < 0) {
        return 1;
    }
    fputs("{\"traceEvents\":[", out);
    cosched_runtime_post(rt, COSCHED_MAIN, everything, reader, 0);
    int rc = cosched_runtime_loop(rt);
    rc = rc == 0 ? cosched_trace_read(reader, put, NULL) : rc;
    cosched_trace_count(reader, &counts);
    lost = counts.lost;
    cosched_trace_close(reader, put, NULL);
    fputs("\n]}\n", out);
    return rc;
}

int main(int argc, char **argv)
{
    cosched_runtime *rt;
    cosched_config config = {.struct_size = sizeof config, .workers = argc > 2 ? atoi(argv[1]) : 1};
    if (argc < 3 || (out = fopen(argv[2], "w")) == NULL ||
        cosched_runtime_create(&rt, &config, NULL) < 0) {
        return 2;
    }
    int rc;
    if (argc > 3) {
        rc = streamed(rt);
    } else {
        cosched_runtime_post(rt, COSCHED_MAIN, everything, NULL, 0);
        rc = cosched_runtime_loop(rt);
        rc = rc == 0 ? cosched_trace_write(rt, COSCHED_NOW, fileno(out)) : rc;
    }
    cosched_runtime_destroy(rt);
    return rc != 0 || lost != 0 || fclose(out) != 0;
}
