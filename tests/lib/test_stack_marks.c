/* COSCHED_MEASURE_STACKS: how deep the tasks of a function have gone. */
#include "run.h"

/* With a fake stack for its locals AddressSanitizer leaves little on the real one. */
static const bool real_stack = !RUN_ASAN;

static __attribute__((noinline)) int64_t burn(int64_t bytes)
{
    volatile char frame[1024];
    memset((void *)(uintptr_t)frame, 1, sizeof frame);
    int64_t below = bytes > (int64_t)sizeof frame ? burn(bytes - (int64_t)sizeof frame) : 0;
    return below + frame[17];
}

static int64_t deep(void *arg)
{
    return burn((intptr_t)arg) * 0;
}

static int64_t shallow(void *arg)
{
    return deep(arg);
}

static int64_t run_measured(int workers, cosched_fn fn)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = workers, .flags = COSCHED_MEASURE_STACKS};
    return run_config(&config, fn, NULL);
}

static const cosched_stack_mark *find(const cosched_stack_mark *all, int n, cosched_fn fn)
{
    for (int i = 0; i < n; i++) {
        if (all[i].fn == fn) {
            return &all[i];
        }
    }
    return NULL;
}

/* On a stack of its own, ended and its stack looked at. */
static void measure(cosched_fn fn, intptr_t bytes, const char *name, uint64_t tasks)
{
    cosched_attr attr = {.struct_size = sizeof attr, .name = name, .affinity = COSCHED_WORKER};
    cosched_task t;
    int64_t result;
    EXPECT_EQ(cosched_spawn(&t, fn, (void *)bytes, &attr), 0);
    EXPECT_EQ(cosched_await(&t, &result, cosched_in_ms(1000000)), 0);
    EXPECT_EQ(result, 0);
    cosched_stack_mark all[8];
    const cosched_stack_mark *mark;
    do { /* its executor may be at it still */
        cosched_yield();
        int n = cosched_stack_marks(cosched_runtime_self(), all, 8);
        EXPECT(n >= 0 && n <= 8);
        mark = find(all, n, fn);
    } while (mark == NULL || mark->tasks < tasks);
    EXPECT_EQ(mark->tasks, tasks);
}

static int64_t measures(void *arg)
{
    (void)arg;
    for (uint64_t i = 1; i <= 20; i++) {
        /* the same stacks again and again: a deep one leaves nothing behind for the next */
        measure(deep, i == 7 ? 20000 : 4000, "deep", i);
        measure(shallow, 1000, NULL, i);
    }
    cosched_stack_mark all[8];
    int n = cosched_stack_marks(cosched_runtime_self(), all, 8);
    EXPECT_EQ(n, 2);
    const cosched_stack_mark *d = find(all, n, deep), *s = find(all, n, shallow);
    EXPECT(d != NULL && s != NULL);
    EXPECT(strcmp(d->name, "deep") == 0 && s->name == NULL);
    EXPECT(d->bytes > 0 && s->bytes > 0);
    if (real_stack) {
        EXPECT(d == &all[0]);
        EXPECT(d->bytes >= 20000 && d->bytes < RUN_SIZE(26000, 40000, 40000));
        EXPECT(s->bytes >= 1024 && s->bytes < RUN_SIZE(5000, 10000, 10000));
    }
    cosched_stack_mark one = {.fn = NULL};
    EXPECT_EQ(cosched_stack_marks(cosched_runtime_self(), &one, 1), 2);
    EXPECT(one.fn == all[0].fn && one.bytes == all[0].bytes);
    EXPECT_EQ(cosched_stack_marks(cosched_runtime_self(), NULL, 0), 2);
    return 0;
}

START_TEST(each_function_has_its_deepest)
{
    EXPECT_EQ(run_measured(run_workers[_i], measures), 0);
}

END_TEST

static int64_t goes_down(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    volatile char frame[512];
    frame[0] = 0;
    int64_t result = 0;
    if (depth > 0) {
        cosched_call(&result, COSCHED_INHERIT, goes_down, (void *)(depth - 1), COSCHED_NEVER);
    }
    return result + frame[0];
}

static int64_t grows(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        /* dirty segments, then tasks on stacks of their size */
        EXPECT_EQ(run_join(run_spawn(goes_down, (void *)1000, COSCHED_WORKER)), 0);
        cosched_attr attr = {.struct_size = sizeof attr, .stack_size = 200000};
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, shallow, (void *)1000, &attr), 0);
        EXPECT_EQ(run_join(t), 0);
    }
    EXPECT(run_stats().calls_stack_grown > 0);
    cosched_stack_mark all[8];
    const cosched_stack_mark *mark;
    do {
        cosched_yield();
        mark = find(all, cosched_stack_marks(cosched_runtime_self(), all, 8), shallow);
    } while (mark == NULL || mark->tasks < 3);
    EXPECT(mark->bytes < 20000);
    return 0;
}

START_TEST(what_a_deep_call_left_is_nobody_s_mark)
{
    EXPECT_EQ(run_measured(run_workers[_i], grows), 0);
}

END_TEST

SCENARIO(without_the_flag_there_is_no_answer)
{
    cosched_stack_mark one;
    EXPECT_EQ(cosched_stack_marks(cosched_runtime_self(), &one, 1), -EINVAL);
}

RUN_MAIN("stack_marks", EACH(each_function_has_its_deepest),
         EACH(what_a_deep_call_left_is_nobody_s_mark), EACH(without_the_flag_there_is_no_answer))
