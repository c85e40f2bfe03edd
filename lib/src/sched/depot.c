/* Chunks of control blocks: which have some to give, which are wholly free, which gave their memory back.
 *
 * A chunk is in one list at most: `some` when some of its blocks are free, `idle` when all are, `cold` when they have no memory
 * either. Blocks are taken in that order, so that chunks that could become idle do, and new chunks come last.
 *
 * Blocks of a cold chunk are made one by one when they are taken, so an opened chunk takes memory as it is used.
 *
 * Giving back has one difficulty: with a stale handle, or with a parent that ends just then, somebody may be about to lock the
 * scope of a block that is free (lock, then check: scope.h). Were the memory to go while he holds the lock, he would release
 * the lock of the block's next life. So all locks of the chunk are taken first, and go with the memory. Who waits for one of
 * them spins until it reads zero; or he sleeps, and then he was counted before (cos_lock_forget). */
#include "sched/depot.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/lock.h"
#include "base/clock.h"
#include "sched/task.h"

#define TRIM_CHUNKS 16 /* a call: below a millisecond */
#define NO_CHUNK    UINT16_MAX
#define NUMBER      0x1ffU /* of a block in its chunk, or one more */
/* A chunk that has come so far is not given back any more: all its blocks go on from the one that has come farthest, and what
 * that costs them must stay small beside what they have. */
#define WORN        (UINT32_C(1) << 31)

enum place { NOWHERE, SOME, IDLE, COLD };

struct chunk {
    uint32_t base; /* with what the generations and waits of its blocks begin when they are made */
    uint32_t since_ms; /* idle: since when */
    uint16_t newer, older;
    uint32_t fresh : 9; /* blocks from this one on are not made */
    uint32_t free : 9;  /* how many are, those not made included */
    uint32_t first : 9; /* free block, the others by link; COS_DEPOT_CHUNK: none */
    uint32_t place : 2; /* enum place: in which list */
};

COS_STATIC_ASSERT(sizeof(struct chunk) == 16, "what remains of a chunk without memory stays small");

static struct {
    struct cos_lock lock; /* guards the rest */
    struct chunk *chunks; /* const after reserve; `opened` of them have been used */
    uint32_t capacity;    /* of blocks; const after reserve */
    uint32_t used;        /* the highest block ever made */
    uint32_t opened;      /* chunks ever used */
    uint32_t limit;
    uint32_t missing;
    uint32_t cold;

    struct {
        uint16_t newest, oldest;
    } list[COLD + 1];
} depot;

COS_ATOMIC(uint32_t) cos_tasks_used;

/* --- memory ----------------------------------------------------------------------------------------------- */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Address space for count elements, of which number 1 begins a page. */
void *cos_depot_map(size_t count, size_t bytes)
{
    size_t page = page_bytes();
    char *p = mmap(NULL, page + (count + 1) * bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p != MAP_FAILED ? p + page - bytes : NULL;
}

int cos_depot_reserve(uint32_t capacity)
{
    uint32_t chunks = (capacity + COS_DEPOT_CHUNK - 1) / COS_DEPOT_CHUNK;
    COS_ASSERT(chunks <= NO_CHUNK);
    struct cos_task *blocks = cos_depot_map(capacity, sizeof *blocks);
    void *p = mmap(NULL, chunks * sizeof *depot.chunks, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (blocks == NULL || p == MAP_FAILED) {
        return -ENOMEM; /* address space, for a process that gets no runtime */
    }
    depot.chunks = p;
    depot.capacity = depot.limit = capacity;
    for (enum place i = NOWHERE; i <= COLD; i++) {
        depot.list[i].newest = depot.list[i].oldest = NO_CHUNK;
    }
    cos_task_blocks = blocks;
    return 0;
}

void cos_depot_limit(uint32_t tasks_max)
{
    cos_lock_acquire(&depot.lock);
    depot.limit = tasks_max < depot.capacity ? tasks_max : depot.capacity;
    cos_lock_release(&depot.lock);
}

uint64_t cos_depot_missing(void)
{
    cos_lock_acquire(&depot.lock);
    uint64_t n = depot.missing;
    cos_lock_release(&depot.lock);
    return n;
}

uint32_t cos_depot_cold(void)
{
    cos_lock_acquire(&depot.lock);
    uint32_t n = depot.cold;
    cos_lock_release(&depot.lock);
    return n;
}

/* --- the lists, under the lock --------------------------------------------------------------------------- */

static struct chunk *chunk_at(uint32_t number)
{
    return &depot.chunks[number];
}

static uint32_t number_of(const struct chunk *c)
{
    return (uint32_t)(c - depot.chunks);
}

static void leave(struct chunk *c)
{
    if (c->place != NOWHERE) {
        *(c->newer != NO_CHUNK ? &chunk_at(c->newer)->older : &depot.list[c->place].newest) =
            c->older;
        *(c->older != NO_CHUNK ? &chunk_at(c->older)->newer : &depot.list[c->place].oldest) =
            c->newer;
        depot.cold -= c->place == COLD ? 1 : 0;
        c->place = NOWHERE;
    }
}

static void enter(struct chunk *c, enum place place)
{
    uint16_t self = (uint16_t)number_of(c);
    leave(c);
    c->place = place;
    c->newer = NO_CHUNK;
    c->older = depot.list[place].newest;
    *(c->older != NO_CHUNK ? &chunk_at(c->older)->newer : &depot.list[place].oldest) = self;
    depot.list[place].newest = self;
    depot.cold += place == COLD ? 1 : 0;
}

/* --- take and put ------------------------------------------------------------------------------------------ */

/* A block of zeros, or of what its last life left, begins a new row of lives. Its lock stays as it is: see scope.h. */
static struct cos_task *make(const struct chunk *c, uint32_t index)
{
    struct cos_task *t = cos_task_at(index);
    t->index = index;
    /* relaxed, both: no handle and no ticket has these numbers. */
    cos_atomic_store(&t->join, cos_join(c->base, COS_JOIN_NONE), relaxed);
    cos_atomic_store(&t->wait.word, cos_wait_word(c->base, COS_WAIT_RUNNING, 0), relaxed);
    cos_list_init(&t->scope.children);
    cos_list_init(&t->scope.sibling);
    if (index > depot.used) {
        depot.used = index;
        /* release: pairs with the acquire in cos_task_lookup. */
        cos_atomic_store(&cos_tasks_used, index, release);
    }
    return t;
}

/* With a free block; NULL: all are in use. Under the lock. */
static struct chunk *chunk_with_room(void)
{
    for (enum place i = SOME; i <= COLD; i++) {
        if (depot.list[i].newest != NO_CHUNK) {
            return chunk_at(depot.list[i].newest);
        }
    }
    uint32_t first = depot.opened * COS_DEPOT_CHUNK;
    if (first >= depot.capacity) {
        return NULL;
    }
    struct chunk *c = chunk_at(depot.opened++);
    uint32_t left = depot.capacity - first;
    c->base = 1;
    c->free = (left < COS_DEPOT_CHUNK ? left : COS_DEPOT_CHUNK) & NUMBER;
    c->first = COS_DEPOT_CHUNK;
    return c;
}

/* Under the lock. */
static struct cos_task *take_one(void)
{
    struct chunk *c = depot.missing < depot.limit ? chunk_with_room() : NULL;
    if (c == NULL) {
        return NULL;
    }
    uint32_t before = number_of(c) * COS_DEPOT_CHUNK + 1; /* its first block */
    struct cos_task *t;
    if (c->first != COS_DEPOT_CHUNK) {
        t = cos_task_at(before + c->first);
        c->first = cos_atomic_load(&t->link, relaxed) & NUMBER; /* relaxed: guarded by the lock */
    } else {
        t = make(c, before + c->fresh);
        c->fresh++;
    }
    c->free--;
    if (c->free == 0) {
        leave(c);
    } else if (c->place != SOME) {
        enter(c, SOME);
    }
    depot.missing++;
    return t;
}

static void put_one(struct cos_task *t)
{
    struct chunk *c = chunk_at((t->index - 1) / COS_DEPOT_CHUNK);
    cos_atomic_store(&t->link, c->first, relaxed); /* relaxed: guarded by the lock */
    c->first = (t->index - 1) % COS_DEPOT_CHUNK;
    c->free++;
    if (c->free == COS_DEPOT_CHUNK) {
        c->since_ms = (uint32_t)(cos_clock_coarse() / COS_NS_PER_MS);
        enter(c, IDLE);
    } else if (c->free == 1) {
        enter(c, SOME);
    }
    COS_INVARIANT(depot.missing > 0);
    depot.missing--;
}

void cos_depot_take(struct cos_task_cache *to, uint32_t n)
{
    struct cos_task *t;
    cos_lock_acquire(&depot.lock);
    while (to->count < n && (t = take_one()) != NULL) {
        cos_task_cache_push(to, t);
    }
    cos_lock_release(&depot.lock);
}

void cos_depot_put(struct cos_task_cache *from, uint32_t keep)
{
    struct cos_task *t;
    cos_lock_acquire(&depot.lock);
    while (from->count > keep && (t = cos_task_take(from)) != NULL) {
        put_one(t);
    }
    cos_lock_release(&depot.lock);
}

void cos_depot_retire(void)
{
    cos_lock_acquire(&depot.lock);
    depot.missing--;
    cos_lock_release(&depot.lock);
}

/* --- giving back ------------------------------------------------------------------------------------------- */

/* The chunk is in no list, and all its blocks are free: nobody else changes what is read here. */
static uint32_t farthest(const struct chunk *c)
{
    uint32_t far = c->base;
    uint32_t first = number_of(c) * COS_DEPOT_CHUNK + 1;
    for (uint32_t i = first; i < first + c->fresh; i++) {
        struct cos_task *t = cos_task_at(i);
        uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
        uint32_t seq = cos_wait_word_seq(cos_atomic_load(&t->wait.word, relaxed));
        far = generation > far ? generation : far;
        far = seq > far ? seq : far;
    }
    return far;
}

static void unlock(uint32_t first, uint32_t n)
{
    while (n > 0) {
        cos_lock_release(&cos_task_at(first + --n)->scope.lock);
    }
}

/* True: its memory is zeros, and takes no room. */
static bool discard(uint32_t first)
{
    uint32_t n = 0;
    while (n < COS_DEPOT_CHUNK && cos_lock_try(&cos_task_at(first + n)->scope.lock)) {
        n++;
    }
    size_t bytes = COS_DEPOT_CHUNK * sizeof(struct cos_task);
    if (n < COS_DEPOT_CHUNK || madvise(cos_task_at(first), bytes, MADV_DONTNEED) != 0) {
        unlock(first, n);
        return false;
    }
    if (cos_lock_forget(n)) {
        for (uint32_t i = 0; i < n; i++) {
            cos_lock_wake_all(&cos_task_at(first + i)->scope.lock);
        }
    }
    return true;
}

/* The oldest idle chunk, if it is time for it, out of its list. Under the lock. */
static struct chunk *take_idle(int64_t now, int64_t *due)
{
    if (depot.list[IDLE].oldest == NO_CHUNK) {
        return NULL;
    }
    struct chunk *c = chunk_at(depot.list[IDLE].oldest);
    int64_t idle_ms = (uint32_t)(now / COS_NS_PER_MS) - c->since_ms; /* modulo 2^32 */
    if (idle_ms < COS_DEPOT_IDLE_NS / COS_NS_PER_MS) {
        *due = now + COS_DEPOT_IDLE_NS - idle_ms * COS_NS_PER_MS;
        return NULL;
    }
    leave(c);
    return c;
}

/* Without the lock. */
static enum place give_back(struct chunk *c)
{
    size_t bytes = COS_DEPOT_CHUNK * sizeof(struct cos_task);
    uint32_t base = farthest(c);
    if (base >= WORN || bytes % page_bytes() != 0 || !discard(number_of(c) * COS_DEPOT_CHUNK + 1)) {
        return SOME; /* until its next use; a lock that was held is a rare case not to be waited for */
    }
    c->base = base;
    c->fresh = 0;
    c->first = COS_DEPOT_CHUNK;
    return COLD;
}

int64_t cos_depot_trim(int64_t now)
{
    for (int left = TRIM_CHUNKS; left > 0; left--) {
        int64_t due = INT64_MAX;
        cos_lock_acquire(&depot.lock);
        struct chunk *c = take_idle(now, &due);
        cos_lock_release(&depot.lock);
        if (c == NULL) {
            return due;
        }
        enum place place = give_back(c);
        cos_lock_acquire(&depot.lock);
        enter(c, place);
        cos_lock_release(&depot.lock);
    }
    return now;
}
