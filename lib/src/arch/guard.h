/* A guard is a place in a flow of control to which code called below it may return at once, leaving out the frames in
 * between: what a task's panic needs. One stack only: the flow that leaves and the guard stand on the same one (who has
 * crossed to another by cos_context_call lays a guard there, and passes the fall on from its own side).
 *
 * The frames that are left out are not unwound. What the guard's caller keeps in callee-saved registers is given back, so
 * that to its compiler it is a call like any other. The price is six stores; the six loads come after a throw only, for who
 * returns has kept the registers itself. The flow may have moved to another thread meanwhile, as below any call of a
 * task's code. */
#ifndef COS_ARCH_GUARD_H
#define COS_ARCH_GUARD_H
#include <stdint.h>
#include <stdnoreturn.h>

/* fn(arg), and its result, or that of a throw. *sp names the guard until then. */
__attribute__((visibility("hidden"))) int64_t cos_arch_guard(void *arg, int64_t (*fn)(void *),
                                                             void **sp);
/* Makes that call of cos_arch_guard return the result. The compiler tells AddressSanitizer: this does not return. */
__attribute__((visibility("hidden"))) noreturn void cos_arch_throw(void *sp, int64_t result);
#endif
