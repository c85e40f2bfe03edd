/* Where the functions of a suspended task go on. */
#ifndef COS_INSPECT_BACKTRACE_H
#define COS_INSPECT_BACKTRACE_H
#include "arch/context.h"
#include "inspect/peek.h"

/* Return addresses, innermost first: from the context, or from outside the frame `inner` (NULL: none such), to the frame `own`,
 * that of a body (NULL: to the end). Those two are objects in the frames of functions of ours; when they do not lie on the stack
 * (AddressSanitizer) only the innermost task has a back trace. How many, at most max. */
uint32_t cos_backtrace(struct cos_peek *p, const struct cos_context *ctx, const void *inner,
                       const void *own, const void **frames, uint32_t max);
#endif
