/* Groups: no child outlives the block that opened it. FAIL_FAST ends all of them with the first failure; COLLECT lets
 * all of them finish and counts the failures. */
#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>

static int64_t work(void *arg)
{
    int number = *(int *)arg;
    if (number == 3) {
        return -EIO;
    }
    /* A day, for the others of a group that fails fast: the failure of number 3 ends this sleep at once. */
    return number < 3 ? number : cosched_sleep_until(cosched_in_ms(INT64_C(24) * 3600 * 1000));
}

/* The argument is copied into each task, so that the loop may go on. */
static int64_t start(cosched_group *group, void *how_many)
{
    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = COSCHED_WORKER, .arg_size = sizeof(int)};
    for (int i = 0; i < *(int *)how_many; i++) {
        int rc = cosched_group_spawn(group, work, &i, &attr);
        if (rc < 0) {
            return rc == -ECANCELED ? 0 : rc; /* number 3 was quick: join tells why */
        }
    }
    return 0;
}

static int64_t program(void *arg)
{
    (void)arg;
    int many = 100, few = 4;

    int64_t first_failure = cosched_group_run(NULL, start, &many); /* NULL: FAIL_FAST */
    printf("fail fast: %s\n", cosched_strerror(first_failure));

    cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    int64_t failures = cosched_group_run(&collect, start, &few);
    printf("collect: %lld of %d failed\n", (long long)failures, few);

    return first_failure == -EIO && failures == 1 ? 0 : -1;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
