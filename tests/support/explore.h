/* The explorer: runs a small concurrent program under every schedule (up to a number of preemptions) and every
 * value that each load may return, on the very source of the lock-free parts.
 *
 * Memory model. Each location has its stores in one order (that of execution). Each thread has a view: the oldest
 * store per location it may still read. A load picks any store from there on; an acquire that reads a release joins
 * the releaser's view; a full fence joins the view of all full fences before it, and so on after
 * (C11's release/acquire and seq_cst fences, in the form of Kang et al., "A promising semantics", POPL 2017, without
 * promises). A compare-and-swap that succeeds reads the last store; one that fails is a load.
 *   heavy fence   a full fence in every thread, at one step.
 *   light fence   none in the machine, but the compiler may swap a store with a later load where it is missing: each
 *                 store is held back until the thread's next step and may then fall behind one load.
 *   futex         wait compares with the last store and sleeps in one step; whoever sleeps for ever shows at the end.
 *   plain data    ex_data_write and ex_data_read tell the explorer, which reports those not ordered by views.
 *   seq_cst       an acq_rel access; a load besides reads nothing older than the last seq_cst access to its location met.
 * Limits: a load never returns a store of the future (load buffering), stores to one location do not overtake each
 * other unseen (2+2W).
 *
 * Search: depth first by re-execution; every choice is on a stack, the last one with an untried answer is advanced. */
#ifndef COS_TESTS_EXPLORE_H
#define COS_TESTS_EXPLORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EX_THREADS_MAX = 6 };

struct ex_program {
    const char *name;
    unsigned threads;
    void (*setup)(void);                  /* fresh state, before each execution; may be NULL */
    void (*body[EX_THREADS_MAX])(void);   /* one a thread */
    bool (*may_sleep)(unsigned sleepers); /* bit mask of threads asleep for ever; NULL: nobody may */
    void (*check)(void);                  /* after each execution; may be NULL */
    unsigned preemptions; /* bound, unless COSCHED_EXPLORE_PREEMPTIONS says otherwise */
    unsigned stale;       /* bound of loads that do not return the newest store; 0: none */
};

/* Explores all of it and prints executions, bound and time. 0, or 1 after printing the failing execution.
 * COSCHED_EXPLORE_ONLY: part of the names of the programs that are to run. COSCHED_EXPLORE_FIRST: the first that fails ends
 * the process with 1. */
int ex_run(const struct ex_program *program);

/* Called by programs and shims, inside an execution. */
_Noreturn void ex_fail(const char *why);
#define EX_CHECK(x) ((x) ? (void)0 : ex_fail(#x))
unsigned ex_self(void); /* number of the running thread */

/* A plain variable that some atomic is meant to protect. */
void ex_data_write(const void *var);
void ex_data_read(const void *var);

/* Setup only. Statistics: accesses are not steps. Single writer: only thread `writer` stores there, so its own loads
 * are not steps (checked). Name: for the printed execution. */
void ex_ignore(const void *p, size_t bytes);
void ex_single_writer(const void *p, size_t bytes, unsigned writer);
void ex_name(const void *p, const char *name);
/* Inside an execution: this memory was given back; an atomic access to it is a fault from here on. */
void ex_dead(const void *p, size_t bytes);

/* Litmus tests: collects outcomes over all executions of one ex_run. */
void ex_outcome(unsigned bit);
uint64_t ex_outcomes(void);

/* Lock of the shim arch/lock.h. */
void ex_lock_acquire(const void *lock);
void ex_lock_release(const void *lock);
#endif
