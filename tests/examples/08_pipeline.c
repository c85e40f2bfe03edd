/* A pipeline: stages joined by bounded channels, so that a slow stage holds up the one before it and nothing piles up. A
 * stage ends when what it reads from is closed and drained, and then closes what it writes to. */
#include <cosched/cosched.h>

#include <stdio.h>

enum { NUMBERS = 1000, STAGES = 4, AT_ONCE = 8 };

static int64_t feed(void *ch)
{
    for (int64_t n = 1; n <= NUMBERS; n++) {
        cosched_chan_send(ch, &n, COSCHED_NEVER); /* waits while the first stage is behind */
    }
    cosched_chan_close(ch);
    return 0;
}

static int64_t double_it(void *arg)
{
    cosched_chan **ch = arg; /* from the first to the second */
    int64_t n;
    while (cosched_chan_recv(ch[0], &n, COSCHED_NEVER) == 0) {
        n *= 2;
        cosched_chan_send(ch[1], &n, COSCHED_NEVER);
    }
    cosched_chan_close(ch[1]);
    return 0;
}

static int64_t program(void *arg)
{
    cosched_attr worker = {.struct_size = sizeof worker, .affinity = COSCHED_WORKER};
    cosched_chan *ch[STAGES + 1];
    cosched_group stages; /* none of them outlives this block */
    int64_t n, sum = 0;
    (void)arg;
    cosched_group_init(&stages, NULL);
    for (int i = 0; i <= STAGES; i++) {
        cosched_chan_create(&ch[i], sizeof n, AT_ONCE);
        if (i > 0) {
            cosched_group_spawn(&stages, double_it, &ch[i - 1], &worker);
        }
    }
    cosched_group_spawn(&stages, feed, ch[0], &worker);
    while (cosched_chan_recv(ch[STAGES], &n, COSCHED_NEVER) == 0) {
        sum += n;
    }
    cosched_group_join(&stages, COSCHED_NEVER);
    for (int i = 0; i <= STAGES; i++) {
        cosched_chan_unref(ch[i]);
    }
    printf("%d numbers through %d stages: %lld\n", NUMBERS, STAGES, (long long)sum);
    return sum == (NUMBERS * (NUMBERS + 1) / 2) << STAGES ? 0 : -1;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
