/* A runtime, a task, and a call. cosched_run makes a runtime with a worker for each CPU but one, starts `hello` as a
 * task on this thread, and returns what it returns. */
#include <cosched/cosched.h>

#include <stdio.h>

static int64_t length_of(void *arg)
{
    const char *text = arg;
    int64_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n; /* a result is a number >= 0, or a negative errno */
}

static int64_t hello(void *arg)
{
    int64_t length = 0;
    /* Awaiting a function: it may run elsewhere, and this task waits for it. The thread does not. */
    int rc = cosched_call(&length, COSCHED_WORKER, length_of, arg, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    printf("%s has %lld letters\n", (const char *)arg, (long long)length);
    return length;
}

int main(void)
{
    char name[] = "cosched";
    int64_t result = cosched_run(NULL, hello, name);
    if (result < 0) {
        fprintf(stderr, "hello: %s\n", cosched_strerror(result));
    }
    return result == 7 ? 0 : 1;
}
