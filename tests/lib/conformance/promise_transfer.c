/* Awaiting one's own side is a transfer, not a trip through queues; awaiting the other side lets the thread go on; a hop that
 * has not begun can be taken back; a chain of tails needs one stack. (A million awaits deep: test_depth_o0, test_depth_o2.) */
#define RUN_HELP COSCHED_HELP_OFF
#include "promise.h"
#include "sched/exec.h"

/* --- the same side ----------------------------------------------------------------------------------------- */

static char order[16];
static int ordered;
static cosched_event go;

static int64_t note(void *arg)
{
    order[ordered++] = (char)(intptr_t)arg;
    return 0;
}

static int64_t child_waits(void *arg)
{
    EXPECT_EQ(cosched_event_wait(&go, COSCHED_NEVER), 0);
    return note(arg);
}

static int64_t parent_awaits(void *arg)
{
    cosched_task t = run_spawn(child_waits, (void *)'c', COSCHED_MAIN);
    EXPECT_EQ(cosched_await(&t, NULL, LATEST), 0);
    return note(arg);
}

/* MAIN's line is x, c, y when the child c ends: its parent p comes before y. */
PROMISE(who_awaited_runs_next_when_the_awaited_ends)
{
    memset(order, 0, sizeof order);
    ordered = 0;
    cosched_event_init(&go);
    cosched_task p = run_spawn(parent_awaits, (void *)'p', COSCHED_MAIN);
    cosched_yield();
    cosched_yield(); /* both wait */
    EXPECT_EQ(ordered, 0);
    cosched_task x = run_spawn(note, (void *)'x', COSCHED_MAIN);
    cosched_event_set(&go);
    cosched_task y = run_spawn(note, (void *)'y', COSCHED_MAIN);
    cosched_yield();
    EXPECT(strcmp(order, "xcpy") == 0);
    EXPECT_EQ(run_join(p) + run_join(x) + run_join(y), 0);
}

PROMISE(a_child_that_has_not_begun_runs_inside_its_awaiter)
{
    cosched_stats before = run_stats();
    for (intptr_t i = 0; i < 1000; i++) {
        cos_exec_current()->budget = COS_EXEC_BUDGET; /* a spent one would let MAIN poll first */
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)i, COSCHED_MAIN)), i);
    }
    cosched_stats after = run_stats();
    EXPECT_EQ(after.main_slices, before.main_slices);
    EXPECT_EQ(after.switches, before.switches);
    EXPECT_EQ(after.spawned, before.spawned + 1000);
    EXPECT_EQ(after.stacks_in_use, before.stacks_in_use);
}

/* --- tails ------------------------------------------------------------------------------------------------- */

struct tail {
    int64_t left, done;
    uintptr_t lowest, highest;
};

static int64_t tail_step(void *arg)
{
    struct tail *s = arg;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    s->lowest = here < s->lowest ? here : s->lowest;
    s->highest = here > s->highest ? here : s->highest;
    s->done++;
    return --s->left > 0 ? cosched_tail(tail_step, s) : 1234;
}

PROMISE(a_hundred_million_tails_inside_one_stack)
{
    int64_t n = promise_size(RUN_SIZE(1000000, 200000, 50000), 100000000);
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        struct tail s = {.left = n, .lowest = UINTPTR_MAX};
        EXPECT_EQ(run_join(run_spawn(tail_step, &s, (cosched_affinity)place)), 1234);
        EXPECT_EQ(s.done, n);
        EXPECT(s.highest - s.lowest < 1024); /* the first is called from elsewhere */
    }
    EXPECT_EQ(run_stats().calls_stack_grown, 0);
    EXPECT(run_stats().stacks_in_use <= 2);
}

/* --- the other side ---------------------------------------------------------------------------------------- */

static atomic_bool passed;
static pthread_t left_thread;

static int64_t passes_by(void *arg)
{
    EXPECT(pthread_equal(run_thread(), left_thread));
    passed = true;
    return run_return(arg);
}

static int64_t until_passed(void *arg)
{
    UNTIL(passed);
    return run_return(arg);
}

PROMISE(the_thread_that_a_call_leaves_goes_on_with_its_next_task)
{
    for (intptr_t i = 0; i < 50; i++) {
        int64_t result = 0;
        passed = false;
        left_thread = run_thread();
        cosched_task t = run_spawn(passes_by, (void *)i, COSCHED_MAIN);
        EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, until_passed, (void *)i, COSCHED_NEVER), 0);
        EXPECT(passed); /* MAIN ran it while this task was away */
        EXPECT_EQ(result, i);
        EXPECT_EQ(run_join(t), i);
    }
}

static int64_t leaves_the_worker(void *arg)
{
    int64_t result = 0;
    passed = false;
    left_thread = run_thread();
    cosched_task t = run_spawn(passes_by, arg, COSCHED_WORKER);
    EXPECT_EQ(cosched_call(&result, COSCHED_MAIN, until_passed, arg, COSCHED_NEVER), 0);
    EXPECT(passed);
    EXPECT_EQ(run_join(t), result);
    return result;
}

/* With one worker that is not blocked, nobody else can have run it. */
PROMISE(the_worker_that_a_call_leaves_goes_on_with_its_next_task)
{
    struct promise_hogs hogs;
    promise_hogs_begin(&hogs, 1);
    for (intptr_t i = 0; i < 50; i++) {
        EXPECT_EQ(run_join(run_spawn(leaves_the_worker, (void *)i, COSCHED_WORKER)), i);
    }
    promise_hogs_end(&hogs);
}

static atomic_int ran;

static int64_t counts(void *arg)
{
    atomic_fetch_add(&ran, 1);
    return run_return(arg);
}

/* Answers how the way there ended; fn must not have run and the task be where it was. */
static int64_t tries_to_go(void *arg)
{
    cosched_affinity here = cosched_where();
    int64_t result = 55;
    int rc = cosched_call(&result, here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN, counts,
                          NULL, *(int64_t *)arg);
    EXPECT_EQ(result, 55);
    EXPECT_EQ(cosched_where(), here);
    return rc;
}

/* Without workers there is no way that could be taken back: it is a change of name. */
static bool goes_by_name_only(void)
{
    int64_t result = 0;
    if (run_stats().workers > 0) {
        return false;
    }
    EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, run_return, (void *)6, COSCHED_NOW), 0);
    EXPECT_EQ(result, 6);
    return true;
}

PROMISE(a_hop_that_has_not_begun_is_taken_back_by_a_cancel)
{
    struct promise_hogs hogs;
    int64_t never = COSCHED_NEVER;
    if (goes_by_name_only()) {
        return;
    }
    ran = 0;
    promise_hogs_begin(&hogs, 0);
    for (int before = 0; before < 2; before++) {
        cosched_task t = run_spawn(tries_to_go, &never, COSCHED_MAIN);
        if (!before) {
            cosched_yield(); /* now it is under way */
        }
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
    promise_hogs_end(&hogs);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, counts, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(ran, 1); /* what was taken back is passed over */
}

PROMISE(a_hop_that_has_not_begun_is_taken_back_by_its_deadline)
{
    struct promise_hogs hogs;
    int64_t soon, past = 1;
    if (goes_by_name_only()) {
        return;
    }
    ran = 0;
    promise_hogs_begin(&hogs, 0);
    soon = cosched_in_ms(2);
    EXPECT_EQ(tries_to_go(&soon), -ETIMEDOUT);
    EXPECT(cosched_now() >= soon);
    EXPECT_EQ(tries_to_go(&past), -ETIMEDOUT);
    promise_hogs_end(&hogs);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, counts, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(ran, 1);
}

/* MAIN is this thread, and keeps away from its inbox until both have given up. */
PROMISE(a_hop_to_a_busy_main_is_taken_back_by_both)
{
    if (run_stats().workers == 0) {
        return; /* MAIN cannot be busy and let tasks run */
    }
    int64_t soon = cosched_in_ms(1), never = COSCHED_NEVER;
    uint64_t had = run_stats().completed;
    ran = 0;
    cosched_task late = run_spawn(tries_to_go, &soon, COSCHED_WORKER);
    cosched_task t = run_spawn(tries_to_go, &never, COSCHED_WORKER);
    UNTIL_SPIN(run_stats().completed > had);
    cosched_cancel(t);
    UNTIL_SPIN(run_stats().completed > had + 1);
    EXPECT_EQ(run_join(late), -ETIMEDOUT);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(ran, 0);
}

PROMISE_MAIN("promise_transfer", ALL(who_awaited_runs_next_when_the_awaited_ends),
             ALL(a_child_that_has_not_begun_runs_inside_its_awaiter),
             ALL(a_hundred_million_tails_inside_one_stack),
             ALL(the_thread_that_a_call_leaves_goes_on_with_its_next_task),
             ALL(the_worker_that_a_call_leaves_goes_on_with_its_next_task),
             ALL(a_hop_that_has_not_begun_is_taken_back_by_a_cancel),
             ALL(a_hop_that_has_not_begun_is_taken_back_by_its_deadline),
             ALL(a_hop_to_a_busy_main_is_taken_back_by_both))
