/* What is seen of one task, without stopping it.
 *
 * Three steps, and only the third makes a sight true:
 *
 *   take     the stamp of the block's life, then the block; for a task that waits, the stamp of its wait (the wait word), then
 *            the header of its fiber, its frames, and what it waits for
 *   fence    cos_arch_peek_fence, once for a batch
 *   holds    both stamps again
 *
 * The life: a block is filled before its stamp is set (release in cos_task_make) and its generation moves on before it is filled
 * again, with at least a light fence between: so if we have read anything of a later life, we see its generation after the
 * fence. The wait: a fiber leaves its stack before its word says PARKED (release), and somebody must claim the word before it
 * runs again; a number of a wait comes once in 2^32. So if the word is the same, nobody has run on that stack, and what lies on
 * it, with the object it waits for, was still. Control blocks are never unmapped, stacks not while the runtime lives: what is read
 * too late is wrong and then dropped, never a fault (peek.h). */
#ifndef COS_INSPECT_SIGHT_H
#define COS_INSPECT_SIGHT_H
#include <cosched/inspect.h>

#include "inspect/peek.h"
#include "sched/task.h"

#define COS_SIGHT_ABOVE  16
#define COS_SIGHT_CALLS  16
#define COS_SIGHT_FRAMES 32

enum { COS_SIGHT_WITH_FRAMES = 1, COS_SIGHT_WITH_LIMIT = 2 };

struct cos_sight {
    cosched_task_info info; /* its pointers lead to the arrays below */
    cosched_task above[COS_SIGHT_ABOVE];
    cosched_task_call calls[COS_SIGHT_CALLS];
    const void *frames[COS_SIGHT_FRAMES];
    /* stamps */
    struct cos_task *base; /* whose wait it is; NULL: it is in none */
    uint64_t word;
    bool still; /* it has left its stack: nothing runs there */
    /* for those who look for stuck ones */
    const struct cos_group *group; /* it belongs to; NULL: none */
    bool limited;                  /* WITH_LIMIT: a deadline ends this wait, its own or a scope's */
};

/* False: no task lives in this block. Any thread. */
bool cos_sight_take(struct cos_sight *s, struct cos_peek *p, uint32_t index, unsigned with);
bool cos_sight_lives(uint32_t index); /* a task, whoever it is. A hint */
/* After the fence. False: it is not as it was seen; info.task's life at least is asked for. */
bool cos_sight_holds(const struct cos_sight *s);
/* What is left of one that does not hold: a task that runs. False: it has ended. */
bool cos_sight_moves(struct cos_sight *s);
#endif
