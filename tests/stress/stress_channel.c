/* Channels between tasks on all executors and foreign threads, with deadlines, cancellations and a close in the middle: every
 * value that was sent is received exactly once, by somebody or from the ring at the end. */
#include "stress_run.h"

#define VALUES_MAX 200000

static uint64_t seed;
static cosched_chan *ch;
static atomic_int next_value, sent, received;
static atomic_uchar state[VALUES_MAX]; /* 1: sent, 2: received */

static void note_received(int64_t v)
{
    EXPECT(v >= 0 && v < VALUES_MAX);
    EXPECT_EQ(atomic_fetch_or(&state[v], 2) & 2, 0);
    atomic_fetch_add(&received, 1);
}

static int64_t some_deadline(uint64_t *rng)
{
    uint32_t kind = cos_rng_below(rng, 4);
    return kind == 0   ? COSCHED_NOW
           : kind == 1 ? cosched_in_ns(cos_rng_below(rng, 1000000))
                       : COSCHED_NEVER;
}

static int64_t sender(void *arg)
{
    uint64_t rng = stress_rng(seed, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < 200; i++) {
        int64_t v = atomic_fetch_add(&next_value, 1);
        if (v >= VALUES_MAX) {
            break;
        }
        int rc = cosched_chan_send(ch, &v, some_deadline(&rng));
        if (rc == 0) {
            atomic_fetch_or(&state[v], 1);
            atomic_fetch_add(&sent, 1);
        } else if (rc != -ETIMEDOUT) {
            EXPECT(rc == -EPIPE || rc == -ECANCELED);
            break;
        }
        if (cos_rng_below(&rng, 32) == 0) {
            cosched_hop(stress_place(&rng));
        }
    }
    return 0;
}

static int64_t receiver(void *arg)
{
    uint64_t rng = stress_rng(seed, (uint64_t)(uintptr_t)arg);
    for (;;) {
        int64_t v = -1;
        int rc = cosched_chan_recv(ch, &v, some_deadline(&rng));
        if (rc == 0) {
            note_received(v);
        } else if (rc != -ETIMEDOUT) {
            EXPECT(rc == -EPIPE || rc == -ECANCELED);
            return 0;
        } else {
            cosched_yield();
        }
        if (cos_rng_below(&rng, 32) == 0) {
            cosched_hop(stress_place(&rng));
        }
    }
}

static void *foreign_sender(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int64_t v = atomic_fetch_add(&next_value, 1);
        if (v >= VALUES_MAX) {
            break;
        }
        int rc;
        while ((rc = cosched_chan_send(ch, &v, COSCHED_NOW)) == -ETIMEDOUT) {
            sched_yield();
        }
        if (rc < 0) {
            EXPECT_EQ(rc, -EPIPE);
            break;
        }
        atomic_fetch_or(&state[v], 1);
        atomic_fetch_add(&sent, 1);
    }
    return NULL;
}

static int64_t join_thread(void *arg)
{
    return pthread_join(*(pthread_t *)arg, NULL);
}

enum { ENDS = 16 };

static void one_round(uint64_t *rng, uint64_t round)
{
    static const size_t capacities[] = {1, 2, 3, 64};
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), capacities[cos_rng_below(rng, 4)]), 0);
    cosched_task s[ENDS], r[ENDS];
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, foreign_sender, NULL), 0);
    for (uint64_t i = 0; i < ENDS; i++) {
        r[i] = run_spawn(receiver, (void *)(uintptr_t)(round * 64 + i + 1), stress_place(rng));
        s[i] = run_spawn(sender, (void *)(uintptr_t)(round * 64 + i + 33), stress_place(rng));
    }
    for (int i = 0; i < ENDS / 2; i++) {
        cosched_cancel(r[i]);
        cosched_cancel(s[2 * i]);
        cosched_yield();
    }
    if (cos_rng_below(rng, 3) == 0) {
        cosched_chan_close(ch); /* under everybody's hands */
    }
    for (int i = 0; i < ENDS; i++) {
        EXPECT_EQ(run_join(s[i]), 0);
    }
    EXPECT_EQ(cosched_blocking(NULL, join_thread, &thread),
              0); /* it needs us to receive meanwhile: MAIN must not block */
    cosched_chan_close(ch);
    for (int i = 0; i < ENDS; i++) {
        EXPECT_EQ(run_join(r[i]), 0);
    }
    int64_t v;
    while (cosched_chan_recv(ch, &v, COSCHED_NOW) == 0) {
        note_received(v);
    }
    EXPECT_EQ(sent, received);
    cosched_chan_unref(ch);
}

static int64_t rounds(void *arg)
{
    uint64_t rng = stress_rng(seed, 0);
    for (uint64_t i = 1; i <= (uint64_t)(uintptr_t)arg; i++) {
        one_round(&rng, i);
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    EXPECT_EQ(run_stats().tasks_live, 1);
    stress_count();
    return 0;
}

START_TEST(every_value_sent_is_received_once)
{
    seed = run_seed();
    next_value = sent = received = 0;
    memset(state, 0, sizeof state);
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, rounds, (void *)(intptr_t)stress_size(40)), 0);
    for (int i = 0; i < VALUES_MAX; i++) {
        EXPECT(state[i] == 0 || state[i] == 3);
    }
}

END_TEST

STRESS_MAIN("stress_channel", EACH(every_value_sent_is_received_once))
