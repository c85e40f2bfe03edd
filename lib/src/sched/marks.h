/* How deep the stacks were used, by the body of the task: a measurement that is asked for (COSCHED_MEASURE_STACKS).
 *
 * A stack that is handed out is all zeros, fresh from the kernel or cleared by us when it came back, and what a task has
 * written is found by looking for the lowest word that is not zero. Nothing is painted, so a stack costs no memory that was
 * not used. */
#ifndef COS_SCHED_MARKS_H
#define COS_SCHED_MARKS_H
#include <cosched/cosched.h>

#include "arch/stack.h"

struct cos_marks;

struct cos_marks *cos_marks_create(void); /* NULL: no memory */
void cos_marks_destroy(struct cos_marks *m);

/* The stack of a task of fn has come back: takes its mark below `top`, and clears it. Nobody stands on it. Any executor. */
void cos_marks_take(struct cos_marks *m, const struct cos_stack *stack, const char *top,
                    cosched_fn fn, const char *name);
/* Clears a stack that is no task's. */
void cos_marks_clear(const struct cos_stack *stack);
#endif
