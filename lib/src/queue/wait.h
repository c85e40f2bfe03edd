/* The waiter hand-off: how one waiting fiber meets the sources that may wake it, so that exactly one of them
 * does. One 64-bit word in the waiter's control block, which is type-stable for the life of the process, so a
 * late source may always look at it.
 *
 *     RUNNING --begin (owner)--> PARKING --commit (other side)--> PARKED
 *        ^                          |                                |
 *        |                     claim (any source)              claim (any source)
 *        |                     or abort (owner)                      |
 *        |                          v                                v
 *        +------end (owner)----- CLAIMED <---------------------------+
 *
 * PARKING: sources may be armed, the fiber is still on its stack. PARKED: it left. A claim is one CAS that both
 * decides the race and tells who submits: before the commit, the commit; after it, the claimer. The sequence
 * number makes a source of an earlier wait lose; it wraps after 2^32 waits, so a source must have been withdrawn
 * or be confirmed by then (each wait ends with that anyway).
 *
 * word: sequence in bits 63..32, phase in 31..24, cause in 23..16, zero below. */
#ifndef COS_QUEUE_WAIT_H
#define COS_QUEUE_WAIT_H
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"

enum cos_wait_phase {
    COS_WAIT_RUNNING, /* 0: a zeroed word is a fiber that does not wait */
    COS_WAIT_PARKING,
    COS_WAIT_PARKED,
    COS_WAIT_CLAIMED,
};

enum cos_claim {
    COS_CLAIM_LOST,   /* stale, or another source won: touch nothing of the waiter */
    COS_CLAIM_COMMIT, /* won while the fiber is on its stack: the commit will submit it */
    COS_CLAIM_SUBMIT, /* won, and the caller must submit the fiber to its executor, exactly once */
};

enum { COS_WAIT_CAUSE_ABORT = 0 }; /* causes of sources start at 1; their meaning is the caller's */

struct cos_wait {
    COS_ATOMIC(uint64_t) word; /* atomic, see below */
};

static inline uint64_t cos_wait_word(uint32_t seq, enum cos_wait_phase phase, uint8_t cause)
{
    return (uint64_t)seq << 32 | (uint64_t)phase << 24 | (uint64_t)cause << 16;
}

static inline uint32_t cos_wait_word_seq(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline enum cos_wait_phase cos_wait_word_phase(uint64_t word)
{
    return (enum cos_wait_phase)(word >> 24 & 0xff);
}

static inline uint8_t cos_wait_word_cause(uint64_t word)
{
    return (uint8_t)(word >> 16 & 0xff);
}

static inline void cos_wait_init(struct cos_wait *w)
{
    cos_atomic_init(&w->word, 0);
}

/* The waiting fiber, before it arms its first source. Returns the sequence number to give to the sources. */
static inline uint32_t cos_wait_begin(struct cos_wait *w)
{
    /* relaxed: in RUNNING only the owner writes. */
    uint64_t word = cos_atomic_load(&w->word, relaxed);
    COS_ASSERT(cos_wait_word_phase(word) == COS_WAIT_RUNNING);
    uint32_t seq = cos_wait_word_seq(word) + 1;
    /* A plain store cannot overwrite a claim: no source has this number yet, and every older one loses.
     * release: pairs with the acquire of the CAS in cos_wait_claim. */
    cos_atomic_store(&w->word, cos_wait_word(seq, COS_WAIT_PARKING, 0), release);
    return seq;
}

/* Any thread that was given seq. cause is not 0. */
static inline enum cos_claim cos_wait_claim(struct cos_wait *w, uint32_t seq, uint8_t cause)
{
    COS_ASSERT(cause != COS_WAIT_CAUSE_ABORT);
    /* relaxed: whoever has seq got it by a path that shows at least begin's store; the CAS decides. */
    uint64_t word = cos_atomic_load(&w->word, relaxed);
    for (;;) {
        enum cos_wait_phase phase = cos_wait_word_phase(word);
        if (cos_wait_word_seq(word) != seq ||
            (phase != COS_WAIT_PARKING && phase != COS_WAIT_PARKED)) {
            return COS_CLAIM_LOST;
        }
        /* acq_rel. Release: pairs with the acquires in cos_wait_end and cos_wait_commit; what the source
         * wrote before (the result) is visible to the resumed fiber. Acquire: pairs with the release of
         * cos_wait_commit; the saved registers are visible to whoever the claimer submits to. */
        if (cos_atomic_cas(&w->word, &word, cos_wait_word(seq, COS_WAIT_CLAIMED, cause), acq_rel,
                           relaxed)) {
            return phase == COS_WAIT_PARKING ? COS_CLAIM_COMMIT : COS_CLAIM_SUBMIT;
        }
    }
}

/* The other side of the switch, after the fiber left its stack. True: it is PARKED now, and may already run
 * elsewhere: touch nothing of it. False: a source claimed in between, the caller must submit the fiber. */
static inline bool cos_wait_commit(struct cos_wait *w, uint32_t seq)
{
    uint64_t word = cos_wait_word(seq, COS_WAIT_PARKING, 0);
    /* release: pairs with the acquire in cos_wait_claim; publishes the saved registers and the stack.
     * acquire on failure: pairs with the claim's release, so that the submission carries it on. */
    if (cos_atomic_cas(&w->word, &word, cos_wait_word(seq, COS_WAIT_PARKED, 0), release, acquire)) {
        return true;
    }
    COS_ASSERT(cos_wait_word_seq(word) == seq && cos_wait_word_phase(word) == COS_WAIT_CLAIMED);
    return false;
}

/* The waiting fiber, instead of parking: tries to win its own wait. False: a source was faster and its effect
 * counts. Either way cos_wait_end follows. */
static inline bool cos_wait_abort(struct cos_wait *w, uint32_t seq)
{
    uint64_t word = cos_wait_word(seq, COS_WAIT_PARKING, 0);
    /* acquire, both: on failure as in cos_wait_end; on success it need not, but C11 allows no stronger failure. */
    return cos_atomic_cas(&w->word, &word,
                          cos_wait_word(seq, COS_WAIT_CLAIMED, COS_WAIT_CAUSE_ABORT), acquire,
                          acquire);
}

/* The waiting fiber, once it runs again or after cos_wait_abort. Returns the winner's cause. */
static inline uint8_t cos_wait_end(struct cos_wait *w)
{
    /* acquire: pairs with the release of the claim, whoever submitted the fiber. */
    uint64_t word = cos_atomic_load(&w->word, acquire);
    COS_ASSERT(cos_wait_word_phase(word) == COS_WAIT_CLAIMED);
    /* relaxed: every source of this number loses against CLAIMED and RUNNING alike. */
    cos_atomic_store(&w->word, cos_wait_word(cos_wait_word_seq(word), COS_WAIT_RUNNING, 0), relaxed);
    return cos_wait_word_cause(word);
}
#endif
