/* The ends of what the store hands out. Any thread. */
#include "store_types.h"

#include <stdlib.h>

#include "store_private.h"

void store_effects_fini(struct store_effects *effects)
{
    if (effects == NULL) {
        return;
    }
    for (size_t i = 0; i < effects->count; i++) {
        free(effects->moved[i].queue);
    }
    free(effects->moved);
    *effects = (struct store_effects)STORE_EFFECTS_INIT;
}

void store_effects_cut(struct store_effects *effects, size_t length)
{
    while (effects->count > length) {
        free(effects->moved[--effects->count].queue);
    }
}

void store_job_free(struct store_job *job)
{
    if (job == NULL) {
        return;
    }
    for (size_t i = 0; i < job->label_count; i++) {
        free(job->labels[i].name);
        free(job->labels[i].value);
    }
    free(job->labels);
    free(job->kind);
    free(job->name);
    free(job->queue);
    free(job->error_name);
    free(job->error_message);
    free(job->result);
    free(job->spec);
    free(job->attempts);
    free(job->after);
    free(job);
}

void store_page_fini(struct store_page *page)
{
    if (page == NULL) {
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        store_job_free(page->jobs[i]);
    }
    free(page->jobs);
    *page = (struct store_page)STORE_PAGE_INIT;
}

void store_recovery_fini(struct store_recovery *recovery)
{
    if (recovery == NULL) {
        return;
    }
    for (size_t i = 0; i < recovery->count; i++) {
        spec_free(recovery->jobs[i].spec);
        job_outcome_fini(&recovery->jobs[i].outcome);
    }
    free(recovery->jobs);
    *recovery = (struct store_recovery)STORE_RECOVERY_INIT;
}
