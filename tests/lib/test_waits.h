/* One task for each way of waiting, and what it waits in: for tests that look at waiting tasks from outside. */
#ifndef TEST_WAITS_H
#define TEST_WAITS_H
#include <cosched/io.h>

#include <unistd.h>

#include "run.h"

static cosched_mutex mutex, cond_mutex;
static cosched_cond cond;
static cosched_sem sem;
static cosched_rwlock read_lock, write_lock;
static cosched_barrier barrier;
static cosched_once once;
static cosched_wait_group wait_group;
static cosched_chan *full, *empty;
static cosched_event event;
static int ends[2];
static _Atomic(int) blocked, release_blocked;
static _Atomic(uint64_t) any_tasks, cases, group;

static inline int64_t sleeps(void *arg)
{
    (void)arg;
    return cosched_sleep_until(cosched_in_ms(1000000));
}

static inline int64_t waits_for_any(void *arg)
{
    (void)arg;
    cosched_task t[2] = {run_spawn(sleeps, NULL, COSCHED_WORKER), {0, 0}};
    atomic_store(&any_tasks, (uintptr_t)t);
    return cosched_await_any(t, 2, NULL, COSCHED_NEVER);
}

static inline int64_t locks(void *arg)
{
    (void)arg;
    return cosched_mutex_lock(&mutex, COSCHED_NEVER);
}

static inline int64_t waits_cond(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&cond_mutex, COSCHED_NEVER), 0);
    int rc = cosched_cond_wait(&cond, &cond_mutex, COSCHED_NEVER);
    cosched_mutex_unlock(&cond_mutex);
    return rc;
}

static inline int64_t acquires(void *arg)
{
    (void)arg;
    return cosched_sem_acquire(&sem, COSCHED_NEVER);
}

static inline int64_t reads(void *arg)
{
    (void)arg;
    return cosched_rwlock_read_lock(&read_lock, COSCHED_NEVER);
}

static inline int64_t writes(void *arg)
{
    (void)arg;
    return cosched_rwlock_write_lock(&write_lock, COSCHED_NEVER);
}

static inline int64_t meets(void *arg)
{
    (void)arg;
    return cosched_barrier_wait(&barrier, COSCHED_NEVER);
}

static inline int64_t waits_once(void *arg)
{
    (void)arg;
    return cosched_once_run(&once, NULL, sleeps, NULL, COSCHED_NEVER);
}

static inline int64_t waits_group(void *arg)
{
    (void)arg;
    return cosched_wait_group_wait(&wait_group, COSCHED_NEVER);
}

static inline int64_t sends(void *arg)
{
    (void)arg;
    int64_t value = 1;
    return cosched_chan_send(full, &value, COSCHED_NEVER);
}

static inline int64_t receives(void *arg)
{
    (void)arg;
    int64_t value;
    return cosched_chan_recv(empty, &value, COSCHED_NEVER);
}

static inline int64_t waits_event(void *arg)
{
    (void)arg;
    return cosched_event_wait(&event, COSCHED_NEVER);
}

static inline int64_t polls(void *arg)
{
    (void)arg;
    return cosched_poll(ends[0], COSCHED_READABLE, COSCHED_NEVER);
}

static inline int64_t stuck_call(void *arg)
{
    (void)arg;
    atomic_store(&blocked, 1);
    UNTIL_SPIN(atomic_load(&release_blocked));
    return 0;
}

static inline int64_t blocks(void *arg)
{
    (void)arg;
    return cosched_blocking(NULL, stuck_call, NULL);
}

static inline int64_t spins(void *arg)
{
    (void)arg;
    UNTIL(atomic_load(&release_blocked));
    return 0;
}

/* Nobody holds anything, and the descriptors are there. */
static inline void waits_fresh(void)
{
    memset(&mutex, 0, sizeof mutex);
    memset(&cond_mutex, 0, sizeof cond_mutex);
    memset(&cond, 0, sizeof cond);
    memset(&sem, 0, sizeof sem);
    memset(&read_lock, 0, sizeof read_lock);
    memset(&write_lock, 0, sizeof write_lock);
    memset(&once, 0, sizeof once);
    memset(&wait_group, 0, sizeof wait_group);
    cosched_event_init(&event);
    atomic_store(&blocked, 0);
    atomic_store(&release_blocked, 0);
    EXPECT_EQ(pipe(ends), 0);
}

/* In a task: from here on each of them waits, but for the first that runs the once. */
static inline void waits_begin(void)
{
    int64_t value = 0;
    EXPECT(cosched_mutex_try(&mutex));
    EXPECT(cosched_rwlock_write_try(&read_lock) && cosched_rwlock_read_try(&write_lock));
    EXPECT_EQ(cosched_barrier_init(&barrier, 2), 0);
    cosched_wait_group_add(&wait_group, 1);
    EXPECT_EQ(cosched_chan_create(&full, sizeof value, 1), 0);
    EXPECT_EQ(cosched_chan_create(&empty, sizeof value, 1), 0);
    EXPECT_EQ(cosched_chan_send(full, &value, COSCHED_NOW), 0);
}

static inline void waits_end(void)
{
    cosched_chan_unref(full);
    cosched_chan_unref(empty);
    close(ends[0]);
    close(ends[1]);
}

#endif
