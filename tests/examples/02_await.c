/* Spawn and await: two ways to work side by side. A handle names a child; awaiting it brings its result and uses the
 * handle up. Bigger results go through the argument. */
#include <cosched/cosched.h>

#include <stdio.h>

static int64_t fib(void *arg)
{
    int64_t n = *(int64_t *)arg;
    if (n < 2) {
        return n;
    }
    int64_t one_less = n - 1, two_less = n - 2, left = 0, right = 0;
    cosched_task child;
    int rc = cosched_spawn(&child, fib, &one_less, NULL); /* an idle worker may take it … */
    if (rc < 0) {
        return rc;
    }
    right = fib(&two_less); /* … while this task does the other half */
    rc = cosched_await(&child, &left,
                       COSCHED_NEVER); /* nobody has? Then it runs here, as a plain call */
    return rc < 0 ? rc : left + right;
}

static int64_t program(void *arg)
{
    int64_t n = 20, result = 0;
    (void)arg;

    cosched_task task;
    cosched_attr on_the_pool = {
        .struct_size = sizeof on_the_pool, .name = "fib", .affinity = COSCHED_WORKER};
    int rc = cosched_spawn(&task, fib, &n, &on_the_pool);
    if (rc < 0) {
        return rc;
    }
    /* The return value says how the waiting went; the task's own result comes apart. */
    rc = cosched_await(&task, &result, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    printf("fib(%lld) = %lld\n", (long long)n, (long long)result);
    return result;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 6765 ? 0 : 1;
}
