/* The explorer's memory: views, locations with their stores, and the operations of base/atomic.h, the fences, futex,
 * the lock and plain data on them. Every operation belongs to the running thread, ex.self. */
#include <errno.h>
#include <string.h>

#include "arch/futex.h"
#include "base/assert.h"
#include "explore_engine.h"

/* ---- views and locations ---- */

static void join(struct view *to, const struct view *from)
{
    for (unsigned i = 0; i < VIEW; i++) {
        to->at[i] = to->at[i] > from->at[i] ? to->at[i] : from->at[i];
    }
}

static uint64_t memory_get(const void *p, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, p, size); /* little endian: the low bytes */
    return v;
}

static struct message *message_new(struct location *l, uint64_t value)
{
    if (ex.pooled == POOL_MAX || l->count == MESSAGES_MAX) {
        ex_fail("explorer: too many stores in one execution");
    }
    struct message *m = &ex.pool[ex.pooled++];
    memset(&m->view, 0, sizeof m->view);
    m->value = value;
    m->writer = ex.self;
    l->message[l->count++] = m;
    return m;
}

static unsigned location_index(const struct location *l)
{
    return (unsigned)(l - ex.location) + EX_THREADS_MAX;
}

struct location *ex_location_find(const void *p)
{
    uintptr_t address = (uintptr_t)p;
    unsigned h = (unsigned)((address >> 2) * 2654435761u) % HASH;
    while (ex.hash[h].stamp == ex.stamp) {
        if (ex.hash[h].address == address) {
            return &ex.location[ex.hash[h].location];
        }
        h = (h + 1) % HASH;
    }
    if (ex.locations == VIEW - EX_THREADS_MAX) {
        ex_fail("explorer: too many locations");
    }
    ex.hash[h].stamp = ex.stamp;
    ex.hash[h].address = address;
    ex.hash[h].location = (uint16_t)ex.locations;
    struct location *l = &ex.location[ex.locations++];
    l->address = address;
    l->count = 0;
    l->holder = -1;
    memset(&l->lock_view, 0, sizeof l->lock_view);
    l->write_clock = 0;
    memset(l->read_clock, 0, sizeof l->read_clock);
    return l;
}

/* The location with its initial store: what memory holds when it is first met. */
static struct location *location_of(const void *p, size_t size)
{
    struct location *l = ex_location_find(p);
    if (l->count == 0) {
        (void)message_new(l, memory_get(p, size));
    }
    return l;
}

static const struct range *range_of(const void *p)
{
    for (unsigned i = 0; i < ex.ranges; i++) {
        if ((uintptr_t)p >= ex.range[i].from && (uintptr_t)p < ex.range[i].to) {
            return &ex.range[i];
        }
    }
    return NULL;
}

static void range_add(const void *p, size_t bytes, int writer)
{
    COS_ASSERT(ex.ranges < RANGES_MAX);
    ex.range[ex.ranges++] = (struct range){(uintptr_t)p, (uintptr_t)p + bytes, writer};
}

void ex_ignore(const void *p, size_t bytes)
{
    range_add(p, bytes, IGNORED);
}

void ex_dead(const void *p, size_t bytes)
{
    range_add(p, bytes, DEAD);
}

void ex_single_writer(const void *p, size_t bytes, unsigned writer)
{
    range_add(p, bytes, (int)writer);
}

void ex_name(const void *p, const char *name)
{
    COS_ASSERT(ex.names < VIEW);
    ex.name[ex.names].address = (uintptr_t)p;
    ex.name[ex.names++].name = name;
}

/* True when the access is none of the explorer's business. */
static bool unseen(const void *p)
{
    if (!ex.running) {
        return true;
    }
    const struct range *r = ex.ranges > 0 ? range_of(p) : NULL;
    if (r != NULL && r->writer == DEAD) {
        ex_fail("access to memory that was given back");
    }
    return r != NULL && r->writer == IGNORED;
}

static bool own_cell(const void *p)
{
    const struct range *r = ex.ranges > 0 ? range_of(p) : NULL;
    return r != NULL && r->writer == (int)ex.self;
}

static void check_writer(const void *p)
{
    const struct range *r = ex.ranges > 0 ? range_of(p) : NULL;
    if (r != NULL && r->writer >= 0 && r->writer != (int)ex.self) {
        ex_fail("explorer: a second thread stores to a single-writer location");
    }
}

/* ---- the operations ---- */

static bool order_acquires(enum ex_order order)
{
    return order == EX_acquire || order == EX_acq_rel || order == EX_seq_cst;
}

static bool order_releases(enum ex_order order)
{
    return order == EX_release || order == EX_acq_rel || order == EX_seq_cst;
}

/* Stale loads of this execution are used up. */
static bool newest_only(const struct thread *t)
{
    return t->fresh || (ex.program->stale != 0 && ex.stale >= ex.program->stale);
}

static void see(struct thread *t, struct location *l, unsigned i, enum ex_order order)
{
    unsigned at = location_index(l);
    t->now.at[at] = (uint8_t)i;
    if (order == EX_seq_cst && ex.seq_cst.at[at] < i) {
        ex.seq_cst.at[at] = (uint8_t)i;
    }
    ex.stale += i < l->count - 1;
    if (order_acquires(order)) {
        join(&t->now, &l->message[i]->view);
    } else {
        join(&t->acquired, &l->message[i]->view);
    }
}

/* Appends a store; `base` is the store it replaces atomically (its release goes on), or NULL. */
static void append(struct location *l, void *p, size_t size, uint64_t v, enum ex_order order,
                   const struct message *base)
{
    struct thread *t = &ex.thread[ex.self];
    struct message *m = message_new(l, v);
    t->now.at[location_index(l)] = (uint8_t)(l->count - 1);
    m->view = order_releases(order) ? t->now : t->released;
    m->view.at[location_index(l)] = (uint8_t)(l->count - 1);
    if (order == EX_seq_cst) {
        ex.seq_cst.at[location_index(l)] = (uint8_t)(l->count - 1);
    }
    if (base != NULL) {
        join(&m->view, &base->view);
    }
    memcpy(p, &v, size);
}

void ex_release_held(void)
{
    struct thread *t = &ex.thread[ex.self];
    if (!t->held.set) {
        return;
    }
    ex_step();
    t->held.set = false;
    struct location *l = location_of(t->held.p, t->held.size);
    append(l, t->held.p, t->held.size, t->held.value, t->held.order, NULL);
    ex_record(order_releases(t->held.order) ? "store rel" : "store", l, t->held.value, l->count - 1);
}

uint64_t ex_load(const void *p, size_t size, enum ex_order order)
{
    if (unseen(p)) {
        return memory_get(p, size);
    }
    struct thread *t = &ex.thread[ex.self];
    bool own = own_cell(p);
    if (t->held.set && (t->held.p == p || !own)) {
        /* The compiler may have moved this load before the store, if nothing forbids it. */
        if (t->held.p == p || order == EX_seq_cst || ex_choose(2) == 0) {
            ex_release_held();
        }
    }
    if (!own) {
        ex_step();
    }
    struct location *l = location_of(p, size);
    unsigned newest = l->count - 1;
    unsigned oldest = newest_only(t) ? newest : t->now.at[location_index(l)];
    if (order == EX_seq_cst && oldest < ex.seq_cst.at[location_index(l)]) {
        oldest = ex.seq_cst.at[location_index(l)];
    }
    unsigned i = newest - ex_choose(newest - oldest + 1);
    see(t, l, i, order);
    ex_record(order_acquires(order) ? "load acq" : "load", l, l->message[i]->value, i);
    return l->message[i]->value;
}

void ex_store(void *p, size_t size, uint64_t v, enum ex_order order)
{
    if (unseen(p)) {
        memcpy(p, &v, size);
        return;
    }
    check_writer(p);
    ex_release_held();
    struct thread *t = &ex.thread[ex.self];
    t->fresh = false;
    t->held.set = true;
    t->held.p = p;
    t->held.size = size;
    t->held.value = size == 8 ? v : v & ((UINT64_C(1) << size * 8) - 1);
    t->held.order = order;
}

static uint64_t rmw_result(enum ex_rmw op, uint64_t old, uint64_t v)
{
    switch (op) {
    case EX_EXCHANGE: return v;
    case EX_ADD: return old + v;
    case EX_SUB: return old - v;
    case EX_OR: return old | v;
    case EX_AND: return old & v;
    }
    return 0;
}

uint64_t ex_rmw(void *p, size_t size, enum ex_rmw op, uint64_t v, enum ex_order order)
{
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
    if (unseen(p)) {
        uint64_t old = memory_get(p, size), result = rmw_result(op, old, v) & mask;
        memcpy(p, &result, size);
        return old;
    }
    check_writer(p);
    ex_release_held();
    ex_step();
    struct thread *t = &ex.thread[ex.self];
    t->fresh = false;
    struct location *l = location_of(p, size);
    struct message *last = l->message[l->count - 1];
    see(t, l, l->count - 1, order);
    uint64_t result = rmw_result(op, last->value, v) & mask;
    append(l, p, size, result, order, last);
    ex_record("rmw", l, result, l->count - 1);
    return last->value;
}

bool ex_cas(void *p, size_t size, void *expected, uint64_t desired, enum ex_order order,
            enum ex_order failure)
{
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
    uint64_t wanted = memory_get(expected, size);
    desired &= mask;
    if (unseen(p)) {
        uint64_t old = memory_get(p, size);
        memcpy(old == wanted ? p : expected, old == wanted ? &desired : &old, size);
        return old == wanted;
    }
    check_writer(p);
    ex_release_held();
    ex_step();
    struct thread *t = &ex.thread[ex.self];
    t->fresh = false;
    struct location *l = location_of(p, size);
    /* Success reads the newest store; failure is a load of any other value still in reach. */
    unsigned can[MESSAGES_MAX], n = 0;
    for (unsigned i = l->count; i-- > t->now.at[location_index(l)];) {
        if (i == l->count - 1 || (l->message[i]->value != wanted && !newest_only(t))) {
            can[n++] = i;
        }
    }
    unsigned i = can[ex_choose(n)];
    struct message *read = l->message[i];
    if (read->value != wanted) {
        see(t, l, i, failure);
        memcpy(expected, &read->value, size);
        ex_record("cas failed", l, read->value, i);
        return false;
    }
    see(t, l, i, order);
    append(l, p, size, desired, order, read);
    ex_record("cas", l, desired, l->count - 1);
    return true;
}

static void fence_in(struct thread *t)
{
    join(&t->now, &t->acquired);
    join(&t->now, &ex.fences);
    ex.fences = t->now;
    t->acquired = t->now;
    t->released = t->now;
}

void ex_fence_full(void)
{
    if (ex.running) {
        ex_release_held();
        ex_step();
        fence_in(&ex.thread[ex.self]);
        ex_record("full fence", NULL, 0, 0);
    }
}

void ex_fence_heavy(void)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    ex_step();
    /* Twice: the second round gives the first threads what the last ones brought. */
    for (unsigned i = 0; i < 2 * ex.program->threads; i++) {
        fence_in(&ex.thread[i % ex.program->threads]);
    }
    ex_record("heavy fence", NULL, 0, 0);
}

void ex_fence_light(void)
{
    if (ex.running) {
        ex_release_held();
    }
}

void ex_relax(void)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    ex.thread[ex.self].fresh = true;
    ex_yield();
}

int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns)
{
    ex_release_held();
    ex_step();
    struct thread *t = &ex.thread[ex.self];
    struct location *l = location_of(word, sizeof *word);
    if (l->message[l->count - 1]->value != expected) {
        t->now.at[location_index(l)] =
            (uint8_t)(l->count - 1); /* the kernel read it on this thread */
        ex_record("futex again", l, l->message[l->count - 1]->value, l->count - 1);
        return -EAGAIN;
    }
    ex_record("futex sleep", l, expected, l->count - 1);
    t->state = ASLEEP;
    t->wait_address = (uintptr_t)word;
    t->timed = deadline_ns != INT64_MAX;
    t->timed_out = false;
    ex_give_up();
    ex_record(t->timed_out ? "futex timeout" : "futex woken", l, expected, l->count - 1);
    return t->timed_out ? -ETIMEDOUT : 0;
}

int cos_futex_wake(COS_ATOMIC(uint32_t) * word, int n)
{
    ex_release_held();
    ex_step();
    int woken = 0;
    for (unsigned i = 0; i < ex.program->threads && woken < n; i++) {
        struct thread *t = &ex.thread[i];
        if (t->state == ASLEEP && t->wait_address == (uintptr_t)word) {
            t->state = READY;
            woken++;
        }
    }
    ex_record("futex wake", NULL, 0, 0);
    return woken;
}

void ex_lock_acquire(const void *lock)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    ex_step();
    struct thread *t = &ex.thread[ex.self];
    struct location *l = ex_location_find(lock);
    while (l->holder >= 0) {
        t->state = LOCKED;
        t->wait_address = (uintptr_t)lock;
        ex_give_up();
    }
    l->holder = (int)ex.self;
    join(&t->now, &l->lock_view);
    ex_record("lock", l, 0, 0);
}

void ex_lock_release(const void *lock)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    ex_step();
    struct location *l = ex_location_find(lock);
    EX_CHECK(l->holder == (int)ex.self);
    l->holder = -1;
    l->lock_view = ex.thread[ex.self].now;
    ex_record("unlock", l, 0, 0);
}

static unsigned clock_tick(void)
{
    uint8_t *clock = &ex.thread[ex.self].now.at[ex.self];
    if (*clock == UINT8_MAX) {
        ex_fail("explorer: too many data accesses in one execution");
    }
    return ++*clock;
}

void ex_data_write(const void *var)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    struct location *l = ex_location_find(var);
    const struct view *now = &ex.thread[ex.self].now;
    ex_record("data write", l, 0, 0);
    if (l->write_clock > now->at[l->write_thread]) {
        ex_fail("data race: two writes");
    }
    for (unsigned i = 0; i < EX_THREADS_MAX; i++) {
        if (l->read_clock[i] > now->at[i]) {
            ex_fail("data race: a write after a read");
        }
    }
    l->write_thread = ex.self;
    l->write_clock = clock_tick();
}

void ex_data_read(const void *var)
{
    if (!ex.running) {
        return;
    }
    ex_release_held();
    struct location *l = ex_location_find(var);
    ex_record("data read", l, 0, 0);
    if (l->write_clock > ex.thread[ex.self].now.at[l->write_thread]) {
        ex_fail("data race: a read after a write");
    }
    l->read_clock[ex.self] = (uint8_t)clock_tick();
}
