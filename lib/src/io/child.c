/* cosched_child_wait: through a pidfd, so no signal is involved and nobody else's children are touched. A child that has
 * ended is reaped without one. */
#include <cosched/io.h>

#include <errno.h>

#include "base/clock.h"
#include "io/poll.h"
#include "io/process.h"
#include "io/source.h"
#include "io/sys.h"

#define ASK_MIN_NS COS_NS_PER_MS
#define ASK_MAX_NS (64 * COS_NS_PER_MS)

/* Where nothing tells of the end: a kernel without pidfds; nothing left to watch one with; or it has ended and is not to be
 * reaped, because a debugger holds it back. */
static int pause_for(int64_t *pause, int64_t deadline)
{
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    int64_t next = cos_clock_add(cos_clock_now(), *pause);
    *pause = *pause < ASK_MAX_NS ? 2 * *pause : *pause;
    return cosched_sleep_until(next < deadline ? next : deadline);
}

int cos_child_wait(int (*reap)(void *arg, int *status), void *arg, pid_t pid, int pidfd,
                   int *status, int64_t deadline)
{
    int rc = 0, reaped = 0;
    int64_t pause = ASK_MIN_NS;
    while (rc >= 0 && reaped == 0) {
        rc = pidfd >= 0 ? cos_poll_wait_process(pidfd, pid, deadline) : -ENOSYS;
        if (rc < 0 && rc != -ETIMEDOUT && rc != -ECANCELED) {
            rc = pause_for(&pause, deadline); /* a child that is not waited for would stay for ever */
        }
        reaped = reap(arg, status); /* after a timeout, too: completion wins */
        if (rc > 0 && reaped == 0) {
            rc = pause_for(&pause, deadline);
        }
    }
    return reaped != 0 ? reaped : rc;
}

struct child {
    pid_t pid;
    int pidfd;
};

static int reap_child(void *arg, int *status)
{
    const struct child *c = arg;
    return cos_sys_reap(c->pid, c->pidfd, status);
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
        struct child c = {.pid = pid, .pidfd = cos_sys_pidfd(pid)};
        if (c.pidfd < 0 && c.pidfd != -ENOSYS && c.pidfd != -EPERM) {
            return c.pidfd;
        }
        rc = cos_child_wait(reap_child, &c, pid, c.pidfd, status, deadline);
        if (c.pidfd >= 0) {
            cos_sys_close(c.pidfd);
        }
    }
    return rc < 0 ? rc : 0;
}
