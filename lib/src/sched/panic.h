/* A panic ends one task: the innermost current one, also where it runs on its awaiter's stack. */
#ifndef COS_SCHED_PANIC_H
#define COS_SCHED_PANIC_H
#include "sched/fiber.h"

/* The next step of a fall: to the base of the innermost segment inside the body it goes to, or to that body. */
noreturn void cos_panic_fall(struct cos_fiber *f);

/* The panic of the running task, for one that was reported: of a branch of its own that was a task of its own. */
noreturn void cos_panic_on(struct cos_fiber *f);

/* Opens and closes what a panic has to undo (fiber.h). Order of closing is free. */
void cos_unwind_push(struct cos_fiber *f, struct cos_unwind *u, void (*undo)(struct cos_unwind *u));
void cos_unwind_remove(struct cos_fiber *f, struct cos_unwind *u);
#endif
