/* See backtrace.h. A chain of frame pointers that leads anywhere else than outward on stacks of tasks ends there. */
#include "inspect/backtrace.h"

#include "arch/frames.h"
#include "arch/stack.h"

#define STEPS_MAX   256
#define BODY_FRAMES 2    /* below a body: its guard, and who runs it */
#define FRAME_MAX   4096 /* bytes: the largest frame of ours that has a `struct cos_frame` in it */

/* Is the object in the function's frame that this frame pointer is of? */
static bool is_in_frame(uintptr_t object, uintptr_t fp, uintptr_t outer)
{
    if (COS_FRAME_RECORD_LOWEST) {
        return object > fp && object - fp < FRAME_MAX && (outer <= fp || object < outer);
    }
    return object != 0 && fp > object && fp - object < FRAME_MAX;
}

/* Outward: up on the same stack, or over the seam to the one below (arch/context.h), which can be anywhere. */
static bool goes_on(const struct cos_stack *stack, uintptr_t from, uintptr_t to)
{
    bool same = to >= (uintptr_t)stack->lo && to < (uintptr_t)stack->hi;
    return to != 0 && (!same || to > from);
}

uint32_t cos_backtrace(struct cos_peek *p, const struct cos_context *ctx, const void *inner,
                       const void *own, const void **frames, uint32_t max)
{
    const void *at;
    uintptr_t fp = cos_context_frame(ctx, &at), goes_on_at = 0;
    if ((inner != NULL && !cos_peek_find(p, inner)) ||
        (at != NULL && !cos_peek_stack(p, &fp, at, sizeof fp))) {
        return 0;
    }
    uint32_t n = 0;
    bool skips = inner != NULL;
    for (int step = 0; step < STEPS_MAX && n < max; step++) {
        uintptr_t record[COS_FRAME_WORDS];
        if (!cos_peek_stack(p, record, (const char *)fp + COS_FRAME_OFFSET, sizeof record)) {
            break;
        }
        if (skips && is_in_frame((uintptr_t)inner, fp, record[COS_FRAME_OUTER])) {
            skips = false;
            frames[n++] = (const void *)goes_on_at; /* in that function itself */
        } else if (!skips && is_in_frame((uintptr_t)own, fp, record[COS_FRAME_OUTER])) {
            return n - (n < BODY_FRAMES ? n : BODY_FRAMES);
        }
        if (n == max) {
            break;
        }
        goes_on_at = record[COS_FRAME_RETURN];
        if (!skips) {
            frames[n++] = (const void *)goes_on_at;
        }
        if (!goes_on(&p->stack, fp, record[COS_FRAME_OUTER])) {
            break;
        }
        fp = record[COS_FRAME_OUTER];
    }
    return n;
}
