/* See slices.h. Everything here but start, stop and arm runs on the watcher's thread.
 *
 * A slice that is over its time by the clock alone is no finding: its thread may have waited for a CPU on a machine that has other
 * things to do. It counts when the thread has computed for half of the threshold since the slice was seen, or waits in the kernel
 * at two looks. */
#include "sched/slices.h"

#include <errno.h>

#include "arch/futex.h"
#include "arch/glance.h"
#include "base/hooks.h"
#include "base/text.h"
#include "base/ticks.h"
#include "sched/runtime.h"
#include "sched/thread.h"

#define MAIN_NS      (10 * COS_NS_PER_MS)
#define WORKER_NS    (100 * COS_NS_PER_MS)
/* Of a further stack that a deep call took: so much above its end belongs to it for sure. */
#define SEGMENT_SURE ((size_t)240 * 1024)
#define PIECE        64 /* records of a ring at a time */

static uint64_t slice_of(const struct cos_exec *e)
{
    return cos_atomic_load(&e->slice_at, relaxed); /* a time */
}

/* --- one finding --------------------------------------------------------------------------------------------------- */

/* Which task the slice is of: its record is one of the last on that ring. */
static bool find_task(const struct cos_exec *e, uint64_t at, struct cos_trace_copy *out)
{
    uint64_t head = cos_atomic_load(&e->trace.head, acquire); /* pairs with cos_trace_put */
    uint64_t oldest = head > COS_TRACE_RECORDS ? head - COS_TRACE_RECORDS : 0;
    while (head > oldest) {
        struct cos_trace_copy piece[PIECE];
        uint64_t lost = 0, next = head - oldest > PIECE ? head - PIECE : oldest;
        size_t n = cos_trace_copy(&e->trace, &next, &lost, piece, (size_t)(head - next));
        for (size_t i = n; i > 0; i--) {
            if (COS_TRACE_KIND(piece[i - 1].what) == COS_TRACE_SLICE) {
                *out = piece[i - 1];
                return out->at == at;
            }
        }
        head = head - oldest > PIECE ? head - PIECE : oldest;
    }
    return false;
}

#if !defined(COS_VIRTUAL_TIME)
static const char *stack_end(const struct cos_fiber *f)
{
    return f->stack_lo == f->stack.lo ? f->stack.hi : f->stack_lo + SEGMENT_SURE;
}

#define BODY_FRAMES 2 /* outside of the outermost body: its guard, and who runs it */

/* In the handler, on the executor's own thread. Up to the outermost body on this stack. */
static bool stack_range(const char *sp, const char **hi, size_t *outermost)
{
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL || sp < f->stack_lo || sp >= stack_end(f)) {
        return false; /* it may be about to leave that stack */
    }
    *hi = stack_end(f);
    *outermost = 0;
    for (const struct cos_frame *frame = f->frames; frame != NULL; frame = frame->outer) {
        const char *at = (const char *)frame;
        if (at >= sp && at < stack_end(f)) {
            *hi = at;
            *outermost = BODY_FRAMES;
        }
    }
    return true;
}

/* The thread waits in the kernel in this slice: what it has written is not changing. If it is by now, the look that follows throws
 * everything away. Unseen by sanitizers, because nothing orders it. */
static __attribute__((no_sanitize("thread", "address"))) bool stack_outside(const struct cos_exec *e,
                                                                            const char **lo,
                                                                            const char **hi)
{
    const struct cos_fiber *f = *(struct cos_fiber *const volatile *)&e->running;
    if (f == NULL) {
        return false;
    }
    *lo = *(char *const volatile *)&f->stack_lo;
    *hi = *lo == *(char *const volatile *)&f->stack.lo ? *(char *const volatile *)&f->stack.hi
                                                       : *lo + SEGMENT_SURE;
    return true;
}
#endif

/* False: nothing to say of it (yet). */
static bool examine(struct cos_exec *e, struct cos_slice_seen *seen, int64_t threshold_ns,
                    struct cos_glance *glance)
{
    *glance = (struct cos_glance){.state = 'R', .call = -1};
#if defined(COS_VIRTUAL_TIME)
    (void)e, (void)seen, (void)threshold_ns; /* whoever takes virtual time computes */
    return true;
#else
    pid_t thread = (pid_t)cos_atomic_load(&e->tid, relaxed);
    const char *lo, *hi;
    cos_glance_state(thread, glance);
    switch (glance->state) {
    case 'R': {
        int64_t cpu = cos_glance_cpu(thread);
        if (cpu >= 0 && seen->cpu >= 0 && cpu - seen->cpu < threshold_ns / 2) {
            return false; /* it waits for a CPU */
        }
        cos_glance_stop(thread, glance);
        break;
    }
    case 'S':
    case 'D':
        if (!seen->waits) { /* a call in passing, of a slice that is late for want of a CPU? */
            seen->waits = true;
            return false;
        }
        if (stack_outside(e, &lo, &hi)) {
            cos_glance_peek(thread, lo, hi, glance);
        }
        break;
    default: return false; /* stopped by a debugger; or it cannot be known */
    }
    return slice_of(e) == seen->at;
#endif
}

static void describe_place(struct cos_text *text, const struct cos_glance *glance)
{
    if (glance->state == 'R') {
        cos_text_add(text, ", on CPU");
    } else {
        const char *name = cos_glance_call_name(glance->call);
        cos_text_add(text, ", in system call ");
        if (name != NULL) {
            cos_text_add(text, name);
        } else if (glance->call >= 0) {
            cos_text_number(text, (uint64_t)glance->call);
        } else {
            cos_text_add(text, "(unknown)");
        }
    }
    for (size_t i = 0; i < glance->frames; i++) {
        cos_text_add(text, i == 0 ? ": " : " < ");
        cos_text_symbol(text, glance->frame[i]);
    }
}

static void describe_task(struct cos_text *text, const struct cos_trace_copy *slice)
{
    const void *what = (const void *)(uintptr_t)slice->value;
    if ((COS_TRACE_DETAIL(slice->what) & COS_TRACE_NAMED) != 0) {
        cos_text_add(text, what);
        cos_text_add(text, " ");
    }
    cos_text_add(text, "#");
    cos_text_number(text, (uint32_t)slice->task);
    if ((COS_TRACE_DETAIL(slice->what) & COS_TRACE_NAMED) == 0) {
        cos_text_add(text, " of ");
        cos_text_symbol(text, what);
    }
}

static void report(struct cos_slices *s, const struct cos_exec *e, const struct cos_slice_seen *seen,
                   int64_t threshold_ns, const struct cos_glance *glance)
{
    char buffer[1536];
    struct cos_text text;
    struct cos_trace_copy slice;
    struct cos_ticks_rate rate;
    bool known = find_task(e, seen->at, &slice);
    cos_ticks_rate(&rate);
    cos_text_init(&text, buffer, sizeof buffer);
    cos_text_add(&text, "task ");
    if (known) {
        describe_task(&text, &slice);
    } else {
        cos_text_add(&text, "(unknown)");
    }
    cos_text_add(&text, e->kind == COS_EXEC_MAIN ? " has kept MAIN" : " has kept worker ");
    if (e->kind != COS_EXEC_MAIN) {
        cos_text_number(&text, e->id);
    }
    cos_text_add(&text, " for ");
    cos_text_duration(&text, rate.ns - cos_ticks_at(&rate, seen->at));
    cos_text_add(&text, ", its share is ");
    cos_text_duration(&text, threshold_ns);
    describe_place(&text, glance);
    if (s->unreported > 0) {
        cos_text_add(&text, " (");
        cos_text_number(&text, s->unreported);
        cos_text_add(&text, " like it were not reported)");
    }
    cos_log(COSCHED_LOG_WARNING, buffer);
}

/* At most so many in any minute: the oldest of the last ones must be a minute old. */
static bool may_report(struct cos_slices *s, int64_t now)
{
    unsigned oldest = 0;
    for (unsigned i = 1; i < COS_SLICE_REPORTS; i++) {
        oldest = s->report_ns[i] < s->report_ns[oldest] ? i : oldest;
    }
    if (s->report_ns[oldest] != 0 && now - s->report_ns[oldest] < COS_SLICE_REPORT_NS) {
        return false;
    }
    s->report_ns[oldest] = now;
    return true;
}

static void on_finding(struct cos_slices *s, struct cos_exec *e, struct cos_slice_seen *seen,
                       int64_t threshold_ns, const struct cos_glance *glance, int64_t now)
{
    seen->counted = true;
    (void)cos_atomic_add(&s->found, 1, relaxed);
    if (may_report(s, now)) {
        report(s, e, seen, threshold_ns, glance);
        s->unreported = 0;
        (void)cos_atomic_add(&s->reported, 1, relaxed);
    } else {
        s->unreported++;
    }
}

/* --- the watcher ---------------------------------------------------------------------------------------------------- */

/* One executor; true: a task runs on it. */
static bool look(struct cos_slices *s, struct cos_exec *e, const struct cos_ticks_rate *rate)
{
    struct cos_slice_seen *seen = &s->seen[e->id];
    int64_t threshold_ns = e->kind == COS_EXEC_MAIN ? s->main_ns : s->worker_ns;
    uint64_t at = slice_of(e);
    if (at == 0 || threshold_ns == INT64_MAX) {
        return false;
    }
    if (at != seen->at) {
        int64_t due = cos_clock_add(cos_ticks_at(rate, at), threshold_ns);
        int64_t cpu = -1;
#if !defined(COS_VIRTUAL_TIME)
        cpu = cos_glance_cpu((pid_t)cos_atomic_load(&e->tid, relaxed));
#endif
        *seen = (struct cos_slice_seen){.at = at, .cpu = cpu, .due_ns = due};
    }
    if (!seen->counted && rate->ns >= seen->due_ns) {
        struct cos_glance glance;
        if (examine(e, seen, threshold_ns, &glance)) {
            on_finding(s, e, seen, threshold_ns, &glance, rate->ns);
        } else {
            seen->due_ns = rate->ns + threshold_ns / 2;
        }
    }
    return true;
}

/* Until when; INT64_MAX: no task runs anywhere. */
static int64_t look_around(struct cosched_runtime *rt)
{
    struct cos_slices *s = &rt->slices;
    struct cos_ticks_rate rate;
    bool any = false;
    cos_ticks_rate(&rate);
    int64_t next = rate.ns + s->period_ns;
    for (uint32_t i = 0; i <= rt->workers; i++) {
        if (look(s, rt->execs[i], &rate)) {
            const struct cos_slice_seen *seen = &s->seen[i];
            any = true;
            next = !seen->counted && seen->due_ns < next ? seen->due_ns : next;
        }
    }
    return any ? next : INT64_MAX;
}

static bool anybody_runs(const struct cosched_runtime *rt)
{
    bool any = false;
    for (uint32_t i = 0; i <= rt->workers && !any; i++) {
        any = slice_of(rt->execs[i]) != 0;
    }
    return any;
}

/* Without a limit, until somebody begins a slice. */
static void sleep_unarmed(struct cosched_runtime *rt)
{
    struct cos_slices *s = &rt->slices;
    cos_atomic_store(&s->armed, 0,
                     relaxed); /* ordered by the fence; its partner is in cos_slices_begin */
    cos_fence_heavy();
    if (anybody_runs(rt)) {
        cos_atomic_store(&s->armed, 1, relaxed);
    }
    while (cos_atomic_load(&s->armed, relaxed) == 0 && cos_atomic_load(&s->quitting, acquire) == 0) {
        (void)cos_futex_wait(&s->armed, 0, INT64_MAX);
    }
}

static void *watcher(void *arg)
{
    struct cosched_runtime *rt = arg;
    struct cos_slices *s = &rt->slices;
    while (cos_atomic_load(&s->quitting, acquire) == 0) { /* pairs with cos_slices_stop */
        int64_t until = look_around(rt);
        if (until == INT64_MAX) {
            sleep_unarmed(rt);
            until = cos_clock_add(cos_clock_now(), s->period_ns); /* a slice has just begun */
        }
        while (cos_atomic_load(&s->quitting, acquire) == 0 &&
               cos_futex_wait(&s->quitting, 0, until) != -ETIMEDOUT) {
        }
    }
    return NULL;
}

void cos_slices_arm(struct cos_slices *s)
{
    if (cos_atomic_exchange(&s->armed, 1, relaxed) == 0) { /* relaxed: a call to look, no data */
        cos_futex_wake(&s->armed, 1);
    }
}

static int64_t or_default(int64_t ns, int64_t otherwise)
{
    return ns != 0 ? ns : otherwise;
}

int cos_slices_start(struct cosched_runtime *rt, const cosched_config *config)
{
    struct cos_slices *s = &rt->slices;
    if ((config->flags & COSCHED_WATCH_SLICES) == 0) {
        return 0;
    }
    s->main_ns = or_default(config->slice_main_ns, MAIN_NS);
    s->worker_ns = or_default(config->slice_worker_ns, WORKER_NS);
    s->period_ns = s->main_ns < s->worker_ns ? s->main_ns : s->worker_ns;
    if (s->period_ns == INT64_MAX) {
        return 0;
    }
    s->period_ns = s->period_ns > COS_NS_PER_MS ? s->period_ns : COS_NS_PER_MS;
#if !defined(COS_VIRTUAL_TIME)
    (void)cos_glance_install(stack_range); /* without a signal reports have no back trace */
#endif
    int rc = cos_thread_start(&s->thread, 0, watcher, rt);
    s->on = rc == 0;
    if (rc < 0) {
        cos_slices_stop(rt);
    }
    return rc;
}

void cos_slices_stop(struct cosched_runtime *rt)
{
    struct cos_slices *s = &rt->slices;
    if (s->on) {
        cos_atomic_store(&s->quitting, 1, release); /* pairs with the acquires in the watcher */
        cos_futex_wake(&s->quitting, 1);
        cos_slices_arm(s);
        pthread_join(s->thread, NULL);
        s->on = false;
    }
#if !defined(COS_VIRTUAL_TIME)
    cos_glance_uninstall();
#endif
}
