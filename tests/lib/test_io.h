/* What the tests of io/ share. Each body runs as a task on MAIN of a fresh runtime, with 0, 1, 2, 4 and 8 workers, in a
 * directory of its own; descriptors are counted before and after, so every test is one for leaks, too.
 *
 * Nothing here waits for time to pass: a test that wants another task to be waiting looks at what it waits for. */
#ifndef TEST_IO_H
#define TEST_IO_H
#include <cosched/io.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/watch.h"

#define IO_SOON       cosched_in_ms(60000) /* for what must happen: a hang fails by name */
#define IO_MOMENT     cosched_in_ms(2)     /* for what must not: its passing is the subject */
#define IO_RUNS       5                    /* 0, 1, 2, 4 and 8 workers */
#define IO_WORKERS(i) ((i) < 3 ? (i) : 4 * ((i)-2))

static char io_path[32]; /* a socket's, in the directory of the test */

static inline unsigned io_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    unsigned n = 0;
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static inline int64_t io_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static inline void io_run(int i, cosched_fn body)
{
    cosched_config config = {.struct_size = sizeof config, .workers = IO_WORKERS(i)};
    ck_assert_int_eq(cosched_run(&config, io_nothing, NULL), 0); /* opens what stays open */
    char dir[] = "io-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(io_path, sizeof io_path, "%s/s", dir);
    unsigned before = io_descriptors();
    ck_assert_int_eq(cosched_run(&config, body, NULL), 0);
    ck_assert_uint_eq(io_descriptors(), before);
    unlink(io_path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* IO_TEST(name) { the body of a task; return 0; } */
#define IO_TEST(name)                   \
    static int64_t name##_body(void *); \
    START_TEST(name)                    \
    {                                   \
        io_run(_i, name##_body);        \
    }                                   \
    END_TEST                            \
    static int64_t name##_body(void *unused __attribute__((unused)))

static inline int io_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_loop_test(tcase, tests[i], 0, IO_RUNS);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define IO_MAIN(name, ...)                                            \
    int main(void)                                                    \
    {                                                                 \
        const TTest *const tests[] = {__VA_ARGS__};                   \
        return io_suite(name, tests, sizeof tests / sizeof tests[0]); \
    }

/* Streams and listeners begin with their watch. */
static inline struct cos_source *io_source(void *object)
{
    return &((struct cos_watch *)object)->source;
}

/* Until some task waits on that side of it. */
static inline void io_until_waits(struct cos_source *s, enum cos_side side)
{
    while (cos_atomic_load(&s->side[side].word, acquire) <= COS_SIDE_NEWS) {
        cosched_yield();
    }
}

static inline cosched_task io_spawn(cosched_affinity where, cosched_fn fn, void *arg)
{
    cosched_task task;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = where};
    ck_assert_int_eq(cosched_spawn(&task, fn, arg, &attr), 0);
    return task;
}

static inline int64_t io_await(cosched_task task)
{
    int64_t result = INT64_MIN;
    ck_assert_int_eq(cosched_await(&task, &result, IO_SOON), 0);
    return result;
}

static inline cosched_listener *io_listen(int backlog)
{
    cosched_listener *l;
    ck_assert_int_eq(cosched_listen_unix(&l, io_path, 0600, backlog), 0);
    return l;
}

/* Two ends of one connection. */
static inline void io_pair(cosched_stream *ends[2])
{
    cosched_listener *l = io_listen(1);
    ck_assert_int_eq(cosched_connect_unix(&ends[0], io_path, COSCHED_NOW), 0);
    ck_assert_int_eq(cosched_accept(l, &ends[1], COSCHED_NOW), 0);
    cosched_listener_close(l);
    ck_assert_int_eq(unlink(io_path), 0);
}

static inline void io_close_pair(cosched_stream *ends[2])
{
    cosched_close(ends[0]);
    cosched_close(ends[1]);
}

static inline uint32_t io_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}
#endif
