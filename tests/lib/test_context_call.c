/* Calls onto a second stack, and back traces across the seam. Every test owns its stacks; threads are joined before the test
 * ends; nothing depends on time. */
#include <execinfo.h>
#include <pthread.h>

#include "suite.h"
#include "test_context.h"

/* ---- calls onto a second stack ---- */

struct nest {
    struct cos_context *context;
    struct cos_context **back; /* NULL: never suspend */
    struct cos_stack *stacks;  /* ends with a zeroed one */
    int depth;
};

static COS_SWITCHES int64_t nest_in(void *arg)
{
    struct nest *nest = arg;
    int level = nest->depth++;
    volatile char frame[256]; /* something that must be here still afterwards */
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (char)(level + (int)i);
    }
    int64_t below = 0;
    if (nest->stacks[level].lo != NULL) {
        below = cos_context_call(nest->context, nest->stacks[level].lo, nest->stacks[level].hi,
                                 nest_in, nest);
    }
    if (nest->back != NULL) {
        (void)cos_context_switch(nest->context, *nest->back, NULL);
    }
    for (size_t i = 0; i < sizeof frame; i++) {
        if (frame[i] != (char)(level + (int)i)) {
            return -1;
        }
    }
    return below < 0 ? below : below + level;
}

#define NEST_DEPTH 1000

static struct cos_stack *get_stacks(int n)
{
    struct cos_stack *stacks = calloc((size_t)n + 1, sizeof *stacks);
    ck_assert_ptr_nonnull(stacks);
    for (int i = 0; i < n; i++) {
        stacks[i] = get_stack(16384);
    }
    return stacks;
}

static void put_stacks(struct cos_stack *stacks, int n)
{
    for (int i = 0; i < n; i++) {
        cos_stack_put(&cache, &stacks[i]);
    }
    free(stacks);
}

START_TEST(call_nests_a_thousand_stacks)
{
    struct cos_context self;
    cos_context_init_thread(&self);
    struct nest nest = {.context = &self, .stacks = get_stacks(NEST_DEPTH)};
    ck_assert_int_eq(nest_in(&nest), (int64_t)NEST_DEPTH * (NEST_DEPTH + 1) / 2);
    ck_assert_int_eq(nest.depth, NEST_DEPTH + 1);
    put_stacks(nest.stacks, NEST_DEPTH);
    cos_context_fini(&self);
}

END_TEST

static COS_SWITCHES void travel_nested(void *message)
{
    struct traveller *traveller = message;
    traveller->steps = nest_in(traveller->nest);
    cos_context_switch_final(&traveller->fiber, traveller->back, traveller);
}

START_TEST(call_is_resumed_and_returns_on_another_thread)
{
    struct cos_stack stack = get_stack(65536);
    for (int threads = 2; threads <= 3; threads++) {
        struct traveller traveller = {0};
        struct nest nest = {
            .context = &traveller.fiber, .back = &traveller.back, .stacks = get_stacks(NEST_DEPTH)};
        traveller.nest = &nest;
        cos_context_make(&traveller.fiber, stack.lo, stack.hi, travel_nested);
        run_riders(&traveller, threads);
        ck_assert_int_eq(nest.depth, NEST_DEPTH + 1);
        ck_assert_int_eq(traveller.steps, (int64_t)NEST_DEPTH * (NEST_DEPTH + 1) / 2);
        put_stacks(nest.stacks, NEST_DEPTH);
        cos_context_fini(&traveller.fiber);
    }
    cos_stack_put(&cache, &stack);
}

END_TEST

/* ---- back traces ---- */

#define FRAMES_MAX 64

struct trace {
    struct cos_context *context;
    struct cos_stack stack;
    void *callers[3]; /* return addresses that must all appear, innermost first */
    void *frames[FRAMES_MAX];
    int count;
};

static COS_SWITCHES int64_t take_trace(void *arg)
{
    struct trace *trace = arg;
    trace->callers[0] = __builtin_return_address(0);
    trace->count = backtrace(trace->frames, FRAMES_MAX);
    return trace->count;
}

static COS_SWITCHES int64_t call_over(struct trace *trace)
{
    trace->callers[1] = __builtin_return_address(0);
    int64_t result =
        cos_context_call(trace->context, trace->stack.lo, trace->stack.hi, take_trace, trace);
    return result + 1;
}

static COS_SWITCHES int64_t call_call_over(struct trace *trace)
{
    trace->callers[2] = __builtin_return_address(0);
    return call_over(trace) + 1;
}

static void check_trace(const struct trace *trace)
{
    int at = 0;
    for (int caller = 0; caller < 3; caller++) {
        while (at < trace->count && trace->frames[at] != trace->callers[caller]) {
            at++;
        }
        ck_assert_msg(at < trace->count, "caller %d is missing", caller);
    }
}

struct traced_fiber {
    struct cos_context home;
    struct cos_context fiber;
    struct trace trace;
};

static COS_SWITCHES void trace_from_entry(void *message)
{
    struct traced_fiber *traced = message;
    (void)call_call_over(&traced->trace);
    cos_context_switch_final(&traced->fiber, &traced->home, NULL);
}

START_TEST(backtrace_crosses_the_seam_and_ends_at_the_entry)
{
    struct cos_context self;
    cos_context_init_thread(&self);
    struct trace direct = {.context = &self, .stack = get_stack(65536)};
    ck_assert_int_gt(call_call_over(&direct), 3);
    check_trace(&direct);
    ck_assert_int_lt(direct.count, FRAMES_MAX);

    struct cos_stack stack = get_stack(65536);
    struct traced_fiber traced = {.trace = {.stack = direct.stack}};
    traced.trace.context = &traced.fiber;
    cos_context_init_thread(&traced.home);
    cos_context_make(&traced.fiber, stack.lo, stack.hi, trace_from_entry);
    (void)cos_context_switch(&traced.home, &traced.fiber, &traced);
    check_trace(&traced.trace);
    /* take_trace, [announced,] call, context_call, over, call_over, entry, trampoline: and nothing beyond */
    ck_assert_int_le(traced.trace.count, 12);
    cos_context_fini(&traced.fiber);
    cos_stack_put(&cache, &stack);
    cos_stack_put(&cache, &direct.stack);
}

END_TEST

SUITE_MAIN_WITH("context_call", setup, teardown, call_nests_a_thousand_stacks,
                call_is_resumed_and_returns_on_another_thread,
                backtrace_crosses_the_seam_and_ends_at_the_entry)
