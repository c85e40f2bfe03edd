/* One daemon a state folder: STATE/lock, held by an open-file-description lock for the daemon's
 * life. Whoever holds it may also remove a stale socket. The lock goes with the process, however it
 * ends; the file stays. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H
#include <stdbool.h>
#include <sys/types.h>

/* Creates the folder (0700) and the file when missing, takes the lock and writes our pid into it. Waits for nobody who lives. An
 * open descriptor (≥ 0), or -EWOULDBLOCK (held; *holder is its pid, 0 when unknown; NULL is fine), or another errno. Blocks the
 * thread. */
int state_lock_acquire(const char *dir, pid_t *holder);

/* For who finds something held by a process: true after a millisecond when that one is gone, so that what a child of it still holds
 * will be free in a moment; look again. false when it lives, or that took ten seconds. *waits counts, from 0. */
bool state_lock_await_remains(pid_t holder, int *waits);
void state_lock_release(int fd); /* -1 is fine */
#endif
