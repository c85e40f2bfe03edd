/* What is open while a trace is read: tasks and marks, found by their numbers. Grows; one thread. */
#ifndef COS_INSPECT_SPANS_H
#define COS_INSPECT_SPANS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cos_arrow { COS_ARROW_NONE, COS_ARROW_SPAWN, COS_ARROW_WAKE, COS_ARROW_HOP };

struct cos_span {
    uint64_t id;   /* of a task: its index; of a mark or a blocking call: what was given */
    uint64_t kind; /* 0: a task; else the address of a mark's name, or of a function that blocks */
    uint32_t generation;
    uint8_t waits;     /* cosched_reason of the wait that is open inside; 0: none */
    bool open, queued; /* queued: it is in line for its start, which is open inside */
    uint8_t arrow;     /* one that has no end yet */
    uint16_t arrow_track;
    uint64_t arrow_at; /* ticks */
    uint64_t what;     /* name or body */
    bool named;
};

struct cos_spans {
    struct cos_span *slot; /* owned; id and kind 0: free (no task has the index 0) */
    size_t capacity;       /* a power of two, or 0 */
    size_t used;
};

void cos_spans_fini(struct cos_spans *s); /* zeroed is empty */
/* The one of that number, made if there is none; valid until the next get or drop. NULL: no memory. */
struct cos_span *cos_spans_get(struct cos_spans *s, uint64_t id, uint64_t kind);
struct cos_span *cos_spans_find(const struct cos_spans *s, uint64_t id, uint64_t kind); /* or NULL */
void cos_spans_drop(struct cos_spans *s, struct cos_span *one);

#endif
