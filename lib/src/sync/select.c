/* cosched_select: one wait, a cell in the line of each case.
 *
 * All channels are locked, in the order of their addresses, while the cases are tried and, if none is ready, the cells
 * join the lines. So nothing becomes ready in between, and no case meets a cell of its own call: it never gives to itself.
 * All cells carry the same ticket, of which a single claim succeeds, and a server claims before it moves a value: exactly
 * one case takes effect, and a cell whose claim fails has neither taken nor given anything. Then each channel is locked
 * once more, one at a time, to take the cells out and wait for a server that is still there.
 *
 * Rejected: trying and joining one channel at a time. A case that is found ready after an earlier one has joined must
 * win two waits at once, its own and the other's; two selects that meet so can undo each other for ever. */
#include "base/clock.h"
#include "base/rng.h"
#include "sync/channel.h"

enum { FEW = 4, CASES_MAX = 64 };

struct choice {
    cosched_case *cases; /* borrowed */
    size_t n;
    struct cos_cell *cells;   /* one a case, in the caller's frame */
    uint8_t order[CASES_MAX]; /* the cases that have a channel, by its address */
    size_t ordered;
};

static bool sends(const cosched_case *c)
{
    return c->send_from != NULL;
}

static void *value_of(const cosched_case *c)
{
    return sends(c) ? (void *)(uintptr_t)c->send_from : c->recv_into;
}

static int put_in_order(struct choice *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const cosched_case *c = &all->cases[i];
        if (c->ch == NULL) {
            continue;
        }
        if ((c->recv_into == NULL) == (c->send_from == NULL)) {
            return -EINVAL;
        }
        size_t at = all->ordered++;
        for (; at > 0 && (uintptr_t)all->cases[all->order[at - 1]].ch > (uintptr_t)c->ch; at--) {
            all->order[at] = all->order[at - 1];
        }
        all->order[at] = (uint8_t)i;
    }
    return 0;
}

static cosched_chan *channel_at(const struct choice *all, size_t k)
{
    return all->cases[all->order[k]].ch;
}

/* Several cases of one channel stand side by side. */
static void for_each_channel(const struct choice *all, void (*visit)(struct cos_lock *))
{
    for (size_t k = 0; k < all->ordered; k++) {
        if (k == 0 || channel_at(all, k) != channel_at(all, k - 1)) {
            visit(&channel_at(all, k)->lock);
        }
    }
}

static void lock_one(struct cos_lock *lock)
{
    cos_lock_acquire(lock);
}

static void unlock_one(struct cos_lock *lock)
{
    cos_lock_release(lock);
}

/* Which case is looked at first: any, so that a busy one does not shut out the others. */
static size_t first_of(size_t n)
{
    struct cos_exec *e = cos_exec_current();
    uint64_t other = (uint64_t)cos_clock_now() | 1; /* no thread of ours */
    return n > 1 ? cos_rng_below(e != NULL ? &e->rng : &other, (uint32_t)n) : 0;
}

/* Under all locks: the case that took effect, or -EAGAIN. */
static int try_all(const struct choice *all)
{
    size_t first = first_of(all->ordered);
    for (size_t k = 0; k < all->ordered; k++) {
        int i = all->order[(first + k) % all->ordered];
        cosched_case *c = &all->cases[i];
        int rc = cos_chan_try(c->ch, sends(c), value_of(c));
        if (rc != -EAGAIN) {
            c->result = rc;
            return i;
        }
    }
    return -EAGAIN;
}

/* Under all locks. */
static void join_all(const struct choice *all)
{
    uint64_t ticket = cos_park_begin();
    for (size_t k = 0; k < all->ordered; k++) {
        int i = all->order[k];
        cosched_case *c = &all->cases[i];
        all->cells[i] = (struct cos_cell){.ticket = ticket, .value = value_of(c)};
        cos_line_join(cos_chan_line(c->ch, sends(c)), &all->cells[i]);
    }
}

/* The case that was served or closed; -EAGAIN: none. */
static int leave_all(const struct choice *all)
{
    int won = -EAGAIN;
    for (size_t k = 0; k < all->ordered; k++) {
        int i = all->order[k];
        cosched_case *c = &all->cases[i];
        cos_lock_acquire(&c->ch->lock); /* waits out whoever serves this cell */
        cos_list_remove(&all->cells[i].link);
        enum cos_cell_state state = all->cells[i].state;
        cos_lock_release(&c->ch->lock);
        if (state != COS_CELL_WAITS) {
            COS_ASSERT(won == -EAGAIN && "one claim wins");
            c->result = state == COS_CELL_SERVED ? 0 : -EPIPE;
            won = i;
        }
    }
    return won;
}

static int choose(struct choice *all, int64_t deadline)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    for_each_channel(all, lock_one);
    for (size_t k = 0; k < all->ordered; k++) {
        cos_chan_note(channel_at(all, k), sends(&all->cases[all->order[k]]), f);
    }
    int won = try_all(all);
    bool waits = won == -EAGAIN && deadline != COSCHED_NOW;
    if (waits) {
        join_all(all);
    }
    for_each_channel(all, unlock_one);
    if (!waits) {
        return won == -EAGAIN ? -ETIMEDOUT : won;
    }
    enum cos_cause cause = cos_park_on((uintptr_t)all->cases, deadline,
                                       COS_PARK_FOR(COSCHED_FOR_SELECT) | COS_PARK_OF(all->n));
    won = leave_all(all);
    return won >= 0 ? won : cos_cause_error(cause);
}

/* A stack of its own size for each: most calls have few cases, and a coroutine's stack is small. */
static __attribute__((noinline)) int choose_of_few(struct choice *all, int64_t deadline)
{
    struct cos_cell cells[FEW];
    all->cells = cells;
    int won = choose(all, deadline);
    all->cells = NULL;
    return won;
}

static __attribute__((noinline)) int choose_of_many(struct choice *all, int64_t deadline)
{
    struct cos_cell cells[CASES_MAX];
    all->cells = cells;
    int won = choose(all, deadline);
    all->cells = NULL;
    return won;
}

int cosched_select(cosched_case *cases, size_t n, int64_t deadline)
{
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0 && (rc != -EPERM || deadline != COSCHED_NOW)) {
        return rc;
    }
    struct choice all = {.cases = cases, .n = n};
    rc = n > CASES_MAX ? -EINVAL : put_in_order(&all);
    if (rc < 0) {
        return rc;
    }
    return n <= FEW ? choose_of_few(&all, deadline) : choose_of_many(&all, deadline);
}
