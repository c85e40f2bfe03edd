/* Affinity: the same task on two sides. What belongs to MAIN (a user interface, a libuv handle, a database connection) is
 * touched there without a lock; what costs time runs on WORKER. cosched_call goes and comes back; cosched_hop moves. */
#include <cosched/cosched.h>

#include <stdio.h>

static int64_t shown; /* belongs to MAIN: no lock, because only MAIN's thread touches it */

static int64_t show(void *arg)
{
    shown += *(int64_t *)arg;
    return cosched_where() == COSCHED_MAIN ? 0 : -1;
}

static int64_t crunch(void *arg)
{
    int64_t sum = 0, n = *(int64_t *)arg;
    for (int64_t i = 1; i <= n; i++) {
        sum += i;
        if (i % 250 == 0) { /* from the pool to MAIN for a moment, and back to where it was */
            int64_t rc = 0, step = 250;
            if (cosched_call(&rc, COSCHED_MAIN, show, &step, COSCHED_NEVER) < 0 || rc < 0) {
                return -1;
            }
        }
    }
    return cosched_where() == COSCHED_WORKER ? sum : -1;
}

static int64_t program(void *arg)
{
    int64_t n = 1000, sum = 0;
    (void)arg;
    int rc = cosched_call(&sum, COSCHED_WORKER, crunch, &n, COSCHED_NEVER);
    if (rc < 0 || cosched_where() != COSCHED_MAIN) {
        return -1;
    }
    cosched_affinity before = cosched_hop(COSCHED_WORKER); /* from here on the pool's, cannot fail */
    sum += before == COSCHED_MAIN && cosched_where() == COSCHED_WORKER ? 0 : 1;
    cosched_hop(before); /* and home */
    printf("sum %lld, shown %lld\n", (long long)sum, (long long)shown);
    return sum == 500500 && shown == n ? 0 : -1;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
