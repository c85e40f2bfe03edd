/* Completion wins: connections are made and accepted while both sides are cancelled at random; whatever was connected is
 * accepted, whatever a task was given it closes, and no descriptor is lost. */
#include <cosched/io.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "promise.h"

enum { LANES = 8, BACKLOG = 8 };

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    EXPECT(d != NULL);
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

struct lane {
    cosched_listener *listener;
    char path[64];
    uint64_t rng;
    int number, rounds;
    int64_t connected, accepted, canceled;
};

/* 1: it had a stream, and closed it. 0: it was cancelled, and had none. */
static int64_t one_end(int rc, cosched_stream *s)
{
    EXPECT(rc == 0 || rc == -ECANCELED);
    if (rc == 0) {
        EXPECT(fcntl(cosched_stream_fileno(s), F_GETFD) >= 0);
        cosched_close(s);
    }
    return rc == 0;
}

static int64_t connects(void *arg)
{
    struct lane *l = arg;
    cosched_stream *s = NULL;
    int rc = cosched_connect_unix(&s, l->path, COSCHED_NEVER);
    return one_end(rc, s);
}

static int64_t accepts(void *arg)
{
    struct lane *l = arg;
    cosched_stream *s = NULL;
    int rc = cosched_accept(l->listener, &s, COSCHED_NEVER);
    return one_end(rc, s);
}

/* What was connected while nobody accepted. */
static void drain(struct lane *l)
{
    cosched_stream *s;
    while (cosched_accept(l->listener, &s, COSCHED_NOW) == 0) {
        l->accepted++;
        cosched_close(s);
    }
}

static void lane_round(struct lane *l)
{
    uint64_t *rng = &l->rng;
    bool first = cos_rng_below(rng, 2) != 0;
    cosched_affinity place = promise_place(cos_rng_below(rng, 2));
    cosched_task a = {0, 0};
    if (first) {
        a = run_spawn(accepts, l, place);
        for (uint32_t n = cos_rng_below(rng, 3); n > 0; n--) {
            cosched_yield(); /* it waits on MAIN, perhaps */
        }
    }
    cosched_task c = run_spawn(connects, l, promise_place(cos_rng_below(rng, 2)));
    if (!first) {
        a = run_spawn(accepts, l, place);
    }
    for (uint32_t n = cos_rng_below(rng, 4); n > 0; n--) {
        cosched_yield();
    }
    uint32_t which = cos_rng_below(rng, 4);
    if (which == 1 || which == 3) {
        cosched_cancel(a);
    }
    if (which >= 2) {
        cosched_cancel(c);
    }
    int64_t connected = run_join(c);
    if (!connected) {
        cosched_cancel(a); /* nobody else comes */
    }
    int64_t accepted = run_join(a);
    l->connected += connected;
    l->accepted += accepted;
    l->canceled += !connected + !accepted;
    drain(l);
    EXPECT_EQ(l->accepted, l->connected);
}

static int64_t run_lane(void *arg)
{
    struct lane *l = arg;
    unlink(l->path);
    EXPECT_EQ(cosched_listen_unix(&l->listener, l->path, 0600, BACKLOG), 0);
    for (int i = 0; i < l->rounds; i++) {
        lane_round(l);
    }
    cosched_listener_close(l->listener);
    EXPECT_EQ(unlink(l->path), 0);
    return 0;
}

/* All numbers of workers together make a million in the full run. */
PROMISE(a_million_connects_and_accepts_with_random_cancels_lose_no_descriptor)
{
    int n = promise_size(RUN_SIZE(20000, 8000, 3000), 1000000) / (PROMISE_WORKERS * LANES) + 1;
    struct lane lane[LANES];
    cosched_task t[LANES];
    int before = descriptors();
    for (int i = 0; i < LANES; i++) {
        lane[i] =
            (struct lane){.rng = promise_seed * (unsigned)(i + 1) | 1, .number = i, .rounds = n};
        snprintf(lane[i].path, sizeof lane[i].path, "promise-%d-%d.socket", (int)getpid(), i);
        t[i] = run_spawn(run_lane, &lane[i], promise_place(i));
    }
    int64_t connected = 0, canceled = 0;
    for (int i = 0; i < LANES; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
        connected += lane[i].connected;
        canceled += lane[i].canceled;
    }
    EXPECT(connected > 0 && canceled > 0);
    EXPECT_EQ(descriptors(), before);
    promise_alone();
    if (getenv("COSCHED_VERBOSE") != NULL) {
        printf("%" PRId64 " connected, %" PRId64 " cancelled\n", connected, canceled);
    }
}

PROMISE_MAIN("promise_descriptors",
             ALL(a_million_connects_and_accepts_with_random_cancels_lose_no_descriptor))
