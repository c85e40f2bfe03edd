/* What a shutdown says about tasks that are still alive, and to whom. */
#include "run.h"
#include "sched/exec.h"
#include "sched/look.h"
#include "sched/survivors.h"
#include "test_waits.h"

/* --- one task for each way of waiting -------------------------------------------------------------------------------- */

static _Atomic(uint64_t) joined, inner;

static int64_t joins(void *arg)
{
    (void)arg;
    cosched_task t = run_spawn(sleeps, NULL, COSCHED_WORKER);
    atomic_store(&joined, (uint64_t)t.index << 32 | t.generation);
    int64_t result;
    return cosched_await(&t, &result, cosched_in_ms(1000000));
}

static int64_t is_inline(void *arg)
{
    atomic_store(&inner, cosched_self().index);
    return cosched_event_wait(arg, COSCHED_NEVER);
}

/* The task in between runs on this stack, too. */
static int64_t awaits_inline(void *arg)
{
    cosched_attr attr = {.struct_size = sizeof attr, .name = arg != NULL ? "middle" : "innermost"};
    cosched_task t;
    static cosched_event never;
    EXPECT_EQ(arg != NULL ? cosched_spawn(&t, awaits_inline, NULL, &attr)
                          : cosched_spawn(&t, is_inline, &never, &attr),
              0);
    cos_exec_current()->budget = COS_EXEC_BUDGET; /* a spent one would let others in first */
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static int64_t ignores_its_cancellation(void *arg)
{
    (void)arg;
    cosched_scope shield;
    EXPECT_EQ(cosched_scope_begin(&shield, cosched_in_ms(1000000), COSCHED_SHIELD), 0);
    while (!atomic_load(&release_blocked)) {
        cosched_sleep_until(cosched_in_ms(1));
    }
    cosched_scope_end(&shield);
    return 0;
}

static int64_t leaves_a_child(void *arg)
{
    (void)arg;
    (void)run_spawn(ignores_its_cancellation, NULL, COSCHED_WORKER);
    cosched_yield();
    return 0;
}

static int64_t selects(void *arg)
{
    (void)arg;
    int64_t value;
    cosched_case c[1] = {{.ch = empty, .recv_into = &value}};
    atomic_store(&cases, (uintptr_t)c);
    return cosched_select(c, 1, COSCHED_NEVER);
}

static int64_t joins_group(void *arg)
{
    (void)arg;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_spawn(&g, sleeps, NULL, NULL), 0);
    atomic_store(&group, (uintptr_t)&g);
    return cosched_group_join(&g, COSCHED_NEVER);
}

static const struct expected {
    const char *name;
    cosched_fn fn;
    cosched_reason reason;
    const void *object;               /* or */
    const _Atomic(uint64_t) *written; /* where the task leaves it */
} expected[] = {
    {"sleep", sleeps, COSCHED_FOR_TIME, NULL, NULL},
    {"join", joins, COSCHED_FOR_TASK, NULL, &joined},
    {"any", waits_for_any, COSCHED_FOR_ANY_TASK, NULL, &any_tasks},
    {"children", leaves_a_child, COSCHED_FOR_CHILDREN, NULL, NULL},
    {"mutex", locks, COSCHED_FOR_MUTEX, &mutex, NULL},
    {"cond", waits_cond, COSCHED_FOR_COND, &cond, NULL},
    {"sem", acquires, COSCHED_FOR_SEM, &sem, NULL},
    {"read", reads, COSCHED_FOR_READ_LOCK, &read_lock, NULL},
    {"write", writes, COSCHED_FOR_WRITE_LOCK, &write_lock, NULL},
    {"barrier", meets, COSCHED_FOR_BARRIER, &barrier, NULL},
    {"once", waits_once, COSCHED_FOR_ONCE, &once, NULL},
    {"wait group", waits_group, COSCHED_FOR_WAIT_GROUP, &wait_group, NULL},
    {"send", sends, COSCHED_FOR_SEND, NULL, NULL},
    {"recv", receives, COSCHED_FOR_RECV, NULL, NULL},
    {"select", selects, COSCHED_FOR_SELECT, NULL, &cases},
    {"event", waits_event, COSCHED_FOR_EVENT, &event, NULL},
    {"poll", polls, COSCHED_FOR_IO, NULL, NULL},
    {"blocking", blocks, COSCHED_FOR_BLOCKING, NULL, NULL},
    {"group", joins_group, COSCHED_FOR_GROUP, NULL, &group},
    {"outer", awaits_inline, COSCHED_FOR_INLINE, NULL, NULL},
    {"middle", NULL, COSCHED_FOR_INLINE, NULL, NULL},
    {"innermost", NULL, COSCHED_FOR_EVENT, NULL, NULL},
    {"busy", spins, COSCHED_FOR_NOTHING, NULL, NULL},
};

enum { KINDS = sizeof expected / sizeof expected[0] };

static int64_t begins_all(void *arg)
{
    (void)arg;
    waits_begin();
    /* the once has a runner, that waits for something else */
    (void)run_spawn(waits_once, NULL, COSCHED_INHERIT);
    for (int i = 0; i < 3; i++) {
        cosched_yield();
    }
    for (int i = 0; i < KINDS; i++) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .name = expected[i].name,
                             .affinity = i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN};
        if (expected[i].fn != NULL) {
            EXPECT_EQ(cosched_spawn(NULL, expected[i].fn,
                                    expected[i].reason == COSCHED_FOR_INLINE ? &ends : NULL, &attr),
                      0);
        }
    }
    return cosched_sleep_until(COSCHED_NEVER);
}

static const struct expected *find(const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        if (name != NULL && strcmp(expected[i].name, name) == 0) {
            return &expected[i];
        }
    }
    return NULL;
}

static bool as_expected(const struct expected *want, cosched_state state, cosched_reason reason)
{
    return want->reason == COSCHED_FOR_NOTHING ? state == COSCHED_ACTIVE
                                               : state == COSCHED_WAITING && reason == want->reason;
}

static int seen_as_expected(void)
{
    struct cos_look all[64];
    size_t n = cos_look_around(all, 64);
    EXPECT(n <= 64);
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct expected *want = find(all[i].name);
        count += want != NULL && as_expected(want, all[i].state, all[i].reason) ? 1 : 0;
    }
    return count;
}

static struct {
    int at_deadline, canceled;
    unsigned kinds, kinds_canceled;
    int logs;
} told;

static void check_object(const cosched_survivor *s, const struct expected *want)
{
    if (want->object != NULL) {
        EXPECT(s->object == (uintptr_t)want->object);
    } else if (want->written != NULL) {
        EXPECT(s->object == atomic_load(want->written));
    } else if (want->reason == COSCHED_FOR_INLINE) {
        EXPECT(s->object >> 32 == atomic_load(&inner));
    } else if (want->reason == COSCHED_FOR_SEND || want->reason == COSCHED_FOR_RECV) {
        EXPECT(s->object == (uintptr_t)(want->reason == COSCHED_FOR_SEND ? full : empty));
    } else if (want->reason == COSCHED_FOR_BLOCKING) {
        EXPECT(s->object == (uintptr_t)stuck_call);
    }
}

static void on_survivor(void *data, const cosched_survivor *s)
{
    EXPECT(data == &told);
    EXPECT(s->text != NULL && strstr(s->text, "task ") != NULL);
    EXPECT(s->place != NULL && s->place[0] != '\0');
    EXPECT_EQ(cosched_self().index, 0);
    const struct expected *want = find(s->name);
    if (s->canceled) {
        told.canceled++;
        told.kinds_canceled |= want != NULL ? 1U << (want - expected) : 0;
        return;
    }
    told.at_deadline++;
    if (want == NULL) {
        return;
    }
    told.kinds |= 1U << (want - expected);
    EXPECT(strstr(s->text, want->name) != NULL);
    EXPECT(want->fn == NULL || s->fn == want->fn);
    EXPECT(as_expected(want, s->state, s->reason));
    EXPECT_EQ(s->state == COSCHED_WAITING, s->since_ns != 0);
    EXPECT(s->since_ns <= cosched_now());
    check_object(s, want);
}

/* What is told again holds it up: now it may go. */
static void on_last_survivor(void *data, const cosched_survivor *s)
{
    on_survivor(data, s);
    if (s->canceled && told.kinds_canceled != 0) {
        const struct expected *stuck = find("blocking");
        if ((told.kinds_canceled & 1U << (stuck - expected)) != 0) {
            atomic_store(&release_blocked, 1);
        }
    }
}

static void fresh(void)
{
    memset(&told, 0, sizeof told);
    waits_fresh();
}

START_TEST(a_shutdown_names_every_wait_and_who_ignores_it)
{
    fresh();
    cos_survivors_set_grace(1000000);
    cosched_hooks hooks = {.struct_size = sizeof hooks, .data = &told, .survivor = on_last_survivor};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, begins_all, NULL, 0), 0);
    while (seen_as_expected() < KINDS || !atomic_load(&blocked)) {
        cosched_runtime_run_expired(rt, 100000);
    }
    EXPECT(cosched_runtime_stop(rt, 1) > 0); /* a deadline, and it has passed */
    EXPECT_EQ(told.kinds, (1U << KINDS) - 1);
    EXPECT(told.at_deadline >= KINDS);
    EXPECT((told.kinds_canceled & 1U << (find("blocking") - expected)) != 0);
    EXPECT((told.kinds_canceled & 1U << (find("children") - expected)) != 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
    waits_end();
}

END_TEST

/* --- who is told, and who is not --------------------------------------------------------------------------------------- */

static void nobody(void *data, const cosched_survivor *s)
{
    (void)data;
    ck_abort_msg("%s", s->text);
}

static int64_t leaves_sleepers(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(cosched_spawn(NULL, sleeps, NULL, run_at(COSCHED_WORKER)), 0);
    }
    return 0;
}

START_TEST(the_end_of_run_and_a_shutdown_without_patience_tell_nothing)
{
    cosched_hooks hooks = {.struct_size = sizeof hooks, .survivor = nobody};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    EXPECT_EQ(run_config(&config, leaves_sleepers, NULL), 0);
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, leaves_sleepers, NULL, 0), 0);
    cosched_runtime_run_expired(rt, 1000000);
    EXPECT(cosched_runtime_stop(rt, COSCHED_NOW) >= 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
}

END_TEST

START_TEST(a_shutdown_in_time_tells_nothing)
{
    cosched_hooks hooks = {.struct_size = sizeof hooks, .survivor = nobody};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, run_return, NULL, 0), 0);
    }
    EXPECT_EQ(cosched_runtime_stop(rt, cosched_in_ms(1000000)), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
}

END_TEST

static void on_log(void *data, cosched_log_level level, const char *text)
{
    (void)data;
    EXPECT_EQ(level, COSCHED_LOG_WARNING);
    told.logs++;
    if (strstr(text, "alive at the deadline: task ") == text) {
        told.at_deadline++;
    } else {
        EXPECT(strcmp(text, "and 45 tasks more") == 0);
    }
}

static int64_t leaves_many(void *arg)
{
    for (intptr_t i = 0; i < 300; i++) {
        EXPECT_EQ(cosched_spawn(NULL, sleeps, NULL, NULL), 0);
    }
    return cosched_sleep_until(COSCHED_NEVER) + (int64_t)(intptr_t)arg;
}

START_TEST(without_a_hook_they_are_warnings_and_no_flood)
{
    fresh();
    cosched_hooks hooks = {.struct_size = sizeof hooks, .log = on_log};
    cosched_config config = {
        .struct_size = sizeof config, .workers = run_workers[_i], .hooks = &hooks};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, leaves_many, NULL, 0), 0);
    cosched_stats s = {.struct_size = sizeof s};
    while (s.tasks_live < 301) {
        cosched_runtime_run_expired(rt, 1000000);
        EXPECT_EQ(cosched_stats_get(rt, &s), 0);
    }
    EXPECT_EQ(cosched_runtime_stop(rt, 1), 301);
    EXPECT_EQ(told.at_deadline, 256);
    EXPECT_EQ(told.logs, 257);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    close(ends[0]);
    close(ends[1]);
}

END_TEST

RUN_MAIN("survivors", EACH(a_shutdown_names_every_wait_and_who_ignores_it),
         EACH(the_end_of_run_and_a_shutdown_without_patience_tell_nothing),
         EACH(a_shutdown_in_time_tells_nothing), EACH(without_a_hook_they_are_warnings_and_no_flood))
