/* What the hot paths do not do, looked at instruction by instruction while they run (support/step.h): locked operations. */
#include "arch/fence.h"
#include "run.h"
#include "sched/exec.h"
#include "step.h"

#if defined(__x86_64__) && !COS_SANITIZED
static unsigned seen, locked;

/* A lock prefix, or an exchange with memory, which locks without being asked. */
static bool look(void)
{
    const unsigned char *p = step.next;
    bool prefix = false;
    for (; *p == 0x66 || *p == 0xf2 || *p == 0xf3 || *p == 0x64 || *p == 0x2e || *p == 0x3e ||
           *p == 0xf0;
         p++) {
        prefix = prefix || *p == 0xf0;
    }
    p += (*p & 0xf0) == 0x40 ? 1 : 0; /* REX */
    bool exchange = (*p == 0x86 || *p == 0x87) && p[1] >> 6 != 3;
    seen++;
    locked += prefix || exchange ? 1 : 0;
    return false; /* nothing else runs in between */
}

static void nothing(void)
{
}

static unsigned locked_in(void (*one)(void))
{
    one(); /* whatever comes once: blocks, room in the line, a scope that is linked */
    seen = locked = 0;
    step_run(one, nothing, look, 1);
    return locked;
}

static int64_t body(void *arg)
{
    return (int64_t)(intptr_t)arg;
}

static void spawn_await(void)
{
    cosched_task t;
    (void)cosched_spawn(&t, body, NULL, NULL);
    (void)cosched_await(&t, NULL, COSCHED_NEVER);
}

static void call(void)
{
    (void)cosched_call(NULL, COSCHED_INHERIT, body, NULL, COSCHED_NEVER);
}

static void fork_join(void)
{
    cosched_branch b[2] = {{.fn = body}, {.fn = body}};
    (void)cosched_invoke(b, 2);
}

static COS_ATOMIC(uint32_t) word;

static void two_locked(void)
{
    (void)cos_atomic_add(&word, 1, seq_cst);
    (void)cos_atomic_exchange(&word, 1, seq_cst);
}

/* The tasks are MAIN's: the trap is a signal, and workers take none. */
SCENARIO(the_common_spawn_await_call_and_fork_lock_nothing)
{
    if (!step_works() || !cos_fence_asymmetric) {
        return; /* under Valgrind; or a kernel without membarrier, whose fences are locked operations */
    }
    EXPECT_EQ(locked_in(two_locked), 2);
    cos_exec_current()->budget = COS_EXEC_BUDGET; /* a spent one would let others in first */
    EXPECT_EQ(locked_in(spawn_await), 0);
    EXPECT(seen > 50);
    EXPECT_EQ(locked_in(call), 0);
    EXPECT(seen > 10);
    EXPECT_EQ(locked_in(fork_join), 0);
    EXPECT(seen > 50);
}
#else
SCENARIO(the_common_spawn_await_call_and_fork_lock_nothing)
{
}
#endif

RUN_MAIN("locked", EACH(the_common_spawn_await_call_and_fork_lock_nothing))
