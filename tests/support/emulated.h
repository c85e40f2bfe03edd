/* What qemu-user does not carry over to the kernel. */
#ifndef SUPPORT_EMULATED_H
#define SUPPORT_EMULATED_H
#include <stdbool.h>
#include <stdio.h>

#ifndef COSCHED_EMULATED
#define COSCHED_EMULATED 0 /* 1: by tests/CMakeLists.txt, in a cross build */
#endif

/* Whether this runs under an emulator that cannot do it; what is left out is printed, with the reason. */
static inline bool emulator_lacks(const char *test, const char *what)
{
    if (COSCHED_EMULATED) {
        printf("skipped: %s: qemu-user %s\n", test, what);
        fflush(stdout);
    }
    return COSCHED_EMULATED;
}

#endif
