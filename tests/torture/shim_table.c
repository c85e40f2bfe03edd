/* What may fail, and how. What is not here, and why:
 *
 *   munmap, clock_gettime, futex wakes    answer 0 for the arguments they get (a wake of a word that is mapped cannot fail)
 *   realloc, in libuv                     uv__io_start ends the process: there is no way to report it
 *   epoll_ctl, when libuv's poll adds     ends the process; the same addition was tried before (uv_poll_init), which counts
 *   read, write of libuv on its pipes     any error but EINTR ends the process
 *   epoll_pwait                           any error but EINTR ends the process
 *   pipe2 in libuv's first loop           ends the process: made once, before the faults begin
 *   sigaction, when libuv restores one    ends the process
 *
 * And one that libuv 1.44 leaks over: its epoll descriptor, when the rest of uv_loop_init fails (LOSES). */
#include <errno.h>
#include <netdb.h>

#include "shim.h"

#define TORTURE_NAME(name) [F_##name] = #name,
const char *const torture_names[F_COUNT] = {TORTURE_FUNCTIONS(TORTURE_NAME)};

#define LIB(name, e)                  \
    {                                 \
        F_##name, BY_LIB, e, 0, false \
    }
#define UV(name, e)                  \
    {                                \
        F_##name, BY_UV, e, 0, false \
    }
#define UV_LOSES(name, e)           \
    {                               \
        F_##name, BY_UV, e, 0, true \
    }
#define AS(name, e, a)                \
    {                                 \
        F_##name, BY_LIB, e, a, false \
    }

const struct torture_fault torture_faults[] = {
    LIB(calloc, ENOMEM),
    UV(calloc, ENOMEM),
    LIB(aligned_alloc, ENOMEM),
    LIB(mmap, ENOMEM),
    AS(mmap, EAGAIN, ENOMEM),
    LIB(mprotect, ENOMEM),
    LIB(madvise, ENOMEM),
    AS(madvise, EINVAL, ENOMEM),
    LIB(pthread_create, EAGAIN),
    LIB(pthread_mutex_init, ENOMEM),
    LIB(pthread_cond_init, ENOMEM),
    AS(pthread_attr_init, ENOMEM, EAGAIN),
    LIB(pthread_cond_timedwait, EINTR), /* stands for a wake-up without a reason */
    LIB(eventfd, EMFILE),
    LIB(eventfd, ENOMEM),
    UV_LOSES(eventfd, EMFILE),
    UV_LOSES(eventfd, ENFILE),
    UV(epoll_create1, EMFILE),
    UV(epoll_create1, ENOMEM),
    UV(epoll_ctl, ENOSPC),
    UV(epoll_ctl, ENOMEM),
    LIB(epoll_create1, EMFILE),
    LIB(epoll_ctl, ENOSPC),
    LIB(epoll_ctl, ENOMEM),
    LIB(epoll_wait, EINTR),
    UV(epoll_wait, EINTR),
    LIB(pipe2, EMFILE),
    UV_LOSES(pipe2, EMFILE),
    LIB(read, EINTR),
    LIB(read, EIO),
    UV(read, EINTR),
    LIB(write, EINTR),
    UV(write, EINTR),
    LIB(open, EMFILE),
    LIB(open, EINTR),
    LIB(open, EACCES),
    LIB(pread, EINTR),
    LIB(pread, EIO),
    LIB(pwrite, EINTR),
    LIB(pwrite, ENOSPC),
    LIB(fsync, EIO),
    LIB(stat, ENOMEM),
    LIB(lstat, ENOMEM),
    LIB(close, EINTR),
    LIB(close, EIO),
    LIB(opendir, EMFILE),
    LIB(opendir, ENOMEM),
    LIB(readdir, EIO),
    LIB(fopen, EMFILE),
    LIB(fgets, EIO),
    LIB(fchmod, EPERM),
    LIB(fchmodat, EIO),
    LIB(socket, EMFILE),
    LIB(socket, ENOBUFS),
    LIB(bind, EADDRINUSE),
    LIB(bind, EACCES),
    LIB(listen, EADDRINUSE),
    LIB(accept4, EINTR),
    LIB(accept4, EAGAIN),
    LIB(accept4, ECONNABORTED),
    LIB(accept4, EMFILE),
    LIB(accept4, ENOBUFS),
    LIB(connect, EINTR),
    AS(connect, EAGAIN, EADDRNOTAVAIL),
    LIB(connect, ECONNREFUSED),
    LIB(connect, ETIMEDOUT),
    LIB(recv, EINTR),
    LIB(recv, EAGAIN),
    LIB(recv, ECONNRESET),
    LIB(recv, ENOMEM),
    LIB(send, EINTR),
    LIB(send, EAGAIN),
    LIB(send, EPIPE),
    LIB(send, ENOBUFS),
    LIB(sendto, EINTR),
    LIB(sendto, EAGAIN),
    LIB(sendto, ENOBUFS),
    LIB(recvmsg, EINTR),
    LIB(recvmsg, EAGAIN),
    LIB(recvmsg, ENOMEM),
    LIB(sendmsg, EINTR),
    LIB(sendmsg, EAGAIN),
    LIB(sendmsg, ETOOMANYREFS),
    LIB(setsockopt, ENOMEM),
    AS(getsockopt, ENOBUFS, EOPNOTSUPP),
    LIB(getsockname, ENOBUFS),
    LIB(shutdown, ENOTCONN),
    LIB(fcntl, EPERM),
    LIB(poll, EINTR),
    LIB(poll, ENOMEM),
    LIB(waitid, EINTR),
    LIB(waitid, ECHILD),
    LIB(waitid, EAGAIN), /* it is held back */
    AS(getaddrinfo, EAI_AGAIN, EAGAIN),
    AS(getaddrinfo, EAI_MEMORY, ENOMEM),
    AS(getaddrinfo, EAI_FAIL, EIO),
    AS(getaddrinfo, EAI_SYSTEM, EMFILE),
    LIB(inotify_init1, EMFILE),
    LIB(inotify_add_watch, ENOSPC),
    LIB(inotify_rm_watch, EINVAL),
    LIB(sigaction, EINVAL),
    UV(sigaction, EINVAL),
    LIB(sigaltstack, ENOMEM),
    LIB(sched_getaffinity, EINVAL),
    LIB(fdatasync, EIO),
    LIB(fstat, ENOMEM),
    LIB(ftruncate, EINTR),
    LIB(ftruncate, ENOSPC),
    LIB(rename, ENOSPC),
    LIB(unlink, EIO),
    LIB(mkdir, EDQUOT),
    LIB(rmdir, EIO),
    LIB(writev, EINTR),
    LIB(writev, EAGAIN),
    LIB(writev, EIO),
    LIB(sigpending, EFAULT),
    LIB(sigtimedwait, EINTR),
    LIB(socketpair, EMFILE),
    LIB(getpeername, ENOBUFS),
    LIB(ioctl, EIO),
    LIB(isatty, ENOTTY),
    LIB(kill, EPERM),
    LIB(tcgetattr, EIO),
    LIB(tcsetattr, EINTR),
    LIB(tcsetattr, EIO),
    LIB(ttyname_r, ENODEV),
    LIB(posix_spawnp, EAGAIN),
    LIB(posix_spawnp, ENOMEM),
    LIB(posix_spawnp, EACCES),
    LIB(posix_spawn_file_actions_init, ENOMEM),
    LIB(posix_spawn_file_actions_addopen, ENOMEM),
    LIB(posix_spawn_file_actions_adddup2, ENOMEM),
    LIB(posix_spawn_file_actions_addchdir_np, ENOMEM),
    LIB(posix_spawn_file_actions_addclosefrom_np, ENOMEM),
    LIB(posix_spawnattr_init, ENOMEM),
    LIB(pidfd_open, EMFILE),
    LIB(pidfd_open, ENOMEM),
    LIB(futex_wait, EINTR),
    LIB(membarrier, ENOMEM),
    LIB(membarrier, ENOSYS),
};
const size_t torture_faults_count = sizeof torture_faults / sizeof torture_faults[0];
