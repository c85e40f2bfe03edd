/* The system calls and what stands for them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "shim.h"

/* In the library's imports __errno_location counts as harmless; here a wrapper sets it as the real one would. */
#define REAL(fn) ((__typeof__(&fn))torture_real(&real_##fn, #fn))

#define FAIL_WITH(fn, answer)                                            \
    do {                                                                 \
        int error_ = torture_fault(F_##fn, __builtin_return_address(0)); \
        if (error_ != 0) {                                               \
            errno = error_;                                              \
            return answer;                                               \
        }                                                                \
    } while (0)

/* The same for calls that say EAGAIN of a descriptor whose edges are watched: "not yet" promises one more edge. */
#define FAIL_FD(fn, fd, answer)                                          \
    do {                                                                 \
        int error_ = torture_fault(F_##fn, __builtin_return_address(0)); \
        if (error_ != 0) {                                               \
            if (error_ == EAGAIN) {                                      \
                promise_edge(fd);                                        \
            }                                                            \
            errno = error_;                                              \
            return answer;                                               \
        }                                                                \
    } while (0)

/* Fails with errno. */
#define SHIM(type, answer, fn, params, args) \
    static void *real_##fn;                  \
    type fn params                           \
    {                                        \
        FAIL_WITH(fn, answer);               \
        return REAL(fn) args;                \
    }

/* Fails by returning the error. */
#define SHIM_RC(fn, params, args)                                        \
    static void *real_##fn;                                              \
    int fn params                                                        \
    {                                                                    \
        int error_ = torture_fault(F_##fn, __builtin_return_address(0)); \
        return error_ != 0 ? error_ : REAL(fn) args;                     \
    }

/* May be interrupted, and moves `size` bytes at most: one in a storm. */
#define SHIM_IO(fn, size, params, args)                                                     \
    static void *real_##fn;                                                                 \
    ssize_t fn params                                                                       \
    {                                                                                       \
        FAIL_FD(fn, fd, -1);                                                                \
        if (torture_storms() && torture_caller_of(__builtin_return_address(0)) == BY_LIB) { \
            if (torture_interrupted()) {                                                    \
                errno = EINTR;                                                              \
                return -1;                                                                  \
            }                                                                               \
            (size) = (size) > 1 ? 1 : (size);                                               \
        }                                                                                   \
        return REAL(fn) args;                                                               \
    }

#define SHIM_EINTR(type, fn, params, args) \
    static void *real_##fn;                \
    type fn params                         \
    {                                      \
        FAIL_FD(fn, fd, -1);               \
        if (torture_interrupted()) {       \
            errno = EINTR;                 \
            return -1;                     \
        }                                  \
        return REAL(fn) args;              \
    }

/* --- edges: what the library's own epoll instances watch ------------------------------------------------------- */

enum { WATCHED = 512 };

static struct {
    atomic_int epoll; /* + 1; 0: not watched */
    struct epoll_event event;
} watched[WATCHED];

static void *real_epoll_ctl;

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    if (torture_caller_of(__builtin_return_address(0)) == BY_LIB) {
        if (op == EPOLL_CTL_ADD) {
            FAIL_WITH(epoll_ctl, -1);
        }
        if (fd >= 0 && fd < WATCHED) {
            watched[fd].event = *event;
            /* release: pairs with the acquire in promise_edge. */
            atomic_store_explicit(&watched[fd].epoll, op == EPOLL_CTL_ADD ? epoll + 1 : 0,
                                  memory_order_release);
        }
    } else if (op == EPOLL_CTL_ADD && event->data.fd == -1) {
        /* libuv asks with -1 whether a descriptor may be added, and takes an answer; see shim_table.c */
        FAIL_WITH(epoll_ctl, -1);
    }
    return REAL(epoll_ctl)(epoll, op, fd, event);
}

/* A change, if only to what it was, looks at the descriptor anew. Not watched yet: the addition will. */
static void promise_edge(int fd)
{
    int epoll =
        fd >= 0 && fd < WATCHED ? atomic_load_explicit(&watched[fd].epoll, memory_order_acquire) : 0;
    if (epoll > 0) {
        struct epoll_event event = watched[fd].event;
        (void)REAL(epoll_ctl)(epoll - 1, EPOLL_CTL_MOD, fd, &event);
    }
}

/* --- memory and threads ------------------------------------------------------------------------------------- */

static void *real_mmap, *real_munmap;

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    FAIL_WITH(mmap, MAP_FAILED);
    void *p = REAL(mmap)(at, size, prot, flags, fd, offset);
    if (p != MAP_FAILED && torture_under_way() &&
        torture_caller_of(__builtin_return_address(0)) == BY_LIB) {
        torture_count_mapped((int64_t)size);
    }
    return p;
}

int munmap(void *at, size_t size)
{
    if (torture_under_way() && torture_caller_of(__builtin_return_address(0)) == BY_LIB) {
        torture_count_mapped(-(int64_t)size);
    }
    return REAL(munmap)(at, size);
}

SHIM(int, -1, mprotect, (void *p, size_t n, int prot), (p, n, prot))
SHIM(int, -1, madvise, (void *p, size_t n, int advice), (p, n, advice))
SHIM_RC(pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a))
SHIM_RC(pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t *a), (c, a))
SHIM_RC(pthread_attr_init, (pthread_attr_t * a), (a))
static void *real_sigaction;

int sigaction(int n, const struct sigaction *action, struct sigaction *old)
{
    bool restores =
        action != NULL && (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_DFL;
    if (!restores) { /* libuv ends the process over that; see shim_table.c */
        FAIL_WITH(sigaction, -1);
    }
    return REAL(sigaction)(n, action, old);
}

SHIM(int, -1, sigaltstack, (const stack_t *s, stack_t *o), (s, o))
SHIM(int, -1, sched_getaffinity, (pid_t p, size_t n, cpu_set_t *s), (p, n, s))

static void *real_pthread_cond_timedwait;

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (torture_fault(F_pthread_cond_timedwait, __builtin_return_address(0)) != 0 ||
        torture_interrupted()) {
        return 0; /* for no reason */
    }
    return REAL(pthread_cond_timedwait)(c, m, until);
}

extern atomic_int torture_threads; /* started and not ended, of a run */

struct start {
    void *(*entry)(void *);
    void *arg;
};

static void *run_thread(void *arg)
{
    struct start s = *(struct start *)arg;
    torture_quiet(true);
    free(arg);
    torture_quiet(false);
    void *result = s.entry(s.arg);
    atomic_fetch_sub(&torture_threads, 1);
    return result;
}

static void *real_pthread_create;

int pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*entry)(void *), void *arg)
{
    int error = torture_fault(F_pthread_create, __builtin_return_address(0));
    if (error != 0) {
        return error;
    }
    if (!torture_under_way()) {
        return REAL(pthread_create)(out, attr, entry, arg);
    }
    torture_quiet(true);
    struct start *s = malloc(sizeof *s);
    torture_quiet(false);
    if (s == NULL) {
        abort();
    }
    *s = (struct start){entry, arg};
    atomic_fetch_add(&torture_threads, 1);
    int rc = REAL(pthread_create)(out, attr, run_thread, s);
    if (rc != 0) {
        atomic_fetch_sub(&torture_threads, 1);
        torture_quiet(true);
        free(s);
        torture_quiet(false);
    }
    return rc;
}

/* --- the loop ------------------------------------------------------------------------------------------------- */

SHIM(int, -1, eventfd, (unsigned n, int flags), (n, flags))
SHIM(int, -1, epoll_create1, (int flags), (flags))
SHIM_EINTR(int, epoll_wait, (int fd, struct epoll_event *e, int n, int ms), (fd, e, n, ms))
SHIM(int, -1, pipe2, (int fds[2], int flags), (fds, flags))

static void *real_syscall;

long syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_pidfd_open) {
        FAIL_WITH(pidfd_open, -1);
    } else if (number == SYS_membarrier) {
        FAIL_WITH(membarrier, -1);
    } else if (number == SYS_futex && ((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
        FAIL_WITH(futex_wait, -1);
        if (torture_interrupted()) {
            errno = EINTR;
            return -1;
        }
    }
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- descriptors and files ---------------------------------------------------------------------------------- */

static void *real_read, *real_write;

ssize_t read(int fd, void *buffer, size_t size)
{
    FAIL_WITH(read, -1);
    if (torture_interrupted()) { /* not shorter: an eventfd and an inotify give all or nothing */
        errno = EINTR;
        return -1;
    }
    return REAL(read)(fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
    FAIL_WITH(write, -1);
    if (torture_interrupted()) {
        errno = EINTR;
        return -1;
    }
    return REAL(write)(fd, buffer, size);
}

SHIM_IO(pread, size, (int fd, void *b, size_t size, off_t at), (fd, b, size, at))
SHIM_IO(pwrite, size, (int fd, const void *b, size_t size, off_t at), (fd, b, size, at))
SHIM(int, -1, fsync, (int fd), (fd))
SHIM(int, -1, fdatasync, (int fd), (fd))
SHIM(int, -1, fstat, (int fd, struct stat *st), (fd, st))
SHIM_EINTR(int, ftruncate, (int fd, off_t size), (fd, size))
SHIM(int, -1, rename, (const char *from, const char *to), (from, to))
SHIM(int, -1, unlink, (const char *path), (path))
SHIM(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
SHIM(int, -1, rmdir, (const char *path), (path))
SHIM_EINTR(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
SHIM(int, -1, stat, (const char *path, struct stat *st), (path, st))
SHIM(int, -1, lstat, (const char *path, struct stat *st), (path, st))
SHIM(DIR *, NULL, opendir, (const char *path), (path))
SHIM(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
SHIM(char *, NULL, fgets, (char *line, int size, FILE *f), (line, size, f))
SHIM(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
SHIM(int, -1, fchmodat, (int at, const char *path, mode_t m, int flags), (at, path, m, flags))
SHIM(int, -1, inotify_init1, (int flags), (flags))
SHIM(int, -1, inotify_add_watch, (int fd, const char *path, uint32_t what), (fd, path, what))
SHIM(int, -1, inotify_rm_watch, (int fd, int id), (fd, id))
SHIM(struct dirent *, NULL, readdir, (DIR * dir), (dir))

static void *real_open, *real_fcntl, *real_close;

/* What a fortified build makes of an open without O_CREAT. */
int __open_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
    FAIL_WITH(open, -1);
    return REAL(open)(path, flags);
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    FAIL_WITH(open, -1);
    if (torture_interrupted()) {
        errno = EINTR;
        return -1;
    }
    return REAL(open)(path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    long arg = va_arg(list, long);
    va_end(list);
    FAIL_WITH(fcntl, -1);
    return REAL(fcntl)(fd, command, arg);
}

/* Done, whatever it answers. */
int close(int fd)
{
    int rc = REAL(close)(fd);
    FAIL_WITH(close, -1);
    return rc;
}

/* --- the network and processes -------------------------------------------------------------------------------- */

SHIM(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
SHIM(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SHIM(int, -1, listen, (int fd, int backlog), (fd, backlog))
SHIM_EINTR(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
SHIM(int, -1, setsockopt, (int fd, int level, int name, const void *v, socklen_t n),
     (fd, level, name, v, n))
SHIM(int, -1, getsockopt, (int fd, int level, int name, void *v, socklen_t *n),
     (fd, level, name, v, n))
SHIM(int, -1, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
SHIM(int, -1, shutdown, (int fd, int how), (fd, how))
SHIM_EINTR(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SHIM_IO(recv, size, (int fd, void *b, size_t size, int flags), (fd, b, size, flags))
SHIM_IO(send, size, (int fd, const void *b, size_t size, int flags), (fd, b, size, flags))
SHIM_EINTR(ssize_t, sendto,
           (int fd, const void *b, size_t n, int flags, const struct sockaddr *a, socklen_t size),
           (fd, b, n, flags, a, size))
SHIM_EINTR(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
SHIM_EINTR(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
static void *real_poll;

int poll(struct pollfd *p, nfds_t n, int ms)
{
    FAIL_WITH(poll, -1);
    if (torture_interrupted()) {
        errno = EINTR;
        return -1;
    }
    return REAL(poll)(p, n, ms);
}

static void *real_kill;

int kill(pid_t pid, int n)
{
    if (n != SIGKILL) { /* that one is refused for a set-user-ID program only, which then goes on */
        FAIL_WITH(kill, -1);
    }
    return REAL(kill)(pid, n);
}

SHIM(int, -1, socketpair, (int family, int type, int protocol, int fds[2]),
     (family, type, protocol, fds))
SHIM(int, -1, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
SHIM(int, -1, sigpending, (sigset_t * set), (set))
SHIM(int, 0, isatty, (int fd), (fd))
SHIM(int, -1, tcgetattr, (int fd, struct termios *mode), (fd, mode))
SHIM(int, -1, tcsetattr, (int fd, int when, const struct termios *mode), (fd, when, mode))
SHIM_RC(ttyname_r, (int fd, char *name, size_t size), (fd, name, size))
SHIM_RC(posix_spawnp,
        (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attr, char *const argv[], char *const env[]),
        (pid, file, actions, attr, argv, env))
SHIM_RC(posix_spawn_file_actions_init, (posix_spawn_file_actions_t * a), (a))
SHIM_RC(posix_spawn_file_actions_addopen,
        (posix_spawn_file_actions_t * a, int fd, const char *path, int flags, mode_t mode),
        (a, fd, path, flags, mode))
SHIM_RC(posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t * a, int fd, int as),
        (a, fd, as))
SHIM_RC(posix_spawn_file_actions_addchdir_np, (posix_spawn_file_actions_t * a, const char *path),
        (a, path))
SHIM_RC(posix_spawn_file_actions_addclosefrom_np, (posix_spawn_file_actions_t * a, int from),
        (a, from))
SHIM_RC(posix_spawnattr_init, (posix_spawnattr_t * a), (a))

static void *real_sigtimedwait, *real_ioctl;

/* Interrupted by the plan only: a loop around it runs until the signal has been taken. */
int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
    FAIL_WITH(sigtimedwait, -1);
    return REAL(sigtimedwait)(set, info, limit);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *arg = va_arg(list, void *);
    va_end(list);
    FAIL_WITH(ioctl, -1);
    return REAL(ioctl)(fd, request, arg);
}

static void *real_waitid;

int waitid(idtype_t type, id_t id, siginfo_t *info, int flags)
{
    int error = torture_fault(F_waitid, __builtin_return_address(0));
    if (error == EAGAIN) { /* no error of waitid: a debugger holds the child back, which has ended */
        *info = (siginfo_t){.si_pid = 0};
        return 0;
    }
    if (error == ECHILD) { /* somebody else reaped it, so it has ended */
        siginfo_t unused;
        if (type == P_PID) {
            (void)REAL(kill)((pid_t)id, SIGKILL);
        } else {
            (void)REAL(syscall)(SYS_pidfd_send_signal, id, SIGKILL, NULL, 0);
        }
        (void)REAL(waitid)(type, id, &unused, WEXITED);
    }
    if (error != 0 || torture_interrupted()) {
        errno = error != 0 ? error : EINTR;
        return -1;
    }
    return REAL(waitid)(type, id, info, flags);
}

static void *real_getaddrinfo;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int error = torture_fault(F_getaddrinfo, __builtin_return_address(0));
    if (error != 0) {
        errno = error == EAI_SYSTEM ? EMFILE : 0;
        return error;
    }
    return REAL(getaddrinfo)(host, service, hints, out);
}
