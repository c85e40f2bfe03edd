/* Blocking calls under a deadline. */
#ifndef COS_IO_POOL_H
#define COS_IO_POOL_H
#include <cosched/cosched.h>

/* fn's result, once it has started: it is waited for, and what it did counts. Before, -ETIMEDOUT, -ECANCELED; -EPERM
 * outside tasks. */
int64_t cos_pool_run(cosched_fn fn, void *arg, int64_t deadline);
#endif
