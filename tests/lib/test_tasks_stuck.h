/* What the tests of cosched_tasks_stuck share: what it is asked, and tasks that hold on to things. */
#ifndef TEST_TASKS_STUCK_H
#define TEST_TASKS_STUCK_H
#include "test_tasks.h"

static cosched_mutex a, b;
static cosched_chan *ch, *other;
static cosched_event hold; /* who keeps something lets go of it then */

static inline void fresh(void)
{
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    cosched_event_init(&hold);
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int), 8), 0);
    EXPECT_EQ(cosched_chan_create(&other, sizeof(int), 8), 0);
}

static inline void done(void)
{
    cosched_chan_unref(ch);
    cosched_chan_unref(other);
}

static inline int64_t see_stuck(void)
{
    all_seen.count = 0;
    int64_t n = cosched_tasks_stuck(cosched_runtime_self(), see, &all_seen);
    EXPECT_EQ(n, all_seen.count);
    for (int i = 0; i < all_seen.count; i++) {
        const cosched_task_info *info = &all_seen.task[i].info;
        EXPECT(info->stuck > 0 && info->state == COSCHED_WAITING);
        EXPECT(info->call_count > 0);
    }
    return n;
}

/* They come there by themselves, and stay. */
static inline void until_stuck(int64_t n)
{
    UNTIL(see_stuck() == n);
    EXPECT_EQ(see_stuck(), n);
}

static inline int64_t put(cosched_chan *to)
{
    int value = 1;
    return cosched_chan_send(to, &value, COSCHED_NEVER);
}

static inline int64_t takes_all(void *arg)
{
    int value;
    while (cosched_chan_recv(arg, &value, COSCHED_NEVER) == 0) {
    }
    return 0;
}

static inline int64_t awaits(void *arg)
{
    cosched_task *t = arg;
    return cosched_await(t, NULL, COSCHED_NEVER);
}

static inline int64_t sends_and_awaits(void *arg)
{
    (void)arg;
    cosched_task t = start_named("receiver", takes_all, ch, COSCHED_WORKER);
    EXPECT_EQ(put(ch), 0);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static inline int64_t locks_a(void *arg)
{
    (void)arg;
    int rc = cosched_mutex_lock(&a, COSCHED_NEVER);
    if (rc == 0) {
        cosched_mutex_unlock(&a);
    }
    return rc;
}

#endif
