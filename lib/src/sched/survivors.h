/* What a shutdown finds alive when its patience ends. */
#ifndef COS_SCHED_SURVIVORS_H
#define COS_SCHED_SURVIVORS_H
#include <stdbool.h>
#include <stdint.h>

/* Tells the hook, or the log. On the thread that stops the runtime, outside tasks. canceled: they were asked to end. */
void cos_survivors_report(bool canceled);

/* How long after that they are told again; COSCHED_STOP_GRACE_NS. */
int64_t cos_survivors_grace(void);
void cos_survivors_set_grace(int64_t ns); /* tests */
#endif
