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

unsigned cos_timers_fire(struct cos_timers *ts, int64_t now)
{
    if (cos_timers_next(ts) > now) {
        return 0;
    }
    unsigned n = 0;
    struct cos_list due;
    struct cos_timer *timer;
    cos_list_init(&due);
    cos_lock_acquire(&ts->lock);
    cos_wheel_expire(&ts->wheel, now, &due);
    while ((timer = cos_wheel_pop_due(&ts->wheel, &due)) != NULL) {
        fire(COS_CONTAINER_OF(timer, struct cos_task, timer));
        n++;
    }
    publish(ts);
    cos_lock_release(&ts->lock);
    return n;
}
