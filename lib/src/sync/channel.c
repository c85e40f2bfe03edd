/* Bounded channels: a ring of values and two lines of waiting tasks, under one small lock.
 *
 * A waiting task's cell lies on its stack. Whoever serves it claims its wait, copies the value and takes the cell out of
 * the line, all under the lock; the waiter takes the lock before it returns, so its frame is never touched afterwards
 * (DESIGN D12). A claim that fails means a deadline or a cancellation was faster: that cell is passed over. */
#include <cosched/cosched.h>

#include <errno.h>
#include <string.h>

#include "arch/lock.h"
#include "base/alloc.h"
#include "base/list.h"
#include "sched/exec.h"
#include "sched/park.h"

#define CAPACITY_MAX ((size_t)1 << 20)

struct cosched_chan {
    struct cos_lock lock;        /* guards all but refs and the constants */
    COS_ATOMIC(uint32_t) refs;   /* acq_rel at the end: the last sees what all did */
    size_t value_size, capacity; /* const */
    size_t head;
    COS_ATOMIC(size_t) count; /* written under the lock, read by anybody */
    bool closed;
    struct cos_list senders, receivers; /* struct cell, in order of arrival; one of them is empty */
    _Alignas(16) char ring[];
};

struct cell {
    struct cos_list link;
    uint64_t ticket;
    void *value; /* to copy to (receivers) or from (senders) */
    bool served;
};

int cosched_chan_create(cosched_chan **out, size_t value_size, size_t capacity)
{
    size_t bytes;
    *out = NULL;
    if (value_size == 0 || capacity == 0 || capacity > CAPACITY_MAX ||
        __builtin_mul_overflow(value_size, capacity, &bytes) || bytes > SIZE_MAX / 2) {
        return -EINVAL;
    }
    cosched_chan *ch = cos_alloc(sizeof *ch + bytes);
    if (ch == NULL) {
        return -ENOMEM;
    }
    ch->value_size = value_size;
    ch->capacity = capacity;
    cos_atomic_store(&ch->refs, 1, relaxed);
    cos_list_init(&ch->senders);
    cos_list_init(&ch->receivers);
    *out = ch;
    return 0;
}

cosched_chan *cosched_chan_ref(cosched_chan *ch)
{
    cos_atomic_add(&ch->refs, 1, relaxed); /* relaxed: the caller holds one */
    return ch;
}

void cosched_chan_unref(cosched_chan *ch)
{
    if (ch != NULL && cos_atomic_sub(&ch->refs, 1, acq_rel) == 1) {
        COS_ASSERT(cos_list_empty(&ch->senders) && cos_list_empty(&ch->receivers));
        cos_free(ch);
    }
}

size_t cosched_chan_count(const cosched_chan *ch)
{
    return cos_atomic_load(&ch->count, relaxed);
}

static size_t count_of(const cosched_chan *ch)
{
    return cos_atomic_load(&ch->count, relaxed); /* under the lock: exact */
}

static void ring_put(cosched_chan *ch, const void *value)
{
    size_t n = count_of(ch);
    memcpy(ch->ring + (ch->head + n) % ch->capacity * ch->value_size, value, ch->value_size);
    cos_atomic_store(&ch->count, n + 1, relaxed);
}

static void ring_take(cosched_chan *ch, void *value)
{
    memcpy(value, ch->ring + ch->head * ch->value_size, ch->value_size);
    ch->head = (ch->head + 1) % ch->capacity;
    cos_atomic_store(&ch->count, count_of(ch) - 1, relaxed);
}

/* Under the lock. The first in line whose wait could be claimed; NULL: nobody. It cannot return before the lock is free. */
static struct cell *serve(struct cos_list *line)
{
    struct cos_list *node;
    while ((node = cos_list_pop_front(line)) != NULL) {
        struct cell *cell = COS_CONTAINER_OF(node, struct cell, link);
        if (cos_wake(cell->ticket, COS_WOKEN)) {
            cell->served = true;
            return cell;
        }
    }
    return NULL;
}

/* Under the lock. -EAGAIN: it would have to wait. */
static int try_send(cosched_chan *ch, const void *value)
{
    if (ch->closed) {
        return -EPIPE;
    }
    struct cell *receiver = serve(&ch->receivers);
    if (receiver != NULL) {
        memcpy(receiver->value, value, ch->value_size);
        return 0;
    }
    if (count_of(ch) == ch->capacity) {
        return -EAGAIN;
    }
    ring_put(ch, value);
    return 0;
}

static int try_recv(cosched_chan *ch, void *value)
{
    if (count_of(ch) == 0) {
        return ch->closed ? -EPIPE : -EAGAIN;
    }
    ring_take(ch, value);
    struct cell *sender = serve(&ch->senders);
    if (sender != NULL) {
        ring_put(ch, sender->value);
    }
    return 0;
}

/* Entered with the lock held, leaves without. */
static int wait_in_line(cosched_chan *ch, struct cos_list *line, void *value, int64_t deadline)
{
    struct cell cell = {.value = value, .ticket = cos_park_begin()};
    cos_list_push_back(line, &cell.link);
    cos_lock_release(&ch->lock);
    enum cos_cause cause = cos_park(deadline, 0);
    cos_lock_acquire(&ch->lock); /* waits out whoever serves us */
    cos_list_remove(&cell.link);
    bool served = cell.served;
    cos_lock_release(&ch->lock);
    if (served) {
        return 0;
    }
    return cause == COS_WOKEN ? -EPIPE : cos_cause_error(cause);
}

static int transfer(cosched_chan *ch, int (*attempt)(cosched_chan *, void *), struct cos_list *line,
                    void *value, int64_t deadline)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL && deadline != COSCHED_NOW) {
        return -EPERM;
    }
    if (f != NULL && cos_scope_canceled(f->scope, &f->base->scope)) {
        return -ECANCELED;
    }
    cos_lock_acquire(&ch->lock);
    int rc = attempt(ch, value);
    if (rc == -EAGAIN && deadline != COSCHED_NOW) {
        return wait_in_line(ch, line, value, deadline);
    }
    cos_lock_release(&ch->lock);
    return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

static int attempt_send(cosched_chan *ch, void *value)
{
    return try_send(ch, value);
}

int cosched_chan_send(cosched_chan *ch, const void *value, int64_t deadline)
{
    return transfer(ch, attempt_send, &ch->senders, (void *)(uintptr_t)value, deadline);
}

int cosched_chan_recv(cosched_chan *ch, void *value, int64_t deadline)
{
    return transfer(ch, try_recv, &ch->receivers, value, deadline);
}

void cosched_chan_close(cosched_chan *ch)
{
    struct cos_list *node;
    cos_lock_acquire(&ch->lock);
    ch->closed = true;
    while ((node = cos_list_pop_front(&ch->receivers)) != NULL ||
           (node = cos_list_pop_front(&ch->senders)) != NULL) {
        cos_wake(COS_CONTAINER_OF(node, struct cell, link)->ticket, COS_WOKEN);
    }
    cos_lock_release(&ch->lock);
}
