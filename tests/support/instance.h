/* The instance of a daemon that a test plays: another one in each process, because processes of jobs are looked for, and
 * killed, by instance and id on the whole machine, and tests run side by side. */
#ifndef SUPPORT_INSTANCE_H
#define SUPPORT_INSTANCE_H
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static char test_instance[33];

/* Before main, so that the children that a test forks share it. */
__attribute__((constructor)) static void test_instance_make(void)
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        abort();
    }
    for (size_t i = 0; i < sizeof random; i++) {
        (void)snprintf(test_instance + 2 * i, 3, "%02x", random[i]);
    }
}

#endif
