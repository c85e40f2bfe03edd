/* A glance at a thread of this process while it runs: whether it computes or waits in the kernel, and the return addresses on its
 * stack. By another thread, one at a time. */
#ifndef COS_ARCH_GLANCE_H
#define COS_ARCH_GLANCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COS_GLANCE_FRAMES 24

struct cos_glance {
    char state; /* of /proc: 'R' computes or waits for a CPU, 'S' and 'D' wait in the kernel; 0: unknown */
    long call;                            /* S, D: number of the system call; -1: unknown */
    const void *frame[COS_GLANCE_FRAMES]; /* the innermost first */
    size_t frames;
};

/* Takes the highest real-time signal that nobody handles (SA_ONSTACK, SA_RESTART). 0; -EBUSY: there is none. `range` says, on the
 * thread that is looked at, in the handler, which bytes of a stack from sp on hold frames, and how many of the outermost are
 * nobody's business; false: none that may be read. Async-signal-safe. */
int cos_glance_install(bool (*range)(const char *sp, const char **hi, size_t *outermost));
void cos_glance_uninstall(void);
/* Lets the signal come in, on the thread that is to be looked at. Fine when not installed. */
void cos_glance_allow(void);

/* state and call, from /proc, without disturbing the thread. */
void cos_glance_state(pid_t thread, struct cos_glance *out);
/* frame, of a thread that computes: by the signal. None if it does not answer although it has computed for a tenth of a second, or
 * has got no CPU for ten seconds. A system call that it begins just then and that SA_RESTART does not restart ends with EINTR. */
void cos_glance_stop(pid_t thread, struct cos_glance *out);
/* frame, of a thread that waits in the kernel, from outside, between its stack pointer and hi; lo <= sp or none. Nothing of what is
 * read is sure unless the thread is seen in the same call afterwards: then frames stay, else none. */
void cos_glance_peek(pid_t thread, const char *lo, const char *hi, struct cos_glance *out);

/* What it has computed, ns; -1: unknown. */
int64_t cos_glance_cpu(pid_t thread);

/* A name for the number of a system call, or NULL. */
const char *cos_glance_call_name(long call);

#endif
