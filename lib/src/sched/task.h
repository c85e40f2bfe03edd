/* Control blocks: what a handle names.
 *
 * 192 bytes each, in one range of addresses that stays mapped for the life of the process, so a stale handle or a
 * late wake-up always reads a control block (or zeros: depot.h), and the generation tells it that its task is gone. A block is a task
 * (fiber == NULL until its first run), a scope of its own (cosched_scope_begin), or a hop in flight.
 *
 * The join word is the life of the handle: {generation, who}. Drawing (moves of `who`):
 *
 *        ┌──── withdraw ────┐
 *      NONE ── await ──▶ waiter ── end (wakes it) ──▶ DONE ── consumed ──▶ generation + 1, NONE (free)
 *        ├──────────────── end ───────────────────────▲  └── consumed by a stranger ──▶ ZOMBIE (parent frees)
 *        ├── detach by the parent ──▶ DETACHED ── end ──▶ free
 *        └── detach by a stranger ──▶ DETACHED_LISTED ── end ──▶ ZOMBIE
 *                                        └── parent unlists it ──▶ DETACHED
 */
#ifndef COS_SCHED_TASK_H
#define COS_SCHED_TASK_H
#include <cosched/cosched.h>

#include "arch/fence.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "queue/inbox.h"
#include "queue/wait.h"
#include "sched/scope.h"
#include "sched/wheel.h"

/* `who` in the join word, above every index. */
#define COS_JOIN_NONE            UINT32_C(0)
#define COS_JOIN_DONE            UINT32_MAX
#define COS_JOIN_DETACHED        (UINT32_MAX - 1)
#define COS_JOIN_DETACHED_LISTED (UINT32_MAX - 2)
#define COS_JOIN_ZOMBIE          (UINT32_MAX - 3)

enum cos_task_kind { COS_TASK_FREE, COS_TASK_BODY, COS_TASK_SCOPE, COS_TASK_HOP, COS_TASK_BRANCH };

/* Internal flags beside COSCHED_PINNED … */
enum {
    COS_TASK_TIMEOUT = 0x8000,  /* `joining` holds a timeout in ns until the start */
    COS_TASK_ARG_COPY = 0x4000, /* arg_copy holds the argument until the start */
    COS_TASK_ARMED =
        0x2000, /* what it waits for before its start is in `joining`: see cos_task_start_at */
    COS_TASK_HIGH = 0x1000,    /* priority 1 */
    COS_TASK_LOW = 0x0800,     /* priority -1 */
    COS_TASK_FORKED = 0x0400,  /* once a branch: `group` is its record (branch.h) */
    COS_TASK_DRESSED = 0x0080, /* it has a name, or a stack size of its own */
    COS_TASK_PRIORITY = COS_TASK_HIGH | COS_TASK_LOW
};

/* … and of a fiber, beside those of its base task in which a child that it runs inline must agree (`traits`). */
enum {
    COS_FIBER_OWN = 0x0100,    /* COSCHED_ALWAYS_OWN */
    COS_FIBER_INLINE = 0x0200, /* COSCHED_ALWAYS_INLINE */
    COS_FIBER_TESTER = COS_FIBER_OWN | COS_FIBER_INLINE,
    COS_FIBER_OF_BASE = COSCHED_ONE_EXECUTOR | COS_TASK_PRIORITY,
    COS_FIBER_AGREES = COS_FIBER_OF_BASE | COSCHED_PINNED | COSCHED_FPENV | COS_TASK_TIMEOUT
};

/* In `joining`; never the key of a task. */
#define COS_JOINING_ANY    UINT64_MAX       /* it awaits several tasks */
#define COS_JOINING_INLINE (UINT64_MAX - 1) /* its parent runs it: see cos_join_stranger */
/* Of an armed task; below them 1 + executor of its wheel, or 0: it is in none. */
#define COS_JOINING_TOKEN \
    (UINT64_C(1) << 62) /* whoever has its token may still keep it from running, */
#define COS_JOINING_STOPPED (UINT64_C(1) << 61) /* and somebody has */

struct cos_fiber;
struct cos_exec;
struct cos_branch;

/* What an ending child tells: its group (sync/group.c). The call is the last access to it. */
struct cos_group {
    void (*child_done)(struct cos_group *g, int64_t result); /* const */
};

struct cos_task {
    COS_ATOMIC(uint64_t) join; /* {generation:32, who:32}; see the drawing */
    struct cos_wait wait;      /* the wait of the fiber whose base task this is */

    union {
        /* All relaxed. Atomic, because who comes late with a copy of a handle reads the result before it learns that it has
         * no right to it. */
        COS_ATOMIC(int64_t) result;  /* from its end; published by join */
        COS_ATOMIC(void *) arg;      /* until its start */
        COS_ATOMIC(uint64_t) ticket; /* hop: the wait it must claim */
    };

    union {
        cosched_fn fn;
        struct cos_fiber *traveler; /* hop: whose; only a hint: it may have gone elsewhere */
        struct cos_branch *branch;  /* branch: its record, on the stack of who offers it */
    };

    COS_ATOMIC(struct cos_fiber *)
    fiber; /* from its start; const while it lives. relaxed: who acts on it has the right to run the task */

    union {
        const char *name; /* borrowed: static storage */
        void *sp;         /* hop: where its stack is warm; as traveler */
    };

    struct cos_group *group; /* borrowed: outlives its children */
    COS_ATOMIC(uint64_t)
    joining; /* handle of the task this one awaits, 0 none; COS_JOINING_…; before the start: timeout_ns, or of an armed task
              * COS_JOINING_TOKEN and 1 + executor of the wheel */

    union {
        struct cos_inbox_node inbox; /* in an inbox, or */
        COS_ATOMIC(uint32_t)
        link; /* in the injector's overflow or a free list: at most one of them */
    };

    uint32_t index; /* const */

    union {
        struct {
            uint16_t flags;   /* COSCHED_PINNED … ; const from spawn */
            uint8_t affinity; /* where it starts; const from spawn */
            uint8_t kind;     /* enum cos_task_kind */
        };

        uint32_t what; /* all three, to be written and compared at once: cos_task_what */
    };

    union {
        uint32_t stack_kib;  /* before its start; 0: the runtime's default */
        uint32_t timer_exec; /* whose wheel holds the timer; owner only */
    };

    COS_ATOMIC(uint32_t)
    refs; /* of a scope block: who names it; of a task: cos_task_stamp, for look.c */
    COS_ATOMIC(uint32_t)
    parent;        /* index of the spawner whose kids list this is in, 0 none; owner writes */
    uint32_t kids; /* newest child, 0 none; owner only, like the links of the children in the list */
    uint32_t kid_older, kid_newer;

    struct cos_scope scope;

    union {
        struct cos_timer timer;         /* the deadline of its wait; a scope's deadline */
        char arg_copy[COSCHED_ARG_MAX]; /* before its start */
    };
};

/* What a child without attributes is; 0 is what no task is. */
static inline uint32_t cos_task_what(uint8_t affinity)
{
    struct cos_task plain = {.kind = COS_TASK_BODY, .affinity = affinity};
    return plain.what;
}

COS_STATIC_ASSERT(sizeof(struct cos_task) <= 208,
                  "DESIGN D1: a task that is queued and not started stays small");

/* Recycled blocks of one executor (or, under its lock, of the whole process). */
struct cos_task_cache {
    uint32_t head, count;
};

int cos_tasks_reserve(void);       /* once; -ENOMEM */
uint32_t cos_tasks_capacity(void); /* the largest tasks_max */
void cos_tasks_limit(uint32_t tasks_max);
uint64_t cos_tasks_in_use(void);

extern COS_HIDDEN struct cos_task *cos_task_blocks; /* const after cos_tasks_reserve */
/* Blocks that an executor keeps at hand; then half of them go to the depot. Const while a runtime lives. All executors together
 * keep a quarter of the limit at most: idle ones give nothing back, and what they keep is what a busy one cannot have. */
extern COS_HIDDEN uint32_t cos_tasks_cache_max;
extern COS_HIDDEN COS_ATOMIC(uint32_t)
    cos_tasks_used; /* the highest index ever handed out: release after its block is made (depot.c) */

/* Any index that was ever handed out. Const for the process. */
static inline struct cos_task *cos_task_at(uint32_t index)
{
    return &cos_task_blocks[index];
}

/* Of a scope that is a task's own, or a block. */
static inline struct cos_task *cos_task_of(struct cos_scope *scope)
{
    return COS_CONTAINER_OF(scope, struct cos_task, scope);
}

/* A block with a fresh life: join {generation, NONE}, wait over. NULL: tasks_max reached or no memory. cache NULL: threads
 * that are no executor. */
struct cos_task *cos_task_alloc(struct cos_task_cache *cache);

/* Owner of the cache. */
static inline void cos_task_cache_push(struct cos_task_cache *cache, struct cos_task *t)
{
    cos_atomic_store(&t->link, cache->head, relaxed); /* relaxed: the cache is this thread's */
    cache->head = t->index;
    cache->count++;
}

/* The same from what an executor has at hand; NULL: ask cos_task_alloc. */
static inline struct cos_task *cos_task_take(struct cos_task_cache *cache)
{
    if (COS_UNLIKELY(cache->head == 0)) {
        return NULL;
    }
    struct cos_task *t = cos_task_at(cache->head);
    cache->head = cos_atomic_load(&t->link, relaxed); /* relaxed: the cache is this thread's */
    cache->count--;
    return t;
}

/* The life is over: the generation moves on (handles are stale from here), the block may be reused. */
void cos_task_free(struct cos_task_cache *cache, struct cos_task *t);
/* The second half of free, for who moved the generation on. cosched_cancel takes the scope's lock, passes a heavy fence and then
 * looks at the generation; we pass a light fence and look at the lock: either we see it held and wait until it is let go, or
 * the canceler sees the new generation. So a cancel never reaches the next task of this block. */
static inline void cos_task_recycle(struct cos_task_cache *cache, struct cos_task *t);
void cos_task_recycle_slow(struct cos_task_cache *cache, struct cos_task *t);
void cos_task_cache_flush(struct cos_task_cache *cache);

static inline uint32_t cos_join_generation(uint64_t join)
{
    return (uint32_t)(join >> 32);
}

static inline uint32_t cos_join_who(uint64_t join)
{
    return (uint32_t)join;
}

static inline uint64_t cos_join(uint32_t generation, uint32_t who)
{
    return (uint64_t)generation << 32 | who;
}

/* A free block is at rest, so that the plainest of children, which touches none of this but fiber and joining, is made and ended with
 * few stores: nobody's fiber, no name, group, stack size or ticket, nothing joined. Neither kids nor linked scopes it has
 * anyway. */
static inline void cos_task_rest(struct cos_task *t)
{
    t->kind = COS_TASK_FREE;
    t->name = NULL;
    t->group = NULL;
    t->stack_kib = 0;
    /* relaxed, all: of a life that is over */
    cos_atomic_store(&t->fiber, NULL, relaxed);
    cos_atomic_store(&t->joining, 0, relaxed);
    cos_atomic_store(&t->scope.ticket, 0, relaxed);
}

static inline bool cos_task_rests(struct cos_task *t)
{
    return t->name == NULL && t->group == NULL && t->stack_kib == 0 && t->kids == 0 &&
           cos_atomic_load(&t->fiber, relaxed) == NULL &&
           cos_atomic_load(&t->joining, relaxed) == 0 && cos_list_empty(&t->scope.children) &&
           cos_list_empty(&t->scope.sibling);
}

/* Has the last canceler left it? Behind the fence of cos_task_recycle. */
static inline bool cos_task_is_left(const struct cos_task *t)
{
    /* acquire: pairs with the release in cos_lock_release; what a canceler that has just left read is read. */
    return cos_atomic_load(&t->scope.lock.word, acquire) == COS_LOCK_FREE;
}

static inline void cos_task_recycle(struct cos_task_cache *cache, struct cos_task *t)
{
    uint64_t join =
        cos_atomic_load(&t->join, relaxed); /* relaxed: nobody else changes it any more */
    cos_fence_light();
    if (COS_UNLIKELY(!cos_task_is_left(t) || cos_join_who(join) != COS_JOIN_NONE ||
                     cos_join_generation(join) == UINT32_MAX || cache == NULL ||
                     cache->count >= cos_tasks_cache_max)) {
        cos_task_recycle_slow(cache, t);
        return;
    }
    cos_task_rest(t);
    cos_task_cache_push(cache, t);
}

/* What says that the block is a task of this generation, fully made; a count of references is far below it. Any later life
 * has another generation. (The last few generations of a block look like counts: then it is not seen.) */
static inline uint32_t cos_task_stamp(uint32_t generation)
{
    return ~generation;
}

static inline struct cos_fiber *cos_task_fiber(const struct cos_task *t)
{
    return cos_atomic_load(&t->fiber, relaxed);
}

static inline cosched_task cos_task_handle(const struct cos_task *t)
{
    return (cosched_task){t->index, cos_join_generation(cos_atomic_load(&t->join, relaxed))};
}

/* The block a handle names, or NULL for an index that never was. The generation is the caller's to check. */
static inline struct cos_task *cos_task_lookup(cosched_task handle)
{
    /* acquire: pairs with the release in depot.c, make. */
    bool known = handle.index != 0 && handle.index <= cos_atomic_load(&cos_tasks_used, acquire);
    return COS_LIKELY(known) ? cos_task_at(handle.index) : NULL;
}
#endif
