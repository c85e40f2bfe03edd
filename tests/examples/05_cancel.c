/* Ending things early: deadlines, scopes, cancellation, and clean-up under a shield. A cancelled task is not killed: its
 * suspending calls answer -ECANCELED, and it leaves by its own clean-up. */
#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>

static int64_t worker(void *arg)
{
    int *cleaned = arg;
    int rc = cosched_sleep_until(COSCHED_NEVER); /* ends with the cancellation only */

    cosched_scope shield; /* clean-up that must suspend gets a grace limit of its own */
    cosched_scope_begin(&shield, cosched_in_ms(1000), COSCHED_SHIELD);
    *cleaned = cosched_sleep_until(cosched_in_ms(1)) == 0;
    cosched_scope_end(&shield);
    return rc;
}

static int64_t program(void *arg)
{
    int cleaned = 0;
    int64_t result = 0;
    (void)arg;

    /* A deadline for one call. The handle stays valid: nothing was delivered. */
    cosched_task task;
    if (cosched_spawn(&task, worker, &cleaned, NULL) < 0 ||
        cosched_await(&task, NULL, cosched_in_ms(5)) != -ETIMEDOUT) {
        return -1;
    }
    cosched_cancel(task); /* asks; await sees it end */
    if (cosched_await(&task, &result, COSCHED_NEVER) != 0 || result != -ECANCELED || !cleaned) {
        return -2;
    }

    /* A deadline for a whole block, whatever it calls. */
    cosched_scope scope;
    cosched_scope_begin(&scope, cosched_in_ms(5), 0);
    int rc = cosched_sleep_until(COSCHED_NEVER);
    bool expired = cosched_scope_end(&scope);
    printf("worker: %s; block: %s\n", cosched_strerror(result), expired ? "out of time" : "in time");
    return rc == -ECANCELED && expired && !cosched_cancelled() ? 0 : -3;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
