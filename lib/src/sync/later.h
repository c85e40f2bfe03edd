/* The arithmetic of tokens: when next. Pure, for its tests. */
#ifndef COS_SYNC_LATER_H
#define COS_SYNC_LATER_H
#include <cosched/cosched.h>

#define COS_LATER_STEPS_LOG2 6U

/* When the run after the one planned for `planned` is due, which has just ended at `now`: `steps` intervals on, and what
 * `overrun` makes of a time that has passed. Saturates at COSCHED_NEVER. */
int64_t cos_later_next(int64_t planned, int64_t interval_ns, int64_t steps, cosched_overrun overrun,
                       int64_t now);
/* How many intervals a COSCHED_BACK_OFF interval goes on after so many failures in a row: 1, 2, 4 … 64. */
int64_t cos_later_steps(uint32_t failures);
/* When to look at the wall clock again while it says wall_now and at_ns has not come: the monotonic time of it, or at most the next
 * whole second, because the clock may be set. COSCHED_NOW: it has come. */
int64_t cos_later_look(int64_t at_ns, int64_t wall_now, int64_t now);
/* The wall clock as cosched_at sees it. */
int64_t cos_later_wall(void);
/* Tests only: sets it, as an administrator would, by so much more than it really is. */
void cos_later_shift_wall(int64_t ns);
#endif
