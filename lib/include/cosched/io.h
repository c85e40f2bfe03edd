/* io.h - awaitable I/O on the runtime's libuv loop.
 *
 * Any task may call these, from any executor but a pinned BLOCKING one (-EPERM; files alone work there, too): the task
 * goes to MAIN when it has to wait, and comes back. A deadline or cancellation stops the operation before the call
 * returns, so buffers are never in use afterwards; an operation that had already finished wins over both. Objects
 * belong to whoever opened them, and may be used by one task per direction at a time (-EBUSY).
 */
#ifndef COSCHED_IO_H
#define COSCHED_IO_H
#include <cosched/cosched.h>

#include <sys/socket.h>
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
/* The end of what this side sends: the peer reads 0 once it has the rest; it may go on sending. Any thread; no write may
 * be under way. -ENOTCONN: the peer has gone. */
COSCHED_API int cosched_stream_shutdown_write(cosched_stream *s);
COSCHED_API int cosched_stream_fileno(const cosched_stream *s); /* borrowed */
/* Wakes tasks that wait in read or write with -ECANCELED: any task may call it, to end another's conversation. */
COSCHED_API void cosched_stream_shut(cosched_stream *s);
/* Closes and frees; nobody may wait on it any more. Cannot be cancelled. NULL is fine. */
COSCHED_API void cosched_close(cosched_stream *s);

/* --- the internet: addresses and names ---------------------------------------------------------------- */

struct cosched_address {
    struct sockaddr_storage to;
    socklen_t size; /* of what is used of it */
};

struct cosched_addresses {
    size_t count; /* at least 1 */
    struct cosched_address *at;
};

COSCHED_API int cosched_address_port(const struct cosched_address *a); /* any thread; -EAFNOSUPPORT */
/* What the system's resolver says of a host and a service ("http", "80"; NULL: port 0), in its order. Numeric ones are
 * answered at once; others are asked for on a thread that may block. A deadline or a cancellation returns at once, and
 * the lookup ends by itself, later (the end of the runtime waits for it). -ENOENT: no such name; -EAGAIN: not now (the
 * name server; or too many lookups are left behind); -EIO: the name server refuses. */
COSCHED_API int cosched_resolve(const char *host, const char *service, int64_t deadline,
                                struct cosched_addresses **out);
COSCHED_API void cosched_addresses_free(struct cosched_addresses *addresses); /* NULL is fine */

/* --- TCP ------------------------------------------------------------------------------------------------ */

/* host: numeric (else -EINVAL), or NULL for every address of this machine. Port 0: any that is free. */
COSCHED_API int cosched_listen_tcp(cosched_listener **out, const char *host, uint16_t port,
                                   int backlog);
COSCHED_API int cosched_listener_port(const cosched_listener *l); /* -EAFNOSUPPORT: a unix socket */
/* Tries the host's addresses in order; the deadline is for all of it. The error is the last address's, or
 * cosched_resolve's. */
COSCHED_API int cosched_connect_tcp(cosched_stream **out, const char *host, uint16_t port,
                                    int64_t deadline);
/* Small writes leave at once instead of waiting for more. Any thread; -EOPNOTSUPP: not TCP. */
COSCHED_API int cosched_stream_nodelay(cosched_stream *s, bool on);

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

/* --- UDP ------------------------------------------------------------------------------------------------ */

typedef struct cosched_udp cosched_udp;
/* Bound as cosched_listen_tcp binds. Such a socket sends to its own family; one that is bound to every address of this
 * machine is of IPv6. */
COSCHED_API int cosched_udp_open(cosched_udp **out, const char *host, uint16_t port);
COSCHED_API int cosched_udp_port(const cosched_udp *u);
/* A datagram: size. -EMSGSIZE: too large for one. That it was sent says nothing about its arrival. */
COSCHED_API int64_t cosched_udp_send_to(cosched_udp *u, const void *buffer, size_t size,
                                        const struct cosched_address *to, int64_t deadline);
/* The next datagram: its size, which may be 0, and its sender in *from (may be NULL). -EMSGSIZE: it was larger than the
 * buffer, and is gone. */
COSCHED_API int64_t cosched_udp_recv_from(cosched_udp *u, void *buffer, size_t size,
                                          struct cosched_address *from, int64_t deadline);
/* As cosched_stream_shut and cosched_close. */
COSCHED_API void cosched_udp_shut(cosched_udp *u);
COSCHED_API void cosched_udp_close(cosched_udp *u); /* NULL is fine */

/* --- descriptors passed through unix sockets ------------------------------------------------------------- */

/* One descriptor, which stays the caller's, too, and travels with a byte of its own: the peer must take it with
 * cosched_recv_fd, in its place among what is written. 0; -EOPNOTSUPP: not a unix socket. */
COSCHED_API int cosched_send_fd(cosched_stream *s, int fd, int64_t deadline);
/* The next byte's descriptor, which is the caller's to close. -EPIPE: the end of the stream; -EBADMSG: the byte had none,
 * or several (all are closed); -EMFILE: there was no room for it, and it is lost. */
COSCHED_API int cosched_recv_fd(cosched_stream *s, int64_t deadline);

/* --- files: on threads that may block ------------------------------------------------------------------- */

/* Each takes a thread of cosched_blocking's pool; the deadline limits the wait for one (COSCHED_NOW never gets it). What
 * has begun is waited for, whatever happens to the task, and its result is the answer: buffers are not in use
 * afterwards. Descriptors are plain ones, close-on-exec; calls on one may overlap. */
COSCHED_API int cosched_file_open(const char *path, int flags, mode_t mode,
                                  int64_t deadline); /* a descriptor; flags as in open(2) */
/* At least 1 byte of up to size; 0 at the end of the file. */
COSCHED_API int64_t cosched_file_read_at(int fd, void *buffer, size_t size, int64_t offset,
                                         int64_t deadline);
/* All of it: size, or a negative errno; then a part may be there. */
COSCHED_API int64_t cosched_file_write_at(int fd, const void *buffer, size_t size, int64_t offset,
                                          int64_t deadline);
COSCHED_API int cosched_file_sync(int fd, int64_t deadline); /* fsync(2) */
struct stat;
COSCHED_API int cosched_file_stat(const char *path, struct stat *out, int64_t deadline);
/* Also for a task that was cancelled. The descriptor is gone, whatever the answer; -EIO, -ENOSPC, -EDQUOT: writes that
 * had seemed to succeed were lost. */
COSCHED_API int cosched_file_close(int fd);

enum cosched_entry_kind {
    COSCHED_ENTRY_UNKNOWN, /* the file system does not say: ask cosched_file_stat */
    COSCHED_ENTRY_FILE,
    COSCHED_ENTRY_DIRECTORY,
    COSCHED_ENTRY_LINK, /* a symbolic one */
    COSCHED_ENTRY_OTHER
};

struct cosched_entry {
    const char *name; /* within the entries */
    enum cosched_entry_kind kind;
};

struct cosched_entries {
    size_t count;
    struct cosched_entry *at;
};

/* What a directory holds, without "." and "..", in no order. -EOVERFLOW: more than entries_max. */
COSCHED_API int cosched_scandir(const char *path, size_t entries_max, int64_t deadline,
                                struct cosched_entries **out);
COSCHED_API void cosched_entries_free(struct cosched_entries *entries); /* NULL is fine */

/* --- file changes ---------------------------------------------------------------------------------------- */

typedef struct cosched_changes cosched_changes;

struct cosched_change {
    int id;          /* what cosched_changes_add answered; -1: changes were lost (IN_Q_OVERFLOW) */
    uint32_t what;   /* IN_CREATE …, as in inotify(7) */
    uint32_t cookie; /* the same for the two halves of a rename */
    char name[256];  /* of the entry, when a directory is watched; else empty */
};

COSCHED_API int cosched_changes_open(cosched_changes **out);
/* From now on changes of the kinds `what` (IN_…, from <sys/inotify.h>) are kept until taken: an id. By one task at a
 * time (-EBUSY), as a file operation. */
COSCHED_API int cosched_changes_add(cosched_changes *c, const char *path, uint32_t what,
                                    int64_t deadline);
COSCHED_API int cosched_changes_remove(cosched_changes *c,
                                       int id); /* any thread; -EINVAL: no such id */
COSCHED_API int cosched_changes_next(cosched_changes *c, struct cosched_change *out,
                                     int64_t deadline);
/* Wakes a task that waits in next with -ECANCELED, closes and frees. NULL is fine. */
COSCHED_API void cosched_changes_close(cosched_changes *c);

#ifdef __cplusplus
}
#endif
#endif
