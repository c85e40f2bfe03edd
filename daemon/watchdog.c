/* watchdog.c - see watchdog.h. Each half interval this task wakes on MAIN (so the loop turns), goes to a worker and comes
 * back (so the workers take work). A hog on either side starves it, and the manager acts.
 */
#include "watchdog.h"

#include <cosched/cosched.h>

#include "log.h"
#include "notify.h"

static int64_t answer(void *unused)
{
    (void)unused;
    return 0;
}

int64_t watchdog_task(void *unused)
{
    (void)unused;
    int64_t half_ns = notify_watchdog_ns() / 2;
    if (half_ns <= 0) {
        return 0;
    }
    int64_t next_ns = cosched_now();
    for (;;) {
        int rc = cosched_call(NULL, COSCHED_WORKER, answer, NULL, cosched_in_ns(half_ns));
        if (rc == 0) {
            (void)notify_watchdog();
        } else {
            log_warning("the workers did not answer in time", LOG_ERR(rc));
        }
        next_ns += half_ns;
        if (next_ns < cosched_now()) {
            next_ns = cosched_in_ns(half_ns);
        }
        rc = cosched_sleep_until(next_ns);
        if (rc < 0) {
            return rc;
        }
    }
}
