/* What a task keeps until its end: deferred clean-ups and locals. Chunks on the heap, newest first, in a list of the fiber:
 * those of the current task stand before those of the tasks that await it on the same stack. A task that keeps nothing
 * pays one test at its end. */
#ifndef COS_SCHED_KEEP_H
#define COS_SCHED_KEEP_H
#include "sched/fiber.h"
#include "sched/finish.h"

#define COS_KEEP_ENTRIES 7

struct cos_kept {
    void (*fn)(void *arg); /* a deferred clean-up; NULL: a local, or nothing any more */
    const void *key;       /* of a local */
    void *value;           /* its value, or arg; borrowed */
};

struct cos_keep {
    struct cos_keep *older; /* owned by the fiber, like this */
    struct cos_task *task;  /* whose they are */
    uint32_t used;
    struct cos_kept entry[COS_KEEP_ENTRIES]; /* in order */
};

/* The end of t, which is current on f: runs what it has deferred, last first, and joins the children that this leaves. The
 * result, or -ENOTRECOVERABLE after a panic in there. May suspend. */
int64_t cos_keep_end(struct cos_fiber *f, struct cos_task *t, int64_t result);

/* The body of t has returned, or panicked: what it has left open is closed. The task's result. */
static inline int64_t cos_task_close(struct cos_fiber *f, struct cos_task *t, int64_t result)
{
    COS_ASSERT(f->scope == &t->scope && "a scope or group was left open");
    if (COS_UNLIKELY(t->kids != 0)) {
        cos_kids_close(f, t);
    }
    return COS_LIKELY(f->keep == NULL) ? result : cos_keep_end(f, t, result);
}
#endif
