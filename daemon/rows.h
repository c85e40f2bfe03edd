/* rows.h - what the daemon keeps in memory of a job that has not ended: 64 bytes in a slab, found by id.
 *
 * A million jobs may wait, so a row holds only what deciding needs; the specification stays on disk. Pure but for
 * memory; one thread. Rows keep their address while they live. A row of an ended job may stay for a moment as a
 * tombstone (see dispatch.c).
 */
#ifndef DAEMON_ROWS_H
#define DAEMON_ROWS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.h"

#define ROW_NOWHERE UINT32_MAX

enum row_place { ROW_IN_LINE, ROW_IN_DEADLINES, ROW_PLACES };

enum {
    ROW_STARTING = 1,      /* a task of dispatch has it: it is in no line */
    ROW_CANCEL = 2,        /* cancel_requested is on disk */
    ROW_TOMBSTONE = 4,     /* ended; kept until no older news of it can arrive */
    ROW_RUN_AT_WALL = 8,   /* run_at_us follows the wall clock when that is set */
    ROW_DEADLINE_WALL = 16 /* so does deadline_us */
};

struct row {
    int64_t id;
    int64_t seq; /* of the last event applied: older ones come too late */
    int64_t order; /* JOB_QUEUED: when it came into line, in µs, unique: FIFO and the time it waited */
    int64_t run_at_us;   /* JOB_DELAYED */
    int64_t deadline_us; /* 0: none */
    uint32_t uid;
    uint32_t attempt;
    uint32_t at[ROW_PLACES]; /* its index in a heap, or ROW_NOWHERE */
    uint16_t queue;          /* index of dispatch's queue */
    int8_t priority;
    uint8_t state; /* enum job_state */
    uint8_t flags;
    uint8_t epoch; /* of a tombstone */
};

struct row_slot {
    uint32_t slot; /* ROW_NOWHERE: empty */
    uint32_t hash; /* of the id: who looks for another one need not touch the row */
};

struct rows {
    struct row **chunks; /* owned */
    size_t chunk_count, chunk_room;
    uint32_t used;          /* slots handed out at least once */
    uint32_t free_head;     /* a free row's order holds the next; ROW_NOWHERE: none */
    struct row_slot *table; /* owned: by hash of id, open addressing */
    size_t table_size;      /* a power of two */
    size_t count;
};

void rows_init(struct rows *rows);
void rows_fini(struct rows *rows);
struct row *rows_find(const struct rows *rows, int64_t id); /* NULL: none */
/* A zeroed row with this id, which must not be there yet. NULL: out of memory. */
struct row *rows_add(struct rows *rows, int64_t id);
void rows_remove(struct rows *rows, struct row *row);
/* Calls each(ctx, row) for every row; it must not add or remove. */
void rows_each(struct rows *rows, void (*each)(void *ctx, struct row *row), void *ctx);

/* A heap of rows by `before`; a row knows its index, so it can leave from the middle. */
struct row_heap {
    struct row **rows; /* owned array, borrowed rows */
    uint32_t count, room;
    enum row_place place;
    bool (*before)(const struct row *a, const struct row *b);
};

void row_heap_init(struct row_heap *heap, enum row_place place,
                   bool (*before)(const struct row *a, const struct row *b));
void row_heap_fini(struct row_heap *heap);
int row_heap_push(struct row_heap *heap, struct row *row); /* 0 or -ENOMEM */
/* Takes it out; a row that is not in is left alone. */
void row_heap_remove(struct row_heap *heap, struct row *row);
void row_heap_rebuild(struct row_heap *heap); /* after keys changed in place */

static inline struct row *row_heap_first(const struct row_heap *heap)
{
    return heap->count ? heap->rows[0] : NULL;
}

#endif
