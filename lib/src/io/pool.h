/* Blocking calls on files, in a class of their own. */
#ifndef COS_IO_POOL_H
#define COS_IO_POOL_H
#include <cosched/cosched.h>

#define COS_FILES_MAX 32 /* at a time */

extern cosched_blocking_class cos_files;

/* fn's result, once it has started: it is waited for, and what it did counts. Before, -ETIMEDOUT, -ECANCELED; -EPERM
 * outside tasks. */
int64_t cos_pool_run(cosched_fn fn, void *arg, int64_t deadline);
#endif
