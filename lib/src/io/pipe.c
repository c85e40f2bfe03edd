/* Streams that were not connected: pipes, pairs, and descriptors that somebody else opened. */
#include <errno.h>

#include "base/alloc.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_stream.h"

/* Two streams on the descriptors, which are theirs then, or are closed. */
static int both(cosched_stream *out[2], const int ends[2], enum cos_stream_kind kind)
{
    for (int i = 0; i < 2; i++) {
        out[i] = cos_alloc(sizeof *out[i]);
    }
    if (out[0] == NULL || out[1] == NULL) {
        for (int i = 0; i < 2; i++) {
            cos_free(out[i]);
            out[i] = NULL;
            cos_sys_close(ends[i]);
        }
        return -ENOMEM;
    }
    for (int i = 0; i < 2; i++) {
        cos_stream_init(out[i], ends[i], kind);
    }
    return 0;
}

int cosched_pipe(cosched_stream **from, cosched_stream **to)
{
    cosched_stream *streams[2] = {NULL, NULL};
    int ends[2];
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_pipe(ends, (bool[2]){true, true}) : rc;
    rc = rc == 0 ? both(streams, ends, COS_STREAM_FILE) : rc;
    *from = streams[0];
    *to = streams[1];
    return rc;
}

int cosched_stream_pair(cosched_stream *out[2])
{
    int ends[2];
    out[0] = out[1] = NULL;
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_pair(ends) : rc;
    return rc == 0 ? both(out, ends, COS_STREAM_SOCKET) : rc;
}

static enum cos_stream_kind kind_of(int fd_kind)
{
    return fd_kind == COS_FD_TCP      ? COS_STREAM_TCP
           : fd_kind == COS_FD_SOCKET ? COS_STREAM_SOCKET
                                      : COS_STREAM_FILE;
}

int cosched_stream_adopt(cosched_stream **out, int fd)
{
    *out = NULL;
    int rc = cos_io_allowed();
    int kind = rc == 0 ? cos_sys_fd_kind(fd) : rc;
    if (kind < 0) {
        return kind;
    }
    cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    rc = cos_sys_set_nonblocking(fd);
    rc = rc == 0 ? cos_sys_set_cloexec(fd) : rc;
    if (rc < 0) {
        cos_free(s);
        return rc;
    }
    cos_stream_init(s, fd, kind_of(kind));
    *out = s;
    return 0;
}
