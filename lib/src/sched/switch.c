/* Leaving, arriving, ending (DESIGN D3). The order is law: save, leave the stack, then publish. Whoever leaves puts a
 * commit into its header; the flow that runs next, on its own stack, performs it first of all. */
#include "sched/switch.h"

#include "sched/current.h"
#include "sched/events.h"
#include "sched/finish.h"
#include "sched/runtime.h"

/* What every flow does first when it runs again. `left` is the fiber that was on this thread just before; NULL: the loop. */
static inline void arrive(struct cos_fiber *left)
{
    if (left != NULL) {
        left->commit(cos_exec_current(), left);
    }
}

/* Opaque to the switching functions: everything that chooses, so that nothing of it is inlined around a switch. */
static __attribute__((noinline)) struct cos_context *choose(struct cos_exec *e, unsigned detail)
{
    struct cos_fiber *to = cos_exec_pick(e);
    e->running = to;
    COS_COUNT(e, switches);
    cos_event_slice(e, to, detail);
    return to != NULL ? &to->ctx : &e->loop;
}

static inline void leave(struct cos_exec *e, struct cos_fiber *f)
{
    unsigned why = f->trace;
    f->trace = 0;
    struct cos_context *to = choose(e, why);
    struct cos_fiber *left = cos_context_switch(&f->ctx, to, f);
    arrive(left);
}

/* It leaves the thread as it found it. */
static COS_SWITCHES void leave_with_fpenv(struct cos_exec *e, struct cos_fiber *f)
{
    cos_arch_fpenv_save(&f->fpenv);
    cos_arch_fpenv_restore(&e->fpenv);
    leave(e, f);
    cos_arch_fpenv_save(&cos_exec_current()->fpenv);
    cos_arch_fpenv_restore(&f->fpenv);
}

COS_SWITCHES void cos_leave(struct cos_exec *e, cos_commit_fn commit)
{
    struct cos_fiber *f = e->running;
    COS_INVARIANT(cos_lock_held() == 0); /* I9 */
    f->commit = commit;
    if (COS_UNLIKELY(f->own_fpenv)) {
        leave_with_fpenv(e, f);
    } else {
        leave(e, f);
    }
}

static void commit_end(struct cos_exec *e, struct cos_fiber *left)
{
    if (left->home != NULL) {
        e->own_done = true;
    }
    cos_fiber_destroy(e, left);
}

static __attribute__((noinline)) struct cos_fiber *self(void)
{
    return cos_exec_current()->running;
}

COS_SWITCHES void cos_fiber_entry(void *message)
{
    arrive(message);
    struct cos_fiber *f = self();
    struct cos_exec *e;
    do {
        cos_task_run(cos_exec_current(), f, f->base);
        e = cos_exec_current(); /* the body may have ended on another thread */
    } while (cos_exec_next_on(e, f));
    f->commit = commit_end;
    struct cos_context *to = choose(e, COS_TRACE_ENDED);
    cos_context_switch_final(&f->ctx, to, f);
}

static __attribute__((noinline)) void begin_slice(struct cos_exec *e, struct cos_fiber *to)
{
    cos_event_slice(e, to, 0);
    cos_slices_begin(&e->rt->slices);
}

COS_SWITCHES void cos_exec_switch_in(struct cos_exec *e, struct cos_fiber *to)
{
    e->running = to;
    begin_slice(e, to);
    struct cos_fiber *left = cos_context_switch(&e->loop, &to->ctx, NULL);
    COS_ASSERT(e->running == NULL);
    arrive(left);
}
