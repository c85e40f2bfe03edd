/* recover.c - see recover.h. Processes first: the next attempt of a job must never meet the last one. Ending them blocks
 * (it looks through /proc and waits), so it is done on blocking threads, a few side by side.
 */
#include "recover.h"

#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>

#include "dispatch.h"
#include "kind.h"
#include "log.h"
#include "process.h"

#define SIDE_BY_SIDE 8

struct recovering {
    struct store_recovery *recovery;
    const char *instance;
    size_t next;
};

struct leftover {
    const char *instance;
    int64_t id;
    struct process_mark mark;
};

static int64_t end_leftover(void *arg)
{
    const struct leftover *left = arg;
    return process_end_job(left->instance, left->id, &left->mark);
}

static void end_processes(const char *instance, const struct store_interrupted *job)
{
    struct leftover left = {instance, job->id, {job->pid, job->start_time, ""}};
    snprintf(left.mark.boot_id, sizeof left.mark.boot_id, "%.*s", (int)sizeof left.mark.boot_id - 1,
             job->boot_id);
    int64_t killed = 0;
    int rc = cosched_blocking(&killed, end_leftover, &left);
    if (rc < 0 || killed < 0) {
        log_error("processes of a job would not die", LOG_INT("id", job->id),
                  LOG_ERR(rc < 0 ? rc : (int)killed));
    } else if (killed > 0) {
        log_info("ended what a former attempt left", LOG_INT("id", job->id),
                 LOG_INT("processes", killed));
    }
}

static int64_t end_some(void *arg)
{
    struct recovering *r = arg;
    while (r->next < r->recovery->count) {
        struct store_interrupted *job = &r->recovery->jobs[r->next++];
        const struct kind *kind = job->spec ? kind_find(job->spec->kind) : NULL;
        job->repeatable = kind && kind->repeatable;
        end_processes(r->instance, job);
    }
    return 0;
}

static void end_all(struct recovering *r)
{
    cosched_group group;
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "recover", .affinity = COSCHED_MAIN};
    if (cosched_group_init(&group, &collect) == 0) {
        for (int i = 1; i < SIDE_BY_SIDE && (size_t)i < r->recovery->count; i++) {
            if (cosched_group_spawn(&group, end_some, r, &attr) < 0) {
                break; /* fewer side by side */
            }
        }
        (void)end_some(r);
        (void)cosched_group_join(&group, COSCHED_NEVER);
    }
    (void)end_some(r);
}

int recover(struct store *store, struct store_recovery *recovery, const char *instance)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    struct recovering r = {recovery, instance, 0};
    if (recovery->count == 0) {
        return 0;
    }
    end_all(&r);
    int rc = store_recover_commit(store, recovery, dispatch_wall_us(), &effects);
    store_effects_fini(&effects); /* nothing is in memory yet: the load that follows sees it all */
    if (rc != STORE_OK) {
        log_error("cannot commit the recovery", LOG_INT("answer", rc));
        return rc < 0 ? rc : -EIO;
    }
    log_info("recovered", LOG_INT("interrupted", recovery->count));
    return 0;
}
