/* cosched_panic. In the task that fails, on its stack, while all its frames still stand:
 *
 *   report     its text, the chain of awaits and the back trace go to the log and to the hook
 *   undo       what the library has open in those frames is closed: groups cancel and join their children, scopes end
 *   go home    to the executor where the task began
 *   fall       to the guard of the task's body (arch/guard.h), segment by segment
 *
 * There it ends like any task: children are cancelled and joined, clean-ups run, the awaiter goes on. */
#include "sched/panic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unwind.h>

#include "base/hooks.h"
#include "base/text.h"
#include "sched/branch.h"
#include "sched/failure.h"
#include "sched/hop.h"
#include "sched/join.h"
#include "sched/scopes.h"

#define TEXT_BYTES  256
#define TRACE_BYTES 2048
#define CHAIN_MAX   16 /* awaits shown */
#define FRAMES_MAX  24 /* addresses shown */

struct report {
    struct cos_fiber *fiber;
    const char *said;
    struct cos_text trace;
    unsigned addresses;
};

/* --- what is open in the frames --------------------------------------------------------------------------- */

void cos_unwind_push(struct cos_fiber *f, struct cos_unwind *u, void (*undo)(struct cos_unwind *u))
{
    *u = (struct cos_unwind){f->unwinds, f->current, undo};
    f->unwinds = u;
}

void cos_unwind_remove(struct cos_fiber *f, struct cos_unwind *u)
{
    struct cos_unwind **at = &f->unwinds;
    while (*at != u) {
        COS_ASSERT(*at != NULL && "closed by the task that opened it, once");
        at = &(*at)->outer;
    }
    *at = u->outer;
}

static struct cos_body *body_of_current(const struct cos_fiber *f)
{
    struct cos_frame *frame = f->frames;
    while (cos_frame_is_call(frame)) {
        frame = frame->outer;
    }
    COS_ASSERT(frame->task == f->current);
    return COS_CONTAINER_OF(frame, struct cos_body, frame);
}

static void undo_all(struct cos_fiber *f, const struct cos_body *body)
{
    for (struct cos_frame *frame = f->frames; frame != &body->frame; frame = frame->outer) {
        if (frame->task != NULL) {
            cos_forks_undo(COS_CONTAINER_OF(frame, struct cos_forks, frame));
        }
    }
    while (f->unwinds != NULL && f->unwinds->task == f->current) {
        f->unwinds->undo(f->unwinds);
    }
    cos_scopes_end_all(f, &f->current->scope);
}

/* --- the fall ----------------------------------------------------------------------------------------------- */

/* Did the segment begin below the body's guard? */
static bool is_inside(const struct cos_fiber *f, const struct cos_segment *segment,
                      const struct cos_body *body)
{
    for (const struct cos_frame *frame = f->frames;; frame = frame->outer) {
        if (frame == segment->frames) {
            return true;
        }
        if (frame == &body->frame) {
            return false;
        }
    }
}

noreturn void cos_panic_fall(struct cos_fiber *f)
{
    struct cos_body *body = f->falling;
    if (f->segment != NULL && is_inside(f, f->segment, body)) {
        cos_arch_throw(f->segment->sp, 0);
    }
    f->falling = NULL;
    f->frames = &body->frame;
    f->tail_fn = cos_fiber_fell;
    cos_arch_throw(body->sp, 0);
}

/* --- the report --------------------------------------------------------------------------------------------- */

static void add_task(struct cos_text *text, const struct cos_task *t)
{
    cos_text_add(text, "task ");
    cos_text_add(text, t->name != NULL ? t->name : "(unnamed)");
    cos_text_add(text, " #");
    cos_text_number(text, t->index);
}

/* The awaits on this stack; those beyond its base belong to other stacks. */
static void add_chain(struct cos_text *text, const struct cos_fiber *f)
{
    unsigned n = 0;
    for (const struct cos_frame *frame = f->frames; frame != NULL; frame = frame->outer) {
        if (n++ == CHAIN_MAX) {
            cos_text_add(text, "\n  ...");
            return;
        }
        cos_text_add(text, frame == f->frames ? "\n  in " : "\n  called by ");
        cos_text_symbol(text, (const void *)(uintptr_t)frame->fn);
        if (!cos_frame_is_call(frame)) {
            cos_text_add(text, ", the body of ");
            add_task(text, frame->task);
        }
    }
}

static _Unwind_Reason_Code add_address(struct _Unwind_Context *context, void *arg)
{
    struct report *r = arg;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (address == 0 || r->addresses++ == FRAMES_MAX) {
        return _URC_END_OF_STACK;
    }
    cos_text_add(&r->trace, "\n  at ");
    cos_text_symbol(&r->trace, (const void *)address);
    return _URC_NO_REASON;
}

static void log_text(void *arg)
{
    cos_log(COSCHED_LOG_ERROR, arg);
}

/* Some kilobytes of stack: mostly not on that of the task. */
static __attribute__((noinline)) int64_t report(void *arg)
{
    struct report *r = arg;
    struct cos_fiber *f = r->fiber;
    struct cos_task *t = f->current;
    char buffer[TRACE_BYTES];
    cos_text_init(&r->trace, buffer, sizeof buffer);
    add_task(&r->trace, t);
    cos_text_add(&r->trace, " panicked: ");
    cos_text_add(&r->trace, r->said);
    add_chain(&r->trace, f);
    (void)_Unwind_Backtrace(add_address, r);
    cos_hook_call(log_text, buffer);
    cos_atomic_or(&t->scope.flags, COS_SCOPE_PANICKED, relaxed); /* read by who ends it: us */
    cosched_failure failure = {
        .struct_size = sizeof failure,
        .task = cos_task_handle(t),
        .name = t->name,
        .fn = t->fn,
        .affinity = (cosched_affinity)t->affinity,
        .result = -ENOTRECOVERABLE,
        .text = r->said,
        .trace = buffer,
    };
    cos_failure_report(cos_exec_current(), &failure);
    return 0;
}

static noreturn void leave(struct cos_fiber *f)
{
    struct cos_body *body = body_of_current(f);
    undo_all(f, body);
    if (f->affinity != f->current->affinity) {
        cos_hop((cosched_affinity)f->current->affinity);
    }
    f->falling = body;
    cos_panic_fall(f);
}

noreturn void cosched_panic(const char *format, ...)
{
    char said[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said, sizeof said, format, args);
    va_end(args);
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        COS_PANIC(said);
    }
    f->tail_fn = NULL;
    struct report r = {.fiber = f, .said = said};
    cos_fiber_with_room(f, report, &r);
    leave(f);
}

noreturn void cos_panic_on(struct cos_fiber *f)
{
    cos_atomic_or(&f->current->scope.flags, COS_SCOPE_PANICKED, relaxed);
    leave(f);
}
