/* Connecting to a unix socket. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "io/stream.h"
#include "io/sys.h"
#include "sched/park.h"

#define RETRY_MIN_NS COS_NS_PER_MS
#define RETRY_MAX_NS (16 * COS_NS_PER_MS)

/* The kernel tells nobody when a unix socket's backlog has room again (a non-blocking connect is refused with EAGAIN
 * and is not under way), so a full one is asked again after a while. */
static int connect_until(int fd, const struct sockaddr_un *to, int64_t deadline)
{
    int64_t pause = RETRY_MIN_NS;
    for (;;) {
        int rc = cos_sys_connect(fd, to);
        if (rc != -EAGAIN) {
            return rc;
        }
        if (cos_io_expired(deadline)) {
            return -ETIMEDOUT;
        }
        int64_t next = cos_clock_add(cos_clock_now(), pause);
        cos_park_begin();
        if (cos_park_on(UINT64_MAX, next < deadline ? next : deadline,
                        COS_PARK_FOR(COSCHED_FOR_IO)) == COS_CANCELED) {
            rc = cos_sys_connect(fd, to);
            return rc == -EAGAIN ? -ECANCELED : rc;
        }
        pause = pause < RETRY_MAX_NS ? 2 * pause : pause;
    }
}

int cosched_connect_unix(cosched_stream **out, const char *path, int64_t deadline)
{
    *out = NULL;
    struct sockaddr_un to;
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_address(&to, path) : rc;
    if (rc < 0) {
        return rc;
    }
    struct cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    int fd = cos_sys_socket();
    rc = fd < 0 ? fd : connect_until(fd, &to, deadline);
    if (rc < 0) {
        if (fd >= 0) {
            cos_sys_close(fd);
        }
        cos_free(s);
        return rc;
    }
    cos_stream_init(s, fd, COS_STREAM_SOCKET);
    *out = s;
    return 0;
}
