/* Groups, channels, locks, tokens. */
#include "torture.h"

/* --- groups ---------------------------------------------------------------------------------------------------- */

static int64_t short_work(void *arg)
{
    (void)arg;
    cosched_yield();
    return 0;
}

static int64_t until_canceled(void *arg)
{
    (void)arg;
    cosched_sleep_until(COSCHED_NEVER);
    return -ECANCELED;
}

/* A failure that belongs to the scenario is none of the run's. */
static void note_unless(int64_t rc, int64_t expected)
{
    if (rc != expected) {
        NOTE(rc);
    }
}

static void fill(cosched_group *g, cosched_fn fn, int n)
{
    for (int i = 0; i < n; i++) {
        int rc = cosched_group_spawn(g, fn, NULL,
                                     torture_at(i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN));
        note_unless(rc, -ECANCELED);
    }
}

static int64_t collect_some(void *arg)
{
    (void)arg;
    cosched_group_attr a = {.struct_size = sizeof a, .policy = COSCHED_FAIL_FAST, .max_parallel = 2};
    cosched_group g;
    if (NOTE(cosched_group_init(&g, &a)) == 0) {
        fill(&g, short_work, 5);
        NOTE(cosched_group_join(&g, COSCHED_NEVER));
    }
    return 0;
}

static int64_t threads_in_line(void *arg)
{
    (void)arg;
    cosched_group_attr a = {.struct_size = sizeof a, .policy = COSCHED_FAIL_FAST, .max_parallel = 1};
    cosched_group g;
    if (NOTE(cosched_group_init(&g, &a)) == 0) {
        for (int i = 0; i < 3; i++) {
            note_unless(cosched_group_spawn(&g, short_work, NULL, torture_at(COSCHED_BLOCKING)),
                        -ECANCELED);
        }
        NOTE(cosched_group_join(&g, COSCHED_NEVER));
    }
    return 0;
}

static int64_t race_some(void *arg)
{
    (void)arg;
    cosched_group_attr a = {.struct_size = sizeof a, .policy = COSCHED_RACE};
    cosched_group g;
    if (NOTE(cosched_group_init(&g, &a)) == 0) {
        fill(&g, until_canceled, 2);
        note_unless(cosched_group_spawn(&g, short_work, NULL, NULL), -ECANCELED);
        cosched_group_cancel(&g); /* the quick one may not have been made */
        note_unless(cosched_group_join(&g, COSCHED_NEVER), -ECANCELED);
    }
    a = (cosched_group_attr){.struct_size = sizeof a, .policy = COSCHED_FIRST_N, .first_n = 1};
    if (NOTE(cosched_group_init(&g, &a)) == 0) {
        fill(&g, short_work, 3);
        NOTE(cosched_group_join(&g, COSCHED_NEVER));
    }
    return 0;
}

static int64_t gives_up_at_third(void *arg)
{
    (void)arg;
    static int n;
    return ++n % 3 == 0 ? 0 : -EPROTO;
}

static int64_t supervise_some(void *arg)
{
    (void)arg;
    cosched_group_attr a = {.struct_size = sizeof a,
                            .policy = COSCHED_SUPERVISE,
                            .restarts_max = 10,
                            .restart_window_ns = 1000000000,
                            .backoff_ns = 1000};
    cosched_group g;
    if (NOTE(cosched_group_init(&g, &a)) == 0) {
        note_unless(cosched_group_spawn(&g, gives_up_at_third, NULL, torture_at(COSCHED_MAIN)),
                    -ECANCELED);
        NOTE(cosched_group_join(&g, COSCHED_NEVER));
    }
    return 0;
}

static int64_t all_policies(void *arg)
{
    collect_some(arg);
    race_some(arg);
    supervise_some(arg);
    return 0;
}

static void groups(int workers)
{
    torture_run(workers, all_policies);
}

static void groups_of_threads(int workers)
{
    torture_run(workers, threads_in_line);
}

/* --- channels ---------------------------------------------------------------------------------------------------- */

static _Atomic bool gave_up; /* the receiver, on senders that may only be slow */

static int64_t send_three(void *arg)
{
    cosched_chan *ch = arg;
    for (int i = 0; i < 3; i++) {
        int rc = cosched_chan_send(ch, &i, COSCHED_NEVER);
        if (rc != -ECANCELED || !gave_up) {
            NOTE(rc);
        }
    }
    cosched_chan_close(ch);
    return 0;
}

/* Closed by whoever stands in for a sender that could not be made. */
static cosched_task sender_of(cosched_chan *ch)
{
    cosched_task t = torture_spawn(send_three, ch, COSCHED_WORKER);
    if (t.index == 0) {
        cosched_chan_close(ch);
    }
    return t;
}

static int64_t receive_all(void *arg)
{
    (void)arg;
    cosched_chan *a = NULL, *b = NULL;
    gave_up = false;
    NOTE(cosched_chan_create(&a, sizeof(int), 1));
    NOTE(cosched_chan_create(&b, sizeof(int), 0));
    if (a != NULL && b != NULL) {
        cosched_task t[2] = {sender_of(a), sender_of(b)};
        int value, open = 2;
        cosched_case cases[2] = {{.ch = a, .recv_into = &value}, {.ch = b, .recv_into = &value}};
        while (open > 0) {
            /* A sender that got no stack never sends: after a fault it is not waited for without end. */
            int i = cosched_select(cases, 2, cosched_in_ms(20));
            if (i >= 0 && cases[i].result == -EPIPE) {
                cases[i].ch = NULL;
                open--;
            } else if (i == -ETIMEDOUT && torture_fired()) {
                break;
            }
        }
        gave_up = open > 0;
        for (int i = 0; i < 2; i++) {
            cosched_cancel(t[i]);
            torture_join(&t[i]);
        }
    }
    cosched_chan_unref(a);
    cosched_chan_unref(b);
    return 0;
}

static void channels(int workers)
{
    torture_run(workers, receive_all);
}

/* --- locks --------------------------------------------------------------------------------------------------------- */

static struct {
    cosched_mutex mutex;
    cosched_sem sem;
    cosched_rwlock rwlock;
    cosched_once once;
} l;

static int64_t use_locks(void *arg)
{
    (void)arg;
    if (NOTE(cosched_mutex_lock(&l.mutex, COSCHED_NEVER)) == 0) {
        cosched_yield();
        cosched_mutex_unlock(&l.mutex);
    }
    if (NOTE(cosched_rwlock_write_lock(&l.rwlock, COSCHED_NEVER)) == 0) {
        cosched_yield();
        cosched_rwlock_write_unlock(&l.rwlock);
    }
    int64_t result = 0;
    int rc = cosched_once_run(&l.once, &result, torture_nothing, NULL, COSCHED_NEVER);
    NOTE(rc < 0 ? rc : result);
    cosched_sem_release(&l.sem, 1);
    return 0;
}

static int64_t contend(void *arg)
{
    memset(&l, 0, sizeof l);
    cosched_task t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = torture_spawn(use_locks, arg, i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 4; i++) {
        if (torture_join(&t[i]) == 0) {
            NOTE(cosched_sem_acquire(&l.sem, COSCHED_NEVER));
        }
    }
    return 0;
}

static void locks(int workers)
{
    torture_run(workers, contend);
}

/* --- tokens -------------------------------------------------------------------------------------------------------- */

static _Atomic int ticks[4];

static int64_t tick(void *arg)
{
    _Atomic int *n = *(_Atomic int **)arg;
    (*n)++;
    return 0;
}

static int64_t tick_direct(void *arg)
{
    (*(_Atomic int *)arg)++;
    return 0;
}

/* A run that gets no stack is lost: only without a fault must all have been. */
static void await_ticks(void)
{
    int64_t end = cosched_in_ms(torture_fired() ? 5 : 20000);
    while ((ticks[0] < 1 || ticks[1] < 1 || ticks[2] < 3 || ticks[3] < 1) && cosched_now() < end) {
        end = torture_fired() && end > cosched_in_ms(5) ? cosched_in_ms(5) : end;
        NOTE(cosched_sleep_until(cosched_in_ns(100000)));
    }
    if (!torture_fired() && (ticks[0] != 1 || ticks[1] != 1 || ticks[2] < 3 || ticks[3] != 1)) {
        NOTE(-EPROTO);
    }
}

static int64_t arm_some(void *arg)
{
    (void)arg;
    cosched_token t[4] = {{0, 0}};
    _Atomic int *of[3] = {&ticks[0], &ticks[1], &ticks[2]};
    ticks[0] = ticks[1] = ticks[2] = ticks[3] = 0;
    cosched_attr a = {.struct_size = sizeof a, .arg_size = sizeof of[0], .affinity = COSCHED_WORKER};
    NOTE(cosched_after(&t[0], 100000, tick, &of[0], &a));
    a.affinity = COSCHED_MAIN;
    NOTE(cosched_at(&t[1], 0, tick, &of[1], &a));
    NOTE(cosched_every(&t[2], 100000, COSCHED_BURST, tick, &of[2], &a));
    a.arg_size = 0;
    NOTE(cosched_after(&t[3], 100000, tick_direct, &ticks[3], &a));
    await_ticks();
    for (int i = 0; i < 4; i++) {
        cosched_token_cancel(&t[i]);
    }
    return 0;
}

static void tokens(int workers)
{
    torture_run(workers, arm_some);
}

const struct torture_scenario torture_sync[] = {
    {"groups", groups, 0},     {"groups_of_threads", groups_of_threads, 0},
    {"channels", channels, 0}, {"locks", locks, 0},
    {"tokens", tokens, 0},
};
const size_t torture_sync_count = sizeof torture_sync / sizeof torture_sync[0];
