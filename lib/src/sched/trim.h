/* Giving memory back: about a second after the last work, by executors that are about to sleep.
 *
 * Each looks half a second after its first sleep, and as long as it has worked in between again. If it has not, what it keeps at
 * hand goes to the depots of stacks and blocks; what lies there for a second goes back to the system. Nobody looks when there is
 * nothing to give back: an idle process is not woken for it twice. */
#ifndef COS_SCHED_TRIM_H
#define COS_SCHED_TRIM_H
#include "sched/exec.h"

/* Called before a sleep. Returns when this executor itself wants to be awake for that again; INT64_MAX: never. */
int64_t cos_trim_before_sleep(struct cos_exec *e, int64_t now);

/* When the one of them that watches for everybody wants to be awake for what lies in the depots; INT64_MAX: never. */
int64_t cos_trim_depots(struct cos_exec *e, int64_t now);
#endif
