/* More system calls of io/, for streams that are no sockets; see sys.h for why they stand apart. */
#ifndef COS_IO_SYS_STREAM_H
#define COS_IO_SYS_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct termios;

/* All or a part of it; -EAGAIN. */
int64_t cos_sys_send_parts(int fd, const struct iovec *parts, size_t count); /* raises no SIGPIPE */
/* The same with write(2): no SIGPIPE either, which costs a few calls more. */
int64_t cos_sys_write_parts(int fd, const struct iovec *parts, size_t count);

enum cos_fd_kind { COS_FD_OTHER, COS_FD_SOCKET, COS_FD_TCP, COS_FD_TTY };

/* An enum cos_fd_kind; -EINVAL: a regular file or a directory; -EBADF. */
int cos_sys_fd_kind(int fd);
bool cos_sys_is_tcp(int fd);
int cos_sys_pipe(int ends[2], bool nonblocking[2]); /* close-on-exec */
int cos_sys_pair(int ends[2]);                      /* unix, non-blocking, close-on-exec */

/* A descriptor with an open file of its own on fd's terminal, non-blocking: nobody else's reads change. Where there is no
 * such thing (the master's side), a duplicate. */
int cos_sys_tty_open(int fd);
int cos_sys_tty_size(int fd, int *columns, int *rows);
int cos_sys_tty_get(int fd, struct termios *out);
int cos_sys_tty_set(int fd,
                    const struct termios *mode); /* at once: what was written may still be on its way */
#endif
