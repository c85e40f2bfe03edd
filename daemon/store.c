/* The store's task: one thread, one database, and group commit.
 *
 * Requests lie in their askers' frames and stand in one line, under a lock that is held for a few
 * instructions. The task takes all that stand there (up to STORE_BATCH_MAX), runs them in one
 * transaction, and sets their events only when COMMIT has returned: nobody hears of anything that is
 * not on disk. With one request at a time this is one commit each; under load its cost is shared.
 *
 * Who finds the line empty rings the bell. A patient one first lets others go, twice: those who are
 * ready now, and those whom they make ready. So the end of one job and the start of the next share a
 * commit. Submissions ring at once: what follows them is checked while they are written.
 *
 * When something fails. A request that finds no job, or no arrow, has written nothing, and the
 * batch goes on. When a statement or the commit itself fails, everything is rolled back and the
 * batch is run again one by one, so that only those fail that must. After an I/O error nothing is
 * written until the WAL could be emptied (store_sql_heal), tried with growing pauses, when somebody
 * asks; reads go on. No timer, no thread that polls.
 *
 * The task is detached from whoever opened the store: it ends when store_close closes the line, or,
 * if that never happens, when the runtime cancels it. In both cases what was asked is still
 * answered. */
#include "store.h"

#include <cosched/inspect.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bell.h"
#include "probe.h"
#include "state_lock.h"
#include "store_private.h"

#define RING_ROUNDS      2
#define SHIELD_MS        INT64_C(3600000)     /* nothing in it waits */
#define STACK_BYTES      ((size_t)512 * 1024) /* SQLite's parser and ours */
#define HEAL_WAIT_MIN_NS INT64_C(100000000)
#define HEAL_WAIT_MAX_NS INT64_C(10000000000)
#define SIZES_EVERY_NS   INT64_C(100000000)
#define COMMIT_RANK      5 /* steps of nice */
#define DATABASE_NAME    "cosched.db"

/* Written by the store's thread, read by any: each number by itself, so relaxed everywhere. */
struct counters {
    _Atomic uint64_t commits, requests, reads, failures, checkpoints;
    _Atomic uint64_t wal_bytes, db_bytes, ended, ended_bytes;
    _Atomic bool available;
};

struct store {
    struct store_config config; /* const after open; its strings are only used while opening */
    struct bell bell;           /* requests stand in line, or the store is closed */
    pthread_mutex_t lock;
    struct store_request *first, **last; /* lock: the line; borrowed */
    bool rung;   /* lock: somebody rings, or has rung, for what stands there */
    bool closed; /* lock: nobody new comes in */
    struct counters counters;
    cosched_event ended; /* set by the task as its last act */
    /* the store's thread only */
    struct store_sql *sql; /* owned */
    int lock_fd;           /* owned */
    bool broken;           /* writes fail until healed */
    int64_t marked;        /* commits in the scheduler's trace */
    int64_t heal_at_ns, heal_wait_ns, sized_at_ns;
    struct store_request *batch[STORE_BATCH_MAX]; /* borrowed, until answered */
};

struct opening {
    struct store *store;
    struct store_recovery *recovery;
    int result;
    cosched_event done;
};

/* Filled by the store's thread before it answers an opening, read by the opener after that. */
static char open_error[512] = "";

const char *store_open_error(void)
{
    return open_error;
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void put(_Atomic uint64_t *level, uint64_t value)
{
    atomic_store_explicit(level, value, memory_order_relaxed);
}

/* --- answering -------------------------------------------------------------------------------- */

/* What callers may learn of an error. */
static int public_result(int r)
{
    return r >= 0 || r == -ENOMEM ? r : STORE_UNAVAILABLE;
}

static void answer(struct store_request *request, int result)
{
    struct store_group *group = request->group;
    request->result = public_result(result);
    if (group == NULL) {
        cosched_event_set(&request->done); /* its frame may be gone from here on */
    } else if (--group->left == 0) {
        cosched_event_set(&group->done);
    }
}

static void answer_all(struct store_request **batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        answer(batch[i], batch[i]->result);
    }
}

static void run(struct store *store, struct store_request *request)
{
    if (request->reset != NULL) {
        request->reset(request);
    }
    int r = request->inserts || request->alone ? 0 : store_sql_settle(store->sql);
    request->result = r < 0 ? r : request->run(store->sql, request);
}

/* --- failure and healing ---------------------------------------------------------------------- */

static void break_down(struct store *store)
{
    store->broken = true;
    store->heal_wait_ns = HEAL_WAIT_MIN_NS;
    store->heal_at_ns = 0; /* the first attempt is made at once */
    atomic_store_explicit(&store->counters.available, false, memory_order_relaxed);
}

/* True when writes may be tried. */
static bool heal(struct store *store)
{
    if (!store->broken) {
        return true;
    }
    int64_t now = cosched_now();
    if (now < store->heal_at_ns) {
        return false;
    }
    if (store_sql_heal(store->sql) < 0) {
        store->heal_at_ns = now + store->heal_wait_ns;
        if (store->heal_wait_ns < HEAL_WAIT_MAX_NS) {
            store->heal_wait_ns *= 2;
        }
        return false;
    }
    store->broken = false;
    atomic_store_explicit(&store->counters.available, true, memory_order_relaxed);
    return true;
}

/* A full disk leaves nothing behind; other errors may have left frames in the WAL that must not
 * come back. */
static void note_failure(struct store *store, int r)
{
    count(&store->counters.failures, 1);
    if (r != -ENOSPC && r != -ENOMEM && r != -E2BIG && r != -EEXIST && r != -EINVAL) {
        break_down(store);
    }
}

/* --- transactions ----------------------------------------------------------------------------- */

/* `requests`: how many have written. */
static int commit(struct store *store, size_t requests)
{
    static const char name[] = "commit"; /* of the mark: counts by its address */
    int64_t begin = cosched_now();
    int64_t number = store->marked + 1;
    if (requests > 0) {
        store->marked = number;
        cosched_trace_mark(name, number, COSCHED_TRACE_BEGIN);
    }
    int r = store_sql_commit(store->sql);
    if (requests > 0) {
        cosched_trace_mark(name, number, COSCHED_TRACE_END);
    }
    if (r < 0 || requests == 0) {
        return r;
    }
    PROBE_COMMIT(requests, cosched_now() - begin);
    count(&store->counters.commits, 1);
    count(&store->counters.requests, requests);
    if (store->config.on_commit != NULL) {
        store->config.on_commit(store->config.ctx, cosched_now() - begin, requests);
    }
    return 0;
}

/* A request by itself: its own failure is its answer. */
static void run_single(struct store *store, struct store_request *request)
{
    if (request->alone) {
        run(store, request);
        return;
    }
    if (request->writes && !heal(store)) {
        request->result = STORE_UNAVAILABLE;
        return;
    }
    int r = store_sql_begin(store->sql);
    if (r < 0) {
        request->result = r;
        return;
    }
    run(store, request);
    r = request->result;
    if (r >= 0) {
        r = commit(store, request->writes && r == STORE_OK);
    }
    if (r < 0) {
        store_sql_rollback(store->sql);
        request->result = r;
        if (request->writes) {
            note_failure(store, r);
        }
    }
}

/* All in one transaction. Negative: rolled back, nobody has an answer yet. */
static int run_together(struct store *store, struct store_request **batch, size_t n)
{
    size_t written = 0;
    int r = store_sql_begin(store->sql);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        run(store, batch[i]);
        if (batch[i]->result < 0 && (batch[i]->writes || !store_sql_in_transaction(store->sql))) {
            r = batch[i]->result;
        }
        written += batch[i]->writes && batch[i]->result == STORE_OK;
    }
    if (r >= 0) {
        r = commit(store, written);
    }
    if (r < 0) {
        store_sql_rollback(store->sql);
    }
    return r;
}

static void serve(struct store *store, struct store_request **batch, size_t n)
{
    size_t writes = 0;
    for (size_t i = 0; i < n; i++) {
        writes += batch[i]->writes;
    }
    count(&store->counters.reads, n - writes);
    bool one_by_one = n == 1 || (writes > 0 && !heal(store));
    if (!one_by_one) {
        int r = run_together(store, batch, n);
        if (r < 0) {
            note_failure(store, r);
            one_by_one = true;
        }
    }
    for (size_t i = 0; one_by_one && i < n; i++) {
        run_single(store, batch[i]);
    }
    answer_all(batch, n);
}

/* After the answers: nobody waits for this, except who comes next. */
static void keep_house(struct store *store)
{
    struct store_stats sizes = {.commits = 0};
    if (!store->broken) {
        int r = store_sql_maintain(store->sql);
        if (r < 0) {
            note_failure(store, r);
        }
        count(&store->counters.checkpoints, r > 0);
    }
    int64_t now = cosched_now();
    if (store->sized_at_ns != 0 && now - store->sized_at_ns < SIZES_EVERY_NS) {
        return;
    }
    store->sized_at_ns = now;
    store_sql_sizes(store->sql, &sizes);
    put(&store->counters.wal_bytes, sizes.wal_bytes);
    put(&store->counters.db_bytes, sizes.db_bytes);
    put(&store->counters.ended, sizes.ended);
    put(&store->counters.ended_bytes, sizes.ended_bytes);
}

/* --- the task --------------------------------------------------------------------------------- */

/* What stands in line; one that must be alone ends the batch. */
static size_t gather(struct store *store, bool *closed)
{
    size_t n = 0;
    pthread_mutex_lock(&store->lock);
    while (store->first != NULL && n < STORE_BATCH_MAX && (n == 0 || !store->batch[n - 1]->alone)) {
        store->batch[n++] = store->first;
        store->first = store->first->next;
    }
    if (store->first == NULL) {
        store->last = &store->first;
        store->rung = false;
    }
    *closed = store->closed;
    pthread_mutex_unlock(&store->lock);
    return n;
}

static void close_line(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->closed = true;
    pthread_mutex_unlock(&store->lock);
    bell_ring(&store->bell);
}

static void serve_batch(struct store *store, size_t n)
{
    struct store_request **batch = store->batch;
    if (n > 1 && batch[n - 1]->alone) {
        serve(store, batch, n - 1);
        batch += n - 1;
        n = 1;
    }
    serve(store, batch, n);
    keep_house(store);
}

static void serve_until_closed(struct store *store)
{
    bool closed = false;
    while (!closed) {
        /* Whoever came in before it was closed is answered. */
        for (size_t n; (n = gather(store, &closed)) > 0;) {
            serve_batch(store, n);
        }
        if (!closed && bell_wait(&store->bell, COSCHED_NEVER) == -ECANCELED) {
            close_line(store); /* the runtime ends without store_close */
        }
    }
}

static int open_all(struct store *store, struct store_recovery *recovery)
{
    const struct store_config *config = &store->config;
    char path[384]; /* fits into open_error, with a reason */
    pid_t holder;
    store->lock_fd = state_lock_acquire(config->dir, &holder);
    if (store->lock_fd == -EWOULDBLOCK) {
        snprintf(open_error, sizeof open_error, "%s: held by process %ld", config->dir,
                 (long)holder);
        return STORE_LOCKED;
    }
    if (store->lock_fd < 0) {
        snprintf(open_error, sizeof open_error, "%s/lock: %s", config->dir,
                 cosched_strerror(store->lock_fd));
        return store->lock_fd;
    }
    int length = snprintf(path, sizeof path, "%s/" DATABASE_NAME, config->dir);
    if (length < 0 || (size_t)length >= sizeof path) {
        snprintf(open_error, sizeof open_error, "%s: the path is too long", config->dir);
        return -ENAMETOOLONG;
    }
    struct store_sql_config sql = {
        .path = path,
        .boot_id = config->boot_id,
        .now_us = config->now_us,
        .pages_max = config->pages_max,
    };
    int r = store_sql_open(&store->sql, &sql, open_error, sizeof open_error);
    if (r == STORE_OK) {
        r = store_sql_interrupted(store->sql, recovery);
        if (r < 0) {
            snprintf(open_error, sizeof open_error, "%s: %s", path, store_sql_error(store->sql));
        }
    }
    return r == -ENOSPC || r == -EIO ? STORE_UNAVAILABLE : r;
}

static void close_all(struct store *store)
{
    store_sql_close(store->sql);
    state_lock_release(store->lock_fd);
    store->sql = NULL;
    store->lock_fd = -1;
}

/* Jobs are niced; where we may, the commits on which everybody waits outrank the rest too, whatever
 * this process was started with. */
static void outrank(void)
{
    struct sched_param param;
    id_t self = (id_t)syscall(SYS_gettid);
    int policy = sched_getscheduler(0), now = getpriority(PRIO_PROCESS, self);
    if ((policy == SCHED_FIFO || policy == SCHED_RR) && sched_getparam(0, &param) == 0) {
        param.sched_priority++;
        (void)sched_setparam(0, &param);
    } else {
        (void)setpriority(PRIO_PROCESS, self, now - COMMIT_RANK);
    }
}

static int64_t store_task(void *arg)
{
    struct opening *opening = arg;
    struct store *store = opening->store;
    outrank();
    int r = open_all(store, opening->recovery);
    if (r == STORE_OK) {
        keep_house(store);
        atomic_store_explicit(&store->counters.available, true, memory_order_relaxed);
    } else {
        close_all(store);
    }
    opening->result = r;
    cosched_event_set(&opening->done);
    if (r == STORE_OK) {
        serve_until_closed(store);
        close_all(store);
        cosched_event_set(&store->ended);
    }
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static void destroy(struct store *store)
{
    bell_fini(&store->bell);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

int store_open(struct store **out, const struct store_config *config,
               struct store_recovery *recovery)
{
    static const cosched_attr attr = {
        .struct_size = sizeof attr,
        .name = "store",
        .affinity = COSCHED_BLOCKING,
        .flags = COSCHED_PINNED,
        .stack_size = STACK_BYTES,
    };
    *out = NULL;
    *recovery = (struct store_recovery)STORE_RECOVERY_INIT;
    snprintf(open_error, sizeof open_error, "out of memory");
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return -ENOMEM;
    }
    struct opening opening = {.store = store, .recovery = recovery};
    store->config = *config;
    store->lock_fd = -1;
    cosched_event_init(&store->ended);
    cosched_event_init(&opening.done);
    pthread_mutex_init(&store->lock, NULL);
    store->last = &store->first;
    int r = bell_init(&store->bell);
    if (r == 0) {
        r = cosched_spawn(NULL, store_task, &opening, &attr);
    }
    if (r < 0) {
        snprintf(open_error, sizeof open_error, "the store's task: %s", cosched_strerror(r));
        destroy(store);
        return r;
    }
    cosched_event_wait_always(&opening.done);
    if (opening.result != STORE_OK) {
        store_recovery_fini(recovery);
        destroy(store);
        return opening.result;
    }
    *out = store;
    return STORE_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    close_line(store);
    cosched_event_wait_always(&store->ended);
    destroy(store);
}

static int ring_once(struct store *store)
{
    unsigned char ring = 1;
    return cosched_chan_send(store->bell.chan, &ring, COSCHED_NOW); /* full: it rings already */
}

/* Whatever happens to this task: it has its clean-up to put on record, and others may stand behind it. */
static void ring(struct store *store, bool patient)
{
    cosched_scope shield;
    for (int i = 0; patient && i < RING_ROUNDS; i++) {
        cosched_yield();
    }
    while (ring_once(store) == -ECANCELED) {
        if (cosched_scope_begin(&shield, cosched_in_ms(SHIELD_MS), COSCHED_SHIELD) == 0) {
            (void)ring_once(store);
            cosched_scope_end(&shield);
            return;
        }
        cosched_yield(); /* until there is memory for a shield */
    }
}

/* False: the store is closed. */
static bool stand_in_line(struct store *store, struct store_request *first,
                          struct store_request *last)
{
    last->next = NULL;
    pthread_mutex_lock(&store->lock);
    bool closed = store->closed, rings = !store->rung;
    if (!closed) {
        *store->last = first;
        store->last = &last->next;
        store->rung = true;
    }
    pthread_mutex_unlock(&store->lock);
    if (rings && !closed) {
        ring(store, first->patient);
    }
    return !closed;
}

int store_ask(struct store *store, struct store_request *request)
{
    request->group = NULL;
    cosched_event_init(&request->done);
    if (!stand_in_line(store, request, request)) {
        return -ESHUTDOWN;
    }
    cosched_event_wait_always(&request->done);
    return request->result;
}

int store_ask_all(struct store *store, struct store_request *first, struct store_request *last)
{
    struct store_group *group = first->group;
    cosched_event_init(&group->done);
    if (!stand_in_line(store, first, last)) {
        return -ESHUTDOWN;
    }
    cosched_event_wait_always(&group->done);
    return STORE_OK;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void store_stats(const struct store *store, struct store_stats *out)
{
    const struct counters *counters = &store->counters;
    *out = (struct store_stats){
        .commits = get(&counters->commits),
        .requests = get(&counters->requests),
        .reads = get(&counters->reads),
        .failures = get(&counters->failures),
        .checkpoints = get(&counters->checkpoints),
        .wal_bytes = get(&counters->wal_bytes),
        .db_bytes = get(&counters->db_bytes),
        .ended = get(&counters->ended),
        .ended_bytes = get(&counters->ended_bytes),
        .available = atomic_load_explicit(&counters->available, memory_order_relaxed),
    };
    out->batch_avg = out->commits ? (double)out->requests / (double)out->commits : 0;
}
