/* Read once, at creation, on the creating thread. */
#include "sched/cpus.h"

#include <cosched/cosched.h>

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The quota of the cgroup this process is in: cpu.max holds "max PERIOD" or "QUOTA PERIOD". INT32_MAX: none. */
static int32_t quota_cpus(void)
{
    char line[512], path[600];
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
    bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    if (!read) {
        return INT32_MAX;
    }
    char *end; /* "max" is no number: 0 */
    long long q = strtoll(line, &end, 10);
    long long period = strtoll(end, NULL, 10);
    if (q <= 0 || period <= 0 || q / period >= INT32_MAX) {
        return INT32_MAX;
    }
    return (int32_t)((q + period - 1) / period);
}

int32_t cosched_cpus(void)
{
    return cos_effective_cpus();
}

int32_t cos_effective_cpus(void)
{
    cpu_set_t set;
    int32_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    int32_t quota = quota_cpus();
    cpus = quota < cpus ? quota : cpus;
    return cpus > 0 ? cpus : 1;
}
