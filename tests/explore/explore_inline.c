/* Every schedule of a child that runs inline in its parent's await (sync/await.c) against a stranger with a copy of its handle: the
 * parent looks for strangers once, before the body, by an asymmetric fence. One of the two has the result; a cancel reaches
 * this task or nobody, never the next one in its block. */
#include <errno.h>
#include <stddef.h>

#include "model.h"
#include "sched/finish.h"
#include "sched/join.h"

enum { PARENT, STRANGER };

static struct cos_task *parent, *stranger, *kid;
static cosched_task handle;
static int result; /* plain: what the body leaves to whoever takes its result */
static int rc_parent, rc_stranger;
static unsigned runs, taken;
static struct cos_task *next;

static int64_t body(void *arg)
{
    (void)arg;
    runs++;
    ex_data_write(&result);
    return 42;
}

static void setup(void)
{
    model_setup();
    parent = model_task_on(PARENT, 1, COSCHED_MAIN);
    stranger = model_task_on(STRANGER, 2, COSCHED_WORKER);
    model_act_as(PARENT);
    if (cos_deque_init(&model_exec[PARENT].deque, 2) < 0 ||
        cos_deque_init(&model_exec[STRANGER].deque, 2) < 0) {
        ex_fail("setup");
    }
    kid = cos_task_at(3);
    kid->kind = COS_TASK_BODY;
    kid->fn = body;
    kid->affinity = COSCHED_MAIN;
    cos_scope_init(&kid->scope, &parent->scope, 0);
    cos_kids_add(parent, kid);
    (void)cos_deque_push_owner(&model_exec[PARENT].deque, kid->index);
    model_act_as(EX_THREADS_MAX);
    handle = model_handle(kid);
    rc_parent = rc_stranger = 1;
    runs = taken = 0;
    next = NULL;
    ex_name(&kid->join, "join");
    ex_name(&kid->scope.flags, "flags");
    ex_name(&kid->scope.lock.word, "lock");
    ex_name(&kid->joining, "joining");
    ex_name(&stranger->wait.word, "stranger's wait");
}

static void took(int64_t value)
{
    EX_CHECK(value == 42);
    ex_data_read(&result);
    taken++;
}

static void parent_awaits(void)
{
    cosched_task mine = handle;
    int64_t value = 0;
    rc_parent = cosched_await(&mine, &value, COSCHED_NEVER);
    if (rc_parent == 0) {
        took(value);
    }
    /* What was not claimed back is run by the executor. */
    uint32_t index = cos_deque_take_top_owner(&model_exec[PARENT].deque);
    if (index != 0) {
        model_run(cos_task_at(index));
    }
}

/* The block goes to the next task at once. */
static void parent_awaits_and_spawns(void)
{
    parent_awaits();
    next = cos_task_alloc(&cos_exec_current()->tasks);
    EX_CHECK(next == kid);
    cos_scope_init(&next->scope, &model_rt.root, 0);
}

static void stranger_awaits(void)
{
    cosched_task copy = handle;
    int64_t value = 0;
    rc_stranger = cosched_await(&copy, &value, COSCHED_NEVER);
    if (rc_stranger == 0) {
        took(value);
    }
}

static void stranger_cancels(void)
{
    cosched_cancel(handle);
}

static void stranger_detaches(void)
{
    cosched_task copy = handle;
    cosched_detach(&copy);
}

static bool refused(int rc)
{
    return rc == -EBUSY || rc == -ESTALE;
}

static void check_one(void)
{
    EX_CHECK(runs == 1 && taken == 1);
    EX_CHECK((rc_parent == 0 && refused(rc_stranger)) || (rc_stranger == 0 && refused(rc_parent)));
    EX_CHECK(cos_join_generation(kid->join) == 8);
}

static void check_reused(void)
{
    EX_CHECK(runs == 1 && taken == 1 && next != NULL);
    EX_CHECK((next->scope.flags & COS_SCOPE_CANCELED) == 0);
}

static void check_detached(void)
{
    EX_CHECK(runs == 1 && (rc_parent == 0 || refused(rc_parent)));
    EX_CHECK(model_roots == 0 && cos_join_generation(kid->join) == 8);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"inline, another awaits", 2, setup, {parent_awaits, stranger_awaits}, NULL, check_one, 3, 2},
        {"inline, cancel, block reused",
         2,
         setup,
         {parent_awaits_and_spawns, stranger_cancels},
         NULL,
         check_reused,
         3,
         2},
        {"inline, another detaches",
         2,
         setup,
         {parent_awaits, stranger_detaches},
         NULL,
         check_detached,
         3,
         2},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
