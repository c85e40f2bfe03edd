/* The chain of awaits of a task: calls, frames with return addresses, what the next in the chain waits for; stack used. */
#include "sched/exec.h"
#include "test_tasks.h"

/* --- who calls whom on one stack ------------------------------------------------------------------------------------------ */

static cosched_event event;

/* Where each function goes on, told by what it called. */
static const void *after[4];

#define HERE_AFTER(i) (after[i] = __builtin_return_address(0))

static __attribute__((noinline)) int64_t waits(void *arg)
{
    HERE_AFTER(0);
    int64_t rc = cosched_event_wait(&event, COSCHED_NEVER);
    return rc + (arg != NULL); /* no tail call */
}

static __attribute__((noinline)) int64_t plain(void *arg)
{
    HERE_AFTER(1);
    return waits(arg) + 1;
}

static __attribute__((noinline)) int64_t called(void *arg)
{
    return plain(arg) + 1;
}

static __attribute__((noinline)) int64_t body(void *arg)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_call(&result, COSCHED_INHERIT, called, arg, COSCHED_NEVER), 0);
    return result;
}

static int index_of(const cosched_task_info *info, const void *address)
{
    for (uint32_t i = 0; i < info->frame_count; i++) {
        if (info->frames[i] == address) {
            return (int)i;
        }
    }
    return -1;
}

SCENARIO(calls_and_frames_are_told_innermost_first)
{
    cosched_event_init(&event);
    cosched_task t = start_named("chain", body, NULL, COSCHED_WORKER);
    const cosched_task_info *info = see_waiting("chain", COSCHED_FOR_EVENT);
    EXPECT_EQ(info->call_count, 2);
    EXPECT(info->calls[0].fn == called && info->calls[0].task.index == 0);
    EXPECT(info->calls[1].fn == body && same_task(info->calls[1].task, t));
    EXPECT(index_of(info, after[0]) >= 0);                            /* in plain */
    EXPECT(index_of(info, after[1]) == index_of(info, after[0]) + 1); /* in called */
    EXPECT(index_of(info, after[1]) < (int)info->frame_count - 1);    /* in body, at least */
    see_all(COSCHED_TASKS_NO_FRAMES);
    EXPECT_EQ(seen_named("chain")->frame_count, 0);
    EXPECT_EQ(seen_named("chain")->call_count, 2);
    cosched_event_set(&event);
    run_join(t);
}

/* --- tasks on one stack ----------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) int64_t innermost(void *arg)
{
    return waits(arg) + 1;
}

static __attribute__((noinline)) int64_t outer(void *arg)
{
    bool last = arg != NULL;
    cosched_task t = start_named(last ? "innermost" : "middle", last ? innermost : outer, &event,
                                 COSCHED_INHERIT);
    int64_t result = 0;
    cos_exec_current()->budget = COS_EXEC_BUDGET; /* a spent one would let others in first */
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), 0);
    return result;
}

SCENARIO(tasks_that_await_inline_each_have_their_part_of_the_stack)
{
    cosched_event_init(&event);
    cosched_task t = start_named("outer", outer, NULL, COSCHED_MAIN);
    const cosched_task_info *last = see_waiting("innermost", COSCHED_FOR_EVENT);
    const cosched_task_info *middle = seen_named("middle"), *first = seen_named("outer");
    EXPECT(first->reason == COSCHED_FOR_INLINE && same_task(first->for_task, middle->task));
    EXPECT(middle->reason == COSCHED_FOR_INLINE && same_task(middle->for_task, last->task));
    EXPECT_EQ(first->object, (uint64_t)middle->task.index << 32 | middle->task.generation);
    EXPECT(last->call_count == 1 && last->calls[0].fn == innermost);
    EXPECT(middle->call_count == 1 && middle->calls[0].fn == outer);
    EXPECT(first->call_count == 1 && same_task(first->calls[0].task, first->task));
    EXPECT(same_task(last->above[0], middle->task) && same_task(last->above[1], first->task));
    EXPECT(same_task(last->above[2], cosched_self()));
#if !RUN_ASAN /* frames of ours lie elsewhere there */
    EXPECT(index_of(last, after[0]) >= 0);
    EXPECT(index_of(middle, after[0]) < 0 && index_of(first, after[0]) < 0);
    EXPECT(middle->frame_count >= 1 &&
           first->frame_count >= 1); /* an await may leave none of its own */
    EXPECT(last->stack_used > 0 && middle->stack_used > 0 && first->stack_used > 0);
    EXPECT(last->stack_used + middle->stack_used + first->stack_used < first->stack_size);
#endif
    cosched_event_set(&event);
    run_join(t);
}

/* --- over stacks ------------------------------------------------------------------------------------------------------------ */

enum { DEEP = 24, FRAME = 8192 };

static __attribute__((noinline)) int64_t descends(void *arg)
{
    volatile char room[FRAME];
    intptr_t depth = (intptr_t)arg;
    int64_t result = 0;
    room[0] = room[FRAME - 1] = 1;
    if (depth == 0) {
        return waits(NULL) + room[0];
    }
    EXPECT_EQ(cosched_call(&result, COSCHED_INHERIT, descends, (void *)(depth - 1), COSCHED_NEVER),
              0);
    return result + room[FRAME - 1];
}

SCENARIO(a_deep_task_is_told_over_all_its_stacks)
{
    cosched_event_init(&event);
    uint64_t grown = run_stats().calls_stack_grown;
    cosched_task t = start_named("deep", descends, (void *)(intptr_t)DEEP, COSCHED_WORKER);
    const cosched_task_info *info = see_waiting("deep", COSCHED_FOR_EVENT);
    EXPECT(run_stats().calls_stack_grown > grown);
    EXPECT_EQ(info->call_count, 16); /* the innermost, and the body last */
    EXPECT(info->calls[0].fn == descends && info->calls[0].task.index == 0);
    EXPECT(same_task(info->calls[15].task, t));
#if !RUN_ASAN
    EXPECT(info->stack_used > (size_t)DEEP * FRAME && info->stack_used < (size_t)3 * DEEP * FRAME);
    EXPECT(index_of(info, after[0]) >= 0);
    int same = 0; /* descends goes on behind its call: the seams are passed */
    for (uint32_t i = 0; i < info->frame_count; i++) {
        same += index_of(info, info->frames[i]) != (int)i ? 1 : 0;
    }
    EXPECT(same > 4);
#endif
    cosched_event_set(&event);
    run_join(t);
}

/* --- from task to task -------------------------------------------------------------------------------------------------------- */

static cosched_mutex mutex;

static int64_t holds(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&mutex, COSCHED_NEVER), 0);
    int rc = cosched_event_wait(&event, COSCHED_NEVER);
    cosched_mutex_unlock(&mutex);
    return rc;
}

static int64_t locks(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&mutex, COSCHED_NEVER), 0);
    cosched_mutex_unlock(&mutex);
    return 0;
}

static int64_t awaits(void *arg)
{
    (void)arg;
    cosched_task t = start_named("locks", locks, NULL, COSCHED_WORKER);
    return cosched_await(&t, NULL, cosched_in_ms(1000000));
}

SCENARIO(a_chain_goes_from_task_to_task)
{
    memset(&mutex, 0, sizeof mutex);
    cosched_event_init(&event);
    cosched_task holder = start_named("holds", holds, NULL, COSCHED_WORKER);
    (void)see_waiting("holds", COSCHED_FOR_EVENT);
    cosched_task t = start_named("awaits", awaits, NULL, COSCHED_WORKER);
    (void)see_waiting("locks", COSCHED_FOR_MUTEX);
    (void)see_waiting("awaits", COSCHED_FOR_TASK);
    all_seen.count = 0;
    EXPECT_EQ(cosched_tasks_chain(cosched_runtime_self(), t, see, &all_seen), 3);
    EXPECT(same_task(all_seen.task[0].info.task, t));
    EXPECT(same_task(all_seen.task[1].info.task, seen_named("locks")->task));
    EXPECT(same_task(all_seen.task[2].info.task, holder));
    cosched_task gone = t;
    cosched_event_set(&event);
    run_join(holder);
    run_join(t);
    EXPECT_EQ(cosched_tasks_chain(cosched_runtime_self(), gone, see, &all_seen), -ESTALE);
    EXPECT_EQ(cosched_tasks_chain(cosched_runtime_self(), (cosched_task){0, 0}, see, &all_seen),
              -ESTALE);
}

/* --- names ---------------------------------------------------------------------------------------------------------------------- */

int64_t a_function_with_a_name(void *arg);

int64_t a_function_with_a_name(void *arg)
{
    return arg != NULL;
}

START_TEST(a_function_has_a_name_or_a_place)
{
    char text[128], cut[6];
    cosched_symbol(text, sizeof text, (const void *)(uintptr_t)a_function_with_a_name);
    EXPECT(strcmp(text, "a_function_with_a_name") == 0);
    cosched_symbol(text, sizeof text, (const char *)(uintptr_t)a_function_with_a_name + 1);
    EXPECT(strcmp(text, "a_function_with_a_name+0x1") == 0);
    cosched_symbol(text, sizeof text, (const void *)(uintptr_t)body); /* static: by the file */
    EXPECT(strcmp(text, "body") == 0);
    cosched_symbol(cut, sizeof cut, (const void *)(uintptr_t)a_function_with_a_name);
    EXPECT(strcmp(cut, "a_fun") == 0);
    cosched_symbol(text, sizeof text, (const void *)(uintptr_t)64);
    EXPECT(strcmp(text, "0x40") == 0);
    cosched_symbol(text, 0, NULL);
}

END_TEST

RUN_MAIN("tasks_chain", EACH(calls_and_frames_are_told_innermost_first),
         EACH(tasks_that_await_inline_each_have_their_part_of_the_stack),
         EACH(a_deep_task_is_told_over_all_its_stacks), EACH(a_chain_goes_from_task_to_task),
         ONCE(a_function_has_a_name_or_a_place))
