/* cosched_invoke: fork and join. The branches that the caller does not call yet are offers (sched/branch.h): entries of its own
 * queue that it mostly takes back itself, so that a fork that nobody takes is little more than a call. By the running task. */
#include <cosched/cosched.h>

#include <errno.h>

#include "sched/branch.h"
#include "sched/hop.h"
#include "sched/panic.h"
#include "sched/park.h"
#include "sched/runtime.h"

static struct cos_branch *record(cosched_branch *b)
{
    return (struct cos_branch *)(void *)b;
}

/* --- offering ---------------------------------------------------------------------------------------------- */

/* The block is fresh from a cache, or goes back there as it is: its generation stays, for nobody has seen it. */
static inline void make_offer(struct cos_forks *forks, struct cos_branch *b, struct cos_task *t,
                              uint32_t index)
{
    t->kind = COS_TASK_BRANCH;
    t->branch = b;
    b->forks = forks;
    /* relaxed: published with its queue entry. */
    cos_atomic_store(&b->offer, cos_offer(0, index, COS_MARK_OFFERED), relaxed);
}

/* All but the first, the last of them first in line: what others take is what the caller would come to last. Room and blocks
 * are at hand. */
static inline __attribute__((always_inline)) void offer_all(struct cos_exec *e,
                                                            struct cos_forks *forks,
                                                            struct cos_branch *first, size_t n)
{
    struct cos_deque_ring *ring = cos_atomic_load(&e->deque.ring, relaxed);
    int64_t p = cos_atomic_load(&e->deque.bottom, relaxed); /* relaxed, both: own stores */
    uint32_t index = e->tasks.head;
    for (size_t i = n - 1; i > 0; i--) {
        struct cos_branch *b = &first[i];
        struct cos_task *t = cos_task_at(index);
        make_offer(forks, b, t, index);
        cos_deque_lay_owner(ring, p++, index);
        index = cos_atomic_load(&t->link, relaxed); /* relaxed: the cache is this thread's */
    }
    e->tasks.head = index;
    e->tasks.count -= (uint32_t)n - 1;
    cos_deque_publish_owner(&e->deque, p);
}

static __attribute__((noinline)) void notify(struct cos_exec *e)
{
    (void)cos_parker_notify(&e->rt->parker);
}

/* --- calling ----------------------------------------------------------------------------------------------- */

/* What was out of the ordinary on the caller's way. */
enum { ODD_TAKEN = 1, ODD_CANCELED = 2, ODD_NO_STACK = 4 };

/* roomy: the caller's stack has room for all of them, and forks->frame is the innermost. */
static inline __attribute__((always_inline)) unsigned make_call(struct cos_fiber *f,
                                                                struct cos_forks *forks,
                                                                struct cos_branch *b, bool roomy)
{
    int error = 0;
    int64_t value;
    if (roomy) {
        forks->frame.fn = b->fn;
        value = b->fn(b->arg);
        if (COS_UNLIKELY(f->tail_fn != NULL)) {
            value = cos_fiber_tails(f);
        }
    } else {
        value = cos_fiber_call(f, b->fn, b->arg, &error);
        value = error < 0 ? error : value;
    }
    b->result = value;
    if (COS_UNLIKELY(f->affinity != forks->home)) {
        cos_hop((cosched_affinity)forks->home);
    }
    return error < 0 ? ODD_NO_STACK : 0;
}

/* What there is to say about one that others took, or may have. True: it panicked. */
static bool settle(struct cos_fiber *f, struct cos_forks *forks, struct cos_branch *b, unsigned *odd)
{
    enum cos_mark mark = cos_offer_mark(cos_atomic_load(&b->offer, relaxed));
    if (mark == COS_MARK_LEFT && !cos_fiber_canceled(f)) {
        *odd |= make_call(f, forks, b, false);
    } else if (mark == COS_MARK_LEFT) {
        b->result = -ECANCELED;
        *odd |= ODD_CANCELED;
    } else if (mark == COS_MARK_ENDED && b->result == -ECANCELED && cos_fiber_canceled(f)) {
        *odd |= ODD_CANCELED;
    }
    return mark == COS_MARK_PANICKED;
}

static __attribute__((noinline)) int finish(struct cos_fiber *f, struct cos_forks *forks,
                                            unsigned odd)
{
    if ((odd & ODD_TAKEN) != 0) {
        cos_forks_join(forks);
        forks->at = forks->end;
        bool panicked = false;
        for (struct cos_branch *b = forks->first + 1; b < forks->end; b++) {
            panicked |= settle(f, forks, b, &odd);
        }
        if (panicked) {
            cos_panic_on(f); /* of a branch means of the caller, whoever it was that ran it */
        }
    }
    return (odd & ODD_CANCELED) != 0 ? -ECANCELED : (odd & ODD_NO_STACK) != 0 ? -ENOMEM : 0;
}

/* --- the caller's way through them --------------------------------------------------------------------------- */

static __attribute__((noinline)) bool is_canceled(struct cos_fiber *f)
{
    return cos_fiber_canceled(f);
}

/* b is not the newest in line here: another took it, it waits for this executor's loop, or it was never offered. */
static __attribute__((noinline)) bool was_offered(struct cos_forks *forks,
                                                  const struct cos_branch *b)
{
    if (cos_atomic_load(&b->offer, relaxed) == 0) {
        return false;
    }
    cos_forks_lost(forks);
    return true;
}

/* Is the next one the caller's to call? 0, or why not. */
static inline __attribute__((always_inline)) unsigned next_is_odd(struct cos_fiber *f,
                                                                  struct cos_forks *forks,
                                                                  struct cos_branch *b)
{
    struct cos_exec *e = cos_exec_here(); /* the one before it may have ended on another thread */
    if (COS_UNLIKELY(e->budget == 0)) {
        cos_exec_turn(e);
        e = cos_exec_here();
    }
    e->budget--;
    forks->at = b;
    if (COS_UNLIKELY(!cos_offer_take_back(e, b)) && was_offered(forks, b)) {
        return ODD_TAKEN;
    }
    if (COS_UNLIKELY(!cos_fiber_calm(f)) && is_canceled(f)) {
        b->result = -ECANCELED;
        return ODD_CANCELED;
    }
    return 0;
}

static inline __attribute__((always_inline)) int call_all(struct cos_fiber *f,
                                                          struct cos_forks *forks,
                                                          struct cos_branch *b, size_t n, bool roomy)
{
    unsigned odd = make_call(f, forks, b, roomy);
    while (--n > 0) {
        b++;
        unsigned why = next_is_odd(f, forks, b);
        if (COS_LIKELY(why == 0)) {
            why = make_call(f, forks, b, roomy);
        }
        odd |= why;
    }
    int rc = COS_LIKELY(odd == 0) ? 0 : finish(f, forks, odd);
    f->frames = forks->frame.outer;
    return rc;
}

static int cancel_all(cosched_branch *branches, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        branches[i].result = -ECANCELED;
    }
    return -ECANCELED;
}

/* As many as there is memory for. */
static void offer_some(struct cos_exec *e, struct cos_forks *forks)
{
    for (struct cos_branch *b = forks->end - 1; b > forks->first; b--) {
        struct cos_task *t;
        if (cos_deque_reserve_owner(&e->deque, 1) < 0 || (t = cos_task_alloc(&e->tasks)) == NULL) {
            break;
        }
        make_offer(forks, b, t, t->index);
        cos_deque_put_owner(&e->deque, t->index);
    }
    if (e->kind == COS_EXEC_WORKER && cos_parker_pushed(&e->rt->parker)) {
        notify(e);
    }
}

/* As tasks, out of the caller's reach. */
static void give_away(struct cos_exec *e, const struct cos_fiber *f, struct cos_forks *forks)
{
    for (struct cos_branch *b = forks->end - 1; b > forks->first; b--) {
        struct cos_task *t = cos_task_alloc(&e->tasks);
        if (t == NULL) {
            return;
        }
        make_offer(forks, b, t, t->index);
        cos_branch_start(e, t);
        if (f->traits != 0) {
            cos_submit_tested(e, f, t);
        } else {
            cos_submit(e, t);
        }
    }
}

static void offer(struct cos_exec *e, const struct cos_fiber *f, struct cos_forks *forks)
{
    for (struct cos_branch *b = forks->first; b < forks->end; b++) {
        cos_atomic_store(&b->offer, 0, relaxed);
    }
    bool here = cos_runs_on_main(e->rt, f->affinity) ? e->kind == COS_EXEC_MAIN
                                                     : e->kind == COS_EXEC_WORKER;
    here = here && f->affinity != COSCHED_BLOCKING;
    if (f->own_fpenv || (f->traits & COS_FIBER_INLINE) != 0) {
        return;
    }
    if (here && (f->traits & COS_FIBER_OWN) == 0) {
        offer_some(e, forks);
    } else {
        give_away(e, f, forks);
    }
}

static inline __attribute__((always_inline)) void begin(struct cos_fiber *f, struct cos_forks *forks,
                                                        struct cos_branch *first, size_t n,
                                                        uint16_t traits)
{
    forks->frame.outer = f->frames;
    forks->frame.task = cos_task_at(0);
    forks->first = forks->at = first;
    forks->end = first + n;
    forks->scope = f->scope;
    forks->traits = traits;
    forks->home = f->affinity;
    cos_atomic_store(&forks->open, COS_FORKS_OPEN, relaxed); /* published with the entries */
    f->frames = &forks->frame;
}

static __attribute__((noinline, no_stack_protector)) int invoke_any(cosched_branch *branches,
                                                                    size_t n)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL || n == 0) {
        return f == NULL ? -EPERM : 0;
    }
    if (cos_fiber_canceled(f)) {
        return cancel_all(branches, n);
    }
    struct cos_forks forks;
    begin(f, &forks, record(branches), n, f->traits);
    forks.frame.fn = branches->fn;
    offer(e, f, &forks);
    return call_all(f, &forks, forks.first, n, false);
}

/* With room for everything. */
static inline __attribute__((always_inline)) int invoke_here(struct cos_exec *e, struct cos_fiber *f,
                                                             struct cos_branch *first, size_t n)
{
    struct cos_forks forks;
    begin(f, &forks, first, n, 0);
    offer_all(e, &forks, first, n);
    cos_fence_light_free(); /* the entries before the look at the sleepers: see cos_parker_pushed */
    if (cos_parker_sleeps(e->parker)) {
        notify(e);
    }
    return call_all(f, &forks, first, n, true);
}

/* Nothing is called before the first branch, and whatever may be in the way is asked before the first change. Marked because a
 * branch may suspend in there, like everything that calls one: the stack protector would only cost. */
__attribute__((no_stack_protector)) int cosched_invoke(cosched_branch *branches, size_t n)
{
    struct cos_exec *e = cos_exec_here();
    struct cos_fiber *f = COS_LIKELY(e != NULL) ? e->running : NULL;
    if (COS_UNLIKELY(f == NULL) || COS_UNLIKELY(n - 1 >= e->tasks.count) ||
        COS_UNLIKELY(f->child_what != e->child_what) ||
        COS_UNLIKELY(!cos_deque_has_room_for_owner(&e->deque, (int64_t)n)) ||
        COS_UNLIKELY(!cos_fiber_calm(f) || !cos_fiber_has_room(f))) {
        return invoke_any(branches, n);
    }
    return COS_LIKELY(n == 2) ? invoke_here(e, f, record(branches), 2)
                              : invoke_here(e, f, record(branches), n);
}
