/* Looking at tasks from outside, while they go on. A moment's truth, each task for itself; no data is shared unguarded: while
 * the lock of a task's scope is held and its generation was seen, its block does not change hands (see cos_task_recycle). */
#ifndef COS_SCHED_LOOK_H
#define COS_SCHED_LOOK_H
#include "sched/reason.h"
#include "sched/task.h"

struct cos_look {
    cosched_task task;
    const char *name;
    cosched_fn fn;
    const struct cos_fiber *fiber; /* to compare: tasks on one stack have the same; NULL: it has not started */
    uint8_t affinity;
    cosched_state state;
    uint32_t inner; /* WAITING: who waits there, on the same stack; mostly itself */
    cosched_reason reason;
    uint64_t object;
    int64_t since_ns;
};

/* False: no task lives in this block. Any thread; takes a lock for a moment. */
bool cos_look_at(uint32_t index, struct cos_look *out);

/* All that live, in order of their blocks: copies up to max, returns how many there are. What a task on its awaiter's stack waits
 * for is told of that task; the others on the stack wait for it. */
size_t cos_look_around(struct cos_look *out, size_t max);

struct cos_text;
/* "task NAME #7 of body+0x12, on MAIN: waits for mutex 0x55… since 1.200 s" */
void cos_look_describe(struct cos_text *text, const struct cos_look *look, int64_t now);
#endif
