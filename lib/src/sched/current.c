/* See current.h. Never inlined, never subject to link-time optimisation. */
#include "sched/current.h"

static _Thread_local struct cos_exec *current_exec;

#if defined(__GNUC__) && !defined(__clang__)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE __attribute__((noinline))
#endif

OPAQUE struct cos_exec *cos_exec_current(void)
{
    __asm__ volatile("" ::: "memory");
    return current_exec;
}

OPAQUE void cos_exec_set_current(struct cos_exec *e)
{
    current_exec = e;
    __asm__ volatile("" ::: "memory");
}
