/* longjmp inside a task and across frames of cosched, and a pthread mutex that is held over a suspension: what works, and what is
 * found. */
#include <setjmp.h>

#include "dies.h"
#include "run.h"

/* --- longjmp within the frames of one body ----------------------------------------------------------------------- */

static __attribute__((noinline)) int deep(jmp_buf *env, int levels)
{
    volatile char frame[64];
    frame[levels % 64] = 1;
    if (levels == 0) {
        longjmp(*env, 7);
    }
    return levels < 0 ? 0 : deep(env, levels - 1) + frame[levels % 64];
}

static void suspend(int i)
{
    switch (i % 4) {
    case 0: cosched_hop(COSCHED_WORKER); break;
    case 1: cosched_yield(); break;
    case 2: cosched_hop(COSCHED_MAIN); break;
    default: EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1)), 0); break;
    }
}

/* Back to a frame that was entered before the suspensions, maybe on another thread. */
static int64_t jumps(void *arg)
{
    volatile int count = 0;
    for (volatile int i = 0; i < 100; i++) {
        jmp_buf env;
        volatile int step = i + (int)(intptr_t)arg;
        if (setjmp(env) == 0) {
            suspend(step);
            suspend(step + 1);
            deep(&env, 20);
            EXPECT(false);
        } else {
            count = count + 1;
        }
        suspend(step + 2);
    }
    return count;
}

SCENARIO(a_jump_within_a_body_crosses_suspensions_and_threads)
{
    cosched_task t[8];
    for (intptr_t i = 0; i < 8; i++) {
        t[i] = run_spawn(jumps, (void *)i, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(run_join(t[i]), 100);
    }
}

/* On a stack that was grown, too. */
static int64_t call_deeper(void *arg)
{
    int64_t result = 0;
    intptr_t levels = (intptr_t)arg;
    volatile char frame[1024];
    frame[levels] = 0;
    if (levels == 0) {
        return jumps(arg);
    }
    EXPECT_EQ(
        cosched_call(&result, COSCHED_INHERIT, call_deeper, (void *)(levels - 1), COSCHED_NEVER), 0);
    return result + frame[levels];
}

SCENARIO(a_jump_on_a_grown_stack)
{
    EXPECT_EQ(run_join(run_spawn(call_deeper, (void *)200, COSCHED_WORKER)), 100);
    EXPECT(run_stats().calls_stack_grown > 0);
}

/* --- across a frame of cosched ------------------------------------------------------------------------------------ */

static int64_t jumps_out(void *arg)
{
    longjmp(*(jmp_buf *)arg, 1);
}

static int64_t jumped_over(void *arg)
{
    jmp_buf env;
    (void)arg;
    if (setjmp(env) == 0) {
        cosched_call(NULL, COSCHED_INHERIT, jumps_out, &env, COSCHED_NEVER);
    }
    return 0;
}

static int64_t run_jumped_over(void *arg)
{
    (void)arg;
    cosched_config config = {.struct_size = sizeof config, .workers = 0};
    return cosched_run(&config, jumped_over, NULL);
}

START_TEST(a_jump_out_of_a_call_is_found_at_the_end_of_the_task)
{
    EXPECT(dies_saying(run_jumped_over, NULL, "longjmp or an exception passed a frame of cosched"));
}

END_TEST

/* --- pthread mutexes ------------------------------------------------------------------------------------------------- */

static pthread_mutex_t thread_lock;

static int64_t lock_here(void *arg)
{
    (void)arg;
    return pthread_mutex_lock(&thread_lock);
}

static int64_t unlock_here(void *arg)
{
    (void)arg;
    return pthread_mutex_unlock(&thread_lock);
}

static void init_checking(void)
{
    pthread_mutexattr_t attr;
    EXPECT_EQ(pthread_mutexattr_init(&attr), 0);
    EXPECT_EQ(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK), 0);
    EXPECT_EQ(pthread_mutex_init(&thread_lock, &attr), 0);
    EXPECT_EQ(pthread_mutexattr_destroy(&attr), 0);
}

/* The thread owns it, not the task: what is wrong with that can be seen by a mutex that checks. */
SCENARIO(a_pthread_mutex_belongs_to_the_thread)
{
    init_checking();
    EXPECT_EQ(lock_here(NULL), 0);
    /* Another task of this thread meets its own thread's lock; with a plain mutex that is a deadlock. */
    EXPECT_EQ(run_join(run_spawn(lock_here, NULL, COSCHED_MAIN)), EDEADLK);
    if (!RUN_TSAN) { /* which takes a task for a thread, and reports an unlock that was refused */
        cosched_hop(COSCHED_WORKER);
        bool same = run_stats().workers == 0;
        EXPECT_EQ(unlock_here(NULL), same ? 0 : EPERM);
        cosched_hop(COSCHED_MAIN);
        EXPECT_EQ(unlock_here(NULL), same ? EPERM : 0);
    } else {
        EXPECT_EQ(unlock_here(NULL), 0);
    }
    EXPECT_EQ(pthread_mutex_destroy(&thread_lock), 0);
}

RUN_MAIN("jumps", EACH(a_jump_within_a_body_crosses_suspensions_and_threads),
         EACH(a_jump_on_a_grown_stack), ONCE(a_jump_out_of_a_call_is_found_at_the_end_of_the_task),
         EACH(a_pthread_mutex_belongs_to_the_thread))
