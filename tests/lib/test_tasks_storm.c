/* Looking at tasks while they come and go: what is told of one task is whole, and of its own life only. */
#include <unistd.h>

#include "test_tasks.h"

/* Each kind of task has a name, a body, and an object that it waits for: what does not fit together is torn. */
static cosched_mutex mutex[4];
static cosched_chan *chan[4];
static _Atomic(int) stop, ended;
static _Atomic(int64_t) told, waited, framed;

static int64_t locks(void *arg)
{
    cosched_mutex *m = arg;
    EXPECT_EQ(cosched_mutex_lock(m, COSCHED_NEVER), 0);
    cosched_yield();
    cosched_mutex_unlock(m);
    return 0;
}

static int64_t sends(void *arg)
{
    int64_t value = 1;
    return cosched_chan_send(arg, &value, COSCHED_NEVER);
}

static int64_t receives(void *arg)
{
    int64_t value;
    return cosched_chan_recv(arg, &value, COSCHED_NEVER);
}

static int64_t nested(void *arg)
{
    int64_t result = 0;
    (void)cosched_call(&result, COSCHED_INHERIT, receives, arg, COSCHED_NEVER);
    return result;
}

static int64_t awaits(void *arg)
{
    int64_t result = 0;
    cosched_task t = start_named("awaited", locks, arg, COSCHED_INHERIT);
    (void)cosched_await(&t, &result, COSCHED_NEVER);
    return result;
}

static int64_t hops(void *arg)
{
    (void)arg;
    (void)cosched_hop(cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN);
    return cosched_sleep_until(cosched_in_ns(100000));
}

static const struct kind {
    const char *name;
    cosched_fn fn;
    cosched_reason reason; /* of its own waits; others are for a thread, a task, or on its stack */
} kinds[] = {
    {"locks", locks, COSCHED_FOR_MUTEX},  {"awaited", locks, COSCHED_FOR_MUTEX},
    {"sends", sends, COSCHED_FOR_SEND},   {"receives", nested, COSCHED_FOR_RECV},
    {"awaits", awaits, COSCHED_FOR_TASK}, {"hops", hops, COSCHED_FOR_TIME},
};

static bool is_one_of(uint64_t object, bool channel)
{
    for (int i = 0; i < 4; i++) {
        if (object == (channel ? (uintptr_t)chan[i] : (uintptr_t)&mutex[i])) {
            return true;
        }
    }
    return false;
}

static void check_wait(const struct kind *k, const cosched_task_info *info)
{
    atomic_fetch_add(&waited, 1);
    EXPECT(info->reason == k->reason || info->reason == COSCHED_FOR_INLINE ||
           info->reason == COSCHED_FOR_THREAD || info->reason == COSCHED_FOR_CHILDREN ||
           info->reason == COSCHED_FOR_SOMETHING);
    if (info->reason == COSCHED_FOR_MUTEX) {
        EXPECT(is_one_of(info->object, false));
    } else if (info->reason == COSCHED_FOR_SEND || info->reason == COSCHED_FOR_RECV) {
        EXPECT(is_one_of(info->object, true));
    } else if (info->reason == COSCHED_FOR_INLINE) {
        EXPECT(strcmp(k->name, "awaits") == 0);
    }
    if (info->call_count > 0) {
        EXPECT(info->calls[info->call_count - 1].fn == k->fn);
        EXPECT(same_task(info->calls[info->call_count - 1].task, info->task));
        EXPECT(info->call_count == 1 || (k->fn == nested && info->calls[0].fn == receives));
    }
    if (info->frame_count > 0) {
        atomic_fetch_add(&framed, 1);
    }
    EXPECT(info->stack_used <= info->stack_size);
}

static int check(void *data, const cosched_task_info *info)
{
    (void)data;
    atomic_fetch_add(&told, 1);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (info->name != NULL && strcmp(info->name, kinds[i].name) == 0) {
            EXPECT(info->fn == kinds[i].fn && info->task.generation != 0);
            if (info->state == COSCHED_WAITING) {
                check_wait(&kinds[i], info);
            }
            return 0;
        }
    }
    EXPECT(info->name == NULL || strcmp(info->name, "storm") == 0);
    return 0;
}

static void *looks(void *rt)
{
    while (!atomic_load(&stop)) {
        EXPECT(cosched_tasks_each(rt, NULL, check, NULL) > 0);
        EXPECT(cosched_tasks_stuck(rt, check, NULL) >= 0);
    }
    return NULL;
}

static int64_t storm(void *arg)
{
    int rounds = RUN_SIZE(120, 40, 30);
    intptr_t seed = (intptr_t)arg;
    for (int i = 0; i < rounds; i++) {
        cosched_task t[8];
        for (int k = 0; k < 8; k++) {
            intptr_t which = (seed + i + k) % 4;
            const struct kind *kind = &kinds[k == 0 ? 4 : k == 1 ? 5 : k < 4 ? 0 : k < 6 ? 2 : 3];
            bool on_channel = kind->reason == COSCHED_FOR_SEND || kind->reason == COSCHED_FOR_RECV;
            /* as many receive from a channel as send */
            which = on_channel ? (seed + i) % 4 : which;
            t[k] = start_named(kind->name, kind->fn,
                               on_channel ? (void *)chan[which] : (void *)&mutex[which],
                               (k + i) % 3 == 0 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        for (int k = 0; k < 8; k++) {
            run_join(t[k]);
        }
    }
    atomic_fetch_add(&ended, 1);
    return 0;
}

SCENARIO(what_is_told_in_a_storm_fits_together)
{
    memset(mutex, 0, sizeof mutex);
    atomic_store(&stop, 0);
    atomic_store(&ended, 0);
    atomic_store(&told, 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(cosched_chan_create(&chan[i], sizeof(int64_t), 0), 0);
    }
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, looks, cosched_runtime_self()), 0);
    cosched_task t[4];
    for (intptr_t i = 0; i < 4; i++) {
        t[i] = start_named("storm", storm, (void *)i, COSCHED_WORKER);
    }
    while (atomic_load(&ended) < 4) {
        EXPECT(cosched_tasks_each(cosched_runtime_self(), NULL, check, NULL) > 0);
        cosched_yield();
    }
    for (int i = 0; i < 4; i++) {
        run_join(t[i]);
    }
    UNTIL(atomic_load(&told) > 0);
    atomic_store(&stop, 1);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        cosched_chan_unref(chan[i]);
    }
}

/* --- one task that does nothing but move --------------------------------------------------------------------------------------- */

static cosched_event turns[2];
static _Atomic(int) looked; /* so often while it moved */

static int64_t moves(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        EXPECT_EQ(cosched_event_wait(&turns[0], COSCHED_NEVER), 0);
        cosched_event_init(&turns[0]);
        cosched_event_set(&turns[1]);
    }
    return 0;
}

static int64_t drives(void *arg)
{
    (void)arg;
    while (atomic_load(&looked) < RUN_SIZE(500, 100, 50)) {
        cosched_event_set(&turns[0]);
        EXPECT_EQ(cosched_event_wait(&turns[1], COSCHED_NEVER), 0);
        cosched_event_init(&turns[1]);
    }
    atomic_store(&stop, 1);
    cosched_event_set(&turns[0]);
    return 0;
}

static _Atomic(int64_t) mover_seen;

static int see_mover(void *data, const cosched_task_info *info)
{
    cosched_task mover = *(const cosched_task *)data;
    if (same_task(info->task, mover)) {
        atomic_fetch_add(&mover_seen, 1);
        if (info->state == COSCHED_WAITING) {
            EXPECT(info->reason == COSCHED_FOR_EVENT && info->object == (uintptr_t)&turns[0]);
            EXPECT(info->call_count <= 1 && (info->call_count == 0 || info->calls[0].fn == moves));
        }
    }
    return 0;
}

SCENARIO(a_task_that_moves_all_the_time_is_seen_each_time)
{
    atomic_store(&stop, 0);
    atomic_store(&mover_seen, 0);
    atomic_store(&looked, 0);
    cosched_event_init(&turns[0]);
    cosched_event_init(&turns[1]);
    cosched_task mover = start_named("mover", moves, NULL, COSCHED_WORKER);
    cosched_task driver = start_named("driver", drives, NULL, COSCHED_WORKER);
    while (!atomic_load(&stop)) {
        int64_t before = atomic_load(&mover_seen);
        EXPECT(cosched_tasks_each(cosched_runtime_self(), NULL, see_mover, &mover) > 0);
        atomic_fetch_add(&looked, 1);
        EXPECT(atomic_load(&mover_seen) == before + 1 || atomic_load(&stop));
        cosched_yield();
    }
    run_join(driver);
    run_join(mover);
}

RUN_MAIN("tasks_storm", EACH(what_is_told_in_a_storm_fits_together),
         EACH(a_task_that_moves_all_the_time_is_seen_each_time))
