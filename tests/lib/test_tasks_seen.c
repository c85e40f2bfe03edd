/* cosched_tasks_each: each kind of wait with what it is for; every task of many; alike ones as one. */
#include <signal.h>

#include "emulated.h"
#include "test_tasks.h"
#include "test_waits.h"

/* --- one task for each way of waiting -------------------------------------------------------------------------------- */

static cosched_event leave;
static cosched_process *process;

static int64_t joins(void *arg)
{
    (void)arg;
    cosched_task t = start_named("joined", sleeps, NULL, COSCHED_WORKER);
    return cosched_await(&t, NULL, cosched_in_ms(1000000));
}

static int64_t stays(void *arg)
{
    (void)arg;
    cosched_scope shield;
    EXPECT_EQ(cosched_scope_begin(&shield, cosched_in_ms(1000000), COSCHED_SHIELD), 0);
    cosched_event_wait_always(&leave);
    cosched_scope_end(&shield);
    return 0;
}

static int64_t leaves_a_child(void *arg)
{
    (void)arg;
    (void)start_named("left", stays, NULL, COSCHED_WORKER);
    return 0;
}

static int64_t selects(void *arg)
{
    (void)arg;
    int64_t value;
    cosched_case c[3] = {
        {.ch = empty, .recv_into = &value}, {.ch = NULL}, {.ch = full, .send_from = &value}};
    atomic_store(&cases, (uintptr_t)c);
    return cosched_select(c, 3, COSCHED_NEVER);
}

static int64_t waits_for_process(void *arg)
{
    (void)arg;
    int status;
    return cosched_process_wait(process, &status, COSCHED_NEVER);
}

static int64_t joins_group(void *arg)
{
    (void)arg;
    cosched_group g;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "in group"};
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_spawn(&g, sleeps, NULL, &attr), 0);
    atomic_store(&group, (uintptr_t)&g);
    return cosched_group_join(&g, COSCHED_NEVER);
}

static const struct expected {
    const char *name;
    cosched_fn fn;
    cosched_reason reason;
    const void *object;               /* or */
    const _Atomic(uint64_t) *written; /* where the task leaves it */
    const char *for_task;             /* by name */
} expected[] = {
    {"sleep", sleeps, COSCHED_FOR_TIME, NULL, NULL, NULL},
    {"join", joins, COSCHED_FOR_TASK, NULL, NULL, "joined"},
    {"any", waits_for_any, COSCHED_FOR_ANY_TASK, NULL, &any_tasks, NULL},
    {"children", leaves_a_child, COSCHED_FOR_CHILDREN, NULL, NULL, "left"},
    {"mutex", locks, COSCHED_FOR_MUTEX, &mutex, NULL, "main"},
    {"cond", waits_cond, COSCHED_FOR_COND, &cond, NULL, NULL},
    {"sem", acquires, COSCHED_FOR_SEM, &sem, NULL, NULL},
    {"read", reads, COSCHED_FOR_READ_LOCK, &read_lock, NULL, "main"},
    {"write", writes, COSCHED_FOR_WRITE_LOCK, &write_lock, NULL, NULL},
    {"barrier", meets, COSCHED_FOR_BARRIER, &barrier, NULL, NULL},
    {"once", waits_once, COSCHED_FOR_ONCE, &once, NULL, "runner"},
    {"wait group", waits_group, COSCHED_FOR_WAIT_GROUP, &wait_group, NULL, NULL},
    {"send", sends, COSCHED_FOR_SEND, NULL, NULL, NULL},
    {"recv", receives, COSCHED_FOR_RECV, NULL, NULL, NULL},
    {"select", selects, COSCHED_FOR_SELECT, NULL, &cases, NULL},
    {"event", waits_event, COSCHED_FOR_EVENT, &event, NULL, NULL},
    {"poll", polls, COSCHED_FOR_IO, NULL, NULL, NULL},
    {"process", waits_for_process, COSCHED_FOR_PROCESS, NULL, NULL, NULL},
    {"blocking", blocks, COSCHED_FOR_BLOCKING, NULL, NULL, NULL},
    {"group", joins_group, COSCHED_FOR_GROUP, NULL, &group, NULL},
    {"busy", spins, COSCHED_FOR_NOTHING, NULL, NULL, NULL},
};

enum { KINDS = sizeof expected / sizeof expected[0] };

static uint64_t object_of(const struct expected *want)
{
    switch ((int)want->reason) {
    case COSCHED_FOR_SEND: return (uintptr_t)full;
    case COSCHED_FOR_RECV: return (uintptr_t)empty;
    case COSCHED_FOR_IO: return (uint64_t)ends[0];
    case COSCHED_FOR_PROCESS: return (uint64_t)cosched_process_pid(process);
    case COSCHED_FOR_BLOCKING: return (uintptr_t)stuck_call;
    case COSCHED_FOR_TASK:
    case COSCHED_FOR_CHILDREN: {
        cosched_task t = seen_named(want->for_task)->task;
        return (uint64_t)t.index << 32 | t.generation;
    }
    default: return want->object != NULL ? (uintptr_t)want->object : atomic_load(want->written);
    }
}

static void check(const struct expected *want, const cosched_task_info *info)
{
    EXPECT(info->fn == want->fn && !info->canceled && info->above_count == 1);
    EXPECT(same_task(info->above[0], cosched_self()));
    if (want->reason == COSCHED_FOR_CHILDREN) {
        EXPECT_EQ(info->call_count, 0); /* its body has returned */
    } else {
        EXPECT(info->call_count == 1 && info->calls[0].fn == want->fn);
        EXPECT(same_task(info->calls[0].task, info->task));
    }
    EXPECT(info->stack_used > 0 && info->stack_used < info->stack_size);
    EXPECT(info->since_ns > 0 && info->since_ns <= cosched_now());
    EXPECT(info->frame_count > 0 || RUN_ASAN || want->reason == COSCHED_FOR_CHILDREN);
    EXPECT_EQ(info->deadline_ns == COSCHED_NEVER,
              want->reason != COSCHED_FOR_TIME && want->reason != COSCHED_FOR_TASK);
    EXPECT(want->reason == COSCHED_FOR_TIME || info->object == object_of(want));
    EXPECT_EQ(info->for_count, want->reason == COSCHED_FOR_SELECT     ? 3
                               : want->reason == COSCHED_FOR_ANY_TASK ? 2
                                                                      : 0);
    if (want->for_task == NULL) {
        EXPECT_EQ(info->for_task.index, 0);
    } else if (strcmp(want->for_task, "main") == 0) {
        EXPECT(same_task(info->for_task, cosched_self()));
    } else {
        EXPECT(same_task(info->for_task, seen_named(want->for_task)->task));
    }
}

static void begin(void)
{
    waits_fresh();
    cosched_event_init(&leave);
    waits_begin();
    static const char *const argv[] = {"sleep", "1000", NULL};
    cosched_process_attr how = {.struct_size = sizeof how, .file = "sleep", .argv = argv};
    EXPECT_EQ(cosched_process_spawn(&process, NULL, &how, COSCHED_NEVER), 0);
}

SCENARIO(every_wait_is_seen_with_what_it_is_for)
{
    begin();
    cosched_task runner = start_named("runner", waits_once, NULL, COSCHED_WORKER);
    (void)see_waiting("runner", COSCHED_FOR_TIME);
    cosched_task tasks[KINDS];
    for (int i = 0; i < KINDS; i++) {
        tasks[i] = start_named(expected[i].name, expected[i].fn, NULL,
                               i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN);
        if (expected[i].reason != COSCHED_FOR_NOTHING) {
            (void)see_waiting(expected[i].name, expected[i].reason);
        }
    }
    UNTIL(atomic_load(&blocked));
    see_all(0);
    for (int i = 0; i < KINDS; i++) {
        const cosched_task_info *info = seen_named(expected[i].name);
        EXPECT(same_task(info->task, tasks[i]));
        if (expected[i].reason != COSCHED_FOR_NOTHING) {
            check(&expected[i], info);
        } else {
            EXPECT(info->state == COSCHED_ACTIVE || info->state == COSCHED_UNSTARTED);
        }
    }
    const cosched_task_info *child = seen_named("in group");
    EXPECT(child->above_count == 2);
    EXPECT(same_task(child->above[0], seen_named("group")->task));
    atomic_store(&release_blocked, 1);
    cosched_event_set(&leave);
    for (int i = 0; i < KINDS; i++) {
        end_task(tasks[i]);
    }
    end_task(runner);
    EXPECT_EQ(cosched_process_kill(process, SIGKILL), 0);
    EXPECT_EQ(cosched_process_wait(process, NULL, COSCHED_NEVER), 0);
    cosched_process_close(process);
    cosched_mutex_unlock(&mutex);
    waits_end();
}

/* --- all of many ------------------------------------------------------------------------------------------------------------- */

enum { MANY = RUN_SIZE(COSCHED_EMULATED ? 10000 : 100000, 10000, 4000), ALIKE = 2000 };

static _Atomic(int) parked;
static unsigned char *told; /* by index */
static int64_t twice;

static int64_t parks(void *arg)
{
    (void)arg;
    atomic_fetch_add(&parked, 1);
    return cosched_sleep_until(COSCHED_NEVER);
}

static int count_one(void *data, const cosched_task_info *info)
{
    (void)data;
    twice += told[info->task.index];
    told[info->task.index] = 1;
    return 0;
}

static void spawn_many(cosched_task *t, int many)
{
    atomic_store(&parked, 0);
    for (int i = 0; i < many; i++) {
        t[i] = start_named("one of many", parks, NULL, i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    UNTIL(atomic_load(&parked) == many);
}

static void join_many(cosched_task *t, int many)
{
    for (int i = 0; i < many; i++) {
        cosched_cancel(t[i]);
    }
    for (int i = 0; i < many; i++) {
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    free(t);
}

SCENARIO(of_many_tasks_each_is_told_once)
{
    cosched_task *t = calloc(MANY, sizeof *t);
    told = calloc(cos_tasks_capacity(), 1);
    EXPECT(t != NULL && told != NULL);
    spawn_many(t, MANY);
    twice = 0;
    EXPECT_EQ(cosched_tasks_each(cosched_runtime_self(), NULL, count_one, NULL), MANY + 1);
    EXPECT_EQ(twice, 0);
    for (int i = 0; i < MANY; i++) {
        EXPECT_EQ(told[t[i].index], 1);
    }
    join_many(t, MANY);
    free(told);
}

static int64_t named_otherwise(void *arg)
{
    return parks(arg);
}

static bool is_of_many(void *data, const cosched_task_info *info)
{
    (void)data;
    return info->name != NULL && info->above_count > 0;
}

SCENARIO(those_that_are_alike_are_told_as_one)
{
    cosched_task *t = calloc(ALIKE, sizeof *t);
    EXPECT(t != NULL);
    spawn_many(t, ALIKE);
    cosched_task other = start_named("other", named_otherwise, NULL, COSCHED_WORKER);
    UNTIL(atomic_load(&parked) == ALIKE + 1);
    cosched_tasks_options options = {
        .struct_size = sizeof options, .flags = COSCHED_TASKS_FOLD, .want = is_of_many};
    int64_t kinds;
    do { /* one may not have left its stack yet */
        cosched_yield();
        all_seen.count = 0;
        kinds = cosched_tasks_each(cosched_runtime_self(), &options, see, &all_seen);
    } while (kinds != 3);
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        const cosched_task_info *info = &all_seen.task[i].info;
        sum += info->count;
        EXPECT(info->since_ns <= info->since_last_ns);
        EXPECT(info->call_count == 1 && info->calls[0].fn == info->fn);
        EXPECT(strcmp(info->name, "other") == 0 ? info->count == 1 : info->count == ALIKE / 2);
    }
    EXPECT_EQ(sum, ALIKE + 1);
    end_task(other);
    join_many(t, ALIKE);
}

/* --- on the way --------------------------------------------------------------------------------------------------------------- */

static int64_t returns(void *arg)
{
    return arg != NULL;
}

static int64_t calls_main(void *arg)
{
    return cosched_call(NULL, COSCHED_MAIN, returns, arg, COSCHED_NEVER);
}

static int64_t hops_to_main(void *arg)
{
    (void)arg;
    (void)cosched_hop(COSCHED_MAIN);
    return 0;
}

/* MAIN is here and does not let them in. */
static const cosched_task_info *see_traveling(const char *name)
{
    const cosched_task_info *info;
    do {
        see_all(0);
        info = find_named(name);
    } while (info == NULL || info->state != COSCHED_WAITING);
    EXPECT(info->reason == COSCHED_FOR_THREAD && info->object == COSCHED_MAIN);
    EXPECT(info->since_ns > 0);
    return info;
}

SCENARIO_ON(run_workers[1 + _i], who_waits_for_its_turn_on_main_is_told_so)
{
    cosched_task calls = start_named("calls", calls_main, NULL, COSCHED_WORKER);
    cosched_task hops = start_named("hops", hops_to_main, NULL, COSCHED_WORKER);
    const cosched_task_info *info;
    do { /* until it has left its stack */
        info = see_traveling("calls");
    } while (info->stack_size == 0);
    EXPECT(info->call_count == 1 && info->calls[0].fn == calls_main);
    (void)see_traveling("hops");
    run_join(calls);
    run_join(hops);
}

static int64_t does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

SCENARIO(who_has_not_started_is_told_so)
{
    cosched_token token;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "later", .affinity = COSCHED_WORKER};
    EXPECT_EQ(cosched_after(&token, INT64_C(1000000000000), does_nothing, NULL, &attr), 0);
    see_all(0);
    const cosched_task_info *info = seen_named("later");
    EXPECT(info->state == COSCHED_UNSTARTED && info->reason == COSCHED_FOR_TIME);
    EXPECT(info->deadline_ns != COSCHED_NEVER && info->call_count == 0 && info->stack_size == 0);
    cosched_task t = start_named("in line", does_nothing, NULL, COSCHED_MAIN);
    see_all(0);
    EXPECT(seen_named("in line")->state == COSCHED_UNSTARTED);
    EXPECT_EQ(seen_named("in line")->reason, COSCHED_FOR_NOTHING);
    run_join(t);
    EXPECT(cosched_token_cancel(&token));
}

/* --- the call itself -------------------------------------------------------------------------------------------------------------- */

static int stops(void *data, const cosched_task_info *info)
{
    (void)info;
    ++*(int *)data;
    return -EPIPE;
}

static int suspends(void *data, const cosched_task_info *info)
{
    (void)data;
    (void)info;
    cosched_yield();
    return cosched_sleep_until(cosched_in_ns(1000)) == 0 ? 0 : -1;
}

SCENARIO(each_may_suspend_and_may_end_the_call)
{
    cosched_runtime *rt = cosched_runtime_self();
    cosched_task t[100];
    int calls = 0;
    for (int i = 0; i < 100; i++) {
        t[i] = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    }
    EXPECT_EQ(cosched_tasks_each(rt, NULL, stops, &calls), -EPIPE);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(cosched_tasks_each(rt, NULL, suspends, NULL), 101);
    cosched_tasks_options odd = {.struct_size = 1};
    EXPECT_EQ(cosched_tasks_each(rt, &odd, see, &all_seen), -EINVAL);
    odd = (cosched_tasks_options){.struct_size = sizeof odd, .flags = 64};
    EXPECT_EQ(cosched_tasks_each(rt, &odd, see, &all_seen), -EINVAL);
    EXPECT_EQ(cosched_tasks_each(NULL, NULL, see, &all_seen), -EINVAL);
    EXPECT_EQ(cosched_tasks_each(rt, NULL, NULL, NULL), -EINVAL);
    EXPECT_EQ(cosched_tasks_stuck(rt, NULL, NULL), -EINVAL);
    EXPECT_EQ(cosched_tasks_chain(rt, t[0], NULL, NULL), -EINVAL);
    EXPECT(strcmp(cosched_reason_name(COSCHED_FOR_PROCESS), "child process") == 0);
    for (int i = 0; i < 100; i++) {
        end_task(t[i]);
    }
}

RUN_MAIN("tasks_seen", EACH(every_wait_is_seen_with_what_it_is_for),
         EACH(of_many_tasks_each_is_told_once), EACH(those_that_are_alike_are_told_as_one),
         {who_waits_for_its_turn_on_main_is_told_so, RUN_WORKERS - 1},
         EACH(who_has_not_started_is_told_so), EACH(each_may_suspend_and_may_end_the_call))
