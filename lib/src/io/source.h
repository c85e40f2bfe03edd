/* Sources and operations: what every awaitable object of io/ has in common.
 *
 * A source has two sides, for reading and for writing, each used by one operation at a time. An operation tries, and when
 * it has to wait it parks where its task is; whoever has news of a side wakes it, from any thread. News that find nobody
 * waiting are kept, so what comes between a try in vain and the wait is not lost:
 *
 *     a side:  0 --news--> NEWS --wait: at once--> 0        0 --wait--> ticket --news: wakes--> NEWS --its end--> 0
 *
 * One word tells who may use the source; the last of its users disposes of it:
 *
 *     begin: sets a claim (-EBUSY: set already)      shut: sets SHUT, wakes who waits; from any thread
 *     end: clears it                                 close: shut, then sets CLOSED
 *     CLOSED and no claim left: dispose, by whoever brought that about */
#ifndef COS_IO_SOURCE_H
#define COS_IO_SOURCE_H
#include <cosched/io.h>

#include "base/atomic.h"

enum cos_side { COS_READ_SIDE, COS_WRITE_SIDE, COS_SIDES };

#define COS_SIDE_NEWS UINT64_C(1) /* no ticket: task 0 is none */

struct cos_source {
    void (*dispose)(struct cos_source *s); /* const; any thread, when nobody uses it any more */
    COS_ATOMIC(uint32_t) state;            /* who uses it; see source.c for the orders */
    uint32_t reason; /* const: COS_PARK_FOR what a task waits on it, for who looks in … */
    uint64_t object; /* … and which: const */

    struct {
        COS_ATOMIC(uint64_t) word; /* 0, COS_SIDE_NEWS, or the ticket of who waits */
        uint32_t streak;           /* who holds the claim: tries without a wait, for fairness */
    } side[COS_SIDES];
};

/* One call of an operation, on the stack of its task. */
struct cos_op {
    struct cos_source *source; /* borrowed until end: the claim keeps it */
    enum cos_side side;
    int why; /* what ended its wait: one more try, then this is the answer. 0: nothing yet */
};

/* A task that waits on it is said to wait for I/O on no descriptor; who knows better writes reason and object. */
void cos_source_init(struct cos_source *s, void (*dispose)(struct cos_source *s));
/* News of that side: wakes who waits, or spares the next one the wait. Any thread, while the source is there. */
void cos_source_wake(struct cos_source *s, enum cos_side side);
/* Ends the waits with -ECANCELED and refuses new operations. Any thread, while the source is open. */
void cos_source_shut(struct cos_source *s);
/* Shuts it and gives it up. A task that still waits gets -ECANCELED, and disposes of it. Any thread; never suspends, unless
 * dispose does. */
void cos_source_close(struct cos_source *s);

/* May the caller wait? 0; -EPERM: no task; -ECANCELED: cancelled already. */
int cos_io_allowed(void);
/* The deadline has passed (COSCHED_NOW always has): nothing is waited for. */
bool cos_io_expired(int64_t deadline);

/* 0, what cos_io_allowed answers, -ECANCELED (shut), -EBUSY. After 0, end must follow. */
int cos_op_begin(struct cos_op *op, struct cos_source *s, enum cos_side side);
/* Before each try: lets others run when this side has been busy for long without waiting. Suspends, unless the
 * deadline is COSCHED_NOW. */
void cos_op_breathe(struct cos_op *op, int64_t deadline);
/* Waits for news of this side. 0; -ETIMEDOUT, -ECANCELED. Whatever it answers, earlier news are used up: try again. */
int cos_op_wait(struct cos_op *op, int64_t deadline);
/* The same for the first of several operations of this task, on sources that nobody else knows. */
int cos_op_wait_any(struct cos_op *ops, size_t count, int64_t deadline);
bool cos_op_is_shut(const struct cos_op *op);
void cos_op_end(struct cos_op *op); /* releases the claim */
#endif
