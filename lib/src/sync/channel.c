/* Bounded channels: a ring of values and two lines of waiting tasks (line.h), under one small lock. The value travels
 * straight between the two tasks when one of them waits; with capacity 0 (rendezvous) always. */
#include "sync/channel.h"

#include <string.h>

#include "base/alloc.h"

#define CAPACITY_MAX ((size_t)1 << 20)

int cosched_chan_create(cosched_chan **out, size_t value_size, size_t capacity)
{
    size_t bytes;
    *out = NULL;
    if (value_size == 0 || capacity > CAPACITY_MAX ||
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
        COS_ASSERT(cos_line_empty(&ch->senders) && cos_line_empty(&ch->receivers));
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

/* Most values are a pointer or a number, and two calls of memcpy are a tenth of a send and receive. */
static inline void copy_value(const cosched_chan *ch, void *to, const void *from)
{
    if (COS_LIKELY(ch->value_size == sizeof(uint64_t))) {
        memcpy(to, from, sizeof(uint64_t));
    } else {
        memcpy(to, from, ch->value_size);
    }
}

/* at is below twice the capacity: no division. */
static inline size_t ring_index(const cosched_chan *ch, size_t at)
{
    return at < ch->capacity ? at : at - ch->capacity;
}

static inline void ring_put(cosched_chan *ch, const void *value)
{
    size_t n = count_of(ch);
    copy_value(ch, ch->ring + ring_index(ch, ch->head + n) * ch->value_size, value);
    cos_atomic_store(&ch->count, n + 1, relaxed);
}

static inline void ring_take(cosched_chan *ch, void *value)
{
    copy_value(ch, value, ch->ring + ch->head * ch->value_size);
    ch->head = ring_index(ch, ch->head + 1);
    cos_atomic_store(&ch->count, count_of(ch) - 1, relaxed);
}

/* Under the lock, as all below up to transfer. */
static int try_send(cosched_chan *ch, const void *value)
{
    if (ch->closed) {
        return -EPIPE;
    }
    struct cos_cell *receiver = cos_line_serve(&ch->receivers);
    if (receiver != NULL) {
        copy_value(ch, receiver->value, value);
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
    bool direct = count_of(ch) == 0;
    if (!direct) {
        ring_take(ch, value);
    }
    /* the oldest value outside of the ring */
    struct cos_cell *sender = cos_line_serve(&ch->senders);
    if (sender != NULL && !direct) {
        ring_put(ch, sender->value);
    } else if (sender != NULL) {
        copy_value(ch, value, sender->value); /* a rendezvous: there is no ring */
    } else if (direct) {
        return ch->closed ? -EPIPE : -EAGAIN;
    }
    return 0;
}

int cos_chan_try(cosched_chan *ch, bool sends, void *value)
{
    return sends ? try_send(ch, value) : try_recv(ch, value);
}

void cos_chan_note_new(struct cos_chan_users *users, uint32_t self)
{
    for (unsigned i = 0; i < COS_CHAN_USERS && self != COS_CHAN_THREAD; i++) {
        if (users->task[i] == 0) {
            users->task[i] = self;
        }
        if (users->task[i] == self) {
            return;
        }
    }
    users->anybody = 1;
}

/* Under the lock, which a wait lets go and takes again. */
static __attribute__((noinline)) int try_or_wait(cosched_chan *ch, bool sends, void *value,
                                                 int64_t deadline)
{
    int rc = cos_chan_try(ch, sends, value);
    if (rc == -EAGAIN) {
        struct cos_cell cell = {.value = value};
        rc = cos_line_wait(&ch->lock, cos_chan_line(ch, sends), &cell, deadline,
                           COS_PARK_FOR(sends ? COSCHED_FOR_SEND : COSCHED_FOR_RECV));
    }
    return rc;
}

/* Through the ring, with nobody waiting on either side. Under the lock. */
static inline bool pass(cosched_chan *ch, bool sends, void *value)
{
    if (!cos_line_empty(cos_chan_line(ch, !sends))) {
        return false;
    }
    if (sends) {
        bool room = !ch->closed && count_of(ch) < ch->capacity;
        if (room) {
            ring_put(ch, value);
        }
        return room;
    }
    bool there = count_of(ch) > 0;
    if (there) {
        ring_take(ch, value);
    }
    return there;
}

/* Mostly there is room or a value, and all that is to be done stands here. No call at its end: who looks at one that waits shall
 * find the public function's frame. */
static inline __attribute__((always_inline)) int transfer(cosched_chan *ch, bool sends, void *value,
                                                          int64_t deadline)
{
    const struct cos_exec *e = cos_exec_here();
    struct cos_fiber *f = COS_LIKELY(e != NULL) ? e->running : NULL;
    int rc = 0;
    if (COS_UNLIKELY(f == NULL) || COS_UNLIKELY(!cos_scope_calm(f->scope))) {
        rc = cos_line_enter(&f);
        if (rc < 0 && (rc != -EPERM || deadline != COSCHED_NOW)) {
            return rc;
        }
        rc = 0;
    }
    cos_lock_acquire(&ch->lock);
    cos_chan_note(ch, sends, f);
    if (COS_UNLIKELY(!pass(ch, sends, value))) {
        rc = try_or_wait(ch, sends, value, deadline);
    }
    cos_lock_release(&ch->lock);
    return rc;
}

int cosched_chan_send(cosched_chan *ch, const void *value, int64_t deadline)
{
    return transfer(ch, true, (void *)(uintptr_t)value, deadline);
}

int cosched_chan_recv(cosched_chan *ch, void *value, int64_t deadline)
{
    return transfer(ch, false, value, deadline);
}

void cosched_chan_close(cosched_chan *ch)
{
    cos_lock_acquire(&ch->lock);
    ch->closed = true;
    cos_line_flush(&ch->receivers);
    cos_line_flush(&ch->senders);
    cos_lock_release(&ch->lock);
}
