/* cosched_panic: one task fails, everything else goes on. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "sched/exec.h"

struct heard {
    _Atomic(int) failures, panics, logs;
    _Atomic(int) clean;
    char text[64];
    char trace[2048];
};

static struct heard heard;
static char milk[] = "milk";

static void on_failed(void *data, const cosched_failure *failure)
{
    struct heard *h = data;
    EXPECT_EQ(cosched_self().index, 0); /* a hook is no task */
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -EPERM);
    atomic_fetch_add(&h->failures, 1);
    if (failure->text != NULL) {
        EXPECT_EQ(failure->result, -ENOTRECOVERABLE);
        if (atomic_fetch_add(&h->panics, 1) > 0) {
            return; /* others may be told at the same time */
        }
        snprintf(h->text, sizeof h->text, "%s", failure->text);
        snprintf(h->trace, sizeof h->trace, "%s", failure->trace);
    }
}

static void on_log(void *data, cosched_log_level level, const char *text)
{
    struct heard *h = data;
    EXPECT_EQ(level, COSCHED_LOG_ERROR);
    EXPECT(strstr(text, "panicked: ") != NULL);
    atomic_fetch_add(&h->logs, 1);
}

static void run_hooked(int workers, cosched_fn fn)
{
    memset(&heard, 0, sizeof heard);
    cosched_hooks hooks = {
        .struct_size = sizeof hooks, .data = &heard, .log = on_log, .task_failed = on_failed};
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .hooks = &hooks};
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

#define PANIC_SCENARIO(name)                      \
    static void name##_body(void);                \
    static int64_t name##_task(void *arg)         \
    {                                             \
        (void)arg;                                \
        name##_body();                            \
        return 0;                                 \
    }                                             \
    START_TEST(name)                              \
    {                                             \
        run_hooked(run_workers[_i], name##_task); \
    }                                             \
    END_TEST                                      \
    static void name##_body(void)

static void count_clean(void *arg)
{
    (void)arg;
    atomic_fetch_add(&heard.clean, 1);
}

static int64_t panics(void *arg)
{
    EXPECT_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0); /* the guard's call was aligned */
    cosched_panic("no %s left: %d", arg != NULL ? (const char *)arg : "tea", 7);
}

static int64_t awaits_a_panic(void *arg)
{
    cosched_task t = run_spawn(panics, arg, COSCHED_INHERIT);
    return run_join(t);
}

PANIC_SCENARIO(an_inlined_child_panics_and_its_awaiter_goes_on)
{
    volatile int64_t canary[4] = {1, 2, 3, 4};
    cosched_task t;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "kettle"};
    cosched_task self = cosched_self();
    EXPECT_EQ(cosched_spawn(&t, panics, milk, &attr), 0);
    int64_t result = 0;
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), 0);
    EXPECT_EQ(result, -ENOTRECOVERABLE);
    EXPECT_EQ(t.index, 0);
    EXPECT_EQ(cosched_self().index, self.index);
    EXPECT(canary[0] == 1 && canary[3] == 4);
    EXPECT_EQ(heard.panics, 1);
    EXPECT_EQ(heard.failures, 1);
    EXPECT_EQ(heard.logs, 1);
    EXPECT(strcmp(heard.text, "no milk left: 7") == 0);
    EXPECT(strstr(heard.trace, "task kettle #") != NULL);
    EXPECT(strstr(heard.trace, "\n  called by ") != NULL); /* whoever awaits it on this stack */
    EXPECT(strstr(heard.trace, "\n  at ") != NULL);
    EXPECT_EQ(run_stats().failed, 1);
}

/* A deadline in the await: it has a stack of its own. */
PANIC_SCENARIO(a_child_with_a_stack_of_its_own_panics)
{
    for (int affinity = COSCHED_INHERIT; affinity <= COSCHED_BLOCKING; affinity++) {
        cosched_task t = run_spawn(panics, NULL, (cosched_affinity)affinity);
        int64_t result = 0;
        EXPECT_EQ(cosched_await(&t, &result, cosched_in_ms(20000)), 0);
        EXPECT_EQ(result, -ENOTRECOVERABLE);
    }
    EXPECT_EQ(heard.panics, 4);
    EXPECT_EQ(run_stats().failed, 4);
}

PANIC_SCENARIO(a_result_of_a_panic_passes_up_through_every_level)
{
    EXPECT_EQ(run_join(run_spawn(awaits_a_panic, NULL, COSCHED_WORKER)), -ENOTRECOVERABLE);
    EXPECT_EQ(run_join(run_spawn(awaits_a_panic, NULL, COSCHED_MAIN)), -ENOTRECOVERABLE);
    EXPECT_EQ(heard.failures, 2); /* awaited: only the panics themselves are told */
}

static int64_t sets_flag(void *arg)
{
    atomic_store((_Atomic(int) *)arg, 1);
    return 0;
}

PANIC_SCENARIO(a_detached_panic_is_told_once)
{
    cosched_spawn(NULL, panics, NULL, run_at(COSCHED_WORKER));
    UNTIL(run_stats().failed == 1);
    _Atomic(int) after = 0;
    run_join(run_spawn(sets_flag, &after, COSCHED_WORKER));
    UNTIL(run_stats().tasks_live == 1);
    EXPECT_EQ(heard.failures, 1);
    EXPECT_EQ(run_stats().failed, 1);
}

/* --- what the frames had open -------------------------------------------------------------------------------- */

static _Atomic(int) children_ended;

static int64_t ends_when_canceled(void *arg)
{
    (void)arg;
    int64_t rc = cosched_sleep_until(COSCHED_NEVER);
    atomic_fetch_add(&children_ended, 1);
    return rc;
}

static int64_t panics_with_children(void *arg)
{
    (void)arg;
    cosched_defer(count_clean, NULL);
    for (int i = 0; i < 3; i++) {
        (void)run_spawn(ends_when_canceled, NULL, COSCHED_WORKER);
    }
    cosched_yield();
    cosched_panic("with children");
}

PANIC_SCENARIO(children_are_cancelled_and_joined_and_clean_ups_run)
{
    atomic_store(&children_ended, 0);
    EXPECT_EQ(run_join(run_spawn(panics_with_children, NULL, COSCHED_INHERIT)), -ENOTRECOVERABLE);
    EXPECT_EQ(children_ended, 3);
    EXPECT_EQ(heard.clean, 1);
}

static int64_t panics_in_groups(void *arg)
{
    cosched_group outer, inner;
    cosched_scope scope, shield;
    EXPECT_EQ(cosched_group_init(&outer, NULL), 0);
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(100000), 0), 0);
    EXPECT_EQ(cosched_group_init(&inner, NULL), 0);
    EXPECT_EQ(cosched_scope_begin(&shield, cosched_in_ms(100000), COSCHED_SHIELD), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(cosched_group_spawn(i % 2 == 0 ? &outer : &inner, ends_when_canceled, NULL,
                                      run_at(COSCHED_WORKER)),
                  0);
    }
    if (arg != NULL) {
        cosched_sleep_until(cosched_in_ms(1));
    }
    cosched_panic("in groups");
}

PANIC_SCENARIO(open_groups_are_joined_before_their_frame_goes)
{
    for (intptr_t i = 0; i < 20; i++) {
        atomic_store(&children_ended, 0);
        cosched_task t = run_spawn(panics_in_groups, (void *)(i % 2),
                                   i % 3 == 0 ? COSCHED_WORKER : COSCHED_INHERIT);
        EXPECT_EQ(run_join(t), -ENOTRECOVERABLE);
        EXPECT_EQ(children_ended, 4);
        EXPECT(!cosched_cancelled());
    }
}

static int64_t member(void *arg)
{
    if (arg != NULL) {
        cosched_panic("a member");
    }
    return cosched_sleep_until(COSCHED_NEVER);
}

PANIC_SCENARIO(a_panic_in_a_group_is_its_child_s_result)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    cosched_group_spawn(&g, member, NULL, NULL);
    cosched_group_spawn(&g, member, milk, NULL);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -ENOTRECOVERABLE);
}

static cosched_once once;

static int64_t runs_once(void *arg)
{
    (void)arg;
    int64_t result = 0;
    int rc = cosched_once_run(&once, &result, panics, NULL, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

PANIC_SCENARIO(a_once_whose_function_panics_is_done)
{
    memset(&once, 0, sizeof once);
    cosched_task first = run_spawn(runs_once, NULL, COSCHED_WORKER);
    cosched_task second = run_spawn(runs_once, NULL, COSCHED_MAIN);
    EXPECT_EQ(run_join(first), -ENOTRECOVERABLE);
    EXPECT_EQ(run_join(second), -ENOTRECOVERABLE);
    EXPECT_EQ(runs_once(NULL), -ENOTRECOVERABLE);
    EXPECT_EQ(heard.panics, 1);
}

/* --- where it happens ------------------------------------------------------------------------------------------ */

static pthread_t main_thread;

static void expect_main(void *arg)
{
    (void)arg;
    EXPECT(pthread_equal(run_thread(), main_thread));
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    atomic_fetch_add(&heard.clean, 1);
}

static int64_t panics_elsewhere(void *arg)
{
    (void)arg;
    cosched_defer(expect_main, NULL);
    cosched_call(NULL, COSCHED_WORKER, panics, NULL, COSCHED_NEVER);
    EXPECT(false && "it does not come here");
    return 0;
}

PANIC_SCENARIO(a_panic_in_a_call_elsewhere_comes_home_first)
{
    main_thread = run_thread();
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(run_join(run_spawn(panics_elsewhere, NULL, COSCHED_MAIN)), -ENOTRECOVERABLE);
        EXPECT(pthread_equal(run_thread(), main_thread));
        cosched_task t = run_spawn(panics_elsewhere, NULL, COSCHED_MAIN);
        int64_t result = 0;
        EXPECT_EQ(cosched_await(&t, &result, cosched_in_ms(100000)), 0);
        EXPECT_EQ(result, -ENOTRECOVERABLE);
    }
    EXPECT_EQ(heard.clean, 100);
}

static int64_t goes_down(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        cosched_panic("at the bottom");
    }
    volatile char frame[512];
    frame[0] = 1;
    int64_t result = 0;
    cosched_call(&result, COSCHED_INHERIT, goes_down, (void *)(depth - 1), COSCHED_NEVER);
    return result + frame[0] + 1000;
}

PANIC_SCENARIO(a_panic_falls_through_several_segments)
{
    for (intptr_t depth = 0; depth < RUN_SIZE(3000, 300, 300); depth = depth * 2 + 1) {
        uint64_t grown = run_stats().calls_stack_grown;
        EXPECT_EQ(run_join(run_spawn(goes_down, (void *)depth, COSCHED_INHERIT)), -ENOTRECOVERABLE);
        EXPECT(depth < 1000 || run_stats().calls_stack_grown > grown + 2);
        int64_t result = 0;
        cosched_call(&result, COSCHED_INHERIT, run_return, (void *)5, COSCHED_NEVER);
        EXPECT_EQ(result, 5);
    }
}

/* Inline tasks, panics and segments in turn: each panic ends at its own task. */
static int64_t every_third_panics(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    volatile char frame[700];
    frame[0] = 0;
    if (depth > 0) {
        cosched_task t = run_spawn(every_third_panics, (void *)(depth - 1), COSCHED_INHERIT);
        EXPECT_EQ(run_join(t), (depth - 1) % 3 == 0 ? -ENOTRECOVERABLE : depth - 1);
    }
    if (depth % 3 == 0) {
        cosched_panic("level %d", (int)depth);
    }
    return depth + frame[0];
}

PANIC_SCENARIO(each_level_of_inlined_tasks_ends_its_own_panic)
{
    intptr_t depth = RUN_SIZE(600, 100, 100);
    EXPECT_EQ(run_join(run_spawn(every_third_panics, (void *)depth, COSCHED_INHERIT)),
              depth % 3 == 0 ? -ENOTRECOVERABLE : depth);
    EXPECT_EQ(heard.panics, depth / 3 + 1);
}

/* --- again, and in odd places ------------------------------------------------------------------------------------ */

static void panics_in_a_clean_up(void *arg)
{
    (void)arg;
    cosched_panic("in a clean-up");
}

static int64_t defers_panics(void *arg)
{
    cosched_defer(count_clean, NULL);
    cosched_defer(panics_in_a_clean_up, NULL);
    cosched_defer(count_clean, NULL);
    cosched_defer(panics_in_a_clean_up, NULL);
    if (arg != NULL) {
        cosched_panic("and before");
    }
    return 0;
}

PANIC_SCENARIO(a_panic_in_a_clean_up_leaves_the_others_their_turn)
{
    EXPECT_EQ(run_join(run_spawn(defers_panics, NULL, COSCHED_INHERIT)), -ENOTRECOVERABLE);
    EXPECT_EQ(heard.clean, 2);
    EXPECT_EQ(heard.panics, 2);
    EXPECT_EQ(run_join(run_spawn(defers_panics, milk, COSCHED_WORKER)), -ENOTRECOVERABLE);
    EXPECT_EQ(heard.clean, 4);
    EXPECT_EQ(heard.panics, 5);
}

static int64_t after_a_tail(void *arg)
{
    return cosched_tail(panics, arg);
}

PANIC_SCENARIO(a_panic_after_a_tail)
{
    EXPECT_EQ(run_join(run_spawn(after_a_tail, NULL, COSCHED_INHERIT)), -ENOTRECOVERABLE);
    EXPECT_EQ(run_join(run_spawn(after_a_tail, NULL, COSCHED_WORKER)), -ENOTRECOVERABLE);
}

static int64_t panics_late(void *arg)
{
    cosched_sleep_until(cosched_in_ms(100000));
    EXPECT(cosched_cancelled());
    cosched_panic("%s", (const char *)arg);
}

PANIC_SCENARIO(a_cancelled_task_panics)
{
    cosched_task t = run_spawn(panics_late, milk, COSCHED_WORKER);
    cosched_yield();
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ENOTRECOVERABLE);
}

PANIC_SCENARIO(a_task_with_a_timeout_panics_within_it)
{
    cosched_attr attr = {.struct_size = sizeof attr, .timeout_ns = INT64_C(100000000000)};
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, panics, NULL, &attr), 0);
    EXPECT_EQ(run_join(t), -ENOTRECOVERABLE);
    EXPECT_EQ(run_stats().timers, 0);
}

static int64_t many(void *arg)
{
    int64_t sum = 0;
    for (intptr_t i = 0; i < RUN_SIZE(2000, 200, 100); i++) {
        cosched_task t = run_spawn((i & 1) != 0 ? panics : run_return, arg, COSCHED_INHERIT);
        sum += run_join(t) == -ENOTRECOVERABLE ? 1 : 0;
    }
    return sum;
}

PANIC_SCENARIO(many_panics_leave_nothing_behind)
{
    cosched_task t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = run_spawn(many, NULL, COSCHED_WORKER);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(run_join(t[i]), RUN_SIZE(1000, 100, 50));
    }
}

static int64_t body_that_panics(void *arg)
{
    cosched_panic("%s", (const char *)arg);
}

START_TEST(the_body_of_run_panics)
{
    memset(&heard, 0, sizeof heard);
    cosched_hooks hooks = {
        .struct_size = sizeof hooks, .data = &heard, .log = on_log, .task_failed = on_failed};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    EXPECT_EQ(run_config(&config, body_that_panics, milk), -ENOTRECOVERABLE);
    EXPECT_EQ(heard.failures, 1);
}

END_TEST

START_TEST(a_panic_outside_tasks_ends_the_process)
{
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        cosched_panic("nobody is %s", "there");
    }
    close(ends[1]);
    char said[256] = "";
    size_t used = 0;
    ssize_t n;
    while ((n = read(ends[0], said + used, sizeof said - 1 - used)) > 0) {
        used += (size_t)n;
    }
    close(ends[0]);
    int status;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT(strstr(said, "nobody is there") != NULL);
}

END_TEST

RUN_MAIN("panic", EACH(an_inlined_child_panics_and_its_awaiter_goes_on),
         EACH(a_child_with_a_stack_of_its_own_panics),
         EACH(a_result_of_a_panic_passes_up_through_every_level),
         EACH(a_detached_panic_is_told_once),
         EACH(children_are_cancelled_and_joined_and_clean_ups_run),
         EACH(open_groups_are_joined_before_their_frame_goes),
         EACH(a_panic_in_a_group_is_its_child_s_result), EACH(a_once_whose_function_panics_is_done),
         EACH(a_panic_in_a_call_elsewhere_comes_home_first),
         EACH(a_panic_falls_through_several_segments),
         EACH(each_level_of_inlined_tasks_ends_its_own_panic),
         EACH(a_panic_in_a_clean_up_leaves_the_others_their_turn), EACH(a_panic_after_a_tail),
         EACH(a_cancelled_task_panics), EACH(a_task_with_a_timeout_panics_within_it),
         EACH(many_panics_leave_nothing_behind), EACH(the_body_of_run_panics),
         ONCE(a_panic_outside_tasks_ends_the_process))
