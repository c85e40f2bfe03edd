/* cosched_local_set and _get: values of a task under keys. */
#include "base/alloc.h"
#include "run.h"

static char key_a, key_b, keys[40];
static _Atomic(int) ended;

static int64_t looks(void *arg)
{
    EXPECT(cosched_local_get(&key_a) == arg);
    EXPECT_EQ(cosched_local_set(&key_b, &key_b), 0); /* of the task that calls */
    return 0;
}

static int64_t has_none(void *arg)
{
    (void)arg;
    EXPECT(cosched_local_get(&key_a) == NULL);
    EXPECT_EQ(cosched_local_set(&key_a, &keys[1]), 0);
    EXPECT(cosched_local_get(&key_a) == &keys[1]);
    cosched_yield();
    EXPECT(cosched_local_get(&key_a) == &keys[1]);
    return 0;
}

SCENARIO(calls_see_them_wherever_they_run_and_children_do_not)
{
    EXPECT(cosched_local_get(&key_a) == NULL);
    EXPECT_EQ(cosched_local_set(&key_a, &keys[0]), 0);
    for (int where = COSCHED_INHERIT; where <= COSCHED_WORKER; where++) {
        EXPECT_EQ(cosched_call(NULL, (cosched_affinity)where, looks, &keys[0], COSCHED_NEVER), 0);
        EXPECT(cosched_local_get(&key_b) == &key_b);
        EXPECT_EQ(run_join(run_spawn(has_none, NULL, (cosched_affinity)where)), 0);
        EXPECT(cosched_local_get(&key_a) == &keys[0]);
    }
    EXPECT_EQ(cosched_local_set(&key_a, NULL), 0);
    EXPECT(cosched_local_get(&key_a) == NULL);
}

SCENARIO(many_keys_are_replaced_in_place)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof keys; i++) {
            EXPECT_EQ(cosched_local_set(&keys[i], &keys[(i + (size_t)round) % sizeof keys]), 0);
        }
        for (size_t i = 0; i < sizeof keys; i++) {
            EXPECT(cosched_local_get(&keys[i]) == &keys[(i + (size_t)round) % sizeof keys]);
        }
    }
}

static void sees_them(void *arg)
{
    EXPECT(cosched_local_get(&key_a) == arg);
    EXPECT(cosched_local_get(&key_b) == &key_b);
    atomic_fetch_add(&ended, 1);
}

static int64_t defers(void *arg)
{
    EXPECT_EQ(cosched_local_set(&key_a, arg), 0);
    EXPECT_EQ(cosched_defer(sees_them, arg), 0);
    EXPECT_EQ(cosched_local_set(&key_b, &key_b), 0); /* after it was deferred, and still there */
    EXPECT_EQ(cosched_defer(sees_them, arg), 0);
    return 0;
}

SCENARIO(deferred_clean_ups_see_them)
{
    atomic_store(&ended, 0);
    EXPECT_EQ(run_join(run_spawn(defers, &keys[3], COSCHED_INHERIT)), 0);
    EXPECT_EQ(run_join(run_spawn(defers, &keys[4], COSCHED_WORKER)), 0);
    EXPECT_EQ(ended, 4);
}

SCENARIO_ON(0, errors)
{
    EXPECT_EQ(cosched_local_set(NULL, &key_a), -EINVAL);
    EXPECT(cosched_local_get(NULL) == NULL);
    cos_alloc_fail_at(1);
    EXPECT_EQ(cosched_local_set(&key_a, &key_a), -ENOMEM);
    cos_alloc_fail_at(0);
    EXPECT(cosched_local_get(&key_a) == NULL);
}

START_TEST(outside_tasks_there_are_none)
{
    EXPECT_EQ(cosched_local_set(&key_a, &key_a), -EPERM);
    EXPECT(cosched_local_get(&key_a) == NULL);
}

END_TEST

RUN_MAIN("locals", EACH(calls_see_them_wherever_they_run_and_children_do_not),
         EACH(many_keys_are_replaced_in_place), EACH(deferred_clean_ups_see_them), ONCE(errors),
         ONCE(outside_tasks_there_are_none))
