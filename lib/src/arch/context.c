/* Contexts: preparation, and what the sanitizers must hear before and after a switch.
 *
 * Called from any thread, on any stack. Owns nothing: the caller brings context and stack. The functions that
 * switch never touch a thread-local; AddressSanitizer and ThreadSanitizer keep theirs inside their runtimes. */
#include "arch/context.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if COS_TSAN
/* Declared here: not every version of the compilers ships these in a header. */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#define COS_STACK_ALIGN ((uintptr_t)16)
#if defined(__aarch64__)
#define SWITCH_FRAME_BYTES 160 /* FRAME in context_aarch64.S */
#elif defined(__riscv)
#define SWITCH_FRAME_BYTES 208 /* FRAME in context_riscv64.S */
#endif

__attribute__((visibility("hidden"))) void cos_arch_entry(void);
__attribute__((visibility("hidden"))) int64_t cos_arch_call(void *stack_hi, int64_t (*fn)(void *),
                                                            void *arg);

COS_STATIC_ASSERT(offsetof(struct cos_context, sp) == 0, "context_*.S");
#if defined(__x86_64__)
COS_STATIC_ASSERT(offsetof(struct cos_context, pc) == 8, "context_x86_64.S");
COS_STATIC_ASSERT(offsetof(struct cos_context, bp) == 16, "context_x86_64.S");
#endif

static void *code_address(void (*fn)(void))
{
    void *address;
    COS_STATIC_ASSERT(sizeof address == sizeof fn, "a code address fits a pointer");
    memcpy(&address, &fn, sizeof address);
    return address;
}

static void prepare(struct cos_context *ctx, void *stack_hi, void (*entry)(void *message))
{
    char *top = (char *)stack_hi - ((uintptr_t)stack_hi & (COS_STACK_ALIGN - 1));
#if defined(__x86_64__)
    ctx->sp = top;
    ctx->pc = code_address(cos_arch_entry);
    memcpy(&ctx->bp, &entry, sizeof entry);
#else
    /* The frame that cos_arch_switch restores: x29, x30, x19, … or s0, ra, s1, … */
    void **frame = (void **)(void *)(top - SWITCH_FRAME_BYTES);
    memset(frame, 0, SWITCH_FRAME_BYTES);
    frame[1] = code_address(cos_arch_entry);
    memcpy(&frame[2], &entry, sizeof entry);
    ctx->sp = frame;
#endif
}

#if COS_ASAN
static void set_bounds(struct cos_context *ctx, const void *lo, size_t bytes)
{
    ctx->stack_lo = lo;
    ctx->stack_bytes = bytes;
}

/* A flow's first act is to end the announced switch into it. Its entry function lies above its first frame. */
static COS_SWITCHES void begin_announced(void *message, void *top)
{
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    void (*entry)(void *message);
    memcpy(&entry, top, sizeof entry);
    entry(message);
    COS_PANIC("a context's entry function returned");
}
#endif

void cos_context_make(struct cos_context *ctx, void *stack_lo, void *stack_hi,
                      void (*entry)(void *message))
{
    COS_ASSERT((char *)stack_lo < (char *)stack_hi);
    COS_ASSERT(entry != NULL);
#if COS_ASAN
    /* Frames of the stack's former flow that never returned left their poison. */
    __asan_unpoison_memory_region(stack_lo, (size_t)((char *)stack_hi - (char *)stack_lo));
    char *top = (char *)stack_hi - ((uintptr_t)stack_hi & (COS_STACK_ALIGN - 1)) - COS_STACK_ALIGN;
    memcpy(top, &entry, sizeof entry);
    void (*begin)(void *, void *) = begin_announced;
    memcpy(&entry, &begin, sizeof entry);
    prepare(ctx, top, entry);
    set_bounds(ctx, stack_lo, (size_t)((char *)stack_hi - (char *)stack_lo));
#else
    prepare(ctx, stack_hi, entry);
#endif
#if COS_TSAN
    ctx->tsan_fiber = __tsan_create_fiber(0);
    ctx->tsan_owned = 1;
#endif
}

void cos_context_init_thread(struct cos_context *ctx)
{
    memset(ctx, 0, sizeof *ctx);
#if COS_ASAN
    pthread_attr_t attr;
    void *lo = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        (void)pthread_attr_getstack(&attr, &lo, &bytes);
        (void)pthread_attr_destroy(&attr);
    }
    COS_ASSERT(lo != NULL);
    set_bounds(ctx, lo, bytes);
#endif
#if COS_TSAN
    ctx->tsan_fiber = __tsan_get_current_fiber();
#endif
}

void cos_context_fini(struct cos_context *ctx)
{
    if (ctx == NULL) {
        return;
    }
#if COS_TSAN
    if (ctx->tsan_owned) {
        __tsan_destroy_fiber(ctx->tsan_fiber);
    }
#endif
    memset(ctx, 0, sizeof *ctx);
}

#if COS_SANITIZED
COS_SWITCHES void *cos_context_switch(struct cos_context *from, struct cos_context *to,
                                      void *message)
{
#if COS_ASAN
    /* The fake stack of the flow that leaves waits in its own frame, wherever it is resumed. */
    void *fake_stack = NULL;
    __sanitizer_start_switch_fiber(&fake_stack, to->stack_lo, to->stack_bytes);
#endif
#if COS_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    message = cos_arch_switch(from, to, message);
#if COS_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    return message;
}
#endif

COS_SWITCHES noreturn void cos_context_switch_final(struct cos_context *from,
                                                    struct cos_context *to, void *message)
{
#if COS_ASAN
    /* NULL: this flow does not come back, its fake stack is freed. */
    __sanitizer_start_switch_fiber(NULL, to->stack_lo, to->stack_bytes);
#endif
#if COS_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    (void)cos_arch_switch(from, to, message);
    COS_PANIC("a finished context was resumed");
}

#if COS_ASAN
struct call {
    int64_t (*fn)(void *);
    void *arg;
    struct cos_context *ctx;
    const void *caller_lo;
    size_t caller_bytes;
};

/* Runs on the second stack. Between its two announcements the flow may suspend and move to another thread:
 * then the switch itself carries this stack's fake stack along. */
static COS_SWITCHES __attribute__((no_sanitize("address"))) int64_t call_announced(void *arg)
{
    struct call *call = arg;
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    int64_t result = call->fn(call->arg);
    call->ctx->stack_lo = call->caller_lo;
    call->ctx->stack_bytes = call->caller_bytes;
    __sanitizer_start_switch_fiber(NULL, call->caller_lo, call->caller_bytes);
    return result;
}

COS_SWITCHES int64_t cos_context_call(struct cos_context *ctx, void *stack_lo, void *stack_hi,
                                      int64_t (*fn)(void *), void *arg)
{
    struct call call = {.fn = fn,
                        .arg = arg,
                        .ctx = ctx,
                        .caller_lo = ctx->stack_lo,
                        .caller_bytes = ctx->stack_bytes};
    size_t bytes = (size_t)((char *)stack_hi - (char *)stack_lo);
    void *fake_stack = NULL;
    __sanitizer_start_switch_fiber(&fake_stack, stack_lo, bytes);
    set_bounds(ctx, stack_lo, bytes);
    int64_t result = cos_arch_call(stack_hi, call_announced, &call);
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
    return result;
}
#else
/* ThreadSanitizer follows the flow, not the stack: it has nothing to hear. */
COS_SWITCHES int64_t cos_context_call(struct cos_context *ctx, void *stack_lo, void *stack_hi,
                                      int64_t (*fn)(void *), void *arg)
{
    (void)ctx;
    (void)stack_lo;
    return cos_arch_call(stack_hi, fn, arg);
}
#endif
