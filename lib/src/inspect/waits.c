/* See waits.h. */
#include "inspect/waits.h"

#include "base/assert.h"
#include "sync/channel.h"

bool cos_waits_can_be_known(cosched_reason reason)
{
    switch (reason) {
    case COSCHED_FOR_TASK:
    case COSCHED_FOR_INLINE:
    case COSCHED_FOR_ANY_TASK:
    case COSCHED_FOR_CHILDREN:
    case COSCHED_FOR_GROUP:
    case COSCHED_FOR_MUTEX:
    case COSCHED_FOR_READ_LOCK:
    case COSCHED_FOR_WRITE_LOCK:
    case COSCHED_FOR_ONCE:
    case COSCHED_FOR_SEND:
    case COSCHED_FOR_RECV:
    case COSCHED_FOR_SELECT: return true;
    case COSCHED_FOR_NOTHING:
    case COSCHED_FOR_COND:
    case COSCHED_FOR_SEM:
    case COSCHED_FOR_BARRIER:
    case COSCHED_FOR_WAIT_GROUP:
    case COSCHED_FOR_EVENT:
    case COSCHED_FOR_TIME:
    case COSCHED_FOR_IO:
    case COSCHED_FOR_BLOCKING:
    case COSCHED_FOR_THREAD:
    case COSCHED_FOR_SOMETHING:
    case COSCHED_FOR_PROCESS: return false;
    }
    COS_UNREACHABLE();
}

static void add(struct cos_waits *w, uint32_t task, uint32_t generation, bool reach)
{
    w->print =
        (w->print ^ ((uint64_t)task << 32 | generation)) * UINT64_C(0x9E3779B97F4A7C15) + reach;
    if (w->count == COS_WAITS_MAX || task == 0) {
        w->known = false;
        return;
    }
    w->on[w->count].task = task;
    w->on[w->count].generation = generation;
    w->on[w->count].reach = reach;
    w->count++;
}

/* The living tasks that were on the other side before, but for the one that waits. Without any it is not known. */
static void add_channel(struct cos_waits *w, struct cos_peek *p, uint32_t self,
                        const cosched_chan *ch, bool sends)
{
    struct cos_chan_users users[2];
    bool any = false;
    if (!cos_peek(p, users, ch->users, sizeof users) || users[!sends].anybody != 0) {
        w->known = false;
        return;
    }
    for (int i = 0; i < COS_CHAN_USERS; i++) {
        uint32_t user = users[!sends].task[i];
        if (user != 0 && user != self && cos_sight_lives(user)) {
            add(w, user, 0, true);
            any = true;
        }
    }
    w->known = w->known && any;
}

static void add_cases(struct cos_waits *w, struct cos_peek *p, const cosched_task_info *info)
{
    const cosched_case *cases = (const cosched_case *)(uintptr_t)info->object;
    for (uint32_t i = 0; i < info->for_count && w->known; i++) {
        cosched_case one;
        if (!cos_peek(p, &one, &cases[i], sizeof one)) {
            w->known = false;
        } else if (one.ch != NULL) {
            add_channel(w, p, info->task.index, one.ch, one.send_from != NULL);
        }
    }
}

/* Handles are aligned to 4 bytes only. */
static bool read_handle(struct cos_peek *p, cosched_task *out, uintptr_t at)
{
    uint32_t words[4];
    uintptr_t aligned = at & ~(uintptr_t)7;
    size_t skip = (at - aligned) / sizeof words[0];
    if (!cos_peek(p, words, (const void *)aligned, skip == 0 ? 8 : 16)) {
        return false;
    }
    *out = (cosched_task){words[skip], words[skip + 1]};
    return true;
}

static void add_tasks(struct cos_waits *w, struct cos_peek *p, const cosched_task_info *info)
{
    for (uint32_t i = 0; i < info->for_count && w->known; i++) {
        cosched_task one;
        if (!read_handle(p, &one, (uintptr_t)info->object + i * sizeof one)) {
            w->known = false;
        } else if (one.index != 0) {
            add(w, one.index, one.generation, false);
        }
    }
}

void cos_waits_read(struct cos_waits *w, struct cos_peek *p, const struct cos_sight *s)
{
    const cosched_task_info *info = &s->info;
    const void *object = (const void *)(uintptr_t)info->object;
    w->known = cos_waits_can_be_known(info->reason);
    w->count = 0;
    w->print = info->object;
    if (info->reason == COSCHED_FOR_ANY_TASK) {
        add_tasks(w, p, info);
    } else if (info->reason == COSCHED_FOR_SELECT) {
        add_cases(w, p, info);
    } else if (info->reason == COSCHED_FOR_SEND || info->reason == COSCHED_FOR_RECV) {
        add_channel(w, p, info->task.index, object, info->reason == COSCHED_FOR_SEND);
    } else if (info->reason != COSCHED_FOR_GROUP && w->known) {
        add(w, info->for_task.index, info->for_task.generation, false);
    }
}
