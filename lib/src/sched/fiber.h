/* Fibers: what parks, wakes and is queued. A fiber is a stack with a context; its header lies at the top of its stack
 * slot, so header and first frames share a page.
 *
 * It runs one base task and everything that task calls or awaits inline; `current` is the innermost of them. When a call
 * finds the stack nearly used up it goes on on a fresh segment: same fiber, same task. */
#ifndef COS_SCHED_FIBER_H
#define COS_SCHED_FIBER_H
#include "arch/context.h"
#include "arch/fpenv.h"
#include "arch/guard.h"
#include "arch/stack.h"
#include "arch/warm.h"
#include "sched/reason.h"
#include "sched/task.h"

struct cos_exec;
struct cos_keep;

#define COS_STACK_PROMISE ((size_t)16 * 1024) /* what every body may use, wherever it runs */

/* What is done on the other side, after the fiber has left its stack: only this may make it visible. */
typedef void (*cos_commit_fn)(struct cos_exec *e, struct cos_fiber *left);

/* One call or body of a task, on the stack of its caller: the chain of awaits that reports show. */
struct cos_frame {
    struct cos_frame *outer; /* borrowed: further down the same stack */
    cosched_fn fn;
    struct cos_task *task; /* the task whose body this is; NULL, or block 0, which is nobody: a call */
};

/* Block 0: a call that has offers open (branch.h). */
static inline bool cos_frame_is_call(const struct cos_frame *frame)
{
    return frame->task == NULL || frame->task == cos_task_at(0);
}

/* The body of a task: what its panic leaves for. */
struct cos_body {
    struct cos_frame frame; /* first; its task is not NULL */
    void *sp;               /* of its guard */
};

/* A stack that a call went on on: a fall passes it step by step, each on its own stack (arch/guard.h). */
struct cos_segment {
    struct cos_segment *outer; /* borrowed: further down */
    struct cos_frame *frames;  /* the innermost when it began */
    void *sp;                  /* of the guard at its base */
};

/* Something of the library's in an open frame of a task, which must not simply vanish in a panic: a group with children,
 * a once that others wait for. Lies in that frame. */
struct cos_unwind {
    struct cos_unwind *outer;           /* borrowed: opened before */
    struct cos_task *task;              /* whose frame it is */
    void (*undo)(struct cos_unwind *u); /* by that task; may suspend; removes it */
};

struct cos_fiber {
    struct cos_context ctx;
    struct cos_stack stack;   /* the first segment; owned */
    char *stack_lo;           /* of the segment it stands on */
    char *stack_roomy;        /* above this one there is room: stack_lo + COS_STACK_PROMISE */
    struct cos_task *base;    /* const between start and end of a task */
    struct cos_task *current; /* innermost task */
    struct cos_scope *scope;  /* innermost scope of current */
    struct cos_scope *
        anchor; /* `scope`, or one above it: linked, and no shield lies below it. Or cos_scope_unknown */
    uint32_t child_what; /* what a child is that needs no second look: see cos_fiber_rules */
    COS_ATOMIC(uint32_t)
    look_up; /* 1: somebody cancelled an inline task by its handle. Set under that task's scope lock (release) */
    struct cos_frame *frames; /* innermost call */
    struct cos_keep *keep; /* keep.h: of the tasks on this stack, newest first; owned; NULL mostly */
    cos_commit_fn commit;  /* written before a switch, read on the other side */
    struct cos_task *hop;  /* the block of an outbound call in flight */
    struct cos_task *hop_spare; /* of one that has arrived: for the next, or given back at home */
    uint64_t hop_at;            /* ticks: when a hop in flight began */
    struct cos_exec *home;      /* a task that owns its thread: that executor; else NULL */
    cosched_fn tail_fn; /* cosched_tail: what takes the place of the body that returns now; or cos_fiber_fell */
    void *tail_arg;
    uint32_t wait_seq; /* of the wait that began last */
    uint8_t affinity;  /* COSCHED_MAIN, _WORKER, _BLOCKING: where it belongs now */
    uint8_t hop_to;    /* where a hop in flight goes */
    uint8_t trace;     /* trace.h: COS_TRACE_WHY of a wait that begins, _FIRST of its first slice */
    bool pinned;
    bool own_fpenv;         /* COSCHED_FPENV, while the body runs */
    struct cos_fpenv fpenv; /* its own, while it is away */
    uint16_t traits; /* COS_FIBER_…; COSCHED_ONE_EXECUTOR also inside cosched_call_all. Its own */
    struct cos_unwind *unwinds;  /* newest first */
    struct cos_segment *segment; /* innermost; NULL: it stands on its first stack */
    struct cos_body *falling;    /* a panic is on its way there */
    cosched_fn mark_fn;          /* whose stack use is measured (marks.h) */
    const char *mark_name;
    struct cos_reason reason; /* what its wait is for */
    _Alignas(16) char arg[COSCHED_ARG_MAX];
};

#define COS_WARM_HEADER ((size_t)192) /* what a wait, a hop and a switch touch of a header, */
#define COS_WARM_STACK  ((size_t)256) /* and of the frames that return after one */

/* A fiber that another thread left is about to run here. */
static inline void cos_fiber_warm(const struct cos_fiber *f, const void *sp)
{
    cos_warm(f, COS_WARM_HEADER);
    cos_warm(sp, COS_WARM_STACK);
}

bool cos_fiber_canceled_above(struct cos_fiber *f);

/* The anchor. What can cancel the task that runs here: something above the anchor, or the anchor itself, by its handle, its deadline
 * or its parent: then the anchor's flag says so. And somebody with the handle of a task that runs inline, and stands above this
 * one or is this one, its parent, too, before it began: then look_up says so. Nothing else lies in between, since a block is the
 * anchor from its begin on, and an inline task has no deadline and a parent that runs no code meanwhile. A fiber's anchor is
 * unknown until its first look.
 *
 * A scope is linked only below others that are. So when an inline task ends, and was linked, its parent's scope is a good
 * anchor; and if it was not, nothing has changed the anchor that it began with. */

/* Is it known at once that the task that runs here is not cancelled? Asked before cos_fiber_canceled by who is in a hurry. */
static inline bool cos_fiber_calm(const struct cos_fiber *f)
{
    /* acquire, both: as in cos_fiber_canceled. An unknown anchor is cancelled. */
    return (cos_atomic_load(&f->anchor->flags, acquire) & COS_SCOPE_CANCELED) == 0 &&
           cos_atomic_load(&f->look_up, acquire) == 0;
}

/* Is the task that runs here cancelled? By itself. */
static inline bool cos_fiber_canceled(struct cos_fiber *f)
{
    /* acquire: pairs with the release in link_locked; LINKED comes with what was inherited. */
    uint32_t flags = cos_atomic_load(&f->scope->flags, acquire);
    if ((flags & COS_SCOPE_LINKED) != 0) {
        f->anchor = f->scope;
    }
    if ((flags & (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD)) != 0) {
        return (flags & COS_SCOPE_CANCELED) != 0;
    }
    /* acquire: pairs with the release in cosched_cancel; the scope's flag comes with it. */
    if (COS_UNLIKELY(f->anchor == &cos_scope_unknown || cos_atomic_load(&f->look_up, acquire) != 0)) {
        return cos_fiber_canceled_above(f);
    }
    return (cos_atomic_load(&f->anchor->flags, acquire) & COS_SCOPE_CANCELED) != 0;
}

/* Says what the plainest of children is, as its block will say (cos_task_what): spawn and await then take the short way with it. 0,
 * which no block says, where nothing is plain: the fiber has settings that a child must agree with, the scope is one that
 * counts its children, or fences cost something. Again after each change of one of these. */
static inline void cos_fiber_rules(struct cos_fiber *f)
{
    bool plain = f->traits == 0 && !f->pinned && !f->own_fpenv && cos_fence_is_free() &&
                 (cos_atomic_load(&f->scope->flags, relaxed) & COS_SCOPE_NODE) == 0; /* const */
    f->child_what = plain ? cos_task_what(f->affinity) : 0;
}

/* A fiber for t's first run. NULL: no memory for a stack. */
struct cos_fiber *cos_fiber_create(struct cos_exec *e, struct cos_task *t);
/* Gives the stack back. Nobody stands on it any more. */
void cos_fiber_destroy(struct cos_exec *e, struct cos_fiber *f);

/* fn(arg) as a call of the running fiber, on a fresh segment if less than COS_STACK_PROMISE is left; follows tails.
 * -ENOMEM in *error when no segment could be had: fn has not run. */
static inline int64_t cos_fiber_call(struct cos_fiber *f, cosched_fn fn, void *arg, int *error);
/* Its rarer halves, and those of cos_fiber_run. */
int64_t cos_fiber_call_on_segment(struct cos_fiber *f, cosched_fn fn, void *arg, int *error);
int64_t cos_fiber_tails(void *fiber);
/* Never called. As a tail it says that a panic has fallen to this body. */
int64_t cos_fiber_fell(void *unused);

/* fn(arg) on a fresh segment if less than COS_STACK_PROMISE is left and one can be had: reports, and hooks of the user's. */
void cos_fiber_with_room(struct cos_fiber *f, int64_t (*fn)(void *), void *arg);

static inline bool cos_fiber_has_room(const struct cos_fiber *f)
{
    return (char *)__builtin_frame_address(0) > f->stack_roomy;
}

static inline int64_t cos_fiber_call(struct cos_fiber *f, cosched_fn fn, void *arg, int *error)
{
    struct cos_frame frame = {f->frames, fn, NULL};
    f->frames = &frame;
    int64_t result;
    if (COS_LIKELY(cos_fiber_has_room(f))) {
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

/* The body's record is a frame of the fiber from here to cos_body_end. */
static inline __attribute__((always_inline)) void cos_body_begin(struct cos_fiber *f,
                                                                 struct cos_body *body,
                                                                 struct cos_task *t, cosched_fn fn)
{
    body->frame = (struct cos_frame){f->frames, fn, t};
    f->frames = &body->frame;
}

static inline __attribute__((always_inline)) void cos_body_end(struct cos_fiber *f,
                                                               struct cos_body *body)
{
    COS_ASSERT(f->frames == &body->frame && "longjmp or an exception passed a frame of cosched");
    f->frames = body->frame.outer;
}

/* Its rarer parts: on a fresh segment; after the body, when tail_fn is not NULL. *error as below. */
int64_t cos_body_run_low(struct cos_fiber *f, struct cos_body *body, cosched_fn fn, void *arg,
                         int *error);
int64_t cos_body_run_tails(struct cos_fiber *f, struct cos_body *body, int *error);

/* fn(arg) and its tails as the body of t, which is the running fiber's current task, under a guard: a panic ends here. *error:
 * 0; -ENOMEM: fn has not run, which cannot happen with `here`: on this stack whatever is left; -ENOTRECOVERABLE: a panic. */
static inline __attribute__((always_inline)) int64_t cos_fiber_run(struct cos_fiber *f,
                                                                   struct cos_task *t, cosched_fn fn,
                                                                   void *arg, bool here, int *error)
{
    struct cos_body body;
    cos_body_begin(f, &body, t, fn);
    *error = 0;
    int64_t result;
    if (here || COS_LIKELY(cos_fiber_has_room(f))) {
        result = cos_arch_guard(arg, fn, &body.sp);
        if (COS_UNLIKELY(f->tail_fn != NULL)) {
            result = cos_body_run_tails(f, &body, error);
        }
    } else {
        result = cos_body_run_low(f, &body, fn, arg, error);
    }
    cos_body_end(f, &body);
    return result;
}

/* Writes what is known about the fiber whose stack ends at stack_hi. Async-signal-safe. */
void cos_fiber_describe(char *stack_hi, int fd);
#endif
