/* The trace: what executors did last, always on. A ring of 32-byte records for MAIN and each worker, which only that thread
 * writes, without a lock or a locked operation; one for all other threads, under a lock. The oldest is overwritten; a reader
 * copies while the writer goes on, and knows what it lost (trace.c).
 *
 * Calls that run on their caller's stack leave no record: what is recorded are switches, and what makes tasks go on. */
#ifndef COS_SCHED_TRACE_H
#define COS_SCHED_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/lock.h"
#include "base/atomic.h"

struct cos_exec;
struct cos_fiber;
struct cos_task;
struct cosched_runtime;

#define COS_TRACE_RECORDS 4096U /* a ring: 128 KiB */

enum cos_trace_kind {
    COS_TRACE_SLICE = 1, /* from here on that task runs; none: the loop does */
    COS_TRACE_SPAWN,     /* a task came in line, not in the line of the executor that made it */
    COS_TRACE_WAKE,      /* that task may go on; detail: cos_cause */
    COS_TRACE_HOP,       /* that task leaves for another executor; detail: affinity */
    COS_TRACE_STEAL,     /* value: from whom; extra: how many */
    COS_TRACE_SLEEP,     /* the executor waits for work */
    COS_TRACE_AWAKE,
    COS_TRACE_BLOCKING_BEGIN, /* a call for that task, by a thread that may block; value: the function */
    COS_TRACE_BLOCKING_END,
    COS_TRACE_MARK /* the user's; detail: phase; value: name; the task words hold its number */
};

/* In the detail of a slice. */
enum {
    COS_TRACE_WHY = 0x1f,   /* what the task before it waits for: cosched_reason */
    COS_TRACE_FIRST = 0x20, /* its first slice */
    COS_TRACE_ENDED = 0x40, /* the task before it has ended */
    COS_TRACE_NAMED = 0x80  /* value is a name, not the body */
};

/* Not on an executor's track. */
#define COS_TRACE_STRANGER UINT16_MAX

/* One word each, so that a record may be read while it is overwritten, and thrown away then. */
struct cos_trace_record {
    COS_ATOMIC(uint64_t) at;    /* ticks */
    COS_ATOMIC(uint64_t) what;  /* extra:32, track:16, detail:8, kind:8 */
    COS_ATOMIC(uint64_t) task;  /* generation:32, index:32 */
    COS_ATOMIC(uint64_t) value; /* see above */
};

struct cos_trace_ring {
    struct cos_trace_record *record; /* owned; const */
    uint64_t written;                /* how many ever; the writer's */
    COS_ATOMIC(uint64_t) head;       /* the same for readers */
    void *memory;                    /* owned: what record lies in */
};

/* One thread of those that share the last ring at a time. */
struct cos_trace_shared {
    struct cos_lock lock;
    struct cos_trace_ring ring;
};

int cos_trace_ring_init(struct cos_trace_ring *r); /* 0, -ENOMEM */
void cos_trace_ring_fini(struct cos_trace_ring *r);

/* A copy of the records from *next on, and what was lost on the way there; the next call goes on where this one ends. Any
 * thread; how many of `max` are there. */
struct cos_trace_copy {
    uint64_t at, what, task, value;
};

size_t cos_trace_copy(const struct cos_trace_ring *r, uint64_t *next, uint64_t *lost,
                      struct cos_trace_copy *out, size_t max);

#define COS_TRACE_KIND(what)   ((enum cos_trace_kind)((what)&0xff))
#define COS_TRACE_DETAIL(what) ((uint8_t)((what) >> 8))
#define COS_TRACE_TRACK(what)  ((uint16_t)((what) >> 16))
#define COS_TRACE_EXTRA(what)  ((uint32_t)((what) >> 32))

static inline uint64_t cos_trace_what(enum cos_trace_kind kind, uint8_t detail, uint32_t track,
                                      uint32_t extra)
{
    return (uint64_t)kind | (uint64_t)detail << 8 | (uint64_t)(uint16_t)track << 16 |
           (uint64_t)extra << 32;
}

#if defined(COS_VIRTUAL_TIME)
/* One thread: nothing to order, and no choice point. */
#define COS_TRACE_STORE(word, v) cos_atomic_store(word, v, relaxed)
#else
/* release: whoever reads (acquire) a word of a record then sees a head that says that the record before it in this place is
 * being overwritten. */
#define COS_TRACE_STORE(word, v) cos_atomic_store(word, v, release)
#endif

/* By the thread whose ring it is. */
static inline void cos_trace_put(struct cos_trace_ring *r, uint64_t at, uint64_t what,
                                 uint64_t task, uint64_t value)
{
#ifdef COS_NO_TRACE /* a benchmark's library, to see what a record costs */
    return;
#endif
    struct cos_trace_record *to = &r->record[r->written & (COS_TRACE_RECORDS - 1)];
    COS_TRACE_STORE(&to->at, at);
    COS_TRACE_STORE(&to->what, what);
    COS_TRACE_STORE(&to->task, task);
    COS_TRACE_STORE(&to->value, value);
    COS_TRACE_STORE(&r->head, ++r->written);
}

/* By any thread: into its ring, or the shared one. at 0: now. Cold. */
void cos_trace_record(uint64_t at, enum cos_trace_kind kind, uint8_t detail, uint32_t extra,
                      uint64_t task, uint64_t value);

#endif
