/* cosched_dump: JSON, of every task, without an allocator, whatever the descriptor does. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test_tasks.h"

/* --- is it JSON? ---------------------------------------------------------------------------------------------------------------- */

static const char *value(const char *at);

static const char *string(const char *at)
{
    EXPECT(*at == '"');
    for (at++; *at != '"'; at++) {
        EXPECT((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
        if (*at == '\\') {
            at++;
            EXPECT(strchr("\"\\u", *at) != NULL && *at != '\0');
            for (int i = 0; *at == 'u' && i < 4; i++) {
                EXPECT(strchr("0123456789abcdef", at[1 + i]) != NULL && at[1 + i] != '\0');
            }
        }
    }
    return at + 1;
}

static const char *space(const char *at)
{
    return at + strspn(at, " \n");
}

static const char *members(const char *at, char close, bool keys)
{
    at = space(at + 1);
    while (*at != close) {
        if (keys) {
            at = string(at);
            EXPECT(*at == ':');
            at++;
        }
        at = space(value(at));
        EXPECT(*at == close || *at == ',');
        if (*at == ',') {
            at = space(at + 1);
            EXPECT(*at != close);
        }
    }
    return at + 1;
}

static const char *value(const char *at)
{
    if (*at == '{' || *at == '[') {
        return members(at, *at == '{' ? '}' : ']', *at == '{');
    }
    if (*at == '"') {
        return string(at);
    }
    if (strncmp(at, "true", 4) == 0) {
        return at + 4;
    }
    size_t digits = strspn(at, "0123456789");
    EXPECT(digits > 0);
    return at + digits;
}

/* --- all of it -------------------------------------------------------------------------------------------------------------------- */

static char *dump(int *lines)
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_EQ(cosched_dump(cosched_runtime_self(), fd), 0);
    off_t bytes = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)bytes + 1);
    EXPECT(text != NULL && pread(fd, text, (size_t)bytes, 0) == bytes);
    close(fd);
    EXPECT(strcmp(value(text), "\n") == 0);
    *lines = 0;
    for (const char *at = text; (at = strstr(at, "\n{\"task\":\"")) != NULL; at++) {
        ++*lines;
    }
    return text;
}

static int count_calls(void *data, const cosched_task_info *info)
{
    (void)info;
    ++*(int64_t *)data;
    return 0;
}

SCENARIO(every_task_is_a_line_of_one_object)
{
    int n = RUN_SIZE(2000, 200, 200), lines;
    cosched_task *t = calloc((size_t)n, sizeof *t);
    EXPECT(t != NULL);
    for (int i = 0; i < n; i++) {
        t[i] = start_named("a \"name\"\\\n\x01 \xc3\xa9", run_until_canceled, NULL, COSCHED_WORKER);
    }
    char *text = dump(&lines);
    EXPECT_EQ(lines, n + 1);
    EXPECT(strstr(text, "\"name\":\"a \\\"name\\\"\\\\\\u000a\\u0001 \\u00c3\\u00a9\"") != NULL);
    char count[64];
    (void)snprintf(count, sizeof count, "],\"count\":%d,\"stuck_sets\":0}\n", n + 1);
    EXPECT(strstr(text, count) != NULL);
    free(text);
    for (int i = 0; i < n; i++) {
        cosched_cancel(t[i]);
    }
    for (int i = 0; i < n; i++) {
        run_join(t[i]);
    }
    free(t);
}

static cosched_mutex mutex;

static int64_t locks(void *arg)
{
    (void)arg;
    return cosched_mutex_lock(&mutex, COSCHED_NEVER); /* in vain */
}

static int64_t awaits(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&mutex, COSCHED_NEVER), 0);
    cosched_task t = start_named("locks", locks, NULL, COSCHED_WORKER);
    int rc = cosched_await(&t, NULL, COSCHED_NEVER);
    cosched_mutex_unlock(&mutex);
    return rc;
}

SCENARIO(a_line_tells_what_a_task_waits_for_and_whether_it_is_stuck)
{
    memset(&mutex, 0, sizeof mutex);
    cosched_task t = start_named("awaits", awaits, NULL, COSCHED_WORKER);
    int64_t stuck = 0;
    UNTIL((stuck = 0, cosched_tasks_stuck(cosched_runtime_self(), count_calls, &stuck) == 2));
    int lines;
    char *text = dump(&lines);
    EXPECT_EQ(lines, 3);
    char *line = strstr(text, "\"name\":\"locks\"");
    EXPECT(line != NULL);
    *strchr(line, '\n') = '\0';
    EXPECT(strstr(line, "\"state\":\"waiting\"") != NULL && strstr(line, "\"stuck\":1") != NULL);
    EXPECT(strstr(line, "\"waits_for\":{\"what\":\"mutex\",\"task\":\"") != NULL);
    EXPECT(strstr(line, "\"fn\":\"locks\"") != NULL && strstr(line, "\"calls\":[\"locks\"]") != NULL);
    free(text);
    end_task(t);
}

/* --- without an allocator, and on descriptors that do not like it ------------------------------------------------------------------ */

static _Atomic(int) allocations, armed;

static void *on_alloc(void *data, size_t bytes)
{
    (void)data;
    atomic_fetch_add(&allocations, atomic_load(&armed));
    return malloc(bytes);
}

static void *on_realloc(void *data, void *ptr, size_t bytes)
{
    (void)data;
    atomic_fetch_add(&allocations, atomic_load(&armed));
    return realloc(ptr, bytes);
}

static void on_free(void *data, void *ptr)
{
    (void)data;
    free(ptr);
}

static int64_t dumps_without_memory(void *arg)
{
    (void)arg;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    cosched_yield();
    atomic_store(&armed, 1);
    EXPECT_EQ(cosched_dump(cosched_runtime_self(), fd), 0);
    atomic_store(&armed, 0);
    EXPECT_EQ(atomic_load(&allocations), 0);
    EXPECT(lseek(fd, 0, SEEK_CUR) > 0);
    close(fd);
    end_task(t);
    return 0;
}

START_TEST(a_dump_uses_no_allocator)
{
    cosched_hooks hooks = {
        .struct_size = sizeof hooks, .alloc = on_alloc, .realloc = on_realloc, .free = on_free};
    /* no worker: nobody else allocates meanwhile */
    cosched_config config = {.struct_size = sizeof config, .workers = 0, .hooks = &hooks};
    EXPECT_EQ(run_config(&config, dumps_without_memory, NULL), 0);
}

END_TEST

static void *reads_slowly(void *arg)
{
    const int *fd = arg;
    char some[4096];
    int64_t bytes = 0;
    ssize_t n;
    while ((n = read(*fd, some, sizeof some)) > 0) {
        bytes += n;
    }
    return (void *)(intptr_t)bytes;
}

SCENARIO_ON(1, a_pipe_that_is_full_is_waited_for_and_a_closed_one_is_an_error)
{
    int ends[2], n = 1000;
    cosched_task t[1000];
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    }
    EXPECT_EQ(pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(fcntl(ends[0], F_SETFL, 0), 0); /* the writer does not block, the reader does */
    pthread_t thread;
    void *bytes;
    EXPECT_EQ(pthread_create(&thread, NULL, reads_slowly, &ends[0]), 0);
    EXPECT_EQ(cosched_dump(cosched_runtime_self(), ends[1]), 0);
    close(ends[1]);
    EXPECT_EQ(pthread_join(thread, &bytes), 0);
    EXPECT((intptr_t)bytes > 65536);
    close(ends[0]);
    EXPECT_EQ(cosched_dump(cosched_runtime_self(), -1), -EBADF);
    EXPECT_EQ(cosched_dump(NULL, 1), -EINVAL);
    for (int i = 0; i < n; i++) {
        cosched_cancel(t[i]);
    }
    for (int i = 0; i < n; i++) {
        run_join(t[i]);
    }
}

RUN_MAIN("dump", EACH(every_task_is_a_line_of_one_object),
         EACH(a_line_tells_what_a_task_waits_for_and_whether_it_is_stuck),
         ONCE(a_dump_uses_no_allocator),
         ONCE(a_pipe_that_is_full_is_waited_for_and_a_closed_one_is_an_error))
