/* Reports a stack overflow by name before the process dies of it as it would have died anyway. */
#ifndef COS_ARCH_OVERFLOW_H
#define COS_ARCH_OVERFLOW_H
#include <stddef.h>

/* Installs handlers of SIGSEGV and SIGBUS. When the fault lies in the guard of one of our stacks they write a line
 * to standard error and call describe (may be NULL) with the hi of the stack that overflowed and the descriptor
 * to write to: async-signal-safe, on the alternate stack. Then, and for every other fault, the handlers found
 * at installation take over. 0, -EALREADY, or what sigaction said. */
int cos_overflow_install(void (*describe)(char *stack_hi, int fd));

/* Puts the former handlers back unless somebody else replaced ours. Fine when not installed. */
void cos_overflow_uninstall(void);

/* A thread that runs tasks needs an alternate signal stack: the handler cannot run on the stack that is full.
 * A thread that has one keeps it. */
struct cos_overflow_thread {
    void *map; /* owned; NULL when the thread's own alternate stack is in use */
    size_t bytes;
};

int cos_overflow_thread_init(struct cos_overflow_thread *thread);  /* 0 or negative errno */
void cos_overflow_thread_fini(struct cos_overflow_thread *thread); /* same thread; zeroed is fine */
#endif
