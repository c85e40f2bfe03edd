/* Fibers: what parks, wakes and is queued. A fiber is a stack with a context; its header lies at the top of its stack
 * slot, so header and first frames share a page.
 *
 * It runs one base task and everything that task calls or awaits inline; `current` is the innermost of them. When a call
 * finds the stack nearly used up it goes on on a fresh segment: same fiber, same task. */
#ifndef COS_SCHED_FIBER_H
#define COS_SCHED_FIBER_H
#include "arch/context.h"
#include "arch/fpenv.h"
#include "arch/stack.h"
#include "sched/task.h"

struct cos_exec;

#define COS_UNLINKED_MAX \
    32 /* inline tasks in a row; then one is linked, so that linking goes no deeper */
#define COS_STACK_PROMISE ((size_t)16 * 1024) /* what every body may use, wherever it runs */

/* What is done on the other side, after the fiber has left its stack: only this may make it visible. */
typedef void (*cos_commit_fn)(struct cos_exec *e, struct cos_fiber *left);

/* One call or inline await, on the stack of its caller: the chain of awaits that reports show. */
struct cos_frame {
    struct cos_frame *outer; /* borrowed: further down the same stack */
    cosched_fn fn;
    struct cos_task *task; /* an inline await: the task that runs here; NULL: a call */
};

struct cos_fiber {
    struct cos_context ctx;
    struct cos_stack stack;   /* the first segment; owned */
    char *stack_lo;           /* of the segment it stands on */
    struct cos_task *base;    /* const between start and end of a task */
    struct cos_task *current; /* innermost task */
    struct cos_scope *scope;  /* innermost scope of current */
    struct cos_scope *
        anchor; /* the linked scope that `scope` hangs below if it is not linked itself; NULL: not known yet */
    uint32_t unlinked; /* inline tasks in a row whose scopes may be not linked */
    COS_ATOMIC(uint32_t)
    look_up; /* 1: somebody cancelled an inline task by its handle. Set under that task's scope lock (release) */
    struct cos_frame *frames; /* innermost call */
    cos_commit_fn commit;     /* written before a switch, read on the other side */
    struct cos_task *hop;     /* the block of an outbound call in flight */
    struct cos_exec *home;    /* a task that owns its thread: that executor; else NULL */
    cosched_fn tail_fn;       /* cosched_tail: what takes the place of the body that returns now */
    void *tail_arg;
    uint32_t wait_seq; /* of the wait that began last */
    uint8_t affinity;  /* COSCHED_MAIN, _WORKER, _BLOCKING: where it belongs now */
    uint8_t hop_to;    /* where a hop in flight goes */
    bool pinned;
    bool own_fpenv;         /* COSCHED_FPENV, while the body runs */
    struct cos_fpenv fpenv; /* its own, while it is away */
    _Alignas(16) char arg[COSCHED_ARG_MAX];
};

bool cos_fiber_canceled_above(struct cos_fiber *f);

/* Is the task that runs here cancelled? By itself. What may have cancelled a scope that is not linked: something above the
 * anchor, then the anchor knows it; or somebody with the handle of an inline task, then look_up says so. */
static inline bool cos_fiber_canceled(struct cos_fiber *f)
{
    /* acquire: pairs with the release in link_locked; LINKED comes with what was inherited. */
    uint32_t flags = cos_atomic_load(&f->scope->flags, acquire);
    if ((flags & (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD)) != 0) {
        return (flags & COS_SCOPE_CANCELED) != 0;
    }
    /* acquire: pairs with the release in cosched_cancel; the scope's flag comes with it. */
    if (COS_UNLIKELY(f->anchor == NULL || f->unlinked >= COS_UNLINKED_MAX ||
                     cos_atomic_load(&f->look_up, acquire) != 0)) {
        return cos_fiber_canceled_above(f);
    }
    return (cos_atomic_load(&f->anchor->flags, acquire) & COS_SCOPE_CANCELED) != 0;
}

/* A fiber for t's first run. NULL: no memory for a stack. */
struct cos_fiber *cos_fiber_create(struct cos_exec *e, struct cos_task *t);
/* Gives the stack back. Nobody stands on it any more. */
void cos_fiber_destroy(struct cos_exec *e, struct cos_fiber *f);

/* fn(arg) and its tails as the body of the running fiber's base task. */
int64_t cos_fiber_run(struct cos_fiber *f, cosched_fn fn, void *arg);
/* fn(arg) as a call of the running fiber (or as the body of `task`, awaited inline; else NULL), on a fresh segment if less than COS_STACK_PROMISE is left; follows tails.
 * -ENOMEM in *error when no segment could be had: fn has not run. */
static inline int64_t cos_fiber_call(struct cos_fiber *f, struct cos_task *task, cosched_fn fn,
                                     void *arg, int *error);
/* Its rarer halves. */
int64_t cos_fiber_call_on_segment(struct cos_fiber *f, cosched_fn fn, void *arg, int *error);
int64_t cos_fiber_tails(struct cos_fiber *f);

static inline int64_t cos_fiber_call(struct cos_fiber *f, struct cos_task *task, cosched_fn fn,
                                     void *arg, int *error)
{
    struct cos_frame frame = {f->frames, fn, task};
    f->frames = &frame;
    int64_t result;
    if (COS_LIKELY((size_t)((char *)__builtin_frame_address(0) - f->stack_lo) > COS_STACK_PROMISE)) {
        result = fn(arg);
        if (COS_UNLIKELY(f->tail_fn != NULL)) {
            result = cos_fiber_tails(f);
        }
    } else {
        result = cos_fiber_call_on_segment(f, fn, arg, error);
    }
    f->frames = frame.outer;
    return result;
}

/* Writes what is known about the fiber whose stack ends at stack_hi. Async-signal-safe. */
void cos_fiber_describe(char *stack_hi, int fd);
#endif
