/* io.h - awaitable I/O on the runtime's libuv loop.
 *
 * Any task may call these, from any executor but a pinned BLOCKING one (-EPERM): the task goes to MAIN for the
 * operation and comes back. A deadline or cancellation stops the operation before the call returns, so buffers are
 * never in use afterwards; an operation that had already finished wins over both. Objects belong to whoever opened
 * them, and may be used by one task per direction at a time (-EBUSY).
 */
#ifndef COSCHED_IO_H
#define COSCHED_IO_H
#include <cosched/cosched.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- unix sockets ------------------------------------------------------------------------------------ */

typedef struct cosched_listener cosched_listener;
typedef struct cosched_stream cosched_stream;

/* Binds and listens. The path must not exist; mode is applied before anybody can connect. -ENAMETOOLONG past what
 * a socket address holds, -EADDRINUSE, -EACCES … */
COSCHED_API int cosched_listen_unix(cosched_listener **out, const char *path, mode_t mode,
                                    int backlog);
COSCHED_API int cosched_listen_fd(cosched_listener **out,
                                  int fd); /* an inherited, listening socket; takes fd over */
/* The next connection. -EMFILE and -ENFILE leave it waiting in the backlog: wait a little, then accept again. */
COSCHED_API int cosched_accept(cosched_listener *l, cosched_stream **out, int64_t deadline);
/* Wakes a task that waits in accept with -ECANCELED, closes and frees. The path is not unlinked. NULL is fine. */
COSCHED_API void cosched_listener_close(cosched_listener *l);

COSCHED_API int cosched_connect_unix(cosched_stream **out, const char *path, int64_t deadline);
/* At least 1 byte of up to size; 0 at the end of the stream. */
COSCHED_API int64_t cosched_read(cosched_stream *s, void *buffer, size_t size, int64_t deadline);
/* All of it: size, or a negative errno; after -ETIMEDOUT or -ECANCELED a part may have left, and the stream should
 * be closed. */
COSCHED_API int64_t cosched_write(cosched_stream *s, const void *buffer, size_t size,
                                  int64_t deadline);
COSCHED_API int cosched_stream_fileno(const cosched_stream *s); /* borrowed */
/* Wakes tasks that wait in read or write with -ECANCELED: any task may call it, to end another's conversation. */
COSCHED_API void cosched_stream_shut(cosched_stream *s);
/* Closes and frees; nobody may wait on it any more. Cannot be cancelled. NULL is fine. */
COSCHED_API void cosched_close(cosched_stream *s);

/* --- descriptors, signals, children ------------------------------------------------------------------- */

enum { COSCHED_READABLE = 1, COSCHED_WRITABLE = 2 };

/* Waits until fd is ready for any of `events`; returns the ready ones (errors and hang-ups make it readable). One
 * waiter per descriptor. The descriptor stays the caller's, and is made non-blocking. */
COSCHED_API int cosched_poll(int fd, int events, int64_t deadline);

typedef struct cosched_signals cosched_signals;
/* Signals delivered to the process from now on are kept (one of each kind) until waited for. */
COSCHED_API int cosched_signals_open(cosched_signals **out, const int *numbers, size_t count);
COSCHED_API int cosched_signals_wait(cosched_signals *s, int64_t deadline); /* the signal's number */
COSCHED_API void cosched_signals_close(cosched_signals *s);                 /* NULL is fine */

/* Waits for a child process (through a pidfd; no SIGCHLD handler is involved) and reaps it; *status as in wait(2).
 * After -ETIMEDOUT or -ECANCELED it is not reaped, and may be waited for again. -ECHILD: not our child. */
COSCHED_API int cosched_child_wait(pid_t pid, int *status, int64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
