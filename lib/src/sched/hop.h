/* A task moving to another executor. */
#ifndef COS_SCHED_HOP_H
#define COS_SCHED_HOP_H
#include "sched/exec.h"

/* `to` is where f runs already, as far as threads are concerned. */
bool cos_is_here(const struct cos_exec *e, const struct cos_fiber *f, cosched_affinity to);

/* Moves the running fiber; cannot fail or be withdrawn. The caller may run on another thread afterwards. */
void cos_hop(cosched_affinity to);

/* The outbound half of a call: 0 when it has arrived; -ETIMEDOUT, -ECANCELED when the hop was withdrawn: it is where it was;
 * -ENOMEM. */
int cos_hop_until(cosched_affinity to, int64_t deadline);

/* Where the block of an outbound call comes out of a queue: claims the wait that it names. The fiber, which belongs here now,
 * has the block and must be run; NULL: the hop had been withdrawn, the block is given back. */
struct cos_fiber *cos_hop_arrive(struct cos_exec *e, struct cos_task *block);

/* The running fiber is back from an outbound call: gives the block back. */
void cos_hop_home(struct cos_fiber *f);
#endif
