/* The load of the queues, the same for all: whoever includes this has defined before
 *
 *   struct handle                                             what a thread has of its own (a token)
 *   int queue_init(long count); void queue_open(struct handle *)
 *   bool queue_put(struct handle *, uint32_t v)               false: full
 *   bool queue_take(struct handle *, uint32_t *v)             false: empty
 *   size_t queue_put_many(struct handle *, const uint32_t *v, size_t n), queue_take_many(…)     how many; or no QUEUE_MANY
 *
 * usage: PROGRAM pair COUNT | pass COUNT PRODUCERS CONSUMERS BATCH. Values are 1 … COUNT, each once; their sum is checked. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "../figure.h"

enum { SIDES_MAX = 64, BATCH_MAX = 32, PATIENCE = 64 };

static long total;
static int producers;
static size_t batch;
static long taken; /* all consumers together: relaxed additions, read by each to know the end */
static pthread_barrier_t start_line;

static void wait_a_little(int *tries)
{
    if (++*tries % PATIENCE == 0) {
        sched_yield();
    } else {
        spin_wait();
    }
}

static size_t put_some(struct handle *h, const uint32_t *v, size_t n)
{
#ifdef QUEUE_MANY
    if (batch > 1) {
        return queue_put_many(h, v, n);
    }
#endif
    (void)n;
    return queue_put(h, v[0]) ? 1 : 0;
}

static size_t take_some(struct handle *h, uint32_t *v)
{
#ifdef QUEUE_MANY
    if (batch > 1) {
        return queue_take_many(h, v, batch);
    }
#endif
    return queue_take(h, v) ? 1 : 0;
}

static void *produce(void *first)
{
    struct handle h;
    uint32_t v[BATCH_MAX];
    long next = (long)(intptr_t)first, share = total / producers, end = next + share;
    int tries = 0;
    queue_open(&h);
    pthread_barrier_wait(&start_line);
    while (next < end) {
        size_t n = 0;
        for (; n < batch && next + (long)n < end; n++) {
            v[n] = (uint32_t)(next + (long)n);
        }
        for (size_t done = 0; done < n;) {
            size_t some = put_some(&h, v + done, n - done);
            if (some == 0) {
                wait_a_little(&tries);
            }
            done += some;
        }
        next += (long)n;
    }
    return NULL;
}

static void *consume(void *sum_out)
{
    struct handle h;
    uint32_t v[BATCH_MAX];
    int64_t sum = 0, told = 0, mine = 0;
    int tries = 0;
    queue_open(&h);
    pthread_barrier_wait(&start_line);
    for (;;) {
        size_t n = take_some(&h, v);
        for (size_t i = 0; i < n; i++) {
            sum += v[i];
        }
        mine += (int64_t)n;
        if (n == 0) { /* the others are told only when there is nothing to do */
            long all = __atomic_add_fetch(&taken, mine - told, __ATOMIC_RELAXED);
            told = mine;
            if (all == total) {
                break;
            }
            wait_a_little(&tries);
        }
    }
    *(int64_t *)sum_out = sum;
    return NULL;
}

static int pass(int consumers)
{
    pthread_t threads[2 * SIDES_MAX];
    int64_t sums[SIDES_MAX], sum = 0;
    pthread_barrier_init(&start_line, NULL, (unsigned)(producers + consumers + 1));
    for (int i = 0; i < producers; i++) {
        pthread_create(&threads[i], NULL, produce, (void *)(intptr_t)(1 + i * (total / producers)));
    }
    for (int i = 0; i < consumers; i++) {
        pthread_create(&threads[producers + i], NULL, consume, &sums[i]);
    }
    int64_t start = now_ns();
    pthread_barrier_wait(&start_line);
    for (int i = 0; i < producers + consumers; i++) {
        pthread_join(threads[i], NULL);
    }
    figure("rate", (double)total * 1e3 / (double)(now_ns() - start), "M/s");
    for (int i = 0; i < consumers; i++) {
        sum += sums[i];
    }
    return sum == (int64_t)total * (total + 1) / 2 ? 0 : 1;
}

static int pair(void)
{
    struct handle h;
    int64_t sum = 0;
    queue_open(&h);
    int64_t start = now_ns();
    for (long i = 1; i <= total; i++) {
        uint32_t v = 0;
        queue_put(&h, (uint32_t)i);
        queue_take(&h, &v);
        sum += v;
    }
    figure("pair", (double)(now_ns() - start) / (double)total, "ns");
    return sum == (int64_t)total * (total + 1) / 2 ? 0 : 1;
}

int main(int argc, char **argv)
{
    producers = (int)param(argc, argv, 2, 1);
    int consumers = (int)param(argc, argv, 3, 1);
    batch = (size_t)param(argc, argv, 4, 1);
    if (producers < 1 || producers > SIDES_MAX || consumers < 1 || consumers > SIDES_MAX ||
        batch > BATCH_MAX) {
        return 64;
    }
    total = param(argc, argv, 1, 1000) / producers * producers;
    if (queue_init(total) != 0) {
        return 1;
    }
    return argc > 1 && strcmp(argv[1], "pair") == 0 ? pair() : pass(consumers);
}
