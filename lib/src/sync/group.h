/* What the files of groups share: group.c (its life and policies) and supervise.c (children that are run again). */
#ifndef COS_SYNC_GROUP_H
#define COS_SYNC_GROUP_H
#include <cosched/cosched.h>

#include "arch/lock.h"
#include "sched/exec.h"

/* The restarts of a group, against its limit. */
struct cos_supervise {
    uint32_t max;       /* const; 0: no limit */
    int64_t window_ns;  /* const; 0: its life */
    int64_t backoff_ns; /* const */
    uint64_t count;     /* guarded by the group's lock, like when[] */
    int64_t when[];     /* of the last `max` restarts, a ring; empty without a window */
};

struct group {
    struct cos_group link; /* first: what children know of it */
    struct cos_scope scope;
    struct cos_unwind unwind;     /* from init to join: a panic of the owner joins it */
    struct cos_task *owner;       /* borrowed: the task that called init */
    cosched_policy policy;        /* const */
    uint32_t first_n;             /* const */
    COS_ATOMIC(uint32_t) pending; /* acq_rel: what children did happens before join returns */
    COS_ATOMIC(uint32_t)
    failed, good;                 /* how many ended how; published by pending, like the next two */
    COS_ATOMIC(uint32_t) decided; /* 1: the rest was cancelled */
    COS_ATOMIC(int64_t) outcome;  /* the result that decided */
    cosched_event done;
    struct cos_lock lock; /* guards running, first, last and what supervise says; taken alone */
    uint32_t parallel_max,
        running;          /* const, 0 no limit; how many children were started and have not ended */
    uint32_t first, last; /* children that wait for their turn, by `link`; 0 none */
    struct cos_supervise *supervise; /* owned; NULL: another policy */
};

/* A child has its last result. The call is the child's last access to the group. */
void cos_group_child_ended(struct group *g, int64_t result);

/* NULL: no memory. Freed by cos_free. */
struct cos_supervise *cos_supervise_create(uint32_t max, int64_t window_ns, int64_t backoff_ns);
/* May a child be restarted at `now`? Then it is counted. Under the group's lock. */
bool cos_supervise_permit(struct cos_supervise *s, int64_t now);
/* cos_task_make for a child of a supervised group. */
int cos_supervise_make(struct cos_task **out, struct group *g, struct cos_exec *e, uint8_t inherit,
                       cosched_fn fn, void *arg, const cosched_attr *attr);
#endif
