/* What run, submit --wait, wait and logs share: following output and waiting for the end. */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#include "ctl.h"

/* Prints the events of the logs request `id` until its answer. `interrupted` (may be NULL) is
 * called when a signal ended a wait; what it returns other than 0 ends the following. 0, or an
 * exit status. */
int follow_logs(struct ctl *ctl, int64_t id, int (*interrupted)(struct ctl *ctl, void *arg),
                void *arg);

/* Waits for the jobs, prints how they ended and gives the exit status that they mean: the first in
 * the order of ids that is not 0. mode and timeout may be NULL: all, for ever. */
int follow_wait(struct ctl *ctl, const int64_t *ids, size_t count, const char *mode,
                const char *timeout);

/* One job, to be ended by the caller. 0, or an exit status after a message. */
int follow_get(struct ctl *ctl, int64_t id, struct response *answer);

#endif
