/* Awaiting a child inline (cosched_await): each rule that allows or forbids it, the testers' modes, and that none of this can
 * be told from the results. */
#include "base/rng.h"
#include "sched/exec.h"
#include "test_inline.h"

static int64_t tell_fiber(void *arg)
{
    *(struct cos_fiber **)arg = cos_fiber_self(NULL);
    return 7;
}

static bool await_inline(cosched_task *t, struct cos_fiber **where, int64_t deadline)
{
    int64_t result = 0;
    cos_exec_current()->budget = COS_EXEC_BUDGET; /* a spent one would let others in first */
    EXPECT_EQ(cosched_await(t, &result, deadline), 0);
    EXPECT_EQ(result, 7);
    return *where == cos_fiber_self(NULL);
}

static bool inline_by(const cosched_attr *attr, int64_t deadline)
{
    struct cos_fiber *where = NULL;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, tell_fiber, &where, attr), 0);
    return await_inline(&t, &where, deadline);
}

static cosched_attr plain(void)
{
    return (cosched_attr){.struct_size = sizeof(cosched_attr)};
}

/* --- one rule each; the caller runs where no thief can come between, so what may is ------------------------ */

static void rule_affinity(void)
{
    cosched_affinity here = cosched_where();
    cosched_attr same = {.struct_size = sizeof same, .affinity = here};
    cosched_attr other = same;
    other.affinity = here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
    EXPECT(inline_by(NULL, COSCHED_NEVER));
    EXPECT(inline_by(&same, COSCHED_NEVER));
    EXPECT(!inline_by(&other, COSCHED_NEVER)); /* without workers too, where only the name differs */
}

static int64_t as_pinned(void *arg)
{
    (void)arg;
    EXPECT(!inline_by(NULL, COSCHED_NEVER));
    return 0;
}

static void rule_pinning(void)
{
    cosched_attr pinned = plain();
    pinned.flags = COSCHED_PINNED;
    EXPECT(!inline_by(&pinned, COSCHED_NEVER));
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, as_pinned, NULL, &pinned), 0);
    EXPECT_EQ(run_join(t), 0);
}

static int64_t with_fpenv(void *arg)
{
    (void)arg;
    EXPECT(!inline_by(NULL, COSCHED_NEVER));
    return 0;
}

static void rule_fpenv(void)
{
    cosched_attr own = plain();
    own.flags = COSCHED_FPENV;
    EXPECT(!inline_by(&own, COSCHED_NEVER));
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, with_fpenv, NULL, &own), 0);
    EXPECT_EQ(run_join(t), 0);
}

static void rule_timeout(void)
{
    cosched_attr a = plain();
    a.timeout_ns = INT64_C(3600000000000);
    EXPECT(!inline_by(&a, COSCHED_NEVER));
}

static void rule_stack_promise(void)
{
    cosched_attr a = plain();
    a.stack_size = 20000;
    EXPECT(!inline_by(&a, COSCHED_NEVER));
}

static void rule_deadline(void)
{
    EXPECT(!inline_by(NULL, cosched_in_ms(3600000)));
}

static void rule_scope(void)
{
    struct cos_fiber *where[3] = {NULL, NULL, NULL};
    cosched_task t[3];
    cosched_scope scope;
    EXPECT_EQ(cosched_spawn(&t[0], tell_fiber, &where[0], NULL), 0);
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(3600000), 0), 0);
    EXPECT(!await_inline(&t[0], &where[0], COSCHED_NEVER)); /* it is not below this scope */
    EXPECT_EQ(cosched_spawn(&t[1], tell_fiber, &where[1], NULL), 0);
    EXPECT(await_inline(&t[1], &where[1], COSCHED_NEVER));
    EXPECT_EQ(cosched_spawn(&t[2], tell_fiber, &where[2], NULL), 0);
    EXPECT(!cosched_scope_end(&scope));
    EXPECT(!await_inline(&t[2], &where[2], COSCHED_NEVER)); /* it is below the one that ended */
}

static int64_t with_priority(void *arg)
{
    cosched_attr same = *(const cosched_attr *)arg;
    EXPECT(!inline_by(NULL, COSCHED_NEVER));
    EXPECT(!inline_by(&same, cosched_in_ms(3600000)));
    return 0;
}

static void rule_priority(void)
{
    for (int8_t p = -1; p <= 1; p += 2) {
        cosched_attr a = plain();
        a.priority = p;
        EXPECT(!inline_by(&a, COSCHED_NEVER));
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, with_priority, &a, &a), 0);
        EXPECT_EQ(run_join(t), 0);
    }
}

static int64_t in_bound_tree(void *arg)
{
    (void)arg;
    EXPECT(inline_by(NULL, COSCHED_NEVER));
    EXPECT(inline_by(run_at(COSCHED_MAIN), COSCHED_NEVER));
    EXPECT(inline_by(run_at(COSCHED_WORKER), COSCHED_NEVER));
    return 0;
}

static void rule_binding(void)
{
    cosched_attr bound = plain();
    bound.flags = COSCHED_ONE_EXECUTOR;
    EXPECT(!inline_by(&bound, COSCHED_NEVER));
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_INHERIT, in_bound_tree, NULL, COSCHED_NEVER), 0);
    EXPECT(inline_by(NULL, COSCHED_NEVER));
}

static int64_t all_rules(void *arg)
{
    (void)arg;
    rule_affinity();
    rule_pinning();
    rule_fpenv();
    rule_timeout();
    rule_stack_promise();
    rule_deadline();
    rule_scope();
    rule_priority();
    rule_binding();
    return 0;
}

/* Of two children only the younger is at the end of the line. */
static int older_and_younger(void)
{
    struct cos_fiber *where[2] = {NULL, NULL};
    cosched_task t[2];
    EXPECT_EQ(cosched_spawn(&t[0], tell_fiber, &where[0], NULL), 0);
    EXPECT_EQ(cosched_spawn(&t[1], tell_fiber, &where[1], NULL), 0);
    int n = await_inline(&t[0], &where[0], COSCHED_NEVER) ? 1 : 0;
    return n + (await_inline(&t[1], &where[1], COSCHED_NEVER) ? 2 : 0);
}

SCENARIO(each_rule_holds_on_main) /* nobody steals from MAIN's line */
{
    all_rules(NULL);
    EXPECT_EQ(older_and_younger(),
              2); /* when the older has ended we go on, and the younger waits still */
}

static int64_t rules_always_inline(void *arg)
{
    (void)arg;
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        EXPECT_EQ(run_join(run_spawn(all_rules, NULL, at)), 0);
    }
    EXPECT_EQ(older_and_younger(), 3);
    return 0;
}

START_TEST(in_always_inline_mode_what_may_is_on_any_executor)
{
    run_with(run_workers[_i], COSCHED_ALWAYS_INLINE, rules_always_inline, NULL);
}

END_TEST

static int64_t nothing_is_inline(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        EXPECT(!inline_by(NULL, COSCHED_NEVER));
    }
    return 0;
}

static int64_t rules_always_own(void *arg)
{
    (void)arg;
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        EXPECT_EQ(run_join(run_spawn(nothing_is_inline, NULL, at)), 0);
    }
    return 0;
}

START_TEST(in_always_own_mode_nothing_is)
{
    run_with(run_workers[_i], COSCHED_ALWAYS_OWN, rules_always_own, NULL);
}

END_TEST

SCENARIO(a_cancelled_waiter_runs_nothing)
{
    struct cos_fiber *where = NULL;
    cosched_scope scope;
    EXPECT_EQ(cosched_scope_begin(&scope, COSCHED_NOW, 0), 0);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, tell_fiber, &where, NULL), 0);
    EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ECANCELED);
    EXPECT(where == NULL);
    cosched_scope_end(&scope);
    EXPECT(!await_inline(&t, &where, COSCHED_NEVER));
}

START_TEST(both_modes_at_once_are_refused)
{
    cosched_runtime *rt;
    cosched_config config = {.struct_size = sizeof config,
                             .flags = COSCHED_ALWAYS_OWN | COSCHED_ALWAYS_INLINE};
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), -EINVAL);
}

END_TEST

/* --- the same results in all modes -------------------------------------------------------------------------- */

struct node {
    uint64_t seed;
    int32_t depth;
};

static int64_t random_tree(void *arg);

static cosched_task grow_child(uint64_t *rng, int32_t depth)
{
    struct node child = {cos_rng_next(rng), depth - 1};
    cosched_attr a = {.struct_size = sizeof a,
                      .affinity = (cosched_affinity)cos_rng_below(rng, 3),
                      .arg_size = sizeof child,
                      .timeout_ns = cos_rng_below(rng, 8) == 0 ? INT64_C(3600000000000) : 0,
                      .stack_size = cos_rng_below(rng, 8) == 0 ? 20000 : 0,
                      .priority =
                          cos_rng_below(rng, 8) == 0 ? (int8_t)(cos_rng_below(rng, 2) * 2) - 1 : 0};
    a.flags = cos_rng_below(rng, 16) == 0 ? COSCHED_ONE_EXECUTOR : 0;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, random_tree, &child, &a), 0);
    return t;
}

/* Its value, an error now and then, depends on the seed alone. */
static int64_t random_tree(void *arg)
{
    struct node n = *(struct node *)arg;
    uint64_t rng = n.seed | 1;
    uint64_t sum = cos_rng_next(&rng);
    uint32_t kids = n.depth > 0 ? cos_rng_below(&rng, 4) : 0;
    cosched_task t[4];
    for (uint32_t i = 0; i < kids; i++) {
        t[i] = grow_child(&rng, n.depth);
    }
    bool forwards = cos_rng_below(&rng, 2) == 0;
    for (uint32_t i = 0; i < kids; i++) {
        int64_t result = 0;
        EXPECT_EQ(cosched_await(&t[forwards ? i : kids - 1 - i], &result, COSCHED_NEVER), 0);
        sum = sum * 31 + (uint64_t)result;
        if (cos_rng_below(&rng, 8) == 0) {
            cosched_yield();
        }
    }
    return sum % 16 == 0 ? -(int64_t)(1 + sum / 16 % 100) : (int64_t)(sum >> 1);
}

enum { TREES = 24 };

static int64_t grow_trees(void *arg)
{
    int64_t *results = arg;
    for (int i = 0; i < RUN_SIZE(TREES, TREES / 2, TREES / 4); i++) {
        struct node root = {(uint64_t)i * 7919 + 1, 7};
        results[i] = random_tree(&root);
    }
    return 0;
}

START_TEST(results_are_the_same_in_every_mode)
{
    static const uint32_t modes[] = {0, COSCHED_ALWAYS_OWN, COSCHED_ALWAYS_INLINE};
    int64_t expected[TREES] = {0};
    run_with(0, 0, grow_trees, expected);
    for (size_t m = 0; m < 3; m++) {
        int64_t results[TREES] = {0};
        run_with(run_workers[_i], modes[m], grow_trees, results);
        EXPECT_EQ(memcmp(results, expected, sizeof results), 0);
    }
}

END_TEST

RUN_MAIN("inline_rules", EACH(each_rule_holds_on_main),
         EACH(in_always_inline_mode_what_may_is_on_any_executor),
         EACH(in_always_own_mode_nothing_is), EACH(a_cancelled_waiter_runs_nothing),
         ONCE(both_modes_at_once_are_refused), EACH(results_are_the_same_in_every_mode))
