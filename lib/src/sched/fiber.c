/* Creation, growth and description of fibers. Runs on executors only. */
#include "sched/fiber.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sched/exec.h"
#include "sched/finish.h"
#include "sched/panic.h"
#include "sched/runtime.h"
#include "sched/switch.h"

/* At the very top of each slot, first stack or segment: whose it is, for the overflow report. */
struct stack_top {
    uint64_t magic;
    struct cos_fiber *fiber; /* borrowed: the one that runs, or ran last, on this slot */
};

#define MAGIC        UINT64_C(0x636f736368656421)
#define HEADER_BYTES ((sizeof(struct cos_fiber) + sizeof(struct stack_top) + 63) / 64 * 64)
#define OWN_THREAD_BYTES \
    ((size_t)1024 * 1024) /* a BLOCKING task calls libraries that expect a thread's stack */
#define GROW_BYTES ((size_t)256 * 1024) /* a segment holds many frames: growth is rare */

static struct cos_fiber *header_of(char *stack_hi)
{
    return (struct cos_fiber *)(void *)(stack_hi - HEADER_BYTES);
}

static struct stack_top *top_of(char *stack_hi)
{
    return (struct stack_top *)(void *)(stack_hi - sizeof(struct stack_top));
}

static inline void stand_on(struct cos_fiber *f, char *lo)
{
    f->stack_lo = lo;
    f->stack_roomy = lo + COS_STACK_PROMISE;
}

struct cos_fiber *cos_fiber_create(struct cos_exec *e, struct cos_task *t)
{
    struct cos_stack stack;
    size_t want = e->rt->stack_bytes;
    if (e->kind == COS_EXEC_OWN && t->stack_kib == 0) {
        want = OWN_THREAD_BYTES;
    } else if (t->stack_kib != 0) {
        want = cos_stack_bytes_for((size_t)t->stack_kib * 1024 + HEADER_BYTES);
    }
    if (cos_stack_get(&e->stacks, want, &stack) < 0) {
        return NULL;
    }
    struct cos_fiber *f = header_of(stack.hi);
    memset(f, 0, sizeof *f);
    *top_of(stack.hi) = (struct stack_top){MAGIC, f};
    f->stack = stack;
    stand_on(f, stack.lo);
    if (COS_UNLIKELY(e->rt->marks != NULL)) {
        f->mark_fn = t->fn;
        f->mark_name = t->name;
    }
    cos_context_make(&f->ctx, stack.lo, (char *)f, cos_fiber_entry);
    return f;
}

void cos_fiber_destroy(struct cos_exec *e, struct cos_fiber *f)
{
    struct cos_stack stack = f->stack;        /* taken out before the memory is given away */
    if (COS_UNLIKELY(f->hop_spare != NULL)) { /* a panic passed the call */
        cos_task_free(&e->tasks, f->hop_spare);
    }
    cos_context_fini(&f->ctx);
    if (COS_UNLIKELY(!cos_stack_canary_ok(&stack))) {
        COS_PANIC("stack overflow: the canary of a finished task's stack is gone");
    }
    if (COS_UNLIKELY(e->rt->marks != NULL)) {
        cos_marks_take(e->rt->marks, &stack, (const char *)f, f->mark_fn, f->mark_name);
    }
    cos_stack_put(&e->stacks, &stack);
}

bool cos_fiber_canceled_above(struct cos_fiber *f)
{
    if (f->anchor != &cos_scope_unknown) {
        return cos_scope_canceled(f->scope, &f->base->scope);
    }
    cos_scope_link(f->scope);
    f->anchor = f->scope;
    return (cos_atomic_load(&f->scope->flags, acquire) & COS_SCOPE_CANCELED) != 0;
}

int64_t cos_fiber_tails(void *fiber)
{
    struct cos_fiber *f = fiber;
    int64_t result;
    do {
        cosched_fn fn = f->tail_fn;
        f->tail_fn = NULL;
        f->frames->fn = fn;
        result = fn(f->tail_arg);
    } while (f->tail_fn != NULL);
    return result;
}

/* A body and its tails. */
static inline int64_t run_chain(struct cos_fiber *f, cosched_fn fn, void *arg)
{
    int64_t result = fn(arg);
    return COS_LIKELY(f->tail_fn == NULL) ? result : cos_fiber_tails(f);
}

struct grown {
    struct cos_fiber *fiber;
    cosched_fn fn;
    void *arg;
    struct cos_segment segment;
};

static int64_t run_on_segment(void *arg)
{
    struct grown *g = arg;
    return run_chain(g->fiber, g->fn, g->arg);
}

/* At the base of the segment. A fall ends here, and the way back is that of any call. */
static int64_t run_grown(void *arg)
{
    struct grown *g = arg;
    return cos_arch_guard(g, run_on_segment, &g->segment.sp);
}

COS_SWITCHES int64_t cos_fiber_call_on_segment(struct cos_fiber *f, cosched_fn fn, void *arg,
                                               int *error)
{
    struct cos_stack segment;
    struct cos_exec *e = cos_exec_current();
    int rc = cos_stack_get(&e->stacks, GROW_BYTES, &segment);
    if (rc < 0) {
        *error = rc;
        return 0;
    }
    COS_COUNT(e, grown);
    char *outer_lo = f->stack_lo;
    stand_on(f, segment.lo);
    struct grown g = {f, fn, arg, {.outer = f->segment, .frames = f->frames}};
    f->segment = &g.segment;
    *top_of(segment.hi) = (struct stack_top){MAGIC, f};
    int64_t result =
        cos_context_call(&f->ctx, segment.lo, (char *)top_of(segment.hi), run_grown, &g);
    stand_on(f, outer_lo);
    f->segment = g.segment.outer;
    f->frames = g.segment.frames; /* after a fall those inside are gone */
    e = cos_exec_current();       /* it may have come back on another thread */
    if (COS_UNLIKELY(e->rt->marks != NULL)) {
        cos_marks_clear(&segment);
    }
    cos_stack_put(&e->stacks, &segment);
    if (COS_UNLIKELY(f->falling != NULL)) {
        cos_panic_fall(f);
    }
    return result;
}

struct low {
    struct cos_fiber *fiber;
    cosched_fn fn;
    void *arg;
    int error;
};

static int64_t run_low(void *arg)
{
    struct low *l = arg;
    return cos_fiber_call_on_segment(l->fiber, l->fn, l->arg, &l->error);
}

int64_t cos_fiber_fell(void *unused)
{
    (void)unused;
    COS_UNREACHABLE();
}

/* Has a panic fallen to the body that has just been left? */
static bool has_fallen(struct cos_fiber *f)
{
    bool fell = f->tail_fn == cos_fiber_fell;
    if (fell) {
        f->tail_fn = NULL;
    }
    return fell;
}

int64_t cos_body_run_low(struct cos_fiber *f, struct cos_body *body, cosched_fn fn, void *arg,
                         int *error)
{
    struct low low = {f, fn, arg, 0};
    int64_t result = cos_arch_guard(&low, run_low, &body->sp);
    *error = has_fallen(f) ? -ENOTRECOVERABLE : low.error;
    return result;
}

int64_t cos_body_run_tails(struct cos_fiber *f, struct cos_body *body, int *error)
{
    int64_t result = 0;
    bool fell = has_fallen(f);
    if (!fell) {
        result = cos_arch_guard(f, cos_fiber_tails, &body->sp);
        fell = has_fallen(f);
    }
    *error = fell ? -ENOTRECOVERABLE : 0;
    return result;
}

void cos_fiber_with_room(struct cos_fiber *f, int64_t (*fn)(void *), void *arg)
{
    int error = 0;
    if (!cos_fiber_has_room(f)) {
        (void)cos_fiber_call_on_segment(f, fn, arg, &error);
        if (error == 0) {
            return;
        }
    }
    fn(arg);
}

static void put_text(int fd, const char *s)
{
    ssize_t ignored = write(fd, s, strlen(s));
    (void)ignored;
}

static void put_number(int fd, uint64_t n, unsigned base)
{
    char digits[24];
    char *p = digits + sizeof digits - 1;
    *p = '\0';
    do {
        *--p = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0);
    put_text(fd, p);
}

void cos_fiber_describe(char *stack_hi, int fd)
{
    const struct stack_top *top = top_of(stack_hi);
    const struct cos_task *t = top->magic == MAGIC ? top->fiber->current : NULL;
    if (t == NULL) {
        put_text(fd, "cosched:   (no task is known for this stack)\n");
        return;
    }
    const struct cos_fiber *f = top->fiber;
    put_text(fd, "cosched:   task ");
    put_text(fd, t->name != NULL ? t->name : "(unnamed)");
    put_text(fd, " #");
    put_number(fd, t->index, 10);
    put_text(fd, " of body 0x");
    put_number(fd, (uint64_t)(uintptr_t)t->fn, 16);
    put_text(fd, "\n");
    unsigned depth = 0;
    for (const struct cos_frame *c = f->frames; c != NULL && depth < 16; c = c->outer, depth++) {
        put_text(fd, "cosched:   called 0x");
        put_number(fd, (uint64_t)(uintptr_t)c->fn, 16);
        put_text(fd, "\n");
    }
}
