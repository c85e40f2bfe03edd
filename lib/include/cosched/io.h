/* io.h - awaitable I/O.
 *
 * What holds for all of it:
 *
 *  - Any task may call these, from any executor, pinned ones included. An operation is tried where its task runs; when it has
 *    to wait, the task parks there, MAIN's poll watches the descriptor, and the task goes on where it was. So MAIN's loop must
 *    run. Outside tasks: -EPERM. What says "never suspends" may be called by any thread that may use the object.
 *  - A deadline (absolute, nanoseconds, see cosched.h) or a cancellation stops the operation before the call returns: -ETIMEDOUT,
 *    -ECANCELED. What had completed by then wins over both, so no connection, datagram or descriptor is lost. COSCHED_NOW tries
 *    once and never suspends. A task that is cancelled already gets -ECANCELED before anything is tried; only closing works.
 *  - Memory passed in is borrowed for the length of the call: a buffer must stay valid, and unchanged, until the call returns,
 *    whatever it returns, and is never in use afterwards.
 *  - Objects belong to whoever opened them. One task a direction: a second reader (or acceptor), or a second writer, is
 *    answered -EBUSY. Closing never fails; who still waits on the object gets -ECANCELED. A close is the last use.
 *  - Results: >= 0, or a negative errno. Those named are what a caller may want to tell apart; the kernel's others come
 *    through. -ENOMEM, and -EMFILE or -ENFILE where a descriptor is made, are possible everywhere and leave nothing behind.
 *  - Descriptors are close-on-exec from birth. No call raises SIGPIPE.
 *
 * Read in order: streams, where they come from (unix, addresses, TCP, pipes, terminals), UDP, descriptors, signals, processes,
 * files, file changes.
 */
#ifndef COSCHED_IO_H
#define COSCHED_IO_H
#include <cosched/cosched.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- streams: bytes in order, both ways or one ---------------------------------------------------------- */

typedef struct cosched_listener cosched_listener;
typedef struct cosched_stream cosched_stream;

/* At least 1 byte of up to size; 0 at the end of the stream, each time it is asked. -EINVAL: size 0. -ECONNRESET: the peer
 * broke the connection; -EIO: a terminal hung up. */
COSCHED_API int64_t cosched_read(cosched_stream *s, void *buffer, size_t size, int64_t deadline);
/* All of it, in as many parts as the kernel wants: size, or a negative errno. After -ETIMEDOUT or -ECANCELED a part may have
 * left, and how much is not known: close the stream. -EPIPE, -ECONNRESET: nobody will read it. That it was written says
 * nothing about its arrival. */
COSCHED_API int64_t cosched_write(cosched_stream *s, const void *buffer, size_t size,
                                  int64_t deadline);
/* The same for `count` parts, in order, as one write: the sum of their sizes. -EINVAL: a sum past INT64_MAX. */
COSCHED_API int64_t cosched_writev(cosched_stream *s, const struct iovec *parts, size_t count,
                                   int64_t deadline);
/* The end of what this side sends: the peer reads 0 once it has the rest; it may go on sending. Sockets only (-ENOTSOCK: a pipe
 * or terminal has one end; close it). Any thread; no write may be under way. -ENOTCONN: the peer has gone. */
COSCHED_API int cosched_stream_shutdown_write(cosched_stream *s);
/* Wakes tasks that wait in read or write with -ECANCELED, and refuses new operations so: any thread may end another's
 * conversation, while the stream is open. Idempotent; never suspends. */
COSCHED_API void cosched_stream_shut(cosched_stream *s);
/* Closes and frees; a terminal that is raw gets its former mode back. Any thread; never suspends. NULL is fine. */
COSCHED_API void cosched_close(cosched_stream *s);
/* The descriptor, borrowed: for options and cosched_poll, not to be closed. Never suspends. */
COSCHED_API int cosched_stream_fileno(const cosched_stream *s);

/* --- unix sockets ---------------------------------------------------------------------------------------- */

/* Binds and listens; the caller closes *out. The path must not exist; mode is applied before anybody can connect; backlog as in
 * listen(2). Never suspends. -ENAMETOOLONG past what a socket address holds (107 bytes), -EINVAL: an empty path, -EADDRINUSE,
 * -EACCES, -ENOENT … */
COSCHED_API int cosched_listen_unix(cosched_listener **out, const char *path, mode_t mode,
                                    int backlog);
/* An inherited, listening socket of any family; takes fd over when it answers 0, and makes it non-blocking. Never suspends.
 * -EINVAL: it does not listen; -ENOTSOCK, -EBADF. */
COSCHED_API int cosched_listen_fd(cosched_listener **out, int fd);
/* The next connection, which the caller closes. -EMFILE and -ENFILE leave it waiting in the backlog: wait a little, then accept
 * again. Connections that died in the backlog are passed over. */
COSCHED_API int cosched_accept(cosched_listener *l, cosched_stream **out, int64_t deadline);
/* Closes and frees; a task that waits in accept gets -ECANCELED. The path is not unlinked. Any thread; never suspends. NULL is
 * fine. */
COSCHED_API void cosched_listener_close(cosched_listener *l);

/* The caller closes *out. A full backlog is waited for. -ENOENT, -ECONNREFUSED (nobody listens), -EACCES, -ENAMETOOLONG. */
COSCHED_API int cosched_connect_unix(cosched_stream **out, const char *path, int64_t deadline);
/* Two connected streams, out[0] and out[1], both the caller's to close. Never suspends. */
COSCHED_API int cosched_stream_pair(cosched_stream *out[2]);

/* One descriptor, which stays the caller's, too, and travels with a byte of its own: the peer must take it with
 * cosched_recv_fd, in its place among what is written. 0; -EOPNOTSUPP: not a unix socket. */
COSCHED_API int cosched_send_fd(cosched_stream *s, int fd, int64_t deadline);
/* The next byte's descriptor, which is the caller's to close. -EPIPE: the end of the stream; -EBADMSG: the byte had none,
 * or several (all are closed); -EMFILE: there was no room for it, and it is lost. */
COSCHED_API int cosched_recv_fd(cosched_stream *s, int64_t deadline);

/* --- addresses and names ---------------------------------------------------------------------------------- */

struct cosched_address {
    struct sockaddr_storage to;
    socklen_t size; /* of what is used of it */
};

struct cosched_addresses {
    size_t count; /* at least 1 */
    struct cosched_address *at;
};

COSCHED_API int cosched_address_port(const struct cosched_address *a); /* any thread; -EAFNOSUPPORT */
/* "127.0.0.1:80", "[::1]:80", a unix socket's path ("@…": an abstract one; "": none): the length, without the 0. Any thread; never
 * suspends. -ENOSPC: it needs more than size; COSCHED_ADDRESS_TEXT is enough for all. -EAFNOSUPPORT. */
#define COSCHED_ADDRESS_TEXT 128
COSCHED_API int cosched_address_text(const struct cosched_address *a, char *out, size_t size);
/* Who the two ends are. Any thread; never suspends. -ENOTSOCK: no socket; -ENOTCONN: the peer has gone. */
COSCHED_API int cosched_stream_local(const cosched_stream *s, struct cosched_address *out);
COSCHED_API int cosched_stream_peer(const cosched_stream *s, struct cosched_address *out);

/* What the system's resolver says of a host and a service ("http", "80"; NULL: port 0), in its order, for the caller to free.
 * Numeric ones are answered at once; others are asked for on a thread that may block. A deadline or a cancellation returns at
 * once, and the lookup ends by itself, later (the end of the runtime waits for it). -ENOENT: no such name; -EAGAIN: not now
 * (the name server; or too many lookups are left behind); -EIO: the name server refuses. */
COSCHED_API int cosched_resolve(const char *host, const char *service, int64_t deadline,
                                struct cosched_addresses **out);
COSCHED_API void cosched_addresses_free(struct cosched_addresses *addresses); /* NULL is fine */

/* --- TCP ------------------------------------------------------------------------------------------------- */

/* As cosched_listen_unix. host: numeric (else -EINVAL), or NULL for every address of this machine. Port 0: any that is free. A
 * port that lingers after a former server is taken. */
COSCHED_API int cosched_listen_tcp(cosched_listener **out, const char *host, uint16_t port,
                                   int backlog);
/* The port that it has. Any thread; never suspends. -EAFNOSUPPORT: a unix socket. */
COSCHED_API int cosched_listener_port(const cosched_listener *l);
/* Resolves and connects ("Happy Eyeballs", RFC 8305): the host's IPv6 and IPv4 addresses take turns, in the resolver's order; one
 * that has not answered after 250 ms goes on while the next is tried, one that fails makes room at once; the first that connects
 * is *out, which the caller closes, and the others are closed. At most 16 addresses; the deadline is for all of it. The error is
 * that of the address that failed last (-ECONNREFUSED, -ENETUNREACH …), or cosched_resolve's. */
COSCHED_API int cosched_connect_name(cosched_stream **out, const char *host, const char *service,
                                     int64_t deadline);
/* The same with the port in a number. */
COSCHED_API int cosched_connect_tcp(cosched_stream **out, const char *host, uint16_t port,
                                    int64_t deadline);
/* Small writes leave at once instead of waiting for more. Any thread; -EOPNOTSUPP: not TCP. */
COSCHED_API int cosched_stream_nodelay(cosched_stream *s, bool on);

/* --- pipes, and streams of descriptors that somebody else opened ------------------------------------------- */

/* What is written to *to is read from *from; both are the caller's to close. The other directions answer -EBADF. The reader finds
 * the end when *to is closed, the writer -EPIPE when *from is. Never suspends. */
COSCHED_API int cosched_pipe(cosched_stream **from, cosched_stream **to);
/* A stream on a pipe, a socket, a terminal, a character device: takes fd over when it answers 0, makes it close-on-exec and
 * non-blocking (which the open file is then for everybody who shares it; for a terminal see cosched_tty_open). Never suspends.
 * -EINVAL: a regular file or directory (see files); -EBADF. */
COSCHED_API int cosched_stream_adopt(cosched_stream **out, int fd);

/* --- terminals ---------------------------------------------------------------------------------------------- */

/* A stream on fd's terminal, through an open file of its own where the kernel allows, so that the shell's and others' reads stay
 * as they are; fd stays the caller's. The master's side of a pseudo-terminal is shared and becomes non-blocking. Never suspends.
 * -ENOTTY. */
COSCHED_API int cosched_tty_open(cosched_stream **out, int fd);
/* In characters; SIGWINCH (cosched_signals_open) tells of changes. Any thread; never suspends. -ENOTTY. */
COSCHED_API int cosched_tty_size(const cosched_stream *s, int *columns, int *rows);
/* Raw: each key at once, no echo, no signals from keys; lines that are written still get their carriage return. The mode is the
 * terminal's, for all who use it; off, or closing, gives back what it was at the first `on`, but the end of the process does not.
 * By the task that owns the stream; never suspends. From a background job the kernel sends SIGTTOU. -ENOTTY, -EIO. */
COSCHED_API int cosched_tty_raw(cosched_stream *s, bool on);

/* --- UDP ---------------------------------------------------------------------------------------------------- */

typedef struct cosched_udp cosched_udp;
/* Bound as cosched_listen_tcp binds. Such a socket sends to its own family; one that is bound to every address of this
 * machine is of IPv6. Never suspends. */
COSCHED_API int cosched_udp_open(cosched_udp **out, const char *host, uint16_t port);
COSCHED_API int cosched_udp_port(const cosched_udp *u); /* any thread */
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

/* --- any descriptor ------------------------------------------------------------------------------------------ */

enum { COSCHED_READABLE = 1, COSCHED_WRITABLE = 2 };

/* Waits until fd is ready for any of `events`; returns the ready ones (errors and hang-ups make it readable, and whatever was
 * asked for). Any number of tasks may wait for one descriptor. It stays the caller's, must stay open meanwhile, and is made
 * non-blocking. Regular files are always ready. -EBADF, -EINVAL. */
COSCHED_API int cosched_poll(int fd, int events, int64_t deadline);

/* --- signals -------------------------------------------------------------------------------------------------- */

typedef struct cosched_signals cosched_signals;
/* Signals delivered to the process from now on are kept (one of each kind) until waited for; the former actions come back when the
 * last object of a number is closed. Travels to MAIN and back; pinned elsewhere: -EPERM. count: 1 … 64. -EINVAL: no such signal,
 * or one that cannot be caught. */
COSCHED_API int cosched_signals_open(cosched_signals **out, const int *numbers, size_t count);
COSCHED_API int cosched_signals_wait(cosched_signals *s, int64_t deadline); /* the signal's number */
/* Travels to MAIN and back, or is called on MAIN's thread. NULL is fine. */
COSCHED_API void cosched_signals_close(cosched_signals *s);

/* --- processes ------------------------------------------------------------------------------------------------ */

typedef enum {
    COSCHED_STDIO_NULL,    /* /dev/null */
    COSCHED_STDIO_INHERIT, /* this process's descriptor of the same number */
    COSCHED_STDIO_PIPE,    /* a pipe; this process's end is a stream */
    COSCHED_STDIO_FD,      /* a copy of fd */
    COSCHED_STDIO_STDOUT   /* stdio[2] only: the same as the child's standard output */
} cosched_stdio_how;

typedef struct {
    cosched_stdio_how how;
    int fd; /* of COSCHED_STDIO_FD; borrowed for the call */
} cosched_stdio;

enum {
    COSCHED_PROCESS_GROUP =
        1, /* a process group of its own: kill reaches all that it starts and that stays in it */
    COSCHED_PROCESS_SESSION = 2 /* the same, and a session: no controlling terminal */
};

typedef struct {
    size_t struct_size;
    const char *file;        /* looked for in PATH when it has no slash; NULL: argv[0] */
    const char *const *argv; /* at least one, then NULL */
    const char *const *env;  /* "NAME=value" …, then NULL; NULL: this process's */
    const char *cwd; /* NULL: this process's; a relative file with a slash is looked for from there */
    cosched_stdio stdio[3]; /* zeroed: /dev/null */
    uint32_t flags;         /* COSCHED_PROCESS_GROUP … */
} cosched_process_attr;

typedef struct cosched_process cosched_process;

/* Starts a program by posix_spawn(3) on a thread that may block, for which the deadline limits the wait; what has begun counts.
 * The child has its three descriptors and no others (without glibc: and those that are not close-on-exec), no signal blocked and
 * none ignored. pipes (may be NULL when there are none): the streams of this process's ends, the caller's to close; NULL where
 * stdio says otherwise. *out is the caller's to close. What kept the program from being executed is the answer here: -ENOENT,
 * -EACCES, -ENOEXEC …; -EAGAIN: no more processes; -EINVAL: attr, or a pipe without pipes. */
COSCHED_API int cosched_process_spawn(cosched_process **out, cosched_stream *pipes[3],
                                      const cosched_process_attr *attr, int64_t deadline);
COSCHED_API pid_t cosched_process_pid(const cosched_process *p); /* any thread */
/* Until it has ended: 0, and *status (may be NULL) as in wait(2), each time it is asked, by any number of tasks. No SIGCHLD handler
 * is involved; where the kernel has no pidfds it is asked again and again, after 1 … 64 ms. -ECHILD: somebody else reaped it. */
COSCHED_API int cosched_process_wait(cosched_process *p, int *status, int64_t deadline);
/* A signal; with COSCHED_PROCESS_GROUP or _SESSION for the whole group. Never hits another process that got the number: -ESRCH
 * once the end has been waited for. Any thread, while p is open; never suspends. */
COSCHED_API int cosched_process_kill(cosched_process *p, int number);
/* Ends it: SIGTERM, until the deadline; then, or when the task is cancelled, SIGKILL, and waits up to 10 s for that, cancelled or
 * not. 0 and *status; -ETIMEDOUT: not even that has ended it (yet). */
COSCHED_API int cosched_process_end(cosched_process *p, int *status, int64_t deadline);
/* Frees; a child that has not ended is killed (SIGKILL) and waited for, up to 10 s, cancelled or not. By a task. NULL is fine. */
COSCHED_API void cosched_process_close(cosched_process *p);

/* For a child that somebody else started: waits, and reaps it; *status (may be NULL) as in wait(2). After -ETIMEDOUT or -ECANCELED it
 * is not reaped, and may be waited for again. -ECHILD: not our child; -EINVAL: pid <= 0. */
COSCHED_API int cosched_child_wait(pid_t pid, int *status, int64_t deadline);

/* --- files: on threads that may block --------------------------------------------------------------------------- */

/* Each takes a thread of cosched_blocking's pool; the deadline limits the wait for one (COSCHED_NOW never gets it). What
 * has begun is waited for, whatever happens to the task, and its result is the answer: buffers and paths are not in use
 * afterwards. Descriptors are plain ones, close-on-exec; calls on one may overlap. Errors are those of the system call. */
COSCHED_API int cosched_file_open(const char *path, int flags, mode_t mode,
                                  int64_t deadline); /* a descriptor; flags as in open(2) */
/* At least 1 byte of up to size; 0 at the end of the file. -EINVAL: size 0. */
COSCHED_API int64_t cosched_file_read_at(int fd, void *buffer, size_t size, int64_t offset,
                                         int64_t deadline);
/* All of it: size, or a negative errno; then a part may be there. */
COSCHED_API int64_t cosched_file_write_at(int fd, const void *buffer, size_t size, int64_t offset,
                                          int64_t deadline);
/* fsync(2) and fdatasync(2). After an error what was written before is in doubt, and asking again proves nothing. A directory is
 * opened with O_RDONLY | O_DIRECTORY and synced like a file. */
COSCHED_API int cosched_file_sync(int fd, int64_t deadline);
COSCHED_API int cosched_file_sync_data(int fd, int64_t deadline);
COSCHED_API int cosched_file_truncate(int fd, int64_t size,
                                      int64_t deadline); /* or grows it, by a hole */
struct stat;
COSCHED_API int cosched_file_stat(const char *path, struct stat *out, int64_t deadline);
COSCHED_API int cosched_file_stat_fd(int fd, struct stat *out, int64_t deadline);
/* Also for a task that was cancelled. The descriptor is gone, whatever the answer; -EIO, -ENOSPC, -EDQUOT: writes that
 * had seemed to succeed were lost. */
COSCHED_API int cosched_file_close(int fd);

/* Names: rename(2), unlink(2), mkdir(2) (mode less the umask), rmdir(2). */
COSCHED_API int cosched_rename(const char *from, const char *to, int64_t deadline);
COSCHED_API int cosched_unlink(const char *path, int64_t deadline);
COSCHED_API int cosched_mkdir(const char *path, mode_t mode, int64_t deadline);
COSCHED_API int cosched_rmdir(const char *path, int64_t deadline);

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

/* What a directory holds, without "." and "..", in no order, for the caller to free. -EOVERFLOW: more than entries_max. */
COSCHED_API int cosched_scandir(const char *path, size_t entries_max, int64_t deadline,
                                struct cosched_entries **out);
COSCHED_API void cosched_entries_free(struct cosched_entries *entries); /* NULL is fine */

/* --- file changes -------------------------------------------------------------------------------------------------- */

typedef struct cosched_changes cosched_changes;

struct cosched_change {
    int id;          /* what cosched_changes_add answered; -1: changes were lost (IN_Q_OVERFLOW) */
    uint32_t what;   /* IN_CREATE …, as in inotify(7) */
    uint32_t cookie; /* the same for the two halves of a rename */
    char name[256];  /* of the entry, when a directory is watched; else empty */
};

COSCHED_API int cosched_changes_open(cosched_changes **out); /* the caller closes; never suspends */
/* From now on changes of the kinds `what` (IN_…, from <sys/inotify.h>) are kept until taken: an id. By one task at a
 * time (-EBUSY), as a file operation. -ENOENT, -EACCES, -ENOSPC: too many are watched. */
COSCHED_API int cosched_changes_add(cosched_changes *c, const char *path, uint32_t what,
                                    int64_t deadline);
/* Any thread; never suspends. -EINVAL: no such id. Changes that were kept still come, and an IN_IGNORED. */
COSCHED_API int cosched_changes_remove(cosched_changes *c, int id);
/* The next one, oldest first. */
COSCHED_API int cosched_changes_next(cosched_changes *c, struct cosched_change *out,
                                     int64_t deadline);
/* Closes and frees; a task that waits in next gets -ECANCELED. Any thread; never suspends. NULL is fine. */
COSCHED_API void cosched_changes_close(cosched_changes *c);

#ifdef __cplusplus
}
#endif
#endif
