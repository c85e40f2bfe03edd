/* Limits on memory, where they work. */
#ifndef SUPPORT_MEMORY_LIMIT_H
#define SUPPORT_MEMORY_LIMIT_H
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "run.h"

/* Whether RLIMIT_AS keeps this process from mapping more. Not under qemu-user, which ignores it, nor with a sanitizer, which maps memory
 * itself; the answer no is printed with the name of the test. */
static inline bool limits_memory(const char *test)
{
    struct rlimit had, none;
    bool works = false;
    if (!RUN_ASAN && !RUN_TSAN && getrlimit(RLIMIT_AS, &had) == 0) {
        none = (struct rlimit){1, had.rlim_max};
        if (setrlimit(RLIMIT_AS, &none) == 0) {
            void *p = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            works = p == MAP_FAILED;
            if (!works) {
                munmap(p, 1 << 20);
            }
            EXPECT_EQ(setrlimit(RLIMIT_AS, &had), 0);
        }
    }
    if (!works) {
        printf("skipped: %s: memory cannot be limited here\n", test);
        fflush(stdout);
    }
    return works;
}

#endif
