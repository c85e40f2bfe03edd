/* recover.h - what a former life of the daemon left running: its processes are ended, its attempts decided.
 */
#ifndef DAEMON_RECOVER_H
#define DAEMON_RECOVER_H
#include "store.h"

/* Before anything else happens to jobs. In a task; suspends. 0, or a negative errno that has been logged. */
int recover(struct store *store, struct store_recovery *recovery, const char *instance);

#endif
