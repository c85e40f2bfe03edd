/* Read once, at creation, on the creating thread. */
#include "sched/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* The quota of the cgroup this process is in: cpu.max holds "max PERIOD" or "QUOTA PERIOD". INT32_MAX: none. */
static int32_t quota_cpus(void)
{
    char line[512], path[600], quota[32];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL) {
        return INT32_MAX;
    }
    path[0] = '\0';
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", line + 3);
        }
    }
    fclose(f);
    f = path[0] != '\0' ? fopen(path, "re") : NULL;
    if (f == NULL) {
        return INT32_MAX;
    }
    long period = 0;
    int n = fscanf(f, "%31s %ld", quota, &period);
    fclose(f);
    long q = 0;
    if (n != 2 || period <= 0 || sscanf(quota, "%ld", &q) != 1 || q <= 0) {
        return INT32_MAX;
    }
    return (int32_t)((q + period - 1) / period);
}

int32_t cos_effective_cpus(void)
{
    cpu_set_t set;
    int32_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    int32_t quota = quota_cpus();
    cpus = quota < cpus ? quota : cpus;
    return cpus > 0 ? cpus : 1;
}
