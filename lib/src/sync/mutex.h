/* What a condition needs of a mutex beyond the public calls. */
#ifndef COS_SYNC_MUTEX_H
#define COS_SYNC_MUTEX_H
#include <cosched/cosched.h>

#include <stdbool.h>

/* Neither time nor cancellation ends this: for a task that promised its caller to hold m again. Suspends. */
void cos_mutex_lock_always(cosched_mutex *public);
/* Does the running task hold m? */
bool cos_mutex_mine(cosched_mutex *m);
#endif
