/* dispatch_edit.c - the verb edit: a job that has not started is changed.
 *
 * While the change is on its way the job stands in no line and is not due, as if it were starting: nothing starts it by what
 * it was. Edits and changes of queues go one at a time (queue_lock), so none is written over by one that began before it,
 * and none names a queue that is being deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"
#include "log.h"

struct held {
    int64_t id, order, run_at_us, deadline_us;
    unsigned wall; /* ROW_*_WALL */
};

static int hold(struct dispatch *d, int64_t id, struct held *held)
{
    struct row *row = rows_find(&d->rows, id);
    if (!row || (row->flags & (ROW_TOMBSTONE | ROW_STARTING)) || row->state == JOB_RUNNING ||
        row->attempt > 0) {
        return STORE_REFUSED;
    }
    *held = (struct held){.id = id,
                          .order = row->order,
                          .run_at_us = row->run_at_us,
                          .deadline_us = row->deadline_us,
                          .wall = row->flags & (ROW_RUN_AT_WALL | ROW_DEADLINE_WALL)};
    if (row->at[ROW_IN_LINE] != ROW_NOWHERE) {
        struct row_heap *line = &d->queues[row->queue].line;
        bool in_line = row->at[ROW_IN_LINE] < line->count && line->rows[row->at[ROW_IN_LINE]] == row;
        row_heap_remove(in_line ? line : &d->delayed, row);
    }
    row->flags |= ROW_STARTING;
    return STORE_OK;
}

/* Back to where it stood, unless news came meanwhile that said where it stands now. */
static void let_go(struct dispatch *d, const struct held *held)
{
    struct row *row = rows_find(&d->rows, held->id);
    if (!row || (row->flags & ROW_TOMBSTONE) || !(row->flags & ROW_STARTING)) {
        return;
    }
    row->flags &= (uint8_t)~ROW_STARTING;
    if (row->state == JOB_QUEUED) {
        row->order = held->order ? held->order : dispatch_next_order(d);
        dispatch_line_push(d, row);
    } else if (row->state == JOB_DELAYED && row->at[ROW_IN_LINE] == ROW_NOWHERE) {
        if (row_heap_push(&d->delayed, row) < 0) {
            log_error("out of memory: a job waits for a restart", LOG_INT("id", row->id));
        }
        if (row_heap_first(&d->delayed) == row) {
            dispatch_time_arm(d);
        }
    }
    dispatch_deadline_push(d, row); /* its time may have come while it was held */
}

static int load_spec(struct dispatch *d, int64_t id, struct spec **spec)
{
    struct store_job *job = NULL;
    int rc = store_get(d->config.store, id, STORE_WITH_SPEC, &job);
    if (rc == STORE_OK) {
        rc = spec_load(job->spec, job->spec_len, spec);
    }
    store_job_free(job);
    return rc;
}

static int commit_edit(struct dispatch *d, const struct held *held, struct dispatch_edit *edit,
                       struct spec *spec, unsigned changed)
{
    struct store_edit change = {.spec = spec,
                                .after = (changed & SPEC_EDIT_AFTER) != 0,
                                .any_owner = edit->any_owner,
                                .run_at_us = held->run_at_us,
                                .deadline_us = held->deadline_us};
    struct store_effects effects = STORE_EFFECTS_INIT;
    int64_t now_us = dispatch_wall_us(), run_at_us = 0, deadline_us = 0;
    unsigned wall = held->wall;
    spec_resolve(spec, now_us, &run_at_us, &deadline_us);
    if (changed & SPEC_EDIT_TIME) {
        change.run_at_us = run_at_us;
        wall = (wall & ROW_DEADLINE_WALL) | (spec->at_us ? ROW_RUN_AT_WALL : 0U);
    }
    if (changed & SPEC_EDIT_DEADLINE) {
        change.deadline_us = deadline_us;
        wall = (wall & ROW_RUN_AT_WALL) | (spec->deadline_at_us ? ROW_DEADLINE_WALL : 0U);
    }
    int rc = store_edit(d->config.store, held->id, &change, now_us, &effects);
    let_go(d, held);
    edit->refusal = change.refusal;
    if (rc == STORE_OK) {
        edit->state = (enum job_state)change.row.state;
        dispatch_apply(d, &change.row, change.seq, wall);
        dispatch_apply_effects(d, &effects);
    }
    store_effects_fini(&effects);
    return rc;
}

static int edit_locked(struct dispatch *d, int64_t id, struct dispatch_edit *edit)
{
    struct held held;
    struct spec *spec = NULL;
    unsigned changed = 0;
    int rc = hold(d, id, &held);
    if (rc != STORE_OK) {
        return rc;
    }
    unsigned epoch = dispatch_enter(d);
    rc = load_spec(d, id, &spec);
    if (rc == STORE_OK && edit->change(edit->ctx, spec, &changed) != SPEC_OK) {
        rc = DISPATCH_EDIT_INVALID;
    }
    if (rc == STORE_OK) {
        rc = commit_edit(d, &held, edit, spec, changed);
    } else {
        let_go(d, &held);
    }
    dispatch_leave(d, epoch);
    spec_free(spec);
    return rc;
}

int dispatch_edit(struct dispatch *d, int64_t id, struct dispatch_edit *edit)
{
    int rc = cosched_mutex_lock(&d->queue_lock, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    edit->refusal = (struct store_refusal){.id = 0};
    rc = edit_locked(d, id, edit);
    cosched_mutex_unlock(&d->queue_lock);
    return rc;
}
