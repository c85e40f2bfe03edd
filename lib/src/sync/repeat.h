/* A body that is run more than once: its argument is kept, and each run is a task of its own, so that what it left open is
 * closed when it ends, and its timeout counts from its own start. */
#ifndef COS_SYNC_REPEAT_H
#define COS_SYNC_REPEAT_H
#include <cosched/cosched.h>

struct cos_repeat {
    cosched_fn fn;
    void *arg;                               /* borrowed: the caller's promise; or */
    _Alignas(16) char copy[COSCHED_ARG_MAX]; /* attr.arg_size bytes of it */
    cosched_attr attr;
};

/* -EINVAL as cosched_spawn. attr may be NULL. */
int cos_repeat_init(struct cos_repeat *r, cosched_fn fn, const void *arg, const cosched_attr *attr);
/* For the task that runs it: same name and place, the rest by default. A BLOCKING body is run from a WORKER. */
cosched_attr cos_repeat_host(const struct cos_repeat *r);
/* Runs it once as a child of the running task and waits, whatever happens to the waiter, which passes a cancellation on. 0 and
 * the run's result; -EAGAIN, -ENOMEM: it could not be started. */
int cos_repeat_run(struct cos_repeat *r, int64_t *result);
#endif
