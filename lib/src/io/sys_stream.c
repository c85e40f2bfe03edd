/* See sys_stream.h. Any thread; nothing here knows of tasks. */
#include "io/sys_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

int64_t cos_sys_send_parts(int fd, const struct iovec *parts, size_t count)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    for (;;) {
        ssize_t n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0 || errno != EINTR) {
            return n < 0 ? -errno : n;
        }
    }
}

static int64_t write_once(int fd, const struct iovec *parts, size_t count)
{
    for (;;) {
        ssize_t n = writev(fd, parts, (int)count);
        if (n >= 0 || errno != EINTR) {
            return n < 0 ? -errno : n;
        }
    }
}

/* SIGPIPE goes to the thread that writes. It is held back meanwhile, and taken away if it came by this call; one that was
 * there before stays. */
int64_t cos_sys_write_parts(int fd, const struct iovec *parts, size_t count)
{
    sigset_t pipe_only, former, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &former);
    bool there = sigismember(&former, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                 sigismember(&pending, SIGPIPE) == 1;
    int64_t n = write_once(fd, parts, count);
    if (n == -EPIPE && !there) {
        const struct timespec now = {0};
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR) {
        }
    }
    if (sigismember(&former, SIGPIPE) == 0) {
        pthread_sigmask(SIG_SETMASK, &former, NULL);
    }
    return n;
}

bool cos_sys_is_tcp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

int cos_sys_fd_kind(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        return -EINVAL;
    }
    if (S_ISSOCK(st.st_mode)) {
        return cos_sys_is_tcp(fd) ? COS_FD_TCP : COS_FD_SOCKET;
    }
    return S_ISCHR(st.st_mode) && isatty(fd) ? COS_FD_TTY : COS_FD_OTHER;
}

int cos_sys_pipe(int ends[2], bool nonblocking[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        if (nonblocking[i] && fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0) {
            int rc = -errno; /* a stream that blocks its thread would be worse */
            close(ends[0]);
            close(ends[1]);
            return rc;
        }
    }
    return 0;
}

int cos_sys_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

/* O_NONBLOCK is the open file's, and a terminal's is shared with the shell and all its programs. */
int cos_sys_tty_open(int fd)
{
    char name[256];
    int number, access = fcntl(fd, F_GETFL);
    if (access < 0) {
        return -errno;
    }
    if (!isatty(fd)) {
        return -ENOTTY;
    }
    /* The master's side has a name that opens another terminal. */
    if (ioctl(fd, TIOCGPTN, &number) < 0 && ttyname_r(fd, name, sizeof name) == 0) {
        int own = open(name, (access & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            return own;
        }
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return -errno;
    }
    (void)fcntl(copy, F_SETFL, (access & ~O_ACCMODE) | O_NONBLOCK);
    return copy;
}

int cos_sys_tty_size(int fd, int *columns, int *rows)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) {
        return -errno;
    }
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int cos_sys_tty_get(int fd, struct termios *out)
{
    return tcgetattr(fd, out) < 0 ? -errno : 0;
}

int cos_sys_tty_set(int fd, const struct termios *mode)
{
    while (tcsetattr(fd, TCSANOW, mode) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}
