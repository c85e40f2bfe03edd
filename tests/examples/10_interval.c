/* Later and again: something after a while, and something at every so many milliseconds. Times do not drift: the k-th run of
 * an interval belongs to t0 + k * interval, and what was missed is skipped, made up for or put off, as one asks. */
#include <cosched/cosched.h>

#include <stdio.h>

struct clock {
    cosched_token beat; /* outlives the task that armed it */
    cosched_event stopped;
    int beats;
};

/* A run that takes longer than the interval never overlaps with the next. */
static int64_t on_beat(void *arg)
{
    struct clock *c = arg;
    c->beats++;
    return cosched_sleep_until(cosched_in_ms(c->beats % 3 == 0 ? 7 : 0));
}

static int64_t on_enough(void *arg)
{
    struct clock *c = arg;
    while (c->beats < 10) { /* a busy machine: let it come to its ten */
        cosched_sleep_until(cosched_in_ms(5));
    }
    bool stopped = cosched_token_cancel(&c->beat); /* no further run begins */
    cosched_event_set(&c->stopped);
    return stopped ? 0 : -1;
}

static int64_t program(void *arg)
{
    struct clock *c = arg;
    int64_t start = cosched_now(), beat_ns = 5000000;
    cosched_event_init(&c->stopped);
    if (cosched_every(&c->beat, beat_ns, COSCHED_SKIP, on_beat, c, NULL) < 0 ||
        cosched_after(NULL, 20 * beat_ns, on_enough, c, NULL) < 0) {
        return -1;
    }
    cosched_event_wait(&c->stopped, COSCHED_NEVER);
    int64_t beats = c->beats, due = (cosched_now() - start) / beat_ns + 1;
    printf("%lld beats in the time of %lld\n", (long long)beats, (long long)due);
    return beats >= 10 && beats <= due ? 0 : -1;
}

int main(void)
{
    static struct clock clock; /* a beat may still be under way when program returns */
    return cosched_run(NULL, program, &clock) == 0 ? 0 : 1;
}
