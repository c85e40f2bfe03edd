/* Scenarios: small programs that use one part of libcosched, give back what they took on every way out, and report each
 * error that they meet (NOTE). The driver runs each once for every call of every function that may fail (torture.c). */
#ifndef TORTURE_H
#define TORTURE_H
#include <cosched/cosched.h>
#include <cosched/io.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

enum { TORTURE_FRESH = 1 }; /* each run in a process of its own: for what happens once in each */

struct torture_scenario {
    const char *name;
    void (*run)(int workers); /* creates a runtime, and has destroyed it when it returns */
    unsigned flags;
};

extern const struct torture_scenario torture_core[], torture_task[], torture_sync[], torture_io[],
    torture_net[], torture_system[];
extern const size_t torture_core_count, torture_task_count, torture_sync_count, torture_io_count,
    torture_net_count, torture_system_count;

extern char torture_dir[64]; /* of this process; a scenario leaves it empty */

/* Notes a failure and hands the value on. */
static inline int64_t torture_noting(int64_t rc)
{
    torture_note(rc);
    return rc;
}

#define NOTE(expression) torture_noting(expression)

/* The whole life of a runtime around fn. */
void torture_run(int workers, cosched_fn fn);
/* A child at `where`; what hinders it is noted, and so is its result by torture_join. */
cosched_task torture_spawn(cosched_fn fn, void *arg, cosched_affinity where);
int64_t torture_join(cosched_task *t);
int64_t torture_nothing(void *arg);
const cosched_attr *torture_at(cosched_affinity where);
#endif
