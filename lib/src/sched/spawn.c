/* cosched_spawn, _detach, _cancel and cosched_runtime_post. */
#include "sched/spawn.h"

#include <errno.h>
#include <string.h>

#include "arch/fence.h"
#include "sched/current.h"
#include "sched/finish.h"
#include "sched/fork.h"
#include "sched/join.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/scopes.h"

static const cosched_attr default_attr = {.struct_size = sizeof(cosched_attr)};

static bool valid(const cosched_attr *a)
{
    bool blocking = a->affinity == COSCHED_BLOCKING;
    return (unsigned)a->affinity <= COSCHED_BLOCKING && a->arg_size <= COSCHED_ARG_MAX &&
           a->timeout_ns >= 0 &&
           (a->flags & ~(uint32_t)(COSCHED_PINNED | COSCHED_SKIP_IF_CANCELED | COSCHED_NO_HELP |
                                   COSCHED_FPENV | COSCHED_ONE_EXECUTOR)) == 0 &&
           (!blocking || (a->flags & (COSCHED_PINNED | COSCHED_ONE_EXECUTOR)) == COSCHED_PINNED) &&
           a->priority >= -1 && a->priority <= 1 && a->stack_size <= COS_STACK_BYTES_MAX / 2;
}

const cosched_attr *cos_attr_read(cosched_attr *copy, const cosched_attr *given)
{
    if (given == NULL) {
        return &default_attr;
    }
    if (given->struct_size == 0 || given->struct_size > sizeof *copy) {
        return NULL;
    }
    if (given->struct_size < sizeof *copy) {
        *copy = default_attr;
        memcpy(copy, given, given->struct_size);
        given = copy;
    }
    return valid(given) ? given : NULL;
}

/* A fresh block becomes a task with the default attributes. */
static inline void fill(struct cos_task *t, struct cos_scope *parent, uint8_t affinity,
                        cosched_fn fn, void *arg)
{
    t->kind = COS_TASK_BODY;
    t->affinity = affinity;
    t->flags = 0;
    t->stack_kib = 0;
    t->fn = fn;
    cos_atomic_store(&t->arg, arg, relaxed);
    t->name = NULL;
    t->group = NULL;
    t->kids = 0;
    cos_atomic_store(&t->parent, 0, relaxed);
    cos_atomic_store(&t->joining, 0, relaxed);
    cos_scope_init(&t->scope, parent, 0);
    cos_scope_retain(parent);
}

/* Made: what is const from here on may be read by who looks in. release: pairs with the acquire in cos_look_at. */
static inline void make_visible(struct cos_task *t, uint32_t generation)
{
    cos_atomic_store(&t->refs, cos_task_stamp(generation), release);
}

int cos_task_make(struct cos_task **out, struct cos_exec *e, struct cos_scope *parent,
                  uint8_t inherit, cosched_fn fn, void *arg, const cosched_attr *given)
{
    cosched_attr copy;
    const cosched_attr *a = cos_attr_read(&copy, given);
    if (a == NULL) {
        return -EINVAL;
    }
    struct cos_task *t = cos_task_alloc(e != NULL ? &e->tasks : NULL);
    if (t == NULL) {
        return -EAGAIN;
    }
    fill(t, parent, a->affinity == COSCHED_INHERIT ? inherit : (uint8_t)a->affinity, fn, arg);
    t->name = a->name;
    t->flags = (uint16_t)a->flags;
    t->stack_kib = (uint32_t)((a->stack_size + 1023) / 1024);
    if (a->name != NULL || t->stack_kib != 0) {
        t->flags |= COS_TASK_DRESSED;
    }
    if (a->timeout_ns > 0) {
        t->flags |= COS_TASK_TIMEOUT;
        cos_atomic_store(&t->joining, (uint64_t)a->timeout_ns, relaxed);
    }
    if (COS_UNLIKELY(a->priority != 0)) {
        t->flags |= a->priority > 0 ? COS_TASK_HIGH : COS_TASK_LOW;
    }
    if (a->arg_size > 0) {
        t->flags |= COS_TASK_ARG_COPY;
        memcpy(t->arg_copy, arg, a->arg_size);
    }
    make_visible(t, cos_join_generation(cos_atomic_load(&t->join, relaxed)));
    *out = t;
    return 0;
}

int cos_task_start(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t)
{
    if (t->affinity != COSCHED_BLOCKING) {
        cos_submit(e, t);
        return 0;
    }
    struct cos_scope *above = cos_atomic_load(&t->scope.parent, relaxed);
    int rc = cos_own_thread_start(rt, t);
    if (rc < 0) {
        cos_scope_release(e, above);
        cos_task_free(e != NULL ? &e->tasks : NULL, t);
    }
    return rc;
}

void cos_task_make_detached(struct cos_task *t)
{
    uint64_t j = cos_atomic_load(&t->join, relaxed);
    cos_atomic_store(&t->join, cos_join(cos_join_generation(j), COS_JOIN_DETACHED), relaxed);
}

static int spawn_detached(struct cos_exec *e, struct cos_task *t)
{
    cos_roots_add(e->rt);
    cos_task_make_detached(t);
    int rc = cos_task_start(e->rt, e, t);
    if (rc < 0) {
        cos_roots_remove(e->rt);
    } else {
        COS_COUNT(e, spawned);
    }
    return rc;
}

/* A child with the default attributes, in line where its parent runs: most spawns are nothing else. Nothing is called, and
 * whatever may be in the way is asked before the first change. False: not that simple. */
static inline __attribute__((always_inline)) bool spawn_here(struct cos_exec *e,
                                                             struct cos_fiber *f, cosched_task *out,
                                                             cosched_fn fn, void *arg)
{
    uint32_t what = f->child_what;
    struct cos_scope *scope =
        f->scope; /* the task's own: a block counts its children, and nothing is plain there */
    if (COS_UNLIKELY(what != e->child_what || !cos_deque_has_room_owner(&e->deque) ||
                     (cos_atomic_load(&scope->flags, relaxed) & COS_SCOPE_SWEEPS) != 0)) {
        return false;
    }
    struct cos_task *t = cos_task_take(&e->tasks);
    if (COS_UNLIKELY(t == NULL)) {
        return false;
    }
    COS_INVARIANT(cos_task_rests(t) && scope == &f->current->scope);
    t->what = what;
    t->fn = fn;
    /* relaxed, all: published by make_visible, and by its queue entry */
    cos_atomic_store(&t->arg, arg, relaxed);
    cos_atomic_store(&t->scope.flags, 0, relaxed);
    cos_atomic_store(&t->scope.parent, scope, relaxed);
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    uint32_t index = t->index;
    make_visible(t, generation);
    *out = (cosched_task){index, generation};
    cos_kids_link(cos_task_of(scope), t, index); /* before it can end */
    COS_COUNT(e, spawned);
    cos_deque_put_owner(&e->deque, index);
    return true;
}

static int spawn_with(struct cos_exec *e, struct cos_fiber *f, cosched_task *out, cosched_fn fn,
                      void *arg, const cosched_attr *attr)
{
    struct cos_task *t;
    struct cos_scope *parent = out != NULL ? f->scope : &e->rt->root;
    uint8_t inherit = f->affinity == COSCHED_BLOCKING ? COSCHED_WORKER : f->affinity;
    int rc = cos_task_make(&t, e, parent, inherit, fn, arg, attr);
    if (rc < 0) {
        return rc;
    }
    bool odd = f->traits != 0;
    if (COS_UNLIKELY(odd)) {
        cos_task_bind(f, t);
    }
    if (out == NULL) {
        return spawn_detached(e, t);
    }
    *out = cos_task_handle(t);
    cos_kids_add(f->current, t); /* before it can end */
    uint8_t affinity = t->affinity;
    rc = affinity == COSCHED_BLOCKING ? cos_own_thread_start(e->rt, t) : 0;
    if (rc < 0) {
        cos_kids_remove(f->current, t);
        cos_scope_release(e, parent);
        cos_task_free(&e->tasks, t);
        *out = (cosched_task){0, 0};
        return rc;
    }
    COS_COUNT(e, spawned);
    if (affinity == COSCHED_BLOCKING) {
        return 0;
    }
    if (COS_UNLIKELY(odd)) {
        cos_submit_tested(e, f, t);
    } else {
        cos_submit(e, t);
    }
    return 0;
}

static __attribute__((noinline)) int spawn_any(cosched_task *out, cosched_fn fn, void *arg,
                                               const cosched_attr *attr)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    return f != NULL ? spawn_with(e, f, out, fn, arg, attr) : -EPERM;
}

static __attribute__((noinline)) int notify(struct cos_exec *e)
{
    (void)cos_parker_notify(e->parker);
    return 0;
}

int cosched_spawn(cosched_task *out, cosched_fn fn, void *arg, const cosched_attr *attr)
{
    struct cos_exec *e = cos_exec_here();
    if (COS_UNLIKELY(attr != NULL) || COS_UNLIKELY(out == NULL) || COS_UNLIKELY(e == NULL) ||
        COS_UNLIKELY(e->running == NULL) || COS_UNLIKELY(!spawn_here(e, e->running, out, fn, arg))) {
        return spawn_any(out, fn, arg, attr);
    }
    cos_fence_light_free(); /* the push before the look at the sleepers: see cos_parker_pushed */
    return cos_parker_sleeps(e->parker) ? notify(e) : 0;
}

int cosched_runtime_post(cosched_runtime *rt, cosched_affinity to, cosched_fn fn, const void *arg,
                         size_t arg_size)
{
    return cos_post(rt, to, fn, arg, arg_size, NULL);
}

int cos_post(struct cosched_runtime *rt, cosched_affinity to, cosched_fn fn, const void *arg,
             size_t arg_size, struct cos_group *group)
{
    if (rt == NULL || fn == NULL || arg_size > COSCHED_ARG_MAX ||
        (to != COSCHED_MAIN && to != COSCHED_WORKER)) {
        return -EINVAL;
    }
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    cos_roots_add(
        rt); /* before the look at refuse_posts: stop either sees this root or we see its refusal */
    /* seq_cst: pairs with the seq_cst store in cosched_runtime_stop (roots then refuse here, refuse then roots there). */
    if (cos_atomic_load(&rt->refuse_posts, seq_cst) != 0) {
        cos_roots_remove(rt);
        return -ESHUTDOWN;
    }
    struct cos_exec *e = cos_exec_current();
    struct cos_task *t;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = to, .arg_size = arg_size};
    int rc = cos_task_make(&t, e, &rt->root, (uint8_t)to, fn, (void *)(uintptr_t)arg, &attr);
    if (rc < 0) {
        cos_roots_remove(rt);
        return rc;
    }
    cos_task_make_detached(t);
    t->group = group;
    cos_atomic_add(&rt->posted, 1, relaxed);
    cos_submit(e, t);
    return 0;
}

/* By the parent: off its list at once, and below the root scope. Until the join word says DETACHED nobody frees the block:
 * its end only makes it DONE. */
static void detach_kid(struct cos_exec *e, struct cos_task *self, struct cos_task *t,
                       uint32_t generation)
{
    uint64_t j = cos_join(generation, COS_JOIN_NONE);
    if (cos_atomic_load(&t->join, acquire) == j) {
        cos_roots_add(e->rt);
        cos_kids_remove(self, t);
        cos_scope_release(e, cos_scope_move(&t->scope, &self->scope, &e->rt->root));
        if (cos_atomic_cas(&t->join, &j, cos_join(generation, COS_JOIN_DETACHED), acq_rel, acquire)) {
            return;
        }
        cos_roots_remove(e->rt);
        cos_kids_add(self, t);
    }
    cos_join_consume(e, self, t,
                     generation); /* it has ended already; a waiting stranger keeps it instead */
}

/* By somebody the handle was given to: the parent unlists it later. */
static void detach_stranger(struct cos_exec *e, struct cos_task *t, uint32_t generation)
{
    uint64_t j = cos_join(generation, COS_JOIN_NONE);
    if (cos_atomic_load(&t->join, relaxed) == j && !cos_join_stranger(t)) {
        return; /* its parent awaits it */
    }
    cos_roots_add(e->rt);
    if (!cos_atomic_cas(&t->join, &j, cos_join(generation, COS_JOIN_DETACHED_LISTED), acq_rel,
                        acquire)) {
        cos_roots_remove(e->rt);
        if (j == cos_join(generation, COS_JOIN_DONE)) {
            cos_join_consume(e, cos_fiber_self(NULL)->current, t, generation);
        }
    }
}

void cosched_detach(cosched_task *task)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    struct cos_task *t = cos_task_lookup(*task);
    if (f == NULL || t == NULL) {
        return;
    }
    uint32_t generation = task->generation;
    *task = (cosched_task){0, 0};
    if (cos_join_generation(cos_atomic_load(&t->join, acquire)) != generation) {
        return;
    }
    if (cos_atomic_load(&t->parent, relaxed) == f->current->index) {
        detach_kid(e, f->current, t, generation);
    } else {
        detach_stranger(e, t, generation);
    }
}

void cosched_cancel(cosched_task task)
{
    struct cos_task *t = cos_task_lookup(task);
    if (t == NULL) {
        return;
    }
    struct cos_fiber *f = cos_fiber_current(NULL);
    cos_lock_acquire(&t->scope.lock);
    /* The lock before the look at the generation; the partner is the light fence in cos_task_recycle. The block cannot change
     * hands while we hold its lock and have seen its generation. Nobody but its parent gives it away meanwhile. */
    bool stranger = f == NULL || cos_atomic_load(&t->parent, relaxed) != f->current->index;
    bool parked_or_own = !stranger || cos_join_stranger(t);
    uint64_t j = cos_atomic_load(&t->join, acquire);
    if (cos_join_generation(j) == task.generation && cos_join_who(j) != COS_JOIN_DONE) {
        cos_scope_cancel_locked(&t->scope, 0);
        if (!parked_or_own) {
            /* Inline tasks above it on that stack need not be linked to it. release: pairs with cos_fiber_canceled. The fiber
             * lives as long as t cannot be recycled. */
            cos_atomic_store(&cos_task_fiber(t)->look_up, 1, release);
        }
    }
    cos_lock_release(&t->scope.lock);
}
