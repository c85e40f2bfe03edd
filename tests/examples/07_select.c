/* Select: one task listens to several channels and to the clock. Whichever is ready first is dealt with; exactly one case
 * happens, never two. A channel that is closed and drained is left out from then on. */
#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>

enum { SOURCES = 3, EACH = 100 };

static int64_t source(void *arg)
{
    cosched_chan *ch = arg;
    int rc = 0;
    for (int n = 1; n <= EACH && rc == 0; n++) {
        rc = cosched_chan_send(ch, &n, COSCHED_NEVER);
    }
    cosched_chan_close(ch);
    cosched_chan_unref(ch);
    return rc;
}

static int64_t program(void *arg)
{
    cosched_attr worker = {.struct_size = sizeof worker, .affinity = COSCHED_WORKER};
    cosched_case cases[SOURCES];
    int n, open = SOURCES, count[SOURCES] = {0};
    int64_t sum = 0;
    (void)arg;
    for (int i = 0; i < SOURCES; i++) {
        cases[i] = (cosched_case){.recv_into = &n};
        if (cosched_chan_create(&cases[i].ch, sizeof n, (size_t)i) < 0 || /* 0: hand to hand */
            cosched_spawn(NULL, source, cosched_chan_ref(cases[i].ch), &worker) < 0) {
            return -1;
        }
    }
    while (open > 0) {
        int which = cosched_select(cases, SOURCES, cosched_in_ms(60000));
        if (which < 0) {
            return which; /* -ETIMEDOUT: none of them for a minute */
        }
        if (cases[which].result == -EPIPE) {
            cosched_chan_unref(cases[which].ch);
            cases[which].ch = NULL; /* is passed over */
            open--;
        } else {
            count[which]++;
            sum += n;
        }
    }
    printf("%d, %d and %d values, sum %lld\n", count[0], count[1], count[2], (long long)sum);
    return sum == SOURCES * EACH * (EACH + 1) / 2 ? 0 : -1;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
