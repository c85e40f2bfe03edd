/* Control blocks: generations, recycling, the limit, and that a handle is never mistaken for a later one. White-box. */
#include "run.h"

static struct cos_task_cache cache;

static void begin(uint32_t limit)
{
    EXPECT_EQ(cos_tasks_reserve(), 0);
    cos_tasks_limit(limit);
}

START_TEST(a_freed_block_comes_back_with_another_generation)
{
    begin(1000);
    struct cos_task *t = cos_task_alloc(&cache);
    cosched_task first = cos_task_handle(t);
    EXPECT(cos_task_lookup(first) == t);
    cos_task_free(&cache, t);
    struct cos_task *again = cos_task_alloc(&cache);
    EXPECT(again == t); /* last in, first out: it is warm */
    EXPECT_EQ(cos_task_handle(again).index, first.index);
    EXPECT_EQ(cos_task_handle(again).generation, first.generation + 1);
    EXPECT_EQ(cos_join_who(cos_atomic_load(&again->join, relaxed)), COS_JOIN_NONE);
    cos_task_free(&cache, again);
    cos_task_cache_flush(&cache);
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

START_TEST(a_block_of_the_last_generation_is_retired)
{
    begin(1000);
    struct cos_task *t = cos_task_alloc(NULL);
    uint32_t index = t->index;
    cos_atomic_store(&t->join, cos_join(UINT32_MAX - 2, COS_JOIN_NONE), relaxed);
    cos_task_free(NULL, t);
    struct cos_task *last = cos_task_alloc(NULL);
    EXPECT_EQ(last->index, index);
    cosched_task handle = cos_task_handle(last);
    EXPECT_EQ(handle.generation, UINT32_MAX - 1);
    cos_task_free(NULL, last);
    EXPECT_EQ(cos_tasks_in_use(), 0);
    for (int i = 0; i < 200; i++) { /* never again */
        struct cos_task *other = cos_task_alloc(i % 2 ? NULL : &cache);
        EXPECT(other != NULL);
        EXPECT(other->index != index);
    }
    EXPECT(cos_join_generation(cos_atomic_load(&cos_task_at(index)->join, relaxed)) !=
           handle.generation);
}

END_TEST

START_TEST(retired_blocks_do_not_count_against_the_limit)
{
    begin(10);
    for (int round = 0; round < 50; round++) {
        struct cos_task *t = cos_task_alloc(NULL);
        EXPECT(t != NULL);
        cos_atomic_store(&t->join, cos_join(UINT32_MAX - 1, COS_JOIN_NONE), relaxed);
        cos_task_free(NULL, t);
    }
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

START_TEST(the_limit_holds_at_its_value_and_one_beyond)
{
    begin(100);
    struct cos_task *t[101];
    for (int i = 0; i < 100; i++) {
        t[i] = cos_task_alloc(NULL);
        EXPECT(t[i] != NULL);
    }
    EXPECT_EQ(cos_tasks_in_use(), 100);
    EXPECT(cos_task_alloc(NULL) == NULL);
    EXPECT(cos_task_alloc(&cache) == NULL);
    cos_task_free(NULL, t[5]);
    t[5] = cos_task_alloc(NULL);
    EXPECT(t[5] != NULL);
    EXPECT(cos_task_alloc(NULL) == NULL);
    for (int i = 0; i < 100; i++) {
        cos_task_free(NULL, t[i]);
    }
    EXPECT_EQ(cos_tasks_in_use(), 0);
    cos_tasks_limit(50); /* a later runtime's, below what the process has used */
    int n = 0;
    while (cos_task_alloc(NULL) != NULL) {
        n++;
    }
    EXPECT_EQ(n, 50);
}

END_TEST

START_TEST(idle_caches_leave_most_of_a_small_limit_to_others)
{
    enum { LIMIT = 512 };

    static struct cos_task_cache idle[COSCHED_WORKERS_MAX];
    struct cos_task *t[LIMIT + 1];
    int n = 0;
    begin(LIMIT);
    for (int i = 0; i < COSCHED_WORKERS_MAX; i++) { /* each has been busy with many, and sleeps now */
        for (n = 0; n < 100; n++) {
            t[n] = cos_task_alloc(&idle[i]);
            EXPECT(t[n] != NULL);
        }
        while (n > 0) {
            cos_task_free(&idle[i], t[--n]);
        }
    }
    while ((t[n] = cos_task_alloc(&cache)) != NULL) {
        n++;
    }
    EXPECT(n >= LIMIT * 3 / 4 && n <= LIMIT);
    while (n > 0) {
        cos_task_free(&cache, t[--n]);
    }
    cos_task_cache_flush(&cache);
    for (int i = 0; i < COSCHED_WORKERS_MAX; i++) {
        cos_task_cache_flush(&idle[i]);
    }
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

START_TEST(handles_that_name_no_block_are_recognised)
{
    begin(1000);
    struct cos_task *t = cos_task_alloc(NULL);
    EXPECT(cos_task_lookup((cosched_task){0, 1}) == NULL);
    EXPECT(cos_task_lookup((cosched_task){t->index + 1, 1}) == NULL);
    EXPECT(cos_task_lookup((cosched_task){UINT32_MAX, 1}) == NULL);
    cos_task_free(NULL, t);
}

END_TEST

static void *churn(void *arg)
{
    struct cos_task_cache own = {0, 0};
    struct cos_task *held[300];
    uint64_t sum = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 300; i++) {
            held[i] = cos_task_alloc(arg != NULL ? &own : NULL);
            EXPECT(held[i] != NULL);
            EXPECT(held[i]->kind == COS_TASK_FREE); /* nobody else has it */
            held[i]->kind = COS_TASK_HOP;
        }
        for (int i = 0; i < 300; i++) {
            sum += held[i]->index;
            cos_task_free(arg != NULL ? &own : NULL, held[i]);
        }
    }
    cos_task_cache_flush(&own);
    return (void *)(uintptr_t)sum;
}

START_TEST(threads_that_churn_never_share_a_block)
{
    begin(100000);
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(pthread_create(&t[i], NULL, churn, i % 2 ? &cache : NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(pthread_join(t[i], NULL), 0);
    }
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

RUN_MAIN("task", ONCE(a_freed_block_comes_back_with_another_generation),
         ONCE(a_block_of_the_last_generation_is_retired),
         ONCE(retired_blocks_do_not_count_against_the_limit),
         ONCE(the_limit_holds_at_its_value_and_one_beyond),
         ONCE(idle_caches_leave_most_of_a_small_limit_to_others),
         ONCE(handles_that_name_no_block_are_recognised),
         ONCE(threads_that_churn_never_share_a_block))
