/* What the tests of looking at tasks share: a table of what was told, by name. */
#ifndef TEST_TASKS_H
#define TEST_TASKS_H
#include <cosched/inspect.h>

#include "run.h"

#define SEEN_MAX 128

struct seen {
    cosched_task_info info;
    cosched_task above[16];
    cosched_task_call calls[16];
    const void *frames[32];
};

struct sight_of_all {
    struct seen task[SEEN_MAX];
    int count;
};

/* One at a time: tests look from one place. */
static struct sight_of_all all_seen;

static inline int see(void *data, const cosched_task_info *info)
{
    struct sight_of_all *all = data;
    EXPECT(info->struct_size == sizeof *info && info->count >= 1);
    EXPECT(info->above_count <= 16 && info->call_count <= 16 && info->frame_count <= 32);
    EXPECT(info->task.index != 0 && info->fn != NULL);
    if (all->count < SEEN_MAX) {
        struct seen *s = &all->task[all->count++];
        s->info = *info;
        memcpy(s->above, info->above, info->above_count * sizeof s->above[0]);
        memcpy(s->calls, info->calls, info->call_count * sizeof s->calls[0]);
        memcpy(s->frames, info->frames, info->frame_count * sizeof s->frames[0]);
        s->info.above = s->above;
        s->info.calls = s->calls;
        s->info.frames = s->frames;
    }
    return 0;
}

static inline void see_all(unsigned flags)
{
    cosched_tasks_options options = {.struct_size = sizeof options, .flags = flags};
    all_seen.count = 0;
    EXPECT(cosched_tasks_each(cosched_runtime_self(), &options, see, &all_seen) >= 0);
}

static inline const cosched_task_info *find_named(const char *name)
{
    for (int i = 0; i < all_seen.count; i++) {
        const cosched_task_info *info = &all_seen.task[i].info;
        if (info->name != NULL && strcmp(info->name, name) == 0) {
            return info;
        }
    }
    return NULL;
}

/* It is there. */
static inline const cosched_task_info *seen_named(const char *name)
{
    const cosched_task_info *info = find_named(name);
    if (info == NULL) {
        ck_abort_msg("no task %s", name);
        abort();
    }
    return info;
}

/* Looks until that task waits for that, and has left its stack. */
static inline const cosched_task_info *see_waiting(const char *name, cosched_reason reason)
{
    const cosched_task_info *info;
    for (;;) {
        see_all(0);
        info = find_named(name);
        if (info != NULL && info->state == COSCHED_WAITING && info->reason == reason &&
            info->stack_size > 0) {
            return info;
        }
        cosched_yield();
        RUN_PAUSE();
    }
}

static inline bool same_task(cosched_task a, cosched_task b)
{
    return a.index == b.index && a.generation == b.generation;
}

static inline cosched_task start_named(const char *name, cosched_fn fn, void *arg,
                                       cosched_affinity on)
{
    cosched_attr attr = *run_at(on);
    cosched_task t;
    attr.name = name;
    EXPECT_EQ(cosched_spawn(&t, fn, arg, &attr), 0);
    return t;
}

static inline void end_task(cosched_task t)
{
    int64_t result;
    cosched_cancel(t);
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), 0);
}
#endif
