/* Branches of a cosched_invoke: calls that are offered to others before they are made (sync/invoke.c).
 *
 * An offer is a queue entry and nothing else: a control block of kind BRANCH that names the record on the forker's stack. Who
 * takes the entry has the right to run the branch. If that is the forker, the block goes back as it came, and the call is
 * made. If it is anybody else, the block becomes a task here, before anything is done with it; until then nobody but
 * the two has seen it: it has no stamp, no scope and no handle.
 *
 * `open` counts the branches that others took and that have not ended, and the forker, until it has no more to call. Who
 * brings it to 0 is the last; if that is a branch, the forker waits. */
#ifndef COS_SCHED_BRANCH_H
#define COS_SCHED_BRANCH_H
#include "sched/exec.h"

/* What has become of an offer. In one word with the handle of its task, because the forker may withdraw it while another starts
 * it: {generation:32, index:29, mark:3}. */
enum cos_mark {
    COS_MARK_OFFERED,   /* 0. No generation yet */
    COS_MARK_STARTED,   /* it is a task */
    COS_MARK_WITHDRAWN, /* if it is started yet, then to end without a call */
    COS_MARK_ENDED,
    COS_MARK_PANICKED,
    COS_MARK_LEFT /* there was no stack for it: it is the forker's to call */
};

#define COS_FORKS_OPEN (INT64_C(1) << 32) /* what the forker counts */

/* One cosched_invoke, in its frame. */
struct cos_forks {
    struct cos_frame frame;         /* of the calls that the forker makes; its task is block 0 */
    struct cos_branch *first, *end; /* borrowed */
    struct cos_branch *
        at; /* which the forker calls; those behind it it has not come to yet. end: all are joined */
    struct cos_scope *scope;  /* what its branches are below. Const, like the next two */
    uint16_t traits;          /* of the forker */
    uint8_t home;             /* affinity of the forker */
    COS_ATOMIC(int64_t) open; /* minus those that the forker does not know of yet */
    uint64_t ticket;          /* of the forker's wait; published by open */
};

/* What lies in a cosched_branch. */
struct cos_branch {
    cosched_fn fn;
    void *arg;
    int64_t result;
    struct cos_forks *forks;
    COS_ATOMIC(uint64_t) offer; /* see enum cos_mark; 0: it was not made */
};

static inline uint64_t cos_offer(uint32_t generation, uint32_t index, enum cos_mark mark)
{
    return (uint64_t)generation << 32 | index << 3 | mark;
}

static inline uint32_t cos_offer_index(uint64_t offer)
{
    return (uint32_t)offer >> 3;
}

static inline enum cos_mark cos_offer_mark(uint64_t offer)
{
    return (enum cos_mark)(offer & 7);
}

static inline cosched_task cos_offer_task(uint64_t offer)
{
    return (cosched_task){cos_offer_index(offer), (uint32_t)(offer >> 32)};
}

COS_STATIC_ASSERT(sizeof(struct cos_branch) == sizeof(cosched_branch),
                  "cosched_branch is of another size");

/* Takes an offer back, if it is the newest entry here. The block may have become a task meanwhile, and the entry be the right to
 * resume that, or another's: then it goes back. By the forker. */
static inline __attribute__((always_inline)) bool cos_offer_take_back(struct cos_exec *e,
                                                                      const struct cos_branch *b)
{
    uint32_t index = cos_offer_index(cos_atomic_load(&b->offer, relaxed));
    if (COS_UNLIKELY(!cos_deque_take_bottom_if_owner(&e->deque, index))) {
        return false;
    }
    struct cos_task *t = cos_task_at(index);
    if (COS_UNLIKELY(t->branch != b)) {
        cos_deque_put_owner(&e->deque, index); /* where it was */
        return false;
    }
    if (COS_LIKELY(e->tasks.count <
                   cos_tasks_cache_max)) { /* its generation stays: nobody has seen it */
        cos_atomic_store(&t->link, e->tasks.head, relaxed); /* relaxed: the cache is this thread's */
        e->tasks.head = index;
        e->tasks.count++;
    } else {
        cos_task_recycle(&e->tasks, t);
    }
    return true;
}

/* By the forker, who has found that another took one. */
static inline void cos_forks_lost(struct cos_forks *forks)
{
    cos_atomic_add(&forks->open, 1, relaxed); /* relaxed: it counts itself */
}

/* Until all that were taken have ended. By the forker, once, when it has no more to call; may suspend. */
void cos_forks_join(struct cos_forks *forks);
/* In a panic of the forker: nothing that stands in line yet will be called, what runs elsewhere is cancelled, and all is joined. */
void cos_forks_undo(struct cos_forks *forks);

/* t, which whoever calls this has just taken, becomes a task. */
void cos_branch_start(struct cos_exec *e, struct cos_task *t);
/* t got no stack and will be completed as it is: its forker shall call it. */
void cos_branch_leave(struct cos_task *t);
/* The end of one that was a task, whose block is free already. Its last access to record and forks. */
void cos_branch_end(struct cos_exec *e, struct cos_branch *b, int64_t result, bool panicked);
#endif
