/* See sight.h. Any thread; nothing here waits. */
#include "inspect/sight.h"

#include <string.h>

#include "arch/peek.h"
#include "base/clock.h"
#include "inspect/backtrace.h"
#include "sched/fiber.h"
#include "sched/reason.h"
#include "sched/runtime.h"
#include "sync/holder.h"

#define CLIMB_MAX 64 /* scopes between a task and the root that are looked at */

static bool is_block(const struct cos_task *t)
{
    uintptr_t at = (uintptr_t)t - (uintptr_t)cos_task_blocks;
    return at % sizeof *t == 0 &&
           at / sizeof *t - 1 < cos_atomic_load(&cos_tasks_used, acquire); /* not 0: that is nobody */
}

/* The handle of the task that lives there now; {0, 0}: none. */
static cosched_task handle_of(uint32_t index)
{
    if (index == 0 || index > cos_atomic_load(&cos_tasks_used, acquire)) {
        return (cosched_task){0, 0};
    }
    struct cos_task *t = cos_task_at(index);
    uint64_t j = cos_atomic_load(&t->join, acquire);
    bool there = cos_atomic_load(&t->refs, relaxed) == cos_task_stamp(cos_join_generation(j)) &&
                 cos_join_who(j) != COS_JOIN_DONE && cos_join_who(j) != COS_JOIN_ZOMBIE;
    return there ? (cosched_task){index, cos_join_generation(j)} : (cosched_task){0, 0};
}

bool cos_sight_lives(uint32_t index)
{
    return handle_of(index).index != 0;
}

/* --- the block ------------------------------------------------------------------------------------------- */

/* A copy, and the stamp of its life before it was made. */
static bool read_block(struct cos_task *t, struct cos_task *copy, uint32_t *generation)
{
    uint64_t j = cos_atomic_load(&t->join, acquire);
    uint32_t who = cos_join_who(j);
    *generation = cos_join_generation(j);
    /* acquire: pairs with the release in cos_task_make; what it filled is there. */
    if (cos_atomic_load(&t->refs, acquire) != cos_task_stamp(*generation) || who == COS_JOIN_DONE ||
        who == COS_JOIN_ZOMBIE) {
        return false;
    }
    cos_arch_peek_words(copy, t, sizeof *copy);
    return true;
}

static bool lives(const cosched_task *task)
{
    uint64_t j = cos_atomic_load(&cos_task_at(task->index)->join, acquire);
    return cos_join_generation(j) == task->generation && cos_join_who(j) != COS_JOIN_DONE &&
           cos_join_who(j) != COS_JOIN_ZOMBIE;
}

/* --- above it: tasks, and scopes with a deadline ----------------------------------------------------------- */

static void add_above(struct cos_sight *s, const struct cos_task *t)
{
    if (s->info.above_count < COS_SIGHT_ABOVE) {
        uint64_t j = cos_atomic_load(&t->join, relaxed);
        s->above[s->info.above_count++] = (cosched_task){t->index, cos_join_generation(j)};
    }
}

static bool is_armed(const struct cos_task *block)
{
    struct cos_timer timer;
    cos_arch_peek_words(&timer, &block->timer, sizeof timer);
    return timer.armed;
}

/* One step up from a scope: in a control block, or a group's in a frame. `climb` says what to do with a block. NULL: the top. */
static struct cos_scope *above_of(struct cos_sight *s, struct cos_peek *p, struct cos_scope *scope,
                                  void (*climb)(struct cos_sight *, const struct cos_task *))
{
    struct cos_scope *up = NULL;
    struct cos_task *t = COS_CONTAINER_OF(scope, struct cos_task, scope);
    if (is_block(t)) {
        climb(s, t);
        return cos_atomic_load(&t->scope.parent, relaxed);
    }
    return cos_peek(p, &up, &scope->parent, sizeof up) ? up : NULL;
}

static void climb(struct cos_sight *s, struct cos_peek *p, struct cos_scope *from,
                  void (*visit)(struct cos_sight *, const struct cos_task *))
{
    const struct cosched_runtime *rt = cos_runtime();
    for (int i = 0; i < CLIMB_MAX && from != NULL && from != &rt->root; i++) {
        from = above_of(s, p, from, visit);
    }
}

static uint8_t kind_of(const struct cos_task *block)
{
    struct cos_task copy; /* of the word that has it */
    size_t at = offsetof(struct cos_task, kind) / 8 * 8;
    cos_arch_peek_words((char *)&copy + at, (const char *)block + at, 8);
    return copy.kind;
}

static void visit_task(struct cos_sight *s, const struct cos_task *t)
{
    if (kind_of(t) == COS_TASK_BODY) {
        add_above(s, t);
    }
}

static void visit_scope(struct cos_sight *s, const struct cos_task *t)
{
    s->limited = s->limited || (kind_of(t) == COS_TASK_SCOPE && is_armed(t));
}

/* --- what it waits for ------------------------------------------------------------------------------------- */

static uint32_t holder(struct cos_peek *p, cosched_reason reason, uint64_t object)
{
    union {
        cosched_mutex mutex;
        cosched_rwlock rwlock;
        cosched_once once;
    } copy;

    const void *at = (const void *)(uintptr_t)object;
    if (reason == COSCHED_FOR_MUTEX) {
        return cos_peek(p, &copy, at, sizeof copy.mutex) ? cos_mutex_holder(&copy) : 0;
    }
    if (reason == COSCHED_FOR_READ_LOCK || reason == COSCHED_FOR_WRITE_LOCK) {
        return cos_peek(p, &copy, at, sizeof copy.rwlock) ? cos_rwlock_holder(&copy) : 0;
    }
    if (reason == COSCHED_FOR_ONCE) {
        return cos_peek(p, &copy, at, sizeof copy.once) ? cos_once_holder(&copy) : 0;
    }
    return 0;
}

static void find_for_task(struct cos_sight *s, struct cos_peek *p)
{
    cosched_task_info *info = &s->info;
    if (info->reason == COSCHED_FOR_TASK || info->reason == COSCHED_FOR_CHILDREN) {
        info->for_task = (cosched_task){(uint32_t)(info->object >> 32), (uint32_t)info->object};
    } else if (s->still) {
        info->for_task = handle_of(holder(p, info->reason, info->object));
    }
}

/* --- on its stack ------------------------------------------------------------------------------------------ */

/* Where a task stands among those on a stack. */
struct place {
    const void *inner; /* the frame of the body that it awaits inline; NULL: it is the innermost */
    const void *own;   /* of its own body; NULL: not found */
    cosched_task awaits;
};

/* Its calls, and its place: along the frames that the calls left on the stack, innermost first. */
static struct place find_calls(struct cos_sight *s, struct cos_peek *p, const struct cos_fiber *f)
{
    struct place place = {NULL, NULL, {0, 0}};
    cosched_task_info *info = &s->info;
    struct cos_frame frame;
    const struct cos_frame *at = f->frames;
    for (int i = 0; i < 256 && at != NULL && cos_peek(p, &frame, at, sizeof frame); i++) {
        cosched_task body = {0, 0};
        if (!cos_frame_is_call(&frame)) {
            body = is_block(frame.task) ? handle_of((uint32_t)(frame.task - cos_task_blocks)) : body;
        }
        if (info->call_count < COS_SIGHT_CALLS) {
            s->calls[info->call_count++] = (cosched_task_call){frame.fn, body};
        }
        if (body.index == info->task.index) {
            s->calls[info->call_count - 1] = (cosched_task_call){frame.fn, body};
            place.own = at;
            return place;
        }
        if (!cos_frame_is_call(&frame)) { /* all so far was another's */
            info->call_count = 0;
            place.inner = at;
            place.awaits = body;
        }
        at = frame.outer;
    }
    info->call_count = 0;
    return place;
}

/* From `from` to the end of what the task uses there, if that is on this stack; else 0. */
static size_t bytes_here(struct cos_peek *p, const char *from, const char *end)
{
    if (!cos_peek_find(p, from)) {
        return 0; /* AddressSanitizer keeps some objects elsewhere */
    }
    return end > from && end < p->stack.hi ? (size_t)(end - from) : 0;
}

/* From where the task stands down to where its body began, over the further stacks of deep calls. */
static size_t bytes_used(struct cos_peek *p, const struct cos_fiber *f, const struct place *place,
                         const struct cos_fiber *header)
{
    struct cos_segment segment = {.outer = f->segment};
    const char *from = place->inner != NULL ? place->inner : f->ctx.sp;
    size_t bytes = 0;
    for (int i = 0; i < CLIMB_MAX; i++) {
        size_t last = bytes_here(p, from, place->own);
        last = last != 0 ? last : bytes_here(p, from, (const char *)header);
        const struct cos_segment *at = segment.outer;
        if (last != 0 || at == NULL || !cos_peek(p, &segment, at, sizeof segment)) {
            return last != 0 ? bytes + last : 0;
        }
        size_t whole = bytes_here(p, from, segment.sp);
        bytes += whole;
        from = whole != 0 ? (const char *)at : from;
    }
    return 0;
}

static bool read_fiber(struct cos_peek *p, struct cos_fiber *f, const struct cos_fiber *at)
{
    return at != NULL && cos_peek_stack(p, f, at, offsetof(struct cos_fiber, arg));
}

/* It waits on a stack that nobody runs on. */
static void look_at_stack(struct cos_sight *s, struct cos_peek *p, const struct cos_fiber *f,
                          const struct cos_fiber *header, unsigned with)
{
    cosched_task_info *info = &s->info;
    info->stack_size = (size_t)(f->stack.hi - f->stack.lo);
    struct place place = find_calls(s, p, f);
    if (place.inner != NULL) {
        info->reason = COSCHED_FOR_INLINE;
        info->for_task = place.awaits;
        info->object = (uint64_t)place.awaits.index << 32 | place.awaits.generation;
        info->for_count = 0;
        info->deadline_ns = COSCHED_NEVER;
    }
    info->stack_used = bytes_used(p, f, &place, header);
    if ((with & COS_SIGHT_WITH_FRAMES) != 0) {
        info->frame_count =
            cos_backtrace(p, &f->ctx, place.inner, place.own, s->frames, COS_SIGHT_FRAMES);
    }
    if ((with & COS_SIGHT_WITH_LIMIT) != 0 && info->reason != COSCHED_FOR_INLINE) {
        s->limited = info->deadline_ns != COSCHED_NEVER;
        climb(s, p, f->scope, visit_scope);
    }
}

/* --- its wait ---------------------------------------------------------------------------------------------- */

/* The task whose wait counts: its own, or that of the base of the stack on which it was awaited inline. NULL: it has moved on. */
static struct cos_task *find_base(struct cos_task *t, const struct cos_task *copy,
                                  const struct cos_fiber *f)
{
    bool is_inline = cos_atomic_load(&copy->joining, relaxed) == COS_JOINING_INLINE;
    struct cos_task *base = is_inline ? f->base : t;
    return is_block(base) && (base == t || cos_task_fiber(base) == cos_task_fiber(copy)) ? base
                                                                                         : NULL;
}

static int64_t deadline_of(const struct cos_task *base)
{
    struct cos_timer timer;
    cos_arch_peek_words(&timer, &base->timer, sizeof timer);
    return timer.armed ? timer.deadline_ns : COSCHED_NEVER;
}

static void look_at_wait(struct cos_sight *s, struct cos_peek *p, struct cos_task *t,
                         const struct cos_task *copy, unsigned with)
{
    cosched_task_info *info = &s->info;
    const struct cos_fiber *at = cos_task_fiber(copy);
    struct cos_fiber f;
    if (at == NULL) {
        info->state = COSCHED_UNSTARTED;
        s->word = cos_atomic_load(&t->wait.word, acquire); /* pairs with cos_wait_commit */
        if (cos_wait_word_phase(s->word) == COS_WAIT_PARKED) {
            s->base = t;
            info->reason = COSCHED_FOR_TIME;
            info->deadline_ns = deadline_of(t);
        }
        return;
    }
    struct cos_task *base = read_fiber(p, &f, at) ? find_base(t, copy, &f) : NULL;
    if (base == NULL) {
        return;
    }
    s->base = base;
    s->word = cos_atomic_load(&base->wait.word, acquire); /* pairs with cos_wait_begin and _commit */
    enum cos_wait_phase phase = cos_wait_word_phase(s->word);
    struct cos_reason_seen seen;
    bool known = cos_reason_read(&at->reason, &seen) && seen.wait_seq == cos_wait_word_seq(s->word);
    bool travels = known && phase == COS_WAIT_RUNNING && seen.reason == COSCHED_FOR_THREAD;
    s->still = phase == COS_WAIT_PARKED;
    if (!s->still && !travels && !(known && phase == COS_WAIT_PARKING)) {
        s->base = NULL;
        return;
    }
    info->state = COSCHED_WAITING;
    info->reason = known ? seen.reason : COSCHED_FOR_SOMETHING;
    info->object = known ? seen.object : 0;
    info->for_count = known ? seen.count : 0;
    info->since_ns = known ? seen.since_ns : 0;
    info->deadline_ns = s->still ? deadline_of(base) : COSCHED_NEVER;
    /* again, for the word says now that it is still */
    if (s->still && read_fiber(p, &f, at) && f.base == base) {
        look_at_stack(s, p, &f, at, with);
    } else if (known && seen.inner != info->task.index) {
        info->reason = COSCHED_FOR_INLINE;
        info->for_task = handle_of(seen.inner);
        info->object = (uint64_t)info->for_task.index << 32 | info->for_task.generation;
    }
    if (info->reason != COSCHED_FOR_INLINE) {
        find_for_task(s, p);
    }
}

/* --- all of it --------------------------------------------------------------------------------------------- */

bool cos_sight_take(struct cos_sight *s, struct cos_peek *p, uint32_t index, unsigned with)
{
    struct cos_task *t = cos_task_at(index);
    struct cos_task copy;
    uint32_t generation;
    if (!read_block(t, &copy, &generation)) {
        return false;
    }
    s->info = (cosched_task_info){
        .struct_size = sizeof s->info,
        .task = {index, generation},
        .name = copy.name,
        .fn = copy.fn,
        .affinity = (cosched_affinity)copy.affinity,
        .state = COSCHED_ACTIVE,
        .deadline_ns = COSCHED_NEVER,
        .canceled = (cos_atomic_load(&copy.scope.flags, relaxed) & COS_SCOPE_CANCELED) != 0,
        .above = s->above,
        .calls = s->calls,
        .frames = s->frames,
        .count = 1,
    };
    s->base = NULL;
    s->word = 0;
    s->still = s->limited = false;
    s->group = copy.group;
    climb(s, p, cos_atomic_load(&copy.scope.parent, relaxed), visit_task);
    look_at_wait(s, p, t, &copy, with);
    s->info.since_last_ns = s->info.since_ns;
    return true;
}

bool cos_sight_holds(const struct cos_sight *s)
{
    /* acquire: what is read next time is not older than what these say. */
    return lives(&s->info.task) &&
           (s->base == NULL || cos_atomic_load(&s->base->wait.word, acquire) == s->word);
}

bool cos_sight_moves(struct cos_sight *s)
{
    cosched_task_info *info = &s->info;
    s->base = NULL;
    s->still = false;
    *info = (cosched_task_info){
        .struct_size = sizeof *info,
        .task = info->task,
        .name = info->name,
        .fn = info->fn,
        .affinity = info->affinity,
        .state = COSCHED_ACTIVE,
        .deadline_ns = COSCHED_NEVER,
        .canceled = info->canceled,
        .above = s->above,
        .above_count = info->above_count,
        .calls = s->calls,
        .frames = s->frames,
        .count = 1,
    };
    return lives(&info->task);
}
