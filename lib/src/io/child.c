/* cosched_child_wait: through a pidfd, so no signal is involved and nobody else's children are touched. A child that has
 * ended is reaped without one. */
#include <cosched/io.h>

#include <errno.h>

#include "io/poll.h"
#include "io/source.h"
#include "io/sys.h"

/* Ended, and yet not to be reaped: a debugger holds it back, and nothing tells when it lets go. */
static int held_back(int64_t deadline)
{
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    int64_t next = cosched_in_ms(10);
    return cosched_sleep_until(next < deadline ? next : deadline);
}

static int wait_by_pidfd(pid_t pid, int pidfd, int *status, int64_t deadline)
{
    int rc = 0, reaped = 0;
    while (rc >= 0 && reaped == 0) {
        rc = cos_poll_wait(pidfd, COSCHED_READABLE, deadline);
        reaped = cos_sys_reap(pid, pidfd, status); /* after a timeout, too: completion wins */
        if (rc > 0 && reaped == 0) {
            rc = held_back(deadline);
        }
    }
    return reaped != 0 ? reaped : rc;
}

int cosched_child_wait(pid_t pid, int *status, int64_t deadline)
{
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    if (pid <= 0) {
        return -EINVAL; /* one child, never a group of them */
    }
    rc = cos_sys_reap(pid, -1, status);
    if (rc == 0 && cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    if (rc == 0) {
        int pidfd = cos_sys_pidfd(pid);
        if (pidfd < 0) {
            return pidfd;
        }
        rc = wait_by_pidfd(pid, pidfd, status, deadline);
        cos_sys_close(pidfd);
    }
    return rc < 0 ? rc : 0;
}
