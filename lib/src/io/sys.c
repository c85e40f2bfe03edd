/* See sys.h. Any thread; nothing here knows of tasks. */
#include "io/sys.h"

#include <cosched/io.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

/* Since Linux 5.4; glibc names it since 2.36. */
#define ID_PIDFD ((idtype_t)3)

int64_t cos_sys_recv(int fd, void *buffer, size_t size)
{
    for (;;) {
        ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int64_t cos_sys_send(int fd, const void *buffer, size_t size)
{
    for (;;) {
        ssize_t n = send(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int cos_sys_accept(int fd)
{
    for (;;) {
        int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got >= 0) {
            return got;
        }
        if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            return -errno;
        }
    }
}

int cos_sys_address(struct sockaddr_un *out, const char *path)
{
    size_t length = strnlen(path, sizeof out->sun_path);
    if (length == 0) {
        return -EINVAL; /* an empty name would bind to one that the kernel invents */
    }
    if (length == sizeof out->sun_path) {
        return -ENAMETOOLONG;
    }
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, length);
    return 0;
}

int cos_sys_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int cos_sys_connect(int fd, const struct sockaddr_un *to)
{
    for (;;) {
        if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EISCONN) {
            return 0;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* The file has at most `mode` from its birth, because bind takes it from the socket, less the umask. What the umask
 * took is given back here. Changing the umask instead would change it for every thread. */
static int give_mode(const char *path, mode_t mode)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return -errno;
    }
    if ((st.st_mode & 07777) == mode) {
        return 0;
    }
    return fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int cos_sys_listen(int fd, const struct sockaddr_un *at, mode_t mode, int backlog)
{
    mode &= 0777;
    if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)at, sizeof *at) < 0) {
        return -errno;
    }
    int rc = give_mode(at->sun_path, mode); /* nobody can connect before listen */
    if (rc == 0 && listen(fd, backlog) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        unlink(at->sun_path);
    }
    return rc;
}

int cos_sys_is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0) {
        return -errno;
    }
    return listening != 0 ? 0 : -EINVAL;
}

int cos_sys_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    if ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

int cos_sys_set_cloexec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int cos_sys_duplicate(int fd)
{
    int got = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return got < 0 ? -errno : got;
}

int cos_sys_ready(int fd, int events)
{
    struct pollfd p = {.fd = fd};
    p.events |= (events & COSCHED_READABLE) != 0 ? POLLIN : 0;
    p.events |= (events & COSCHED_WRITABLE) != 0 ? POLLOUT : 0;
    while (poll(&p, 1, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    if ((p.revents & POLLNVAL) != 0) {
        return -EBADF;
    }
    if ((p.revents & (POLLERR | POLLHUP)) != 0) {
        return COSCHED_READABLE | events;
    }
    return ((p.revents & POLLIN) != 0 ? COSCHED_READABLE : 0) |
           ((p.revents & POLLOUT) != 0 ? COSCHED_WRITABLE : 0);
}

void cos_sys_close(int fd)
{
    int rc = close(fd); /* EINTR: Linux has closed it nevertheless */
    COS_ASSERT((rc == 0 || errno != EBADF) && "somebody else closed a descriptor of io/");
}

int cos_sys_pidfd(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    if (fd < 0) {
        return errno == ESRCH ? -ECHILD : -errno;
    }
    return (int)fd;
}

int cos_sys_reap(pid_t pid, int pidfd, int *status)
{
    siginfo_t info = {0};
    idtype_t type = pidfd < 0 ? P_PID : ID_PIDFD;
    while (waitid(type, (id_t)(pidfd < 0 ? pid : pidfd), &info, WEXITED | WNOHANG) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    if (info.si_pid == 0) {
        return 0;
    }
    if (status != NULL) {
        switch (info.si_code) {
        case CLD_EXITED: *status = (info.si_status & 0xff) << 8; break;
        case CLD_DUMPED: *status = info.si_status | 0x80; break;
        default: *status = info.si_status; break; /* CLD_KILLED */
        }
    }
    return 1;
}

int64_t cos_sys_read(int fd, void *buffer, size_t size)
{
    for (;;) {
        ssize_t n = read(fd, buffer, size);
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int cos_sys_inotify(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cos_sys_inotify_add(int fd, const char *path, uint32_t what)
{
    int id = inotify_add_watch(fd, path, what);
    return id < 0 ? -errno : id;
}

int cos_sys_inotify_remove(int fd, int id)
{
    return inotify_rm_watch(fd, id) < 0 ? -errno : 0;
}
