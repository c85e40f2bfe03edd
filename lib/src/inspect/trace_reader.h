/* A reader of the trace, and the text that it makes; what cosched_trace is inside. */
#ifndef COS_INSPECT_TRACE_READER_H
#define COS_INSPECT_TRACE_READER_H
#include <cosched/inspect.h>

#include "base/ticks.h"
#include "inspect/spans.h"
#include "sched/runtime.h"

#define COS_TRACE_TRACKS (COS_EXECS_MAX + 1) /* executors, and all other threads together */
#define COS_TRACE_OTHERS COS_EXECS_MAX
#define COS_TRACE_NAMES  512U

/* One thread's track of slices. */
struct cos_track {
    bool known;          /* named in the text */
    bool runs, open;     /* something runs on it; a slice of the text says so */
    bool named;          /* what is a name, not a function */
    uint64_t task, what; /* which task (generation << 32 | index); 0: the loop */
};

/* One of the rings, and what a read has copied of it. */
struct cos_ring_reader {
    const struct cos_trace_ring *ring;
    uint64_t next;    /* the record to be read */
    bool begun;       /* something was read: from now on what is missing is lost */
    uint64_t missing; /* before what was copied */
    size_t from, end; /* in the copies */
};

struct cos_name {
    const void *address;
    char text[72]; /* as it stands in JSON */
};

struct cosched_trace {
    struct cosched_runtime *rt;
    uint64_t since; /* ticks */
    uint64_t now;   /* ticks: a read goes so far */
    uint64_t at; /* ticks: of the event under way. Never back: a record may be stamped before a read and come after it */
    struct cos_ticks_rate rate; /* const: one stamp is one time in the whole text */
    cosched_trace_counts counts;
    uint64_t arrows;
    uint32_t process;
    struct cos_ring_reader ring[2 + COSCHED_WORKERS_MAX]; /* MAIN, workers, the others' */
    unsigned rings;
    struct cos_track track[COS_TRACE_TRACKS];
    struct cos_spans spans;
    struct cos_name name[COS_TRACE_NAMES]; /* by address */
    cosched_trace_fn event;                /* of the read under way */
    void *data;
};

/* What a record says (trace_events.c). at: not before since, nor before the record before it in its ring. */
void cos_trace_event(struct cosched_trace *t, unsigned track, uint64_t at,
                     const struct cos_trace_copy *record);
/* The same of one from before: only who runs is remembered. */
void cos_trace_event_before(struct cosched_trace *t, unsigned track,
                            const struct cos_trace_copy *record);
/* Slices that were open when the trace began, of tracks where nothing has happened since. */
void cos_trace_events_catch_up(struct cosched_trace *t);
/* Nothing is known of this track any more: records are missing. */
void cos_trace_event_lost(struct cosched_trace *t, unsigned track, uint64_t at, uint64_t n);
void cos_trace_events_end(struct cosched_trace *t, uint64_t at);

/* --- text (trace_text.c): each writes one event ---------------------------------------------------------- */

/* The function or the name at that address, quoted. Valid until the next call. */
const char *cos_trace_name(struct cosched_trace *t, uint64_t address, bool named);

void cos_trace_text_head(struct cosched_trace *t);
void cos_trace_text_track(struct cosched_trace *t, unsigned track);
/* A slice begins (name quoted, NULL: it ends). */
void cos_trace_text_slice(struct cosched_trace *t, unsigned track, uint64_t at, const char *name,
                          uint64_t task);
/* A slice without length, for arrows that begin outside of slices. */
void cos_trace_text_dot(struct cosched_trace *t, unsigned track, uint64_t at, const char *name);
void cos_trace_text_arrow(struct cosched_trace *t, const char *name, unsigned from,
                          uint64_t from_at, unsigned to, uint64_t to_at);
/* phase 'b', 'e' or 'n' of a span. about: what else is known of it, or 0. */
void cos_trace_text_span(struct cosched_trace *t, char phase, uint64_t at,
                         const struct cos_span *span, const char *name, uint64_t about);
void cos_trace_text_instant(struct cosched_trace *t, unsigned track, uint64_t at, const char *name,
                            uint64_t value);

#endif
