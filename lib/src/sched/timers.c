/* Arming, disarming and firing. The wheel itself knows nothing of tasks. */
#include "sched/timers.h"

#include "sched/park.h"
#include "sched/task.h"

void cos_timers_init(struct cos_timers *ts, int64_t now)
{
    ts->lock = (struct cos_lock){0};
    cos_atomic_store(&ts->next, INT64_MAX, relaxed);
    cos_atomic_store(&ts->armed, 0, relaxed);
    cos_wheel_init(&ts->wheel, now);
}

/* Under the lock; relaxed, both: hints for others, who take the lock before they act. */
static void publish(struct cos_timers *ts)
{
    cos_atomic_store(&ts->next, cos_wheel_next(&ts->wheel), relaxed);
    cos_atomic_store(&ts->armed, ts->wheel.armed, relaxed);
}

void cos_timers_arm(struct cos_timers *ts, struct cos_task *t, int64_t deadline_ns)
{
    cos_lock_acquire(&ts->lock);
    cos_wheel_arm(&ts->wheel, &t->timer, deadline_ns);
    publish(ts);
    cos_lock_release(&ts->lock);
}

bool cos_timers_arm_unlinked(struct cos_timers *ts, struct cos_task *t, int64_t deadline_ns)
{
    const struct cos_scope *root = cos_atomic_load(&t->scope.parent, relaxed);
    cos_lock_acquire(&ts->lock);
    cos_wheel_arm(&ts->wheel, &t->timer, deadline_ns);
    publish(ts);
    /* relaxed: under the lock. If cos_timers_cancel has had it before, the flag is there. */
    bool lives = (cos_atomic_load(&root->flags, relaxed) & COS_SCOPE_CANCELED) == 0;
    cos_lock_release(&ts->lock);
    return lives;
}

/* Under the lock. One that has started is below the same root: it is cancelled once more, or a little earlier. */
static void cancel_unstarted(struct cos_timer *timer)
{
    struct cos_task *t = COS_CONTAINER_OF(timer, struct cos_task, timer);
    if (t->kind == COS_TASK_BODY && (t->flags & COS_TASK_ARMED) != 0) {
        cos_scope_cancel(&t->scope, 0);
    }
}

void cos_timers_cancel(struct cos_timers *ts)
{
    cos_lock_acquire(&ts->lock);
    cos_wheel_each(&ts->wheel, cancel_unstarted);
    cos_lock_release(&ts->lock);
}

void cos_timers_disarm(struct cos_timers *ts, struct cos_task *t)
{
    cos_lock_acquire(&ts->lock);
    if (cos_wheel_disarm(&ts->wheel, &t->timer)) {
        publish(ts);
    }
    cos_lock_release(&ts->lock);
}

/* Under the lock: a task that resumes and disarms waits until this is over, so nothing here outlives its wait. */
static void fire(struct cos_task *t)
{
    if (t->kind == COS_TASK_SCOPE) {
        cos_scope_cancel(&t->scope, COS_SCOPE_EXPIRED);
        return;
    }
    uint32_t seq = cos_wait_word_seq(cos_atomic_load(&t->wait.word, relaxed));
    cos_wake((uint64_t)t->index << 32 | seq, COS_TIMED_OUT);
}

#define AT_ONCE 16

/* Each timer lies on a page of its own that leads to the next, so a long list is a chain of misses. While those at its head are
 * taken, some of them before they are fired, another walk comes from its end, so that two misses are under way. Under the lock. */
struct due {
    struct cos_list list;
    struct cos_list *back; /* as far as the other walk has come; NULL: the two have met */
};

static struct cos_task *task_of(struct cos_timer *timer)
{
    return COS_CONTAINER_OF(timer, struct cos_task, timer);
}

/* What a wake touches. */
static void fetch(struct cos_timer *timer)
{
    const char *block = (const char *)task_of(timer);
    for (size_t i = 0; i < offsetof(struct cos_task, timer); i += COS_CACHE_LINE) {
        __builtin_prefetch(block + i, 1);
    }
}

static void walk_back(struct due *due, const struct cos_timer *taken)
{
    if (due->back != NULL) {
        bool met = due->back == &taken->link || due->back->prev == &due->list;
        due->back = met ? NULL : due->back->prev;
    }
}

static unsigned take(struct cos_timers *ts, struct due *due, struct cos_task **out)
{
    unsigned n = 0;
    struct cos_timer *timer;
    while (n < AT_ONCE && (timer = cos_wheel_pop_due(&ts->wheel, &due->list)) != NULL) {
        fetch(timer);
        walk_back(due, timer);
        out[n++] = task_of(timer);
    }
    return n;
}

unsigned cos_timers_fire(struct cos_timers *ts, int64_t now)
{
    if (cos_timers_next(ts) > now) {
        return 0;
    }
    unsigned fired = 0, n;
    struct due due;
    struct cos_task *taken[AT_ONCE];
    cos_list_init(&due.list);
    cos_lock_acquire(&ts->lock);
    cos_wheel_expire(&ts->wheel, now, &due.list);
    due.back = cos_list_empty(&due.list) ? NULL : due.list.prev;
    while ((n = take(ts, &due, taken)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            fire(taken[i]);
        }
        fired += n;
    }
    publish(ts);
    cos_lock_release(&ts->lock);
    return fired;
}
