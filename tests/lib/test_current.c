/* What code may ask about where and who it is, inside tasks, across switches, and outside. */
#include "run.h"
#include "sched/current.h"
#include "sched/exec.h"

START_TEST(outside_tasks_there_is_nobody)
{
    EXPECT(cos_exec_current() == NULL);
    EXPECT_EQ(cosched_self().index, 0);
    EXPECT_EQ(cosched_self().generation, 0);
    EXPECT_EQ(cosched_where(), COSCHED_INHERIT);
    EXPECT_EQ(cosched_stack_left(), 0);
    EXPECT(!cosched_cancelled());
    EXPECT(cosched_runtime_self() == NULL);
    EXPECT_EQ(cosched_version(), COSCHED_VERSION);
}

END_TEST

static cosched_runtime *runtime;

static int64_t who_am_i(void *arg)
{
    cosched_task self = cosched_self();
    EXPECT(self.index != 0);
    for (int i = 0; i < 20; i++) {
        EXPECT(cosched_runtime_self() == runtime);
        EXPECT_EQ(cosched_self().index, self.index);
        EXPECT_EQ(cosched_self().generation, self.generation);
        struct cos_exec *e = cos_exec_current();
        EXPECT(e != NULL && e->running != NULL);
        EXPECT_EQ(e->kind == COS_EXEC_MAIN,
                  cosched_where() == COSCHED_MAIN || run_stats().workers == 0);
        cosched_hop(i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        cosched_yield();
    }
    *(cosched_task *)arg = self;
    return 0;
}

SCENARIO(every_task_knows_itself_across_switches)
{
    runtime = cosched_runtime_self();
    cosched_task self = cosched_self(), t[16], told[16];
    for (int i = 0; i < 16; i++) {
        t[i] = run_spawn(who_am_i, &told[i], i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 16; i++) {
        cosched_task handle = t[i];
        EXPECT_EQ(run_join(t[i]), 0);
        EXPECT_EQ(memcmp(&handle, &told[i], sizeof handle), 0);
    }
    EXPECT_EQ(cosched_self().index, self.index);
}

static int64_t inline_self(void *arg)
{
    (void)arg;
    return (int64_t)cosched_self().index;
}

SCENARIO(a_child_awaited_inline_is_itself_and_a_called_function_is_its_caller)
{
    cosched_task t = run_spawn(inline_self, NULL, COSCHED_INHERIT);
    uint32_t index = t.index;
    EXPECT_EQ(run_join(t), index);
    int64_t called = 0;
    EXPECT_EQ(cosched_call(&called, COSCHED_WORKER, inline_self, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(called, cosched_self().index);
}

static void *outside_thread(void *arg)
{
    (void)arg;
    EXPECT(cosched_runtime_self() == NULL);
    EXPECT_EQ(cosched_where(), COSCHED_INHERIT);
    return NULL;
}

SCENARIO(a_foreign_thread_is_in_no_task)
{
    pthread_t t;
    EXPECT_EQ(pthread_create(&t, NULL, outside_thread, NULL), 0);
    EXPECT_EQ(pthread_join(t, NULL), 0);
    size_t left = cosched_stack_left();
    EXPECT(left > (size_t)32 * 1024 && left < (size_t)64 * 1024);
}

RUN_MAIN("current", ONCE(outside_tasks_there_is_nobody),
         EACH(every_task_knows_itself_across_switches),
         EACH(a_child_awaited_inline_is_itself_and_a_called_function_is_its_caller),
         EACH(a_foreign_thread_is_in_no_task))
