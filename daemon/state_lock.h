/* One daemon a state folder: STATE/lock, held by an open-file-description lock for the daemon's
 * life. Whoever holds it may also remove a stale socket. The lock goes with the process, however it
 * ends; the file stays. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H
#include <sys/types.h>

/* Creates the folder (0700) and the file when missing, takes the lock without waiting and writes
 * our pid into it. An open descriptor (≥ 0), or -EWOULDBLOCK (held; *holder is its pid, 0 when
 * unknown; NULL is fine), or another errno. */
int state_lock_acquire(const char *dir, pid_t *holder);
void state_lock_release(int fd); /* -1 is fine */
#endif
