/* See look.h. */
#include "sched/look.h"

#include "arch/fence.h"
#include "arch/peek.h"
#include "base/text.h"
#include "sched/fiber.h"

/* The wait goes on that the word speaks of, or none as before; so the fiber is the task's. */
static bool is_as_before(const struct cos_task *t, uint64_t word, uint32_t generation)
{
    /* acquire, both: what is read next is not older. A fiber goes to others after its task's join word says so. */
    uint64_t j = cos_atomic_load(&t->join, acquire);
    return cos_atomic_load(&t->wait.word, acquire) == word && cos_join_generation(j) == generation &&
           cos_join_who(j) != COS_JOIN_DONE && cos_join_who(j) != COS_JOIN_ZOMBIE;
}

/* Under the lock, of a task that lives. */
static void read_state(const struct cos_task *t, struct cos_look *out)
{
    /* acquire: pairs with cos_wait_begin and _commit; a record with this number is not older than it. */
    uint64_t word = cos_atomic_load(&t->wait.word, acquire);
    enum cos_wait_phase phase = cos_wait_word_phase(word);
    bool parks = phase == COS_WAIT_PARKING || phase == COS_WAIT_PARKED;
    out->inner = t->index;
    if (out->fiber == NULL) {
        out->state = COSCHED_UNSTARTED;
        out->reason = parks ? COSCHED_FOR_TIME : COSCHED_FOR_NOTHING;
        return;
    }
    struct cos_reason_seen seen;
    /* The record is that of the base's wait; a task on its awaiter's stack has none. */
    bool is_base = cos_arch_peek(&out->fiber->base) == (uintptr_t)t;
    bool known = is_base && cos_reason_read(&out->fiber->reason, &seen) &&
                 seen.wait_seq == cos_wait_word_seq(word);
    if (!is_as_before(t, word, out->task.generation)) {
        out->state = COSCHED_ACTIVE;
        return;
    }
    bool travels = known && phase == COS_WAIT_RUNNING && seen.reason == COSCHED_FOR_THREAD;
    if ((known && parks) || travels) {
        out->state = COSCHED_WAITING;
        out->reason = seen.reason;
        out->inner = seen.inner;
        out->object = seen.object;
        out->since_ns = seen.since_ns;
    } else if (phase == COS_WAIT_PARKED) {
        out->state = COSCHED_WAITING;
        out->reason = COSCHED_FOR_SOMETHING;
    } else {
        out->state = COSCHED_ACTIVE;
    }
}

/* Without the lock: most blocks are free. */
static bool may_live(struct cos_task *t)
{
    uint64_t j = cos_atomic_load(&t->join, relaxed);
    return cos_atomic_load(&t->refs, relaxed) == cos_task_stamp(cos_join_generation(j)) &&
           cos_join_who(j) != COS_JOIN_DONE;
}

bool cos_look_at(uint32_t index, struct cos_look *out)
{
    struct cos_task *t = cos_task_at(index);
    if (!may_live(t)) {
        return false;
    }
    bool lives = false;
    cos_lock_acquire(&t->scope.lock);
    cos_fence_heavy(); /* the lock before the look at the generation: as in cosched_cancel, see cos_task_recycle */
    uint64_t j = cos_atomic_load(&t->join, acquire);
    uint32_t generation = cos_join_generation(j);
    /* acquire: pairs with the release in cos_task_make; what is const from there on may be read. */
    if (cos_atomic_load(&t->refs, acquire) == cos_task_stamp(generation) &&
        cos_join_who(j) != COS_JOIN_DONE && cos_join_who(j) != COS_JOIN_ZOMBIE) {
        *out = (struct cos_look){
            .task = {index, generation},
            .name = t->name,
            .fn = t->fn,
            .fiber = cos_atomic_load(&t->fiber, relaxed),
            .affinity = t->affinity,
        };
        read_state(t, out);
        lives = true;
    }
    cos_lock_release(&t->scope.lock);
    return lives;
}

/* The wait of a stack is that of the innermost task on it; the others wait for each other. */
static void hand_in(struct cos_look *all, size_t n, struct cos_look *base)
{
    struct cos_look wait = *base;
    for (size_t i = 0; i < n; i++) {
        struct cos_look *look = &all[i];
        if (look->fiber != wait.fiber) {
            continue;
        }
        look->state = COSCHED_WAITING;
        look->inner = wait.inner;
        look->since_ns = wait.since_ns;
        if (look->task.index == wait.inner) {
            look->reason = wait.reason;
            look->object = wait.object;
        } else {
            look->reason = COSCHED_FOR_INLINE;
            look->object = (uint64_t)wait.inner << 32;
        }
    }
}

size_t cos_look_around(struct cos_look *out, size_t max)
{
    size_t n = 0, found = 0;
    uint32_t used = cos_atomic_load(&cos_tasks_used, acquire); /* pairs with take_new */
    for (uint32_t i = 1; i <= used; i++) {
        struct cos_look look;
        if (n == max) { /* those are only counted: a look costs microseconds */
            found += may_live(cos_task_at(i)) ? 1 : 0;
        } else if (cos_look_at(i, &look)) {
            found++;
            out[n++] = look;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (out[i].state == COSCHED_WAITING && out[i].inner != out[i].task.index &&
            out[i].reason != COSCHED_FOR_INLINE) {
            hand_in(out, n, &out[i]);
        }
    }
    return found;
}

static void add_object(struct cos_text *text, const struct cos_look *look)
{
    switch (look->reason) {
    case COSCHED_FOR_TASK:
    case COSCHED_FOR_INLINE:
    case COSCHED_FOR_CHILDREN:
        cos_text_add(text, " #");
        cos_text_number(text, look->object >> 32);
        break;
    case COSCHED_FOR_IO:
        if (look->object != UINT64_MAX) {
            cos_text_add(text, " on descriptor ");
            cos_text_number(text, look->object);
        }
        break;
    case COSCHED_FOR_PROCESS:
        cos_text_add(text, " ");
        cos_text_number(text, look->object);
        break;
    case COSCHED_FOR_BLOCKING:
        cos_text_add(text, " of ");
        cos_text_symbol(text, (const void *)(uintptr_t)look->object);
        break;
    case COSCHED_FOR_NOTHING:
    case COSCHED_FOR_TIME:
    case COSCHED_FOR_THREAD:
    case COSCHED_FOR_SOMETHING: break;
    case COSCHED_FOR_ANY_TASK:
    case COSCHED_FOR_GROUP:
    case COSCHED_FOR_MUTEX:
    case COSCHED_FOR_COND:
    case COSCHED_FOR_SEM:
    case COSCHED_FOR_READ_LOCK:
    case COSCHED_FOR_WRITE_LOCK:
    case COSCHED_FOR_BARRIER:
    case COSCHED_FOR_ONCE:
    case COSCHED_FOR_WAIT_GROUP:
    case COSCHED_FOR_SEND:
    case COSCHED_FOR_RECV:
    case COSCHED_FOR_SELECT:
    case COSCHED_FOR_EVENT:
        cos_text_add(text, " ");
        cos_text_hex(text, look->object);
        break;
    }
}

void cos_look_describe(struct cos_text *text, const struct cos_look *look, int64_t now)
{
    static const char *const places[] = {"?", "MAIN", "WORKER", "a thread of its own"};
    cos_text_add(text, "task ");
    cos_text_add(text, look->name != NULL ? look->name : "(unnamed)");
    cos_text_add(text, " #");
    cos_text_number(text, look->task.index);
    cos_text_add(text, " of ");
    cos_text_symbol(text, (const void *)(uintptr_t)look->fn);
    cos_text_add(text, ", on ");
    cos_text_add(text, places[look->affinity]);
    if (look->state == COSCHED_UNSTARTED) {
        cos_text_add(text, ": has not started");
    } else if (look->state == COSCHED_ACTIVE) {
        cos_text_add(text, ": runs, or is in line to");
    }
    if (look->reason != COSCHED_FOR_NOTHING) {
        cos_text_add(text, ": waits for ");
        cos_text_add(text, cos_reason_name(look->reason));
        add_object(text, look);
    }
    if (look->since_ns != 0) {
        cos_text_add(text, " since ");
        cos_text_duration(text, now - look->since_ns);
    }
}
