/* Runs one function instruction by instruction, and another one in the middle of it: what a thread may meet that is preempted
 * there, at each place in turn and without chance. Only one preemption, and no reordering: that is for tests/explore.
 *
 * x86-64, by the trap flag. ThreadSanitizer and AddressSanitizer hold locks of their own inside what is stepped through, and
 * Valgrind does not know the flag: step_works says so. */
#ifndef SUPPORT_STEP_H
#define SUPPORT_STEP_H

#include <stdbool.h>

#include "arch/sanitizer.h"

#if defined(__x86_64__) && !COS_ASAN && !COS_TSAN
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

struct step {
    void (*other)(void);
    bool (*may)(void);
    unsigned at, taken;
    const unsigned char *next; /* the instruction that comes: for may */
    bool on, done;
};

static struct step step;

static void step_trap(int sig, siginfo_t *info, void *context)
{
    enum { TRAP_FLAG = 0x100, ONE_STEP = 2 /* TRAP_TRACE, where the header has it */ };

    (void)sig;
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    uintptr_t next = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    step.next = (const unsigned char *)next;
    if (info->si_code != ONE_STEP) {
        step.on = !step.on; /* int3: before the first instruction and after the last */
    } else if (step.on && !step.done && ++step.taken >= step.at && (step.may == NULL || step.may())) {
        int error = errno;
        step.done = true;
        step.other();
        errno = error;
    }
    *flags = step.on && !step.done ? *flags | TRAP_FLAG : *flags & ~TRAP_FLAG;
}

/* Runs one(), and other() after the at-th of its instructions, or after the first one from there where may() says that it can
 * (NULL: anywhere). False: one() had ended before. other() runs in a signal handler: it checks nothing itself. */
static inline bool step_run(void (*one)(void), void (*other)(void), bool (*may)(void), unsigned at)
{
    struct sigaction action = {.sa_sigaction = step_trap, .sa_flags = SA_SIGINFO}, before;
    step = (struct step){.other = other, .may = may, .at = at};
    sigaction(SIGTRAP, &action, &before);
    __asm__ volatile("int3" ::: "memory");
    one();
    __asm__ volatile("int3" ::: "memory");
    sigaction(SIGTRAP, &before, NULL);
    return step.done;
}

static inline void step_nothing(void)
{
}

static inline bool step_works(void)
{
    return step_run(step_nothing, step_nothing, NULL, 1);
}
#else
static inline bool step_run(void (*one)(void), void (*other)(void), bool (*may)(void), unsigned at)
{
    (void)other;
    (void)may;
    (void)at;
    one();
    return false;
}

static inline bool step_works(void)
{
    return false;
}
#endif
#endif
