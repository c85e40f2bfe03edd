/* MAIN helps the workers (DESIGN D8): when it has nothing to do and they are behind, it runs the first slice of one old WORKER
 * task and polls again.
 *
 * Which one it may is learned by function: the CPU time of first slices, as the workers measure it. They do so only while
 * MAIN watches, that is, while they are behind and MAIN has nothing else to do; otherwise a slice pays two relaxed loads.
 *
 * MAIN takes what it helps with as a worker would, from the injector or as a thief. If it then finds that it must not, the
 * entry goes to `front`, which workers look at before the injector: the order stays. */
#ifndef COS_SCHED_HELP_H
#define COS_SCHED_HELP_H
#include <cosched/cosched.h>

#include "base/atomic.h"
#include "sched/exec.h"

struct cosched_runtime;

enum {
    COS_HELP_NS =
        250000, /* a function may cost so much a slice (I4: what MAIN may be away from its poll) */
    COS_HELP_SEEN = 4,    /* samples that make a function known */
    COS_HELP_FNS_LOG2 = 8 /* functions that are remembered at a time; beyond, some are forgotten */
};

struct cos_help {
    cosched_help mode; /* const */
    /* 1: MAIN watches the backlog. Set by a worker that is behind while MAIN sleeps, which then wakes it, or by MAIN; cleared
     * by MAIN. relaxed: a hint; what is run comes by the queues. */
    COS_ATOMIC(uint32_t) watching;
    /* The oldest entry, taken and not run by MAIN; 0 none. A queue of one: release by MAIN, acquire by who takes it. */
    COS_ATOMIC(uint32_t) front;
    int64_t look_at; /* MAIN: when it looks at the backlog again; INT64_MAX: when it is woken */
    int64_t pause;   /* MAIN: until the look after that */
    /* {address of the function: 48, samples: 3, microseconds: 13}; relaxed: numbers, a lost update is a lost sample */
    COS_ATOMIC(uint64_t) cost[1 << COS_HELP_FNS_LOG2];
};

void cos_help_init(struct cos_help *h, const cosched_config *config);

/* On MAIN's loop, when it has nothing to do. True: it ran something. */
bool cos_help_workers(struct cosched_runtime *rt);
/* Would it look for something? */
bool cos_help_wanted(const struct cosched_runtime *rt);

/* What MAIN handed back, or 0: comes before everything in the injector. Any executor of the pool. */
static inline uint32_t cos_help_front(struct cos_help *h)
{
    /* acquire, twice: pairs with the release in cos_help_workers. */
    return COS_LIKELY(cos_atomic_load(&h->front, acquire) == 0)
               ? 0
               : cos_atomic_exchange(&h->front, 0, acquire);
}

/* By a worker, once a turn: wakes MAIN when all are behind and it sleeps. */
void cos_help_call(struct cos_exec *e);

/* t starts on e now, as the base task of a fiber. */
void cos_help_sample_begin(struct cos_exec *e, const struct cos_task *t);
void cos_help_sample_end(struct cos_exec *e); /* its first slice ended on e */

/* For tests: one sample, and what is known: nanoseconds, -1 not known (yet), INT64_MAX never to be helped again. */
void cos_help_learn(struct cos_help *h, cosched_fn fn, int64_t ns, bool on_main);
int64_t cos_help_cost(const struct cos_help *h, cosched_fn fn);
#endif
