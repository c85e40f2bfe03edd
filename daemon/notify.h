/* notify.h - what a service tells its manager (sd_notify) and what it inherits from it (LISTEN_FDS).
 *
 * Without a manager every call does nothing and answers 0. The variables are taken out of the environment when they
 * are read, so that no job inherits them.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H
#include <stdint.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. 0, or a negative errno when the variable names a socket that
 * cannot be used. Before the first thread. */
int notify_open(void);
void notify_close(void);
/* Lines of VARIABLE=VALUE joined by newlines. 0, or a negative errno. */
int notify_send(const char *state);
int notify_ready(const char *status);
int notify_reloading(void); /* with MONOTONIC_USEC, as newer managers want it */
int notify_stopping(const char *status);
int notify_status(const char *status);
/* Nanoseconds within which the manager wants to hear of us; 0: it does not watch this process. */
int64_t notify_watchdog_ns(void);
int notify_watchdog(void);

/* The descriptors passed by the manager start at 3: how many there are for this process (0: none), each made
 * close-on-exec. -EINVAL when LISTEN_FDS is no number. */
#define NOTIFY_LISTEN_FD_FIRST 3
int notify_listen_fds(void);

#endif
