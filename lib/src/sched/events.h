/* What is recorded in the trace, by name, with its probe. On executors unless it says otherwise. */
#ifndef COS_SCHED_EVENTS_H
#define COS_SCHED_EVENTS_H
#include "base/probe.h"
#include "base/ticks.h"
#include "sched/exec.h"

/* The explorer is about hand-overs, not about their records. */
#if defined(COS_EXPLORE)
#define COS_TRACED 0
#else
#define COS_TRACED 1
#endif

#define COS_EVENT(at, kind, detail, extra, task, value)                                    \
    do {                                                                                   \
        if (COS_TRACED) {                                                                  \
            cos_trace_record(at, kind, (uint8_t)(detail), (uint32_t)(extra), task, value); \
        }                                                                                  \
    } while (0)

static inline uint64_t cos_event_task(const struct cos_task *t)
{
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    return (uint64_t)generation << 32 | t->index;
}

static inline uint64_t cos_event_what(const struct cos_task *t)
{
    return t->name != NULL ? (uintptr_t)t->name : (uintptr_t)t->fn;
}

/* `to` runs from now on; NULL: the loop. detail: of the task that ran until now. */
static inline void cos_event_slice(struct cos_exec *e, struct cos_fiber *to, unsigned detail)
{
    if (!COS_TRACED) {
        return;
    }
    uint64_t now = cos_ticks_now(), task = 0, value = 0;
    if (to != NULL) {
        const struct cos_task *t = to->base;
        task = cos_event_task(t);
        value = cos_event_what(t);
        detail |= (unsigned)(to->trace & COS_TRACE_FIRST) |
                  (t->name != NULL ? (unsigned)COS_TRACE_NAMED : 0);
        to->trace = 0;
        COS_PROBE3(slice_begin, e->id, task, value);
    } else {
        COS_PROBE2(slice_end, e->id, detail);
    }
    /* relaxed: read by the watcher, for whom it is a time */
    cos_atomic_store(&e->slice_at, to != NULL ? now : 0, relaxed);
    if (COS_LIKELY(e->kind != COS_EXEC_OWN)) {
        cos_trace_put(&e->trace, now, cos_trace_what(COS_TRACE_SLICE, (uint8_t)detail, e->id, 0),
                      task, value);
    } else {
        cos_trace_record(now, COS_TRACE_SLICE, (uint8_t)detail, 0, task, value);
    }
}

/* Any thread. at: ticks before the claim that won, for its slice may begin at once. */
static inline void cos_event_wake(const struct cos_task *t, unsigned cause, uint64_t at)
{
    COS_PROBE2(wake, t->index, cause);
    COS_EVENT(at, COS_TRACE_WAKE, cause, 0, cos_event_task(t), 0);
}

/* Any thread. */
static inline void cos_event_spawn(const struct cos_task *t)
{
    COS_PROBE2(spawn, t->index, cos_event_what(t));
    COS_EVENT(0, COS_TRACE_SPAWN, t->name != NULL ? COS_TRACE_NAMED : 0, 0, cos_event_task(t),
              cos_event_what(t));
}

static inline void cos_event_hop(const struct cos_task *t, unsigned to, uint64_t at)
{
    COS_PROBE2(hop, t->index, to);
    COS_EVENT(at, COS_TRACE_HOP, to, 0, cos_event_task(t), 0);
}

static inline void cos_event_steal(const struct cos_exec *victim, uint64_t n)
{
    COS_PROBE2(steal, victim->id, n);
    COS_EVENT(0, COS_TRACE_STEAL, 0, n, 0, victim->id);
}

static inline void cos_event_sleep(const struct cos_exec *e)
{
    COS_PROBE1(park, e->id);
    COS_EVENT(0, COS_TRACE_SLEEP, 0, 0, 0, e->id);
}

static inline void cos_event_awake(const struct cos_exec *e)
{
    COS_PROBE1(unpark, e->id);
    COS_EVENT(0, COS_TRACE_AWAKE, 0, 0, 0, e->id);
}

/* Any thread. */
static inline void cos_event_blocking(cosched_task task, cosched_fn fn, bool begins)
{
    if (begins) {
        COS_PROBE2(blocking_begin, task.index, fn);
    } else {
        COS_PROBE2(blocking_end, task.index, fn);
    }
    COS_EVENT(0, begins ? COS_TRACE_BLOCKING_BEGIN : COS_TRACE_BLOCKING_END, 0, 0,
              (uint64_t)task.generation << 32 | task.index, (uintptr_t)fn);
}

#endif
