/* Sources and operations: what every awaitable object of io/ has in common.
 *
 * A source has two sides, for reading and for writing, each used by one operation at a time. An operation first
 * tries where its task runs; only when it has to wait does the task go to MAIN, where the callbacks of uv are, and
 * it comes back when the operation ends. So a callback and a waiting operation never run at the same time, and all
 * that an operation has armed stays harmless when it leaves.
 *
 * One word tells who may use the source; the last of its users disposes of it, on MAIN:
 *
 *     begin: sets a claim (-EBUSY: set already)      shut: sets SHUT, wakes who waits; from any thread
 *     end: clears it                                 close: shut, then sets CLOSED
 *     CLOSED and no claim left: dispose, by whoever brought that about */
#ifndef COS_IO_SOURCE_H
#define COS_IO_SOURCE_H
#include <cosched/io.h>

#include "base/atomic.h"

struct cos_fiber;

enum cos_side { COS_READ_SIDE, COS_WRITE_SIDE, COS_SIDES };

struct cos_source {
    void (*dispose)(struct cos_source *s); /* const; on MAIN, when nobody uses it any more */
    COS_ATOMIC(uint32_t) state;            /* who uses it; see source.c for the orders */

    struct {
        COS_ATOMIC(uint64_t) ticket; /* of the wait on this side; 0: nobody waits */
        uint32_t streak;             /* who holds the claim: tries without a wait, for fairness */
    } side[COS_SIDES];
};

/* One call of an operation, on the stack of its task. */
struct cos_op {
    struct cos_source *source; /* borrowed until end: the claim keeps it */
    struct cos_fiber *fiber;   /* the task's */
    enum cos_side side;
    int why;      /* what ended its wait: one more try, then this is the answer. 0: nothing yet */
    uint8_t home; /* the affinity to return to */
};

void cos_source_init(struct cos_source *s, void (*dispose)(struct cos_source *s));
/* Wakes who waits on that side, on MAIN or from shut. False: nobody. */
bool cos_source_wake(struct cos_source *s, enum cos_side side);
/* Ends the waits with -ECANCELED and refuses new operations. Any thread, while the source is open. */
void cos_source_shut(struct cos_source *s);
/* Shuts it and gives it up. A task that still waits gets -ECANCELED, and disposes of it. Goes to MAIN and back, or is
 * called on MAIN's thread. */
void cos_source_close(struct cos_source *s);

/* May the caller suspend and go to MAIN? 0; -EPERM: no task, or pinned elsewhere; -ECANCELED: cancelled already. */
int cos_io_allowed(void);
/* The deadline has passed (COSCHED_NOW always has): nothing is waited for. */
bool cos_io_expired(int64_t deadline);

/* 0, what cos_io_allowed answers, -ECANCELED (shut), -EBUSY. After 0, end must follow. */
int cos_op_begin(struct cos_op *op, struct cos_source *s, enum cos_side side);
/* Before each try: lets others run when this side has been busy for long without waiting. Suspends, unless the
 * deadline is COSCHED_NOW. */
void cos_op_breathe(struct cos_op *op, int64_t deadline);
void cos_op_to_main(struct cos_op *op);
/* On MAIN: waits until this side is woken. 0; -ETIMEDOUT, -ECANCELED. */
int cos_op_wait(struct cos_op *op, int64_t deadline);
bool cos_op_is_shut(const struct cos_op *op);
/* Releases the claim, and returns to where the task came from. */
void cos_op_end(struct cos_op *op);
#endif
