/* cosched_invoke: each branch is called once whoever calls it, and a branch that another executor takes keeps to the rules of a call. */
#include "base/rng.h"
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"

enum { MANY = RUN_SIZE(3000, 1000, 300) };

static void run_with(int workers, uint32_t flags, uint32_t tasks_max, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config,
                             .workers = workers,
                             .flags = flags,
                             .tasks_max = tasks_max,
                             .main_help = COSCHED_HELP_OFF};
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

static bool is_self(cosched_task t)
{
    cosched_task self = cosched_self();
    return self.index == t.index && self.generation == t.generation;
}

/* --- every branch, once, with its result ------------------------------------------------------------------- */

static int64_t fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_branch b[2] = {{.fn = fib, .arg = (void *)(n - 1)}, {.fn = fib, .arg = (void *)(n - 2)}};
    int rc = cosched_invoke(b, 2);
    return rc < 0 ? rc : b[0].result + b[1].result;
}

static int64_t fib_everywhere(void *arg)
{
    (void)arg;
    intptr_t n = RUN_SIZE(17, 14, 12);
    int64_t expected = RUN_SIZE(1597, 377, 144);
    for (cosched_affinity at = COSCHED_INHERIT; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(fib, (void *)n, at)), expected);
    }
    cosched_stats s = run_stats();
    EXPECT_EQ(s.spawned, s.completed + s.tasks_live);
    return 0;
}

START_TEST(a_tree_has_one_value_in_every_mode)
{
    static const uint32_t modes[] = {0, COSCHED_ALWAYS_OWN, COSCHED_ALWAYS_INLINE};
    for (size_t m = 0; m < 3; m++) {
        run_with(run_workers[_i], modes[m], 0, fib_everywhere);
    }
}

END_TEST

START_TEST(a_tree_has_the_same_value_when_there_is_no_task_to_offer)
{
    for (uint32_t limit = 8; limit <= 24; limit += 8) {
        run_with(run_workers[_i], 0, limit, fib_everywhere);
    }
}

END_TEST

struct cell {
    _Atomic(int) calls;
    int64_t value;
};

static int64_t square(void *arg)
{
    struct cell *c = arg;
    atomic_fetch_add(&c->calls, 1);
    if (c->value % 64 == 7) {
        cosched_yield();
    }
    return c->value * c->value;
}

static void squares(size_t n)
{
    struct cell *cells = calloc(n + 1, sizeof *cells);
    cosched_branch *b = calloc(n + 1, sizeof *b);
    EXPECT(cells != NULL && b != NULL);
    for (size_t i = 0; i < n; i++) {
        cells[i].value = (int64_t)i;
        b[i] = (cosched_branch){.fn = square, .arg = &cells[i]};
    }
    b[n].result = 77;
    EXPECT_EQ(cosched_invoke(b, n), 0);
    for (size_t i = 0; i < n; i++) {
        EXPECT_EQ(cells[i].calls, 1);
        EXPECT_EQ(b[i].result, i * i);
    }
    EXPECT_EQ(b[n].result, 77);
    EXPECT_EQ(cosched_invoke(b, n), 0); /* a record may serve again */
    for (size_t i = 0; i < n; i++) {
        EXPECT_EQ(cells[i].calls, 2);
    }
    free(b);
    free(cells);
}

static int64_t squares_of_all_sizes(void *arg)
{
    static const size_t sizes[] = {0, 1, 2, 3, 10, 63, 64, 65, 255, 257, MANY};
    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        squares(sizes[i]);
    }
    return 0;
}

static int64_t squares_everywhere(void *arg)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(squares_of_all_sizes, arg, at)), 0);
    }
    return 0;
}

START_TEST(any_number_of_branches_are_called_once_each)
{
    run_with(run_workers[_i], 0, 0, squares_everywhere);
    run_with(run_workers[_i], 0, 100, squares_everywhere);
}

END_TEST

static int64_t squares_with_attr(void *arg)
{
    (void)arg;
    squares(20);
    return fib((void *)10) == 55 ? 0 : -1;
}

SCENARIO(tasks_with_settings_of_their_own_fork_as_well)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        for (uint32_t flags = 0; flags < 32; flags++) {
            for (int priority = -1; priority <= 1; priority++) {
                cosched_attr a = {.struct_size = sizeof a,
                                  .affinity = at,
                                  .flags = flags,
                                  .priority = (int8_t)priority};
                cosched_task t;
                EXPECT_EQ(cosched_spawn(&t, squares_with_attr, NULL, &a), 0);
                EXPECT_EQ(run_join(t), 0);
            }
        }
    }
}

static int64_t tell_self(void *arg)
{
    *(cosched_task *)arg = cosched_self();
    return 0;
}

static int64_t forks_with_fpenv(void *arg)
{
    (void)arg;

    enum { N = 40 };

    cosched_task told[N];
    cosched_branch b[N];
    for (int i = 0; i < N; i++) {
        b[i] = (cosched_branch){.fn = tell_self, .arg = &told[i]};
    }
    EXPECT_EQ(cosched_invoke(b, N), 0);
    for (int i = 0; i < N; i++) {
        EXPECT(is_self(told[i]));
    }
    return 0;
}

SCENARIO(a_floating_point_environment_is_shared_with_every_branch)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        cosched_attr a = {.struct_size = sizeof a, .affinity = at, .flags = COSCHED_FPENV};
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, forks_with_fpenv, NULL, &a), 0);
        EXPECT_EQ(run_join(t), 0);
    }
}

/* Nobody takes anything from MAIN, and nothing suspends. */
static int places[10], place;

static int64_t note_place(void *arg)
{
    places[place++] = (int)(intptr_t)arg;
    return 0;
}

SCENARIO(what_nobody_takes_is_called_in_order_by_the_caller)
{
    cosched_branch b[10];
    place = 0;
    for (int i = 0; i < 10; i++) {
        b[i] = (cosched_branch){.fn = note_place, .arg = (void *)(intptr_t)i};
    }
    uint64_t spawned = run_stats().spawned;
    EXPECT_EQ(cosched_invoke(b, 10), 0);
    EXPECT_EQ(place, 10);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(places[i], i);
    }
    EXPECT_EQ(run_stats().spawned, spawned); /* none became a task */
}

START_TEST(outside_a_task_nothing_is_called)
{
    cosched_branch b[2] = {{.fn = note_place}, {.fn = note_place}};
    place = 0;
    EXPECT_EQ(cosched_invoke(b, 2), -EPERM);
    EXPECT_EQ(place, 0);
}

END_TEST

/* --- branches that suspend, move, end in other ways -------------------------------------------------------- */

static _Atomic(int) ended;

static int64_t count_end(void *arg)
{
    atomic_fetch_add(&ended, 1);
    return (int64_t)(intptr_t)arg;
}

static int64_t wait_for_the_others(void *arg)
{
    UNTIL(ended == (int)(intptr_t)arg);
    return 1;
}

static int64_t first_suspends(void *arg)
{
    (void)arg;
    ended = 0;
    cosched_branch b[4] = {{.fn = wait_for_the_others, .arg = (void *)3},
                           {.fn = count_end, .arg = (void *)2},
                           {.fn = count_end, .arg = (void *)3},
                           {.fn = count_end, .arg = (void *)4}};
    EXPECT_EQ(cosched_invoke(b, 4), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(b[i].result, i + 1);
    }
    return 0;
}

SCENARIO(while_a_branch_is_suspended_the_others_go_on)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(first_suspends, NULL, at)), 0);
    }
}

static int64_t wanders(void *arg)
{
    uint64_t rng = (uint64_t)(uintptr_t)arg | 1;
    for (int i = 0; i < 8; i++) {
        switch (cos_rng_below(&rng, 5)) {
        case 0: cosched_yield(); break;
        case 1: cosched_hop(COSCHED_MAIN); break;
        case 2: cosched_hop(COSCHED_WORKER); break;
        case 3: EXPECT_EQ(cosched_sleep_until(cosched_in_ns(20000)), 0); break;
        default: break;
        }
    }
    return (int64_t)(uintptr_t)arg;
}

static int64_t forks_wanderers(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    cosched_affinity home = cosched_where();
    cosched_task self = cosched_self();
    cosched_branch b[5];
    for (int i = 0; i < 5; i++) {
        b[i] = (cosched_branch){.fn = wanders, .arg = (void *)(uintptr_t)(seed * 8 + (uint64_t)i)};
    }
    EXPECT_EQ(cosched_invoke(b, 5), 0);
    EXPECT_EQ(cosched_where(), home);
    EXPECT(is_self(self));
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(b[i].result, seed * 8 + (uint64_t)i);
    }
    return 0;
}

SCENARIO(wherever_branches_go_the_caller_is_where_it_was)
{
    uint64_t seed = run_seed();
    for (int i = 0; i < RUN_SIZE(40, 20, 10); i++) {
        cosched_branch b[6];
        for (int k = 0; k < 6; k++) {
            void *arg = (void *)(uintptr_t)(cos_rng_next(&seed) >> 8);
            b[k] = (cosched_branch){.fn = forks_wanderers, .arg = arg};
        }
        EXPECT_EQ(cosched_invoke(b, 6), 0);
        cosched_affinity at = i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
        EXPECT_EQ(run_join(run_spawn(forks_wanderers, b[0].arg, at)), 0);
    }
}

static int64_t ends_by_tail(void *arg)
{
    return cosched_tail(run_return, (void *)((intptr_t)arg + 1));
}

static int64_t forks_tails(void *arg)
{
    (void)arg;
    cosched_branch b[3] = {{.fn = ends_by_tail, .arg = (void *)1},
                           {.fn = ends_by_tail, .arg = (void *)2},
                           {.fn = run_return, .arg = (void *)4}};
    EXPECT_EQ(cosched_invoke(b, 3), 0);
    EXPECT(b[0].result == 2 && b[1].result == 3 && b[2].result == 4);
    return cosched_tail(run_return, (void *)5);
}

SCENARIO(a_branch_may_end_by_a_tail_call)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(forks_tails, NULL, at)), 5);
    }
}

static int64_t leaves_a_child(void *arg)
{
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, count_end, arg, NULL), 0);
    return 1;
}

static int64_t forks_leavers(void *arg)
{
    (void)arg;
    ended = 0;
    cosched_branch b[4];
    for (int i = 0; i < 4; i++) {
        b[i] = (cosched_branch){.fn = leaves_a_child};
    }
    EXPECT_EQ(cosched_invoke(b, 4), 0);
    EXPECT(b[0].result == 1 && b[1].result == 1 && b[2].result == 1 && b[3].result == 1);
    return 0;
}

SCENARIO(children_that_a_branch_leaves_open_hide_no_other_branch)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        EXPECT_EQ(run_join(run_spawn(forks_leavers, NULL, at)), 0);
        EXPECT_EQ(ended, 4);
    }
}

/* --- branches that another worker takes -------------------------------------------------------------------- */

struct meeting {
    _Atomic(int) here, canceled;
    cosched_task caller;
    cosched_task taken;
};

/* Holds its worker until the other branch runs on another one. */
static int64_t keeps_its_worker(void *arg)
{
    struct meeting *m = arg;
    UNTIL_SPIN(m->here == 1);
    return 1;
}

static const char key;

static int64_t is_a_task_of_its_own(void *arg)
{
    struct meeting *m = arg;
    EXPECT(!is_self(m->caller));
    EXPECT(cosched_local_get(&key) == NULL);
    m->taken = cosched_self();
    m->here = 1;
    return 2;
}

static int64_t is_taken(void *arg)
{
    struct meeting *m = arg;
    EXPECT_EQ(cosched_local_set(&key, m), 0);
    m->caller = cosched_self();
    cosched_branch b[2] = {{.fn = keeps_its_worker, .arg = m},
                           {.fn = is_a_task_of_its_own, .arg = m}};
    EXPECT_EQ(cosched_invoke(b, 2), 0);
    EXPECT(b[0].result == 1 && b[1].result == 2);
    cosched_task t = m->taken;
    EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ESTALE);
    return 0;
}

SCENARIO_ON(2 << _i, what_another_worker_takes_is_a_task_of_its_own)
{
    struct meeting m = {0};
    EXPECT_EQ(run_join(run_spawn(is_taken, &m, COSCHED_WORKER)), 0);
}

static int64_t shows_its_handle(void *arg)
{
    struct meeting *m = arg;
    m->taken = cosched_self();
    m->here = 1;
    UNTIL(m->canceled == 1);
    return 2;
}

static int64_t misuses_its_handle(void *arg)
{
    struct meeting *m = arg;
    UNTIL_SPIN(m->here == 1);
    cosched_task t = m->taken;
    EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ESTALE);
    cosched_detach(&t);
    m->canceled = 1;
    return 1;
}

static int64_t is_misused(void *arg)
{
    cosched_branch b[2] = {{.fn = misuses_its_handle, .arg = arg},
                           {.fn = shows_its_handle, .arg = arg}};
    EXPECT_EQ(cosched_invoke(b, 2), 0);
    EXPECT(b[0].result == 1 && b[1].result == 2);
    return 0;
}

SCENARIO_ON(2 << _i, nobody_awaits_or_detaches_a_branch_by_its_handle)
{
    struct meeting m = {0};
    EXPECT_EQ(run_join(run_spawn(is_misused, &m, COSCHED_WORKER)), 0);
}

/* --- cancellation ------------------------------------------------------------------------------------------- */

static int64_t cancels_itself(void *arg)
{
    cosched_cancel(cosched_self());
    return (int64_t)(intptr_t)arg;
}

static int64_t forks_cancelled(void *arg)
{
    (void)arg;
    ended = 0;
    cosched_branch b[4] = {{.fn = count_end},
                           {.fn = cancels_itself, .arg = (void *)5},
                           {.fn = count_end},
                           {.fn = count_end}};
    EXPECT_EQ(cosched_invoke(b, 4), -ECANCELED);
    EXPECT(b[0].result == 0 && b[1].result == 5);
    EXPECT(b[2].result == -ECANCELED && b[3].result == -ECANCELED);
    EXPECT_EQ(ended, 1);
    b[0].result = 0;
    EXPECT_EQ(cosched_invoke(b, 4), -ECANCELED);
    EXPECT(b[0].result == -ECANCELED && b[3].result == -ECANCELED);
    EXPECT_EQ(ended, 1);
    return 0;
}

/* On MAIN, where nobody takes any. */
SCENARIO(a_cancelled_caller_begins_no_more_branches)
{
    EXPECT_EQ(run_join(run_spawn(forks_cancelled, NULL, COSCHED_MAIN)), 0);
    cosched_scope scope;
    cosched_branch b[2] = {{.fn = count_end}, {.fn = count_end}};
    ended = 0;
    EXPECT_EQ(cosched_scope_begin(&scope, COSCHED_NOW, 0), 0);
    EXPECT_EQ(cosched_invoke(b, 2), -ECANCELED);
    EXPECT_EQ(ended, 0);
    EXPECT(cosched_scope_end(&scope));
    EXPECT_EQ(cosched_invoke(b, 2), 0);
    EXPECT_EQ(ended, 2);
}

static int64_t sleeps_for_ever(void *arg)
{
    struct meeting *m = arg;
    m->here = 1;
    int64_t rc = cosched_sleep_until(COSCHED_NEVER);
    m->canceled += rc == -ECANCELED ? 1 : 0;
    return rc;
}

static int64_t cancels_the_caller(void *arg)
{
    struct meeting *m = arg;
    UNTIL_SPIN(m->here == 1);
    cosched_cancel(m->caller);
    return 1;
}

static int64_t is_cancelled(void *arg)
{
    struct meeting *m = arg;
    m->caller = cosched_self();
    cosched_branch b[2] = {{.fn = cancels_the_caller, .arg = m}, {.fn = sleeps_for_ever, .arg = m}};
    EXPECT_EQ(cosched_invoke(b, 2), -ECANCELED);
    EXPECT(b[0].result == 1 && b[1].result == -ECANCELED);
    EXPECT_EQ(m->canceled, 1);
    return 0;
}

SCENARIO_ON(2 << _i, cancellation_reaches_a_branch_that_runs_elsewhere)
{
    struct meeting m = {0};
    EXPECT_EQ(run_join(run_spawn(is_cancelled, &m, COSCHED_WORKER)), 0);
}

static int64_t sleeps_in_each(void *arg)
{
    return arg == NULL ? cosched_sleep_until(COSCHED_NEVER) : sleeps_in_each(NULL);
}

static int64_t times_out(void *arg)
{
    (void)arg;
    cosched_branch b[6];
    for (int i = 0; i < 6; i++) {
        b[i] = (cosched_branch){.fn = sleeps_in_each, .arg = b};
    }
    cosched_scope scope;
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(5), 0), 0);
    EXPECT_EQ(cosched_invoke(b, 6), -ECANCELED);
    EXPECT(cosched_scope_end(&scope));
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(b[i].result, -ECANCELED);
    }
    return 0;
}

SCENARIO(the_deadline_of_a_scope_ends_all_branches)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(times_out, NULL, at)), 0);
    }
}

RUN_MAIN("invoke", EACH(a_tree_has_one_value_in_every_mode),
         EACH(a_tree_has_the_same_value_when_there_is_no_task_to_offer),
         EACH(any_number_of_branches_are_called_once_each),
         EACH(tasks_with_settings_of_their_own_fork_as_well),
         EACH(a_floating_point_environment_is_shared_with_every_branch),
         EACH(what_nobody_takes_is_called_in_order_by_the_caller),
         ONCE(outside_a_task_nothing_is_called), EACH(while_a_branch_is_suspended_the_others_go_on),
         EACH(wherever_branches_go_the_caller_is_where_it_was),
         EACH(a_branch_may_end_by_a_tail_call),
         EACH(children_that_a_branch_leaves_open_hide_no_other_branch),
         {what_another_worker_takes_is_a_task_of_its_own, 3},
         {nobody_awaits_or_detaches_a_branch_by_its_handle, 3},
         EACH(a_cancelled_caller_begins_no_more_branches),
         {cancellation_reaches_a_branch_that_runs_elsewhere, 3},
         EACH(the_deadline_of_a_scope_ends_all_branches))
