/* Tasks with results, on MAIN, on WORKER and on a thread of their own: a value, an error, nothing, something large. */
#include "promise.h"

static const int64_t values[] = {0, 1, 42, INT64_MAX, -1, -EIO, -ECANCELED, -ESTALE, INT64_MIN};

enum { VALUES = sizeof values / sizeof values[0] };

static int64_t give(void *arg)
{
    return *(int64_t *)arg;
}

static int64_t give_late(void *arg)
{
    cosched_yield();
    return *(int64_t *)arg;
}

/* deadline NEVER lets a child run inside its awaiter, any other makes the awaiter park. */
static void spawned_gives(cosched_fn fn, cosched_affinity place, int64_t deadline)
{
    for (int i = 0; i < VALUES; i++) {
        int64_t value = values[i], got = ~value;
        cosched_task t = run_spawn(fn, &value, place);
        EXPECT_EQ(cosched_await(&t, &got, deadline), 0);
        EXPECT_EQ(got, value);
    }
}

PROMISE(a_value_or_an_error_comes_back_from_every_place)
{
    for (int place = COSCHED_INHERIT; place <= COSCHED_BLOCKING; place++) {
        spawned_gives(give, (cosched_affinity)place, COSCHED_NEVER);
        spawned_gives(give, (cosched_affinity)place, LATEST);
        spawned_gives(give_late, (cosched_affinity)place, COSCHED_NEVER);
    }
    for (int i = 0; i < VALUES; i++) {
        for (int place = COSCHED_INHERIT; place <= COSCHED_WORKER; place++) {
            int64_t value = values[i], got = ~value;
            EXPECT_EQ(cosched_call(&got, (cosched_affinity)place, give_late, &value, COSCHED_NEVER),
                      0);
            EXPECT_EQ(got, value);
        }
        int64_t value = values[i], got = ~value;
        EXPECT_EQ(cosched_blocking(&got, give, &value), 0);
        EXPECT_EQ(got, value);
    }
}

static int64_t do_it(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return -EIO; /* nobody asks */
}

PROMISE(nothing_comes_back_when_nothing_is_asked_for)
{
    atomic_int done = 0;
    for (int place = COSCHED_INHERIT; place <= COSCHED_BLOCKING; place++) {
        cosched_task t = run_spawn(do_it, &done, (cosched_affinity)place);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), 0);
        if (place != COSCHED_BLOCKING) {
            EXPECT_EQ(cosched_call(NULL, (cosched_affinity)place, do_it, &done, COSCHED_NEVER), 0);
        }
    }
    EXPECT_EQ(cosched_blocking(NULL, do_it, &done), 0);
    EXPECT_EQ(done, 8);
}

struct large {
    uint32_t in[8192], out[8192];
    uint32_t key;
};

static int64_t transform(void *arg)
{
    struct large *l = arg;
    for (size_t i = 0; i < 8192; i++) {
        l->out[8191 - i] = l->in[i] * 2654435761U + l->key;
    }
    return (int64_t)sizeof l->out;
}

/* Plain memory, without a lock: an await makes all that the task wrote visible. */
PROMISE(something_large_comes_back_through_arg)
{
    struct large *l = calloc(8, sizeof *l);
    cosched_task t[8];
    EXPECT(l != NULL);
    for (uint32_t k = 0; k < 8; k++) {
        l[k].key = k;
        for (uint32_t i = 0; i < 8192; i++) {
            l[k].in[i] = i ^ k;
        }
        t[k] = run_spawn(transform, &l[k], promise_place(k));
    }
    for (uint32_t k = 0; k < 8; k++) {
        EXPECT_EQ(run_join(t[k]), (int64_t)sizeof l->out);
        int64_t size = 0;
        for (uint32_t i = 0; i < 8192; i++) {
            EXPECT_EQ(l[k].out[8191 - i], (i ^ k) * 2654435761U + k);
            l[k].in[i] = l[k].out[i];
        }
        EXPECT_EQ(cosched_call(&size, COSCHED_WORKER, transform, &l[k], COSCHED_NEVER), 0);
        EXPECT_EQ(size, (int64_t)sizeof l->out);
        for (uint32_t i = 0; i < 8192; i++) {
            EXPECT_EQ(l[k].out[8191 - i], l[k].in[i] * 2654435761U + k);
        }
    }
    free(l);
}

enum { MANY = 2000 };

PROMISE(results_of_many_tasks_are_not_mixed_up)
{
    cosched_task *t = calloc(MANY, sizeof *t);
    int64_t *value = calloc(MANY, sizeof *value);
    uint64_t rng = promise_seed;
    EXPECT(t != NULL && value != NULL);
    for (int i = 0; i < MANY; i++) {
        value[i] = (int64_t)cos_rng_next(&rng);
        t[i] = run_spawn(i % 3 ? give : give_late, &value[i], promise_place(i / 2));
    }
    for (uint32_t left = MANY; left > 0; left--) {
        uint32_t pick = cos_rng_below(&rng, left);
        EXPECT_EQ(run_join(t[pick]), value[pick]);
        t[pick] = t[left - 1];
        value[pick] = value[left - 1];
    }
    free(value);
    free(t);
}

START_TEST(the_result_of_a_run_is_that_of_its_body)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    for (int i = 0; i < VALUES; i++) {
        int64_t value = values[i];
        EXPECT_EQ(run_config(&c, i % 2 ? give : give_late, &value), value);
    }
}

END_TEST

PROMISE_MAIN("promise_results", ALL(a_value_or_an_error_comes_back_from_every_place),
             ALL(nothing_comes_back_when_nothing_is_asked_for),
             ALL(something_large_comes_back_through_arg),
             ALL(results_of_many_tasks_are_not_mixed_up),
             ALL(the_result_of_a_run_is_that_of_its_body))
