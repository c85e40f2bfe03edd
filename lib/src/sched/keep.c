/* cosched_defer, cosched_local_set and _get. By the task itself, on its fiber. */
#include "sched/keep.h"

#include <errno.h>

#include "base/alloc.h"
#include "sched/exec.h"
#include "sched/finish.h"

static struct cos_keep *newest_of(const struct cos_fiber *f, const struct cos_task *t)
{
    return f->keep != NULL && f->keep->task == t ? f->keep : NULL;
}

static struct cos_keep *older_of(const struct cos_keep *k)
{
    return k->older != NULL && k->older->task == k->task ? k->older : NULL;
}

static int add(struct cos_fiber *f, struct cos_kept entry)
{
    struct cos_keep *k = newest_of(f, f->current);
    if (k == NULL || k->used == COS_KEEP_ENTRIES) {
        k = cos_alloc(sizeof *k);
        if (k == NULL) {
            return -ENOMEM;
        }
        k->older = f->keep;
        k->task = f->current;
        f->keep = k;
    }
    k->entry[k->used++] = entry;
    return 0;
}

int cosched_defer(void (*fn)(void *arg), void *arg)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL || fn == NULL) {
        return f == NULL ? -EPERM : -EINVAL;
    }
    return add(f, (struct cos_kept){.fn = fn, .value = arg});
}

static struct cos_kept *find(const struct cos_fiber *f, const void *key)
{
    for (struct cos_keep *k = newest_of(f, f->current); k != NULL; k = older_of(k)) {
        for (uint32_t i = k->used; i > 0; i--) {
            if (k->entry[i - 1].fn == NULL && k->entry[i - 1].key == key) {
                return &k->entry[i - 1];
            }
        }
    }
    return NULL;
}

int cosched_local_set(const void *key, void *value)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL || key == NULL) {
        return f == NULL ? -EPERM : -EINVAL;
    }
    struct cos_kept *old = find(f, key);
    if (old != NULL) {
        old->value = value;
        return 0;
    }
    return value == NULL ? 0 : add(f, (struct cos_kept){.key = key, .value = value});
}

void *cosched_local_get(const void *key)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    const struct cos_kept *found = f != NULL && key != NULL ? find(f, key) : NULL;
    return found != NULL ? found->value : NULL;
}

/* The newest clean-up, taken out; fn NULL: none is left. Locals stay: clean-ups may ask for them. */
static struct cos_kept take_deferred(struct cos_fiber *f, const struct cos_task *t)
{
    for (struct cos_keep *k = newest_of(f, t); k != NULL; k = older_of(k)) {
        for (uint32_t i = k->used; i > 0; i--) {
            struct cos_kept entry = k->entry[i - 1];
            if (entry.fn != NULL) {
                k->entry[i - 1] = (struct cos_kept){.fn = NULL};
                return entry;
            }
            if (entry.key == NULL && i == k->used) {
                k->used--;
            }
        }
    }
    return (struct cos_kept){.fn = NULL};
}

static int64_t run_deferred(void *arg)
{
    const struct cos_kept *entry = arg;
    entry->fn(entry->value);
    return 0;
}

int64_t cos_keep_end(struct cos_fiber *f, struct cos_task *t, int64_t result)
{
    struct cos_kept entry;
    while ((entry = take_deferred(f, t)).fn != NULL) {
        int error;
        (void)cos_fiber_run(f, t, run_deferred, &entry, false, &error);
        if (error == -ENOMEM) { /* no second stack: on what is left of this one */
            (void)cos_fiber_run(f, t, run_deferred, &entry, true, &error);
        }
        if (error < 0) {
            result = error; /* a panic; the others have their turn all the same */
        }
        COS_ASSERT(f->scope == &t->scope && "a scope was left open by a deferred clean-up");
        cos_kids_close(f, t);
    }
    struct cos_keep *k;
    while ((k = newest_of(f, t)) != NULL) {
        f->keep = k->older;
        cos_free(k);
    }
    return result;
}
