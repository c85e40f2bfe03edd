/* How many CPUs this process can really use. */
#ifndef COS_SCHED_CPUS_H
#define COS_SCHED_CPUS_H
#include <stdint.h>

/* The affinity mask, limited by the quota of its cgroup (v2), rounded up; at least 1. */
int32_t cos_effective_cpus(void);
#endif
