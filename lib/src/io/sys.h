/* The system calls of io/, answering a negative errno instead of setting errno.
 *
 * They have a file of their own because errno is a thread-local: compilers compute its address once a function,
 * and the functions that call these suspend between two calls and resume on other threads. EINTR is retried. */
#ifndef COS_IO_SYS_H
#define COS_IO_SYS_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/* -EAGAIN when it would block. */
int64_t cos_sys_recv(int fd, void *buffer, size_t size);
int64_t cos_sys_send(int fd, const void *buffer, size_t size); /* raises no SIGPIPE */
/* A non-blocking descriptor; connections that died in the backlog are skipped. */
int cos_sys_accept(int fd);

/* -EINVAL for an empty path, -ENAMETOOLONG past what an address holds. */
int cos_sys_address(struct sockaddr_un *out, const char *path);
int cos_sys_socket(void); /* unix, stream, non-blocking, close-on-exec */
int cos_sys_connect(int fd, const struct sockaddr_un *to);
/* Binds, gives the file its mode whatever the umask, listens: in this order. A failure leaves no file behind. */
int cos_sys_listen(int fd, const struct sockaddr_un *at, mode_t mode, int backlog);
int cos_sys_is_listening(int fd); /* 0, or why not: -ENOTSOCK, -EINVAL … */

int cos_sys_set_nonblocking(int fd);
int cos_sys_set_cloexec(int fd);
int cos_sys_duplicate(int fd); /* close-on-exec */
/* COSCHED_READABLE, COSCHED_WRITABLE of `events`; 0 when not ready. An error or a hang-up makes fd readable, and
 * whatever else was asked for, because nothing would block. */
int cos_sys_ready(int fd, int events);
void cos_sys_close(int fd);

int cos_sys_pidfd(pid_t pid); /* -ECHILD when there is no such process */
/* Reaps a child that has ended: 1, 0 not ended yet, or -ECHILD. pidfd < 0: by pid. */
int cos_sys_reap(pid_t pid, int pidfd, int *status);

int64_t cos_sys_read(int fd, void *buffer, size_t size);
int cos_sys_inotify(void); /* non-blocking, close-on-exec */
int cos_sys_inotify_add(int fd, const char *path, uint32_t what);
int cos_sys_inotify_remove(int fd, int id);
#endif
