/* The lines of tasks that have a priority: two for MAIN, two for the pool (DESIGN D14).
 *
 * Priority 0 is the deques' and the injector's business and pays one relaxed load here. High is looked at before those,
 * low after everything else, and both rules have a limit, so that nobody starves: a high run ends after COS_HIGH_RUN slices,
 * a low task has its turn after COS_LOW_TURNS. Each executor counts for itself. */
#ifndef COS_SCHED_LINES_H
#define COS_SCHED_LINES_H
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "queue/injector.h"

enum {
    COS_HIGH_RUN = 8,
    COS_LOW_TURNS = 59 /* COSCHED_SLICES_MAX is more by the looks of the loops, which do not count */
};

struct cos_exec;
struct cos_task;

struct cos_lines {
    /* Raised before a push, lowered after a pop. relaxed: whoever pushed notifies the sleepers, and the fences of that
     * order this with the line itself for who looks before sleeping. */
    COS_ATOMIC(uint32_t) waiting;
    struct cos_injector high, low;
};

int cos_lines_init(struct cos_lines *l); /* 0, -ENOMEM */
void cos_lines_fini(struct cos_lines *l);

static inline bool cos_lines_waiting(const struct cos_lines *l)
{
    return COS_UNLIKELY(cos_atomic_load(&l->waiting, relaxed) != 0);
}

/* t has a priority. Any thread, for the pool; the caller notifies the parker. MAIN's are pushed by MAIN. */
void cos_lines_push(struct cos_lines *l, struct cos_task *t);
/* Whose turn comes before those of e's own line; 0: nobody's. Called once a slice while anybody waits. */
uint32_t cos_lines_take(struct cos_exec *e);
/* Anybody, when there is nothing else; 0: nobody. */
uint32_t cos_lines_rest(struct cos_exec *e);
#endif
