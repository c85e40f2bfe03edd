/* The smallest use of an installed libcosched: a task on MAIN calls a function on the pool. */
#include <cosched/cosched.h>

#include <stdio.h>

static int64_t square(void *arg)
{
    const int64_t *n = arg;
    return *n * *n;
}

static int64_t body(void *arg)
{
    int64_t n = 12, result = 0;
    (void)arg;
    int rc = cosched_call(&result, COSCHED_WORKER, square, &n, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

int main(void)
{
    int64_t result = cosched_run(NULL, body, NULL);
    if (cosched_version() != COSCHED_VERSION) {
        fprintf(stderr, "header %#x, library %#x\n", (unsigned)COSCHED_VERSION,
                (unsigned)cosched_version());
        return 1;
    }
    printf("%lld\n", (long long)result);
    return result == 144 ? 0 : 1;
}
