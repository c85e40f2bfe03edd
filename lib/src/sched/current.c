/* See current.h. Never inlined, never subject to link-time optimisation. */
#include "sched/current.h"

/* Also read by the assembly in current.h. */
extern _Thread_local struct cos_exec *cos_exec_of_thread;
_Thread_local struct cos_exec *cos_exec_of_thread;

#if defined(__GNUC__) && !defined(__clang__)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE __attribute__((noinline))
#endif

OPAQUE struct cos_exec *cos_exec_current(void)
{
    __asm__ volatile("" ::: "memory");
    return cos_exec_of_thread;
}

OPAQUE void cos_exec_set_current(struct cos_exec *e)
{
    cos_exec_of_thread = e;
    __asm__ volatile("" ::: "memory");
}
