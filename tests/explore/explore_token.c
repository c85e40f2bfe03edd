/* Every schedule of a token (sync/later.c), with a record and without: its timer, the executor that runs it, and those who cancel
 * it, some of them with a handle that is out of date. It runs, or one cancel says that it will not; nobody touches the record
 * once it is gone; a cancel never reaches the next task that gets the block; a runtime that stops leaves none asleep. */
#include "model.h"
#include "sched/spawn.h"
#include "sync/later.h"
#include "sync/repeat.h"

enum { EXECUTOR };

static cosched_token token;
static struct cos_task *task, *next;
static unsigned runs, stopped;

/* --- the bodies of repeat.c: a run is one event here ------------------------------------------------------------ */

int cos_repeat_init(struct cos_repeat *r, cosched_fn fn, const void *arg, const cosched_attr *attr)
{
    (void)attr;
    r->fn = fn;
    r->arg = (void *)(uintptr_t)arg;
    return 0;
}

cosched_attr cos_repeat_host(const struct cos_repeat *r)
{
    (void)r;
    return (cosched_attr){.struct_size = sizeof(cosched_attr), .affinity = COSCHED_WORKER};
}

int cos_repeat_run(struct cos_repeat *r, int64_t *result)
{
    *result = r->fn(r->arg);
    return 0;
}

static int64_t body(void *arg)
{
    (void)arg;
    EX_CHECK(stopped == 0); /* the promise of a cancel that said so */
    runs++;
    return 0;
}

/* --- programs -------------------------------------------------------------------------------------------------- */

enum kind { RUN, RECORD, INTERVAL };

static void setup_unarmed(void)
{
    model_setup();
    model_exec[EXECUTOR].kind = COS_EXEC_WORKER;
    (void)model_task_on(EXECUTOR, 1, COSCHED_WORKER); /* who arms it */
    cos_task_at(2)->link = 0;
    model_exec[EXECUTOR].tasks = (struct cos_task_cache){2, 1};
    runs = stopped = 0;
    next = NULL;
    task = cos_task_at(2);
}

static void arm(int64_t delay_ns, enum kind kind)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_WORKER};
    attr.arg_size = kind == RECORD ? 1 : 0; /* the stub below keeps the pointer */
    int rc = kind == INTERVAL ? cosched_every(&token, 1000, COSCHED_SKIP, body, NULL, NULL)
                              : cosched_after(&token, delay_ns, body, NULL, &attr);
    if (rc < 0) {
        ex_fail("setup");
    }
    model_exec[EXECUTOR].running = NULL;
}

static void setup_armed(int64_t delay_ns, enum kind kind)
{
    setup_unarmed();
    model_act_as(EXECUTOR);
    arm(delay_ns, kind);
    model_act_as(EX_THREADS_MAX);
    ex_name(&task->join, "join");
    ex_name(&task->wait.word, "wait");
    ex_name(&task->scope.flags, "flags");
    ex_name(&task->scope.lock.word, "lock");
    ex_name(&task->scope.ticket, "ticket");
}

static void setup_after(void)
{
    setup_armed(1, RUN);
}

static void setup_now(void)
{
    setup_armed(0, RUN);
}

static void setup_record_after(void)
{
    setup_armed(1, RECORD);
}

static void setup_record_now(void)
{
    setup_armed(0, RECORD);
}

static void setup_every(void)
{
    setup_armed(0, INTERVAL);
}

static void armer(void)
{
    arm(1, RUN);
}

static void stopper(void)
{
    cos_scope_cancel(&model_rt.root, 0);
    cos_timers_cancel(&model_exec[EXECUTOR].timers);
}

static void executor(void)
{
    model_run(model_take());
}

/* The block goes to the next task at once. */
static void executor_twice(void)
{
    executor();
    next = cos_task_alloc(&cos_exec_current()->tasks);
    EX_CHECK(next == task);
    cos_scope_init(&next->scope, &model_rt.root, 0);
}

static void timer(void)
{
    (void)cos_timers_fire(&model_exec[EXECUTOR].timers, MODEL_NOW + 2 * COS_WHEEL_TICK_NS);
}

static void cancel_token(void)
{
    stopped += cosched_token_cancel(&token);
}

static void cancel_task(void)
{
    cosched_cancel((cosched_task){token.index, token.generation});
}

static void check_once(void)
{
    EX_CHECK(runs + stopped == 1);
    EX_CHECK(model_roots == 0 && !task->timer.armed);
    EX_CHECK(cos_join_generation(task->join) == 8);
}

static void check_reused(void)
{
    EX_CHECK(runs + stopped <= 1 && model_roots == 0);
    EX_CHECK(next != NULL && (next->scope.flags & COS_SCOPE_CANCELED) == 0);
}

/* No timer comes. */
static void check_stopped(void)
{
    EX_CHECK(runs == 0 && model_roots == 0 && !task->timer.armed);
}

static void check_every(void)
{
    EX_CHECK(stopped == 1 && model_roots == 0);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"token, two cancels, timer",
         4,
         setup_after,
         {executor, timer, cancel_token, cancel_token},
         NULL,
         check_once,
         1,
         1},
        {"token, started, two cancels",
         3,
         setup_now,
         {executor, cancel_token, cancel_token},
         NULL,
         check_once,
         2,
         1},
        {"token, block reused", 2, setup_now, {executor_twice, cancel_token}, NULL, check_reused, 3, 2},
        {"cancel, block reused", 2, setup_now, {executor_twice, cancel_task}, NULL, check_reused, 3, 2},
        {"token, armed and stopped",
         3,
         setup_unarmed,
         {armer, stopper, executor},
         NULL,
         check_stopped,
         1,
         1},
        {"record, two cancels, timer",
         4,
         setup_record_after,
         {executor, timer, cancel_token, cancel_token},
         NULL,
         check_once,
         1,
         1},
        {"record, started, two cancels",
         3,
         setup_record_now,
         {executor, cancel_token, cancel_token},
         NULL,
         check_once,
         2,
         1},
        {"record, block reused",
         2,
         setup_record_now,
         {executor_twice, cancel_token},
         NULL,
         check_reused,
         3,
         2},
        {"interval, two cancels",
         3,
         setup_every,
         {executor, cancel_token, cancel_token},
         NULL,
         check_every,
         1,
         1},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
