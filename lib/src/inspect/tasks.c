/* cosched_tasks_each and _chain: sights in batches, so that one fence serves many. */
#include "inspect/tasks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/peek.h"
#include "inspect/fold.h"
#include "inspect/stuck.h"
#include "inspect/symbols.h"
#include "sched/fork.h"
#include "sched/reason.h"
#include "sched/runtime.h"

#define BATCH     256
#define CHAIN_MAX 64
#define FLAGS     (COSCHED_TASKS_NO_FRAMES | COSCHED_TASKS_FOLD | COSCHED_TASKS_STUCK)

struct look {
    const cosched_tasks_options *options;
    int (*each)(void *data, const cosched_task_info *info);
    void *data;
    unsigned with;
    int64_t told;
    struct cos_stuck *stuck; /* owned; NULL: not asked for */
    struct cos_peek peek;
    struct cos_sight batch[BATCH];
    struct cos_fold fold;
};

int cos_tasks_may_look(const cosched_runtime *rt)
{
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    return rt != NULL && rt == cos_runtime() ? 0 : -EINVAL;
}

void *cos_tasks_room(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room != MAP_FAILED ? room : NULL;
}

void cos_tasks_room_end(void *room, size_t bytes)
{
    (void)munmap(room, bytes);
}

bool cos_tasks_look(struct cos_sight *s, struct cos_peek *p, uint32_t index, uint32_t generation,
                    unsigned with)
{
    for (int i = 0; i < 4; i++) {
        if (!cos_sight_take(s, p, index, with) ||
            (generation != 0 && s->info.task.generation != generation)) {
            return false;
        }
        cos_arch_peek_fence(); /* the partners are in cos_task_recycle: see sight.h */
        if (cos_sight_holds(s)) {
            return true;
        }
    }
    return cos_sight_moves(s);
}

void cos_tasks_trim(struct cos_sight *s)
{
    cosched_task_info *info = &s->info;
    uint32_t skip = 0;
    char name[sizeof "cosched_"];
    /* Only the library leaves a stack: the innermost is its, whatever that is called. */
    if (info->frame_count > 1) {
        cosched_symbol(name, sizeof name, info->frames[0]);
        skip = strcmp(name, "cosched_") != 0 ? 1 : 0;
    }
    while (skip < info->frame_count && cos_symbol_is_ours(info->frames[skip])) {
        skip++;
    }
    info->frames += skip;
    info->frame_count -= skip;
}

static int tell(struct look *l, const struct cos_sight *s)
{
    l->told++;
    return l->each(l->data, &s->info);
}

static int offer(struct look *l, struct cos_sight *s)
{
    const cosched_tasks_options *o = l->options;
    s->info.stuck = l->stuck != NULL ? cos_stuck_set_of(l->stuck, s->info.task) : 0;
    if (o->want != NULL && !o->want(l->data, &s->info)) {
        return 0;
    }
    cos_tasks_trim(s);
    if ((o->flags & COSCHED_TASKS_FOLD) != 0 && cos_fold_add(&l->fold, s)) {
        return 0;
    }
    return tell(l, s);
}

/* Those of the batch that are as they were seen; of the others what is sure. */
static int end_batch(struct look *l, uint32_t n)
{
    bool holds[BATCH];
    cos_arch_peek_fence(); /* the partners are in cos_task_recycle: see sight.h */
    for (uint32_t i = 0; i < n; i++) {
        holds[i] = cos_sight_holds(&l->batch[i]);
    }
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (holds[i] || cos_sight_moves(&l->batch[i])) {
            rc = offer(l, &l->batch[i]);
        }
    }
    return rc;
}

static int look_at_all(struct look *l)
{
    uint32_t used = cos_atomic_load(&cos_tasks_used, acquire); /* pairs with take_new */
    uint32_t n = 0;
    int rc = 0;
    for (uint32_t i = 1; i <= used && rc == 0; i++) {
        n += cos_sight_take(&l->batch[n], &l->peek, i, l->with) ? 1 : 0;
        if (n == BATCH) {
            rc = end_batch(l, n);
            n = 0;
        }
    }
    rc = rc == 0 ? end_batch(l, n) : rc;
    for (uint32_t k = 0; k < l->fold.used && rc == 0; k++) {
        rc = tell(l, &l->fold.kind[k]);
    }
    return rc;
}

int64_t cosched_tasks_each(cosched_runtime *rt, const cosched_tasks_options *options,
                           int (*each)(void *data, const cosched_task_info *info), void *data)
{
    static const cosched_tasks_options none = {.struct_size = sizeof none};
    options = options != NULL ? options : &none;
    int rc = cos_tasks_may_look(rt);
    if (rc == 0 && (each == NULL || options->struct_size != sizeof *options ||
                    (options->flags & ~(unsigned)FLAGS) != 0)) {
        rc = -EINVAL;
    }
    if (rc < 0) {
        return rc;
    }
    struct look *l = cos_tasks_room(sizeof *l);
    if (l == NULL) {
        return -ENOMEM;
    }
    l->options = options;
    l->each = each;
    l->data = data;
    l->with = (options->flags & COSCHED_TASKS_NO_FRAMES) != 0 ? 0 : COS_SIGHT_WITH_FRAMES;
    cos_symbols_forget();
    if ((options->flags & COSCHED_TASKS_STUCK) != 0) {
        l->stuck = cos_stuck_find();
        rc = l->stuck != NULL ? 0 : -ENOMEM;
    }
    rc = rc == 0 ? look_at_all(l) : rc;
    int64_t told = l->told;
    if (l->stuck != NULL) {
        cos_stuck_end(l->stuck);
    }
    cos_tasks_room_end(l, sizeof *l);
    return rc != 0 ? rc : told;
}

static int tell_stuck(struct look *l)
{
    uint32_t set, generation, index = 0;
    int rc = 0;
    while (rc == 0 && (index = cos_stuck_next(l->stuck, index, &set, &generation)) != 0) {
        struct cos_sight *s = &l->batch[0];
        if (cos_tasks_look(s, &l->peek, index, generation, COS_SIGHT_WITH_FRAMES)) {
            cos_tasks_trim(s);
            s->info.stuck = set;
            rc = tell(l, s);
        }
    }
    return rc;
}

int64_t cosched_tasks_stuck(cosched_runtime *rt,
                            int (*each)(void *data, const cosched_task_info *info), void *data)
{
    int rc = cos_tasks_may_look(rt);
    if (rc < 0 || each == NULL) {
        return rc < 0 ? rc : -EINVAL;
    }
    struct look *l = cos_tasks_room(sizeof *l);
    struct cos_stuck *stuck = l != NULL ? cos_stuck_find() : NULL;
    int64_t told = -ENOMEM;
    if (stuck != NULL) {
        l->stuck = stuck;
        l->each = each;
        l->data = data;
        cos_symbols_forget();
        rc = tell_stuck(l);
        told = rc != 0 ? rc : l->told;
        cos_stuck_end(stuck);
    }
    if (l != NULL) {
        cos_tasks_room_end(l, sizeof *l);
    }
    return told;
}

static bool was_told(const cosched_task *tasks, int n, cosched_task task)
{
    while (n > 0 && tasks[n - 1].index != task.index) {
        n--;
    }
    return n > 0;
}

int64_t cosched_tasks_chain(cosched_runtime *rt, cosched_task task,
                            int (*each)(void *data, const cosched_task_info *info), void *data)
{
    int rc = cos_tasks_may_look(rt);
    struct cos_peek peek = {.stack = {.lo = NULL}};
    cosched_task told[CHAIN_MAX];
    int n = 0;
    if (rc == 0 && each == NULL) {
        rc = -EINVAL;
    }
    struct cos_sight *s = rc == 0 ? cos_tasks_room(sizeof *s) : NULL;
    if (s == NULL) {
        return rc < 0 ? rc : -ENOMEM;
    }
    cos_symbols_forget();
    while (rc == 0 && n < CHAIN_MAX && cos_task_lookup(task) != NULL && !was_told(told, n, task) &&
           cos_tasks_look(s, &peek, task.index, task.generation, COS_SIGHT_WITH_FRAMES)) {
        cos_tasks_trim(s);
        told[n++] = s->info.task;
        task = s->info.for_task;
        rc = each(data, &s->info);
    }
    cos_tasks_room_end(s, sizeof *s);
    return rc != 0 ? rc : n > 0 ? n : -ESTALE;
}

const char *cosched_reason_name(cosched_reason reason)
{
    return cos_reason_name(reason);
}
