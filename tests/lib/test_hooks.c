/* The host's hooks: memory, messages, failures that nobody awaits. */
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "run.h"

/* --- memory ------------------------------------------------------------------------------------------------------ */

struct arena {
    _Atomic(int64_t) live, calls, left; /* left: how many may still succeed; negative: all */
};

static struct arena arena;

static void *arena_alloc(void *data, size_t bytes)
{
    struct arena *a = data;
    atomic_fetch_add(&a->calls, 1);
    if (atomic_load(&a->left) >= 0 && atomic_fetch_sub(&a->left, 1) <= 0) {
        return NULL;
    }
    char *raw = malloc(bytes + 16);
    EXPECT(raw != NULL);
    memcpy(raw, "ours", 5);
    memset(raw + 16, 0xA5, bytes); /* nobody may count on zeros */
    atomic_fetch_add(&a->live, 1);
    return raw + 16;
}

static void arena_free(void *data, void *ptr)
{
    struct arena *a = data;
    char *raw = (char *)ptr - 16;
    EXPECT(memcmp(raw, "ours", 5) == 0); /* what it gets back is what it gave */
    raw[0] = '!';
    free(raw);
    atomic_fetch_sub(&a->live, 1);
}

static void *arena_realloc(void *data, void *ptr, size_t bytes)
{
    (void)data;
    (void)ptr;
    (void)bytes;
    return NULL;
}

static const cosched_hooks memory_hooks = {.struct_size = sizeof memory_hooks,
                                           .data = &arena,
                                           .alloc = arena_alloc,
                                           .realloc = arena_realloc,
                                           .free = arena_free};

static void fill_arena(int64_t left)
{
    atomic_store(&arena.live, 0);
    atomic_store(&arena.calls, 0);
    atomic_store(&arena.left, left);
}

static void nothing(void *arg)
{
    (void)arg;
}

static int64_t uses_everything(void *arg)
{
    (void)arg;
    cosched_chan *ch;
    cosched_token token;
    int rc = cosched_chan_create(&ch, 8, 100);
    if (rc < 0) {
        return rc;
    }
    cosched_task t;
    rc = cosched_spawn(&t, run_return, NULL, run_at(COSCHED_WORKER));
    if (rc == 0) {
        int64_t result;
        rc = cosched_await(&t, &result, COSCHED_NEVER);
        rc = rc == 0 ? (int)result : rc;
    }
    rc = rc == 0 ? cosched_defer(nothing, NULL) : rc;
    rc = rc == 0 ? cosched_local_set(&arena, &arena) : rc;
    if (rc == 0) {
        rc = cosched_after(&token, 0, run_return, NULL, NULL);
    }
    cosched_group_attr supervise = {.struct_size = sizeof supervise,
                                    .policy = COSCHED_SUPERVISE,
                                    .restarts_max = 4,
                                    .restart_window_ns = 1000};
    cosched_group g;
    if (rc == 0) {
        rc = cosched_group_init(&g, &supervise);
        if (rc == 0) {
            rc = cosched_group_spawn(&g, run_return, NULL, NULL);
            int64_t joined = cosched_group_join(&g, COSCHED_NEVER);
            rc = rc == 0 ? (int)joined : rc;
        }
    }
    cosched_chan_unref(ch);
    return rc;
}

START_TEST(all_memory_comes_from_the_host_and_goes_back)
{
    fill_arena(-1);
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &memory_hooks};
    EXPECT_EQ(run_config(&config, uses_everything, NULL), 0);
    EXPECT(arena.calls > 8);
    EXPECT_EQ(arena.live, 0);
}

END_TEST

/* Each allocation of a run is refused in turn. */
START_TEST(a_host_out_of_memory_is_an_error_and_nothing_else)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &memory_hooks};
    int64_t rc = -1;
    for (int64_t left = 0; rc != 0; left++) {
        fill_arena(left);
        rc = run_config(&config, uses_everything, NULL);
        EXPECT(rc == 0 || rc == -ENOMEM);
        EXPECT_EQ(arena.live, 0);
        EXPECT(left < 1000);
    }
}

END_TEST

static int64_t calls_and_awaits(void *arg)
{
    int64_t before = 0;
    for (int round = 0; round < 2; round++) { /* the first one takes what is kept from then on */
        before = atomic_load(&arena.calls);
        for (int i = 0; i < 100; i++) {
            cosched_task t;
            EXPECT_EQ(cosched_call(NULL, COSCHED_INHERIT, run_return, NULL, COSCHED_NEVER), 0);
            EXPECT_EQ(cosched_call(NULL, cosched_where(), run_return, NULL, COSCHED_NEVER), 0);
            EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), 0);
            EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), 0);
        }
    }
    EXPECT_EQ(atomic_load(&arena.calls), before);
    return (int64_t)(intptr_t)arg;
}

START_TEST(a_call_that_stays_and_a_child_that_is_awaited_at_once_allocate_nothing)
{
    fill_arena(-1);
    cosched_config config = {.struct_size = sizeof config, .hooks = &memory_hooks};
    EXPECT_EQ(run_config(&config, calls_and_awaits, NULL), 0);
}

END_TEST

START_TEST(memory_that_outlives_the_runtime_keeps_its_allocator)
{
    cosched_runtime *rt;
    cosched_config config = {.struct_size = sizeof config, .hooks = &memory_hooks};
    cosched_config plain = {.struct_size = sizeof plain};
    cosched_chan *ch;
    fill_arena(-1);
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_chan_create(&ch, 8, 1), 0);
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    EXPECT_EQ(arena.live, 1);
    EXPECT_EQ(cosched_runtime_create(&rt, &plain, NULL), -EBUSY); /* another allocator */
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);     /* the same */
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    cosched_chan_unref(ch);
    EXPECT_EQ(arena.live, 0);
    EXPECT_EQ(cosched_runtime_create(&rt, &plain, NULL), 0);
    int64_t calls = arena.calls;
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    EXPECT_EQ(arena.calls, calls);
}

END_TEST

START_TEST(hooks_that_cannot_be)
{
    cosched_runtime *rt;
    cosched_hooks hooks = memory_hooks;
    cosched_config config = {.struct_size = sizeof config, .hooks = &hooks};
    hooks.realloc = NULL;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), -EINVAL);
    hooks = memory_hooks;
    hooks.struct_size = 0;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), -EINVAL);
    hooks.struct_size = sizeof hooks + 8;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), -EINVAL);
    EXPECT(rt == NULL);
    /* an older caller's struct ends before the hooks it does not know */
    fill_arena(-1);
    hooks = memory_hooks;
    hooks.struct_size = offsetof(cosched_hooks, log);
    EXPECT_EQ(run_config(&config, uses_everything, NULL), 0);
    EXPECT(arena.calls > 0);
    EXPECT_EQ(arena.live, 0);
}

END_TEST

/* --- failures ------------------------------------------------------------------------------------------------------ */

#define HEARD_MAX 16

static struct {
    _Atomic(int) claimed, count; /* count: written and may be read */
    cosched_failure at[HEARD_MAX];
} heard;

static void on_failed(void *data, const cosched_failure *failure)
{
    EXPECT(data == &heard);
    EXPECT_EQ(cosched_self().index, 0); /* outside of all tasks */
    EXPECT_EQ(cosched_spawn(NULL, run_return, NULL, NULL), -EPERM);
    EXPECT(failure->text == NULL && failure->trace == NULL);
    int i = atomic_fetch_add(&heard.claimed, 1);
    if (i < HEARD_MAX) { /* an interval goes on failing until it is cancelled */
        heard.at[i] = *failure;
    }
    atomic_fetch_add(&heard.count, 1);
}

static void run_hearing(int workers, cosched_fn fn, int64_t want)
{
    memset(&heard, 0, sizeof heard);
    cosched_hooks hooks = {.struct_size = sizeof hooks, .data = &heard, .task_failed = on_failed};
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .hooks = &hooks};
    EXPECT_EQ(run_config(&config, fn, NULL), want);
}

static int64_t failed(void)
{
    return (int64_t)run_stats().failed;
}

static int64_t tops_fail(void *arg)
{
    (void)arg;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "lost", .affinity = COSCHED_WORKER};
    void *error = (void *)(intptr_t)-EIO;
    EXPECT_EQ(cosched_spawn(NULL, run_return, error, &attr), 0);
    UNTIL(heard.count == 1);
    EXPECT_EQ(failed(), 1);
    EXPECT(strcmp(heard.at[0].name, "lost") == 0);
    EXPECT(heard.at[0].fn == run_return);
    EXPECT_EQ(heard.at[0].result, -EIO);
    EXPECT_EQ(heard.at[0].affinity, COSCHED_WORKER);
    EXPECT(heard.at[0].task.index != 0);

    cosched_task t = run_spawn(run_return, error, COSCHED_MAIN);
    cosched_detach(&t);
    UNTIL(heard.count == 2);
    EXPECT(heard.at[1].name == NULL);
    EXPECT_EQ(heard.at[1].affinity, COSCHED_MAIN);

    EXPECT_EQ(cosched_runtime_post(cosched_runtime_self(), COSCHED_WORKER, run_return, error, 0), 0);
    UNTIL(heard.count == 3);

    attr.name = "later";
    EXPECT_EQ(cosched_after(NULL, 1000, run_return, error, &attr), 0);
    UNTIL(heard.count == 4);
    EXPECT(strcmp(heard.at[3].name, "later") == 0);
    EXPECT(heard.at[3].fn == run_return);

    cosched_token token;
    EXPECT_EQ(cosched_every(&token, 1000, COSCHED_SKIP, run_return, error, NULL), 0);
    UNTIL(heard.count >= 7);
    cosched_token_cancel(&token);
    UNTIL(run_stats().tasks_live == 1);
    EXPECT_EQ(failed(), heard.count); /* exactly once each */
    return -EDOM;                     /* somebody waits for it: that is no failure */
}

START_TEST(a_failure_that_nobody_awaits_is_told_once)
{
    run_hearing(run_workers[_i], tops_fail, -EDOM);
}

END_TEST

static int64_t fails_unless_awaited(void *arg)
{
    (void)arg;
    return -EIO;
}

static int64_t detaches_canceled(void *arg)
{
    (void)arg;
    /* awaited, in both ways; of a group; never awaited, and so joined by the parent */
    EXPECT_EQ(run_join(run_spawn(fails_unless_awaited, NULL, COSCHED_INHERIT)), -EIO);
    EXPECT_EQ(run_join(run_spawn(fails_unless_awaited, NULL, COSCHED_WORKER)), -EIO);
    cosched_group g;
    cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    EXPECT_EQ(cosched_group_init(&g, &collect), 0);
    EXPECT_EQ(cosched_group_spawn(&g, fails_unless_awaited, NULL, NULL), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 1);
    (void)run_spawn(fails_unless_awaited, NULL, COSCHED_WORKER);
    /* cancelled, and says so */
    cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    cosched_task copy = t;
    cosched_detach(&copy);
    cosched_cancel(t);
    UNTIL(run_stats().tasks_live == 2); /* this one, and the one that is not awaited */
    EXPECT_EQ(failed(), 0);
    EXPECT_EQ(heard.count, 0);
    return 0;
}

static int64_t with_children(void *arg)
{
    EXPECT_EQ(run_join(run_spawn(detaches_canceled, arg, COSCHED_INHERIT)), 0);
    EXPECT_EQ(failed(), 0);
    /* says so, and was not */
    EXPECT_EQ(cosched_spawn(NULL, run_return, (void *)(intptr_t)-ECANCELED, NULL), 0);
    UNTIL(failed() == 1);
    /* its own time-out: nobody had asked it to end */
    cosched_attr attr = {.struct_size = sizeof attr, .timeout_ns = 1000};
    EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL, &attr), 0);
    UNTIL(heard.count == 2);
    EXPECT_EQ(heard.at[1].result, -ECANCELED);
    return 0;
}

START_TEST(what_is_awaited_or_was_cancelled_is_no_failure)
{
    run_hearing(run_workers[_i], with_children, 0);
    EXPECT_EQ(heard.count, 2);
}

END_TEST

static int64_t leaves_tasks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL, run_at(COSCHED_WORKER)), 0);
    }
    cosched_yield();
    return 0;
}

START_TEST(what_the_end_of_the_runtime_cancels_is_no_failure)
{
    run_hearing(run_workers[_i], leaves_tasks, 0);
    EXPECT_EQ(heard.count, 0);
}

END_TEST

/* --- messages ------------------------------------------------------------------------------------------------------- */

static struct {
    _Atomic(int) count;
    char text[256];
} logged;

static void on_log(void *data, cosched_log_level level, const char *text)
{
    (void)data;
    EXPECT_EQ(level, COSCHED_LOG_WARNING);
    if (atomic_fetch_add(&logged.count, 1) == 0) {
        snprintf(logged.text, sizeof logged.text, "%s", text);
    }
}

static int64_t one_fails(void *arg)
{
    cosched_attr attr = {.struct_size = sizeof attr, .name = "lost"};
    EXPECT_EQ(cosched_spawn(NULL, run_return, (void *)(intptr_t)-EIO, &attr), 0);
    UNTIL(failed() == 1);
    return (int64_t)(intptr_t)arg;
}

START_TEST(without_a_hook_for_it_a_failure_is_a_warning_in_the_log)
{
    memset(&logged, 0, sizeof logged);
    cosched_hooks hooks = {.struct_size = sizeof hooks, .log = on_log};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    EXPECT_EQ(run_config(&config, one_fails, NULL), 0);
    EXPECT_EQ(logged.count, 1);
    EXPECT(strstr(logged.text, "task lost #") == logged.text);
    EXPECT(strstr(logged.text, " failed: ") != NULL);
}

END_TEST

/* What comes out of stderr meanwhile. */
static size_t captured(int workers, cosched_fn fn, char *text, size_t size)
{
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    cosched_config config = {.struct_size = sizeof config, .workers = workers};
    int64_t rc = run_config(&config, fn, NULL);
    cos_log(COSCHED_LOG_INFO, "not this");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], text, size - 1);
    close(ends[0]);
    EXPECT_EQ(rc, 0);
    EXPECT(n >= 0);
    text[n] = '\0';
    return (size_t)n;
}

static int64_t panics(void *arg)
{
    (void)arg;
    cosched_panic("loud");
}

static int64_t one_panics(void *arg)
{
    (void)arg;
    EXPECT_EQ(run_join(run_spawn(panics, NULL, COSCHED_WORKER)), -ENOTRECOVERABLE);
    return 0;
}

START_TEST(without_hooks_errors_go_to_stderr_and_the_rest_nowhere)
{
    char text[4096];
    EXPECT_EQ(captured(run_workers[_i], one_fails, text, sizeof text), 0);
    EXPECT(captured(run_workers[_i], one_panics, text, sizeof text) > 0);
    EXPECT(strstr(text, "cosched: task (unnamed) #") == text);
    EXPECT(strstr(text, "panicked: loud") != NULL);
    EXPECT(strstr(text, "not this") == NULL);
}

END_TEST

RUN_MAIN("hooks", EACH(all_memory_comes_from_the_host_and_goes_back),
         EACH(a_host_out_of_memory_is_an_error_and_nothing_else),
         ONCE(a_call_that_stays_and_a_child_that_is_awaited_at_once_allocate_nothing),
         ONCE(memory_that_outlives_the_runtime_keeps_its_allocator), ONCE(hooks_that_cannot_be),
         EACH(a_failure_that_nobody_awaits_is_told_once),
         EACH(what_is_awaited_or_was_cancelled_is_no_failure),
         EACH(what_the_end_of_the_runtime_cancels_is_no_failure),
         EACH(without_a_hook_for_it_a_failure_is_a_warning_in_the_log),
         EACH(without_hooks_errors_go_to_stderr_and_the_rest_nowhere))
