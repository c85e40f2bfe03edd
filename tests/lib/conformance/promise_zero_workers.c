/* With 0 workers MAIN's thread runs everything, and nothing waits for a thread that is not there. (Every other test of this
 * folder runs with 0 workers, too.) */
#include <cosched/io.h>

#include <unistd.h>

#include "promise.h"

static pthread_t main_thread;

static void here(cosched_affinity named)
{
    EXPECT_EQ(cosched_where(), named);
    EXPECT(pthread_equal(run_thread(), main_thread));
}

static int64_t is_here(void *arg)
{
    here((cosched_affinity)(intptr_t)arg);
    cosched_yield();
    here((cosched_affinity)(intptr_t)arg);
    return run_return(arg);
}

PROMISE(every_task_and_call_runs_on_mains_thread)
{
    main_thread = run_thread();
    EXPECT_EQ(run_stats().workers, 0);
    for (intptr_t place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        int64_t result = 0;
        EXPECT_EQ(run_join(run_spawn(is_here, (void *)place, (cosched_affinity)place)), place);
        EXPECT_EQ(
            cosched_call(&result, (cosched_affinity)place, is_here, (void *)place, COSCHED_NEVER),
            0);
        EXPECT_EQ(result, place);
    }
    EXPECT_EQ(cosched_hop(COSCHED_WORKER), COSCHED_MAIN);
    here(COSCHED_WORKER);
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_WORKER);
    here(COSCHED_MAIN);
}

struct crossing {
    cosched_chan *ch;
    cosched_mutex m;
    cosched_sem s;
    int64_t sum;
};

static int64_t sends(void *arg)
{
    struct crossing *c = arg;
    for (int64_t i = 1; i <= 100; i++) {
        EXPECT_EQ(cosched_chan_send(c->ch, &i, COSCHED_NEVER), 0);
    }
    here(COSCHED_WORKER);
    cosched_chan_close(c->ch);
    return 0;
}

static int64_t sums(void *arg)
{
    struct crossing *c = arg;
    int64_t v;
    while (cosched_chan_recv(c->ch, &v, COSCHED_NEVER) == 0) {
        EXPECT_EQ(cosched_mutex_lock(&c->m, COSCHED_NEVER), 0);
        int64_t sum = c->sum;
        cosched_yield(); /* the others would lose this, without the lock */
        c->sum = sum + v;
        cosched_mutex_unlock(&c->m);
    }
    cosched_sem_release(&c->s, 1);
    here(cosched_where());
    return 0;
}

PROMISE(channels_locks_and_groups_work_between_both_names)
{
    main_thread = run_thread();
    for (size_t capacity = 0; capacity < 3; capacity++) {
        struct crossing c = {.sum = 0};
        cosched_group g;
        EXPECT_EQ(cosched_chan_create(&c.ch, sizeof(int64_t), capacity), 0);
        EXPECT_EQ(cosched_group_init(&g, NULL), 0);
        EXPECT_EQ(cosched_group_spawn(&g, sends, &c, run_at(COSCHED_WORKER)), 0);
        for (int i = 0; i < 4; i++) {
            EXPECT_EQ(cosched_group_spawn(&g, sums, &c, run_at(promise_place(i))), 0);
        }
        for (int i = 0; i < 4; i++) {
            EXPECT_EQ(cosched_sem_acquire(&c.s, COSCHED_NEVER), 0);
        }
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        EXPECT_EQ(c.sum, 5050);
        cosched_chan_unref(c.ch);
    }
}

static int64_t other_thread(void *arg)
{
    (void)arg;
    return !pthread_equal(run_thread(), main_thread);
}

static int64_t echoes(void *arg)
{
    char c = 0;
    EXPECT_EQ(cosched_poll(((int *)arg)[0], COSCHED_READABLE, COSCHED_NEVER), COSCHED_READABLE);
    EXPECT_EQ(read(((int *)arg)[0], &c, 1), 1);
    here(COSCHED_WORKER);
    return c;
}

PROMISE(timers_io_and_blocking_threads_work)
{
    int fds[2];
    int64_t result = 0, deadline = cosched_in_ms(1);
    main_thread = run_thread();
    EXPECT_EQ(pipe(fds), 0);
    cosched_task t = run_spawn(echoes, fds, COSCHED_WORKER);
    EXPECT_EQ(cosched_sleep_until(deadline), 0);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(run_join(t), 'x');
    EXPECT_EQ(cosched_blocking(&result, other_thread, NULL), 0);
    EXPECT_EQ(result, 1); /* these have threads in any case */
    EXPECT_EQ(run_join(run_spawn(other_thread, NULL, COSCHED_BLOCKING)), 1);
    close(fds[0]);
    close(fds[1]);
}

/* One round: 0 workers. */
PROMISE_MAIN("promise_zero_workers", ONCE(every_task_and_call_runs_on_mains_thread),
             ONCE(channels_locks_and_groups_work_between_both_names),
             ONCE(timers_io_and_blocking_threads_work))
