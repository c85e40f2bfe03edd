/* The chain of frame pointers of a suspended flow, for whoever looks at its stack from outside. Everything of ours keeps frame
 * pointers; code that does not ends the chain, or sends it anywhere: so each step is checked by who reads. */
#ifndef COS_ARCH_FRAMES_H
#define COS_ARCH_FRAMES_H
#include <stdint.h>

#include "arch/context.h"

/* What is read at each frame pointer: two words, from this many bytes beside it; and which is which. */
#if defined(__riscv)
#define COS_FRAME_OFFSET (-16)
#else
#define COS_FRAME_OFFSET 0
#endif
/* Whether a function's own objects lie above what its frame pointer points at: so lays gcc out its frames on aarch64, clang does not. */
#if defined(__aarch64__) && !defined(__clang__)
#define COS_FRAME_RECORD_LOWEST 1
#else
#define COS_FRAME_RECORD_LOWEST 0
#endif
enum { COS_FRAME_OUTER, COS_FRAME_RETURN, COS_FRAME_WORDS };

/* Where the frame pointer of a suspended context is: in its record (x86-64), or on its stack, then *at says where. */
static inline uintptr_t cos_context_frame(const struct cos_context *ctx, const void **at)
{
#if defined(__x86_64__)
    *at = NULL;
    return (uintptr_t)ctx->bp;
#else
    *at = ctx->sp; /* the first word that the switch saved */
    return 0;
#endif
}
#endif
