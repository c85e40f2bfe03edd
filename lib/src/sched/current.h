/* The only thread-local of libcosched: which executor this thread is.
 *
 * A worker pointer never survives a suspension: the task may wake on another thread, and a compiler that had
 * computed the thread-local's address would go on using the old one (FACTS 2). So nobody names the variable:
 * these two functions are opaque, live in a file of their own, and are called again after every switch. */
#ifndef COS_SCHED_CURRENT_H
#define COS_SCHED_CURRENT_H

#include "arch/sanitizer.h"

struct cos_exec;

/* The executor of the calling thread; NULL on threads that are none. */
struct cos_exec *cos_exec_current(void);
void cos_exec_set_current(struct cos_exec *e);

/* The same without a call, for what a program calls all the time. The compiler knows no address to keep: each time the assembly
 * reads through the thread pointer of the thread it runs on. (Not for functions that switch, which name no thread-local.) */
#if defined(__x86_64__) && !COS_SANITIZED && !defined(COS_EXPLORE)
static inline __attribute__((always_inline)) struct cos_exec *cos_exec_here(void)
{
    struct cos_exec *e;
    __asm__ volatile("movq cos_exec_of_thread@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
                     : "=r"(e)
                     :
                     : "memory");
    return e;
}
#else
static inline struct cos_exec *cos_exec_here(void)
{
    return cos_exec_current();
}
#endif
#endif
