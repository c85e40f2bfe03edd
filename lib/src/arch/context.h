/* A context is a suspended flow of control: registers saved on its stack, and where to find them.
 *
 * Switching obeys the law of publication (DESIGN D3): a switch saves into *from* first and leaves the stack
 * after, and it publishes nothing. Only code that already runs on the other side may show *from* to another
 * thread, which may then resume it there: a context belongs to no thread.
 *
 * Callee-saved integer registers (and d8-d15 on aarch64, fs0-fs11 on riscv64) are preserved. The floating-point environment
 * (rounding, masks) is not: see arch/fpenv.h.
 *
 * Law for every function that switches, directly or by inlining: it is marked COS_SWITCHES and names no
 * thread-local and no errno. Compilers compute the address of a thread-local once and reuse it after the
 * switch, when the code may run on another thread (FACTS 2). tests/lint/tls_in_switch.sh reads the machine
 * code of everything marked. */
#ifndef COS_ARCH_CONTEXT_H
#define COS_ARCH_CONTEXT_H
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "arch/sanitizer.h"

#if !defined(__x86_64__) && !defined(__aarch64__) && !(defined(__riscv) && __riscv_xlen == 64)
#error "no context switch for this machine: add arch/context_<machine>.S"
#endif

/* The canary of the stack protector is read through the thread pointer; a section of its own is what the
 * lint finds these functions by, whatever they are called. */
#define COS_SWITCHES __attribute__((noinline, no_stack_protector, section(".text.cos_switch")))

/* Written by the flow that leaves, read by the one that resumes it. sp, pc and bp are known to the assembly. */
struct cos_context {
    void *sp;
#if defined(__x86_64__)
    void *pc; /* where to go on: the plain form's restore code, or a label of the inline form */
    void *bp; /* by hand, because gcc refuses rbp as a clobber; the entry function until the first switch */
#endif
#if COS_ASAN
    const void *stack_lo; /* bounds of the stack it stands on; cos_context_call changes them for a while */
    size_t stack_bytes;
#endif
#if COS_TSAN
    void *tsan_fiber;
    int tsan_owned; /* created by cos_context_make, not the thread's own */
#endif
};

/* Prepares a context that has not run: the first switch into it calls entry(message) on [stack_lo, stack_hi).
 * entry never returns; unwinding ends there. Nothing is written to the stack on x86-64. stack_hi need not be
 * aligned. A context made again without cos_context_fini in between leaks its ThreadSanitizer fiber. */
void cos_context_make(struct cos_context *ctx, void *stack_lo, void *stack_hi,
                      void (*entry)(void *message));

/* For the stack the calling thread already stands on. Must be called on that stack. */
void cos_context_init_thread(struct cos_context *ctx);

/* After the last switch away from it, on any thread, and never by the context itself. Zeroed is fine. */
void cos_context_fini(struct cos_context *ctx);

/* The machine's part: saves into from, resumes to; returns, possibly on another thread, when somebody
 * switches back, with that switch's message. Announces nothing to sanitizers: call cos_context_switch. */
__attribute__((visibility("hidden"))) void *cos_arch_switch(struct cos_context *from,
                                                            struct cos_context *to, void *message);

#if COS_SANITIZED
void *cos_context_switch(struct cos_context *from, struct cos_context *to, void *message);
#else
static inline void *cos_context_switch(struct cos_context *from, struct cos_context *to,
                                       void *message)
{
    return cos_arch_switch(from, to, message);
}
#endif

/* The last switch of a dying flow: nothing may ever switch to *from* again. Its stack may be reused and
 * *from* finished as soon as the other side runs. */
noreturn void cos_context_switch_final(struct cos_context *from, struct cos_context *to,
                                       void *message);

/* Runs fn(arg) on a second stack in the same flow, and returns its result on the first. fn may suspend there
 * and be resumed on another thread. ctx is the context into which the running flow is saved when it switches
 * away. A back trace shows fn's callers across the seam. */
int64_t cos_context_call(struct cos_context *ctx, void *stack_lo, void *stack_hi,
                         int64_t (*fn)(void *), void *arg);
#endif
