/* watchdog.h - tells the service manager that the daemon lives: only while both the loop and the workers answer.
 */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H
#include <stdint.h>

/* A task on MAIN; ends at once when nobody watches, else when it is cancelled. */
int64_t watchdog_task(void *unused);

#endif
