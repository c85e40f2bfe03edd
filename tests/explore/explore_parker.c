/* Every schedule of submit against park with two workers. A worker that took an item is busy for ever after (its
 * thread ends), so each item must find a worker of its own: nobody sleeps over work, and the last searcher that
 * found some woke one more. */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "queue/parker.h"

enum { ITEMS = 2 };

static struct cos_parker parker;
static COS_ATOMIC(uint32_t) item[ITEMS]; /* 1: waits to be taken */
static COS_ATOMIC(uint32_t) stop;
static int payload[ITEMS];
static unsigned taken[ITEMS], submitted, asleep_now;
static uint32_t taker[ITEMS]; /* 1 + its number */
static int64_t deadline_ns;
static bool closing; /* the program has a send_home: workers look at stop */

static void setup(void)
{
    memset(taken, 0, sizeof taken);
    memset(taker, 0, sizeof taker);
    memset(item, 0, sizeof item);
    stop = 0;
    submitted = asleep_now = 0;
    deadline_ns = INT64_MAX;
    closing = false;
    cos_parker_init(&parker, 2);
    ex_name(&parker.parked, "parked");
    ex_name(&parker.searching, "searching");
    ex_name(&item[0], "item");
    ex_name(&stop, "stop");
    for (unsigned i = 0; i < 2; i++) {
        ex_name(&parker.bed[i].wakes_sent, i == 0 ? "word 0" : "word 1");
        ex_ignore(&parker.bed[i].parks, sizeof parker.bed[i].parks);
        ex_ignore(&parker.bed[i].wakes, sizeof parker.bed[i].wakes);
    }
}

static void setup_timed(void)
{
    setup();
    deadline_ns = 1; /* any deadline: the explorer lets it pass whenever it likes */
}

static void setup_closing(void)
{
    setup();
    closing = true;
}

static bool scan(uint32_t id)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        if (cos_atomic_load(&item[i], relaxed) == 1 &&
            cos_atomic_exchange(&item[i], 0, acquire) == 1) {
            ex_data_read(&payload[i]);
            taken[i]++;
            taker[i] = id + 1;
            return true;
        }
    }
    return false;
}

static bool scan_as_searcher(uint32_t id)
{
    bool found = scan(id);
    if (cos_parker_search_end(&parker, found)) {
        (void)cos_parker_notify(&parker);
    }
    return found;
}

/* The loop of parker.h's head comment. Ends when it took one item, was sent home, or its deadline passed. */
static void worker(uint32_t id, bool searches)
{
    for (;; searches = true) {
        if (searches && cos_parker_search_begin(&parker) && scan_as_searcher(id)) {
            return;
        }
        cos_parker_prepare(&parker, id);
        bool home = closing && cos_atomic_load(&stop, relaxed) != 0;
        if (home || scan(id)) {
            cos_parker_cancel(&parker, id);
            if (cos_parker_search_end(&parker, !home)) {
                (void)cos_parker_notify(&parker);
            }
            return;
        }
        asleep_now |= 1u << id;
        int rc = cos_parker_wait(&parker, id, deadline_ns);
        asleep_now &= ~(1u << id);
        if (rc == -ETIMEDOUT) {
            return;
        }
        EX_CHECK(rc == 0);
        if (scan_as_searcher(id)) {
            return;
        }
    }
}

static void worker_0(void)
{
    worker(0, true);
}

static void worker_1(void)
{
    worker(1, true);
}

/* Refused to search: straight to bed. */
static void bed_0(void)
{
    worker(0, false);
}

static void bed_1(void)
{
    worker(1, false);
}

static void submit(unsigned i)
{
    ex_data_write(&payload[i]);
    submitted |= 1u << i;
    cos_atomic_store(&item[i], 1, release);
}

/* Whoever took the first item makes the second, as workers do: with the light fence. */
static void breeder(uint32_t id)
{
    worker(id, true);
    if (taker[0] == id + 1) {
        submit(1);
        if (cos_parker_pushed(&parker)) {
            (void)cos_parker_notify(&parker);
        }
    }
}

static void breeder_0(void)
{
    breeder(0);
}

static void breeder_1(void)
{
    breeder(1);
}

static void submit_0(void)
{
    submit(0);
    (void)cos_parker_notify(&parker);
}

static void submit_1(void)
{
    submit(1);
    (void)cos_parker_notify(&parker);
}

static void submit_both(void)
{
    submit_0();
    submit_1();
}

static void submit_batch(void)
{
    submit(0);
    submit(1);
    (void)cos_parker_notify(&parker);
}

static void send_home(void)
{
    cos_atomic_store(&stop, 1, release);
    cos_parker_wake_all(&parker);
}

/* Workers may sleep when every item was taken. */
static bool may_sleep(unsigned sleepers)
{
    (void)sleepers;
    for (unsigned i = 0; i < ITEMS; i++) {
        if (taken[i] != (submitted >> i & 1)) {
            return false;
        }
    }
    return true;
}

static void check(void)
{
    EX_CHECK(may_sleep(0));
    EX_CHECK(parker.parked == asleep_now && parker.searching == 0);
}

/* Timed out workers leave items behind; the words must still be in order. */
static void check_timed(void)
{
    EX_CHECK(taken[0] <= 1 && parker.parked == asleep_now && parker.searching == 0);
}

static bool nobody_at_home(unsigned sleepers)
{
    (void)sleepers;
    return false;
}

int main(void)
{
    static const struct ex_program program[] = {
        {"parker one submit", 3, setup, {worker_0, worker_1, submit_0}, may_sleep, check, 2, 0},
        {"parker two submitters",
         4,
         setup,
         {worker_0, worker_1, submit_0, submit_1},
         may_sleep,
         check,
         1,
         0},
        {"parker two submits", 3, setup, {worker_0, worker_1, submit_both}, may_sleep, check, 2, 0},
        {"parker batch, one notify",
         3,
         setup,
         {worker_0, worker_1, submit_batch},
         may_sleep,
         check,
         2,
         0},
        {"parker work made by a worker",
         3,
         setup,
         {breeder_0, breeder_1, submit_0},
         may_sleep,
         check,
         2,
         0},
        {"parker turn given back", 4, setup, {submit_0, bed_0, bed_1, submit_1}, may_sleep, check, 2, 1},
        {"parker deadline", 2, setup_timed, {worker_0, submit_0}, NULL, check_timed, 4, 0},
        {"parker wake all",
         3,
         setup_closing,
         {worker_0, worker_1, send_home},
         nobody_at_home,
         check,
         2,
         0},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
