/* What every program of the benchmarks does: PROGRAM WORKLOAD [PARAM…] prints a line `name value unit` for each figure. */
#ifndef FIGURE_H
#define FIGURE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CPU time of all threads of this process. */
static inline int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void spin_wait(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void figure(const char *name, double value, const char *unit)
{
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}

/* Of /proc/self/status: VmRSS, VmHWM, VmPTE, in bytes. */
static inline double memory_of(const char *field)
{
    char line[256];
    double bytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':') {
            bytes = strtod(line + strlen(field) + 1, NULL) * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

/* The n-th parameter behind the workload. */
static inline long param(int argc, char **argv, int n, long otherwise)
{
    return argc > n + 1 ? strtol(argv[n + 1], NULL, 10) : otherwise;
}

static inline int unknown(const char *program)
{
    fprintf(stderr, "%s: no such workload\n", program);
    return 64;
}
#endif
