/* cosched_event: one word. 0 nobody, 1 set, else the ticket of the waiter. The setter's exchange is its last access; the wake
 * that may follow goes to the waiter's control block, where a late one loses. */
#include "sched/event.h"

#include <cosched/cosched.h>

#include <errno.h>

#include "sched/exec.h"

enum { NOT_SET = 0, SET = 1 };

typedef COS_ATOMIC(uint64_t) event_word;

COS_STATIC_ASSERT(sizeof(event_word) <= sizeof(cosched_event), "cosched_event is too small");

static event_word *word_of(cosched_event *ev)
{
    return (event_word *)(void *)ev;
}

void cosched_event_init(cosched_event *ev)
{
    cos_atomic_store(word_of(ev), NOT_SET, relaxed);
}

void cosched_event_set(cosched_event *ev)
{
    /* acq_rel: publishes what was done before the set to the waiter (acquire in wait), and shows us its ticket. */
    uint64_t waiter = cos_atomic_exchange(word_of(ev), SET, acq_rel);
    if (waiter != NOT_SET && waiter != SET) {
        cos_wake(waiter, COS_WOKEN);
    }
}

static int wait_for(event_word *w, uint64_t object, int64_t deadline, unsigned flags)
{
    uint64_t seen = cos_atomic_load(w, acquire); /* pairs with the exchange in set */
    if (seen == SET) {
        return 0;
    }
    if (seen != NOT_SET) {
        return -EBUSY;
    }
    uint64_t ticket = cos_park_begin();
    /* release: pairs with the exchange in set; acquire when it was faster. */
    if (!cos_atomic_cas(w, &seen, ticket, release, acquire)) {
        cos_park_abort();
        return seen == SET ? 0 : -EBUSY;
    }
    enum cos_cause cause = cos_park_on(object, deadline, flags);
    if (cause == COS_WOKEN) {
        return 0;
    }
    seen = ticket;
    return cos_atomic_cas(w, &seen, NOT_SET, acquire, acquire) ? cos_cause_error(cause) : 0;
}

int cos_event_wait(cosched_event *ev, uint64_t object, int64_t deadline, unsigned flags)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
        return -EPERM;
    }
    return cos_scope_canceled(f->scope, &f->base->scope)
               ? -ECANCELED
               : wait_for(word_of(ev), object, deadline, flags);
}

void cos_event_wait_always(cosched_event *ev, uint64_t object, unsigned flags)
{
    COS_ASSERT(cos_fiber_current(NULL) != NULL && "cosched_event_wait_always waits inside a task");
    int rc = wait_for(word_of(ev), object, COSCHED_NEVER, flags | COS_PARK_ALWAYS);
    COS_ASSERT(rc == 0 && "an event has one waiter");
}

int cosched_event_wait(cosched_event *ev, int64_t deadline)
{
    return cos_event_wait(ev, (uintptr_t)ev, deadline, COS_PARK_FOR(COSCHED_FOR_EVENT));
}

void cosched_event_wait_always(cosched_event *ev)
{
    cos_event_wait_always(ev, (uintptr_t)ev, COS_PARK_FOR(COSCHED_FOR_EVENT));
}
