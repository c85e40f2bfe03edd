/* dispatch_submit.c - what clients ask of dispatch: submit, cancel, retry, remove, drain.
 *
 * A job that finds a free slot, nobody before it in line and nobody on his way into the line is inserted already claimed:
 * its slot and the record of its attempt are taken first, so that after the commit nothing can fail any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"
#include "output.h"
#include "process.h"

/* --- submit ------------------------------------------------------------------------------------------- */

const char *dispatch_limit(const struct dispatch *d, uint32_t uid, size_t count)
{
    const struct config *config = d->config.config;
    uint64_t open = d->by_state[JOB_BLOCKED] + d->by_state[JOB_DELAYED] + d->by_state[JOB_QUEUED] +
                    d->by_state[JOB_RUNNING] + d->entering;
    if (open + count > (uint64_t)config->jobs_waiting) {
        return "jobs_waiting";
    }
    for (size_t i = 0; i < d->user_count; i++) {
        if (d->users[i].uid == uid &&
            d->users[i].jobs + d->users[i].entering + count > (uint64_t)config->jobs_per_user) {
            return "jobs_per_user";
        }
    }
    return count > (uint64_t)config->jobs_per_user ? "jobs_per_user" : NULL;
}

/* What one job of a submission holds while it is on its way. */
struct pending {
    struct queue *queue;
    struct running *claim; /* owned; NULL: none */
    bool in_line;          /* counted in queue->inserting */
};

static void pending_begin(struct dispatch *d, const struct spec *spec, struct pending *p)
{
    *p = (struct pending){.queue = dispatch_queue(d, spec->queue, true)};
    if (!p->queue) {
        return;
    }
    struct queue *queue = p->queue;
    queue->entering++;
    if (spec->delay_ns > 0 || spec->at_us > 0 || spec->after_count > 0) {
        return;
    }
    int64_t now_ns = cosched_now();
    bool nobody_before = !d->draining && queue->line.count == 0 && queue->inserting == 0 &&
                         now_ns >= d->store_again_ns;
    if (nobody_before && dispatch_queue_take(queue, now_ns)) {
        p->claim = dispatch_running_new(d, (uint16_t)(queue - d->queues));
    }
    if (!p->claim) {
        p->in_line = true;
        queue->inserting++;
    }
}

static void pending_end(struct dispatch *d, struct pending *p)
{
    if (p->in_line && --p->queue->inserting == 0) {
        bell_ring(&d->kick);
    }
    if (p->queue) {
        p->queue->entering--;
    }
    if (p->claim) {
        pace_rate_give_back(&p->queue->rate);
        dispatch_running_free(p->claim);
    }
    p->claim = NULL;
}

/* The claim is committed: the attempt goes to the task that starts jobs, with its specification. */
static void hand_over(struct dispatch *d, struct pending *p, const struct store_insert *in,
                      struct dispatch_job *job)
{
    struct running *r = p->claim;
    p->claim = NULL;
    r->id = in->id;
    r->attempt = in->row.attempt;
    r->uid = in->uid;
    r->deadline_us = in->row.deadline_us;
    r->on_disk = true;
    r->spec = job->spec;
    job->spec = NULL;
    r->started_us = in->now_us;
    r->ready_us = cosched_now() / 1000;
    r->next_claimed = NULL;
    *d->claimed_tail = r;
    d->claimed_tail = &r->next_claimed;
    bell_ring(&d->kick);
}

static unsigned wall_flags(const struct spec *spec)
{
    return (spec->at_us ? ROW_RUN_AT_WALL : 0U) | (spec->deadline_at_us ? ROW_DEADLINE_WALL : 0U);
}

static void accept_one(struct dispatch *d, struct pending *p, const struct store_insert *in,
                       struct dispatch_job *job)
{
    job->id = in->id;
    job->existing = in->existing;
    job->state = in->state;
    if (!in->existing) {
        d->config.metrics->submitted++;
        dispatch_apply(d, &in->row, in->seq, wall_flags(in->spec));
        if (in->state == JOB_RUNNING && p->claim) {
            hand_over(d, p, in, job);
        }
    }
    pending_end(d, p);
}

/* A queue that was deleted since the specification was checked: its heir takes the job, as if it had come before. */
static int find_queues(struct dispatch *d, struct dispatch_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct spec *spec = jobs[i].spec;
        if (dispatch_queue_exists(d, spec->queue)) {
            continue;
        }
        const struct queue *heir = dispatch_queue(d, spec->queue, false);
        char *name = heir && heir->known ? strdup(heir->name) : NULL;
        if (!name) {
            return heir && heir->known ? -ENOMEM : -ENOENT;
        }
        free(spec->queue);
        spec->queue = name;
    }
    return 0;
}

static void drop_specs(struct dispatch_submission *s)
{
    for (size_t i = 0; i < s->count; i++) {
        spec_free(s->jobs[i].spec);
        s->jobs[i].spec = NULL;
    }
}

/* Limits count what is on its way, too: requests sent in one go would all pass them else. */
static void begin_entering(struct dispatch *d, uint32_t uid, size_t count)
{
    dispatch_user(d, uid)->entering += count;
    d->entering += count;
}

static void end_entering(struct dispatch *d, uint32_t uid, size_t count)
{
    struct user *user = dispatch_user(d, uid);
    user->entering -=
        user->entering < count ? user->entering : count; /* there was no memory for it */
    d->entering -= count;
}

/* What needs no disk. 0 or the refusal. */
static int check(struct dispatch *d, const struct dispatch_submission *s, uint32_t uid)
{
    if (d->draining) {
        return -ESHUTDOWN;
    }
    if (dispatch_limit(d, uid, s->count)) {
        return -EDQUOT;
    }
    return find_queues(d, s->jobs, s->count);
}

/* A submission on its way, and what its jobs hold. */
struct way {
    struct dispatch_submission *submission;
    struct pending *pending;
};

/* ways[i] belongs to insertions[i]. */
static void insert_each(struct dispatch *d, struct way *ways, struct store_insertion *insertions,
                        size_t count, uint32_t uid)
{
    unsigned epoch = dispatch_enter(d);
    for (size_t w = 0; w < count; w++) {
        const struct store_insertion *in = &insertions[w];
        for (size_t i = 0; i < in->count; i++) {
            pending_begin(d, in->jobs[i].spec, &ways[w].pending[i]);
            in->jobs[i].claim = ways[w].pending[i].claim != NULL;
        }
    }
    store_insert_each(d->config.store, insertions, count);
    for (size_t w = 0; w < count; w++) {
        struct store_insertion *in = &insertions[w];
        struct dispatch_submission *s = ways[w].submission;
        s->result = in->result;
        s->refusal = in->refusal;
        end_entering(d, uid, in->count);
        for (size_t i = 0; i < in->count; i++) {
            if (in->result == STORE_OK) {
                accept_one(d, &ways[w].pending[i], &in->jobs[i], &s->jobs[i]);
            } else {
                pending_end(d, &ways[w].pending[i]);
            }
        }
        drop_specs(s);
    }
    dispatch_leave(d, epoch);
}

/* Everything that the submissions need on their way, in one piece: the jobs of all of them lie one behind the other. */
struct travel {
    struct way *ways;
    struct store_insertion *insertions;
    struct store_insert *inserts;
    struct pending *pending;
};

static bool travel_new(struct travel *t, size_t submissions, size_t jobs)
{
    *t = (struct travel){.ways = calloc(submissions, sizeof *t->ways),
                         .insertions = calloc(submissions, sizeof *t->insertions),
                         .inserts = calloc(jobs, sizeof *t->inserts),
                         .pending = calloc(jobs, sizeof *t->pending)};
    return t->ways && t->insertions && t->inserts && t->pending;
}

static void travel_free(struct travel *t)
{
    free(t->ways);
    free(t->insertions);
    free(t->inserts);
    free(t->pending);
}

static void pack(struct travel *t, size_t index, size_t first_job, struct dispatch_submission *s,
                 uint32_t uid, bool admin)
{
    int64_t now_us = dispatch_wall_us();
    t->ways[index] = (struct way){s, t->pending + first_job};
    t->insertions[index] =
        (struct store_insertion){.jobs = t->inserts + first_job, .count = s->count};
    for (size_t i = 0; i < s->count; i++) {
        t->inserts[first_job + i] = (struct store_insert){
            .spec = s->jobs[i].spec, .uid = uid, .now_us = now_us, .any_owner = admin};
    }
}

void dispatch_submit_each(struct dispatch *d, struct dispatch_submission *submissions, size_t count,
                          uint32_t uid, bool admin)
{
    size_t jobs = 0, packed = 0, first_job = 0;
    int64_t begun_ns = cosched_now();
    struct travel t;
    for (size_t i = 0; i < count; i++) {
        jobs += submissions[i].count;
    }
    bool room = travel_new(&t, count, jobs);
    for (size_t i = 0; i < count; i++) {
        struct dispatch_submission *s = &submissions[i];
        s->result = room ? check(d, s, uid) : -ENOMEM;
        if (s->result < 0) {
            drop_specs(s);
            continue;
        }
        begin_entering(d, uid, s->count);
        pack(&t, packed++, first_job, s, uid, admin);
        first_job += s->count;
    }
    if (packed > 0) {
        insert_each(d, t.ways, t.insertions, packed, uid);
    }
    uint64_t took_us = (uint64_t)(cosched_now() - begun_ns) / 1000;
    for (size_t i = 0; i < packed; i++) {
        histogram_record(&d->config.metrics->submit_us, took_us);
    }
    travel_free(&t);
}

int dispatch_submit(struct dispatch *d, struct dispatch_job *jobs, size_t count, uint32_t uid,
                    bool admin, struct store_refusal *refusal)
{
    struct dispatch_submission one = {.jobs = jobs, .count = count};
    dispatch_submit_each(d, &one, 1, uid, admin);
    *refusal = one.refusal;
    return one.result;
}

/* --- cancel, retry, remove ------------------------------------------------------------------------------ */

int dispatch_cancel(struct dispatch *d, int64_t id)
{
    enum job_state state = JOB_NEW;
    int64_t seq = 0;
    struct store_effects effects = STORE_EFFECTS_INIT;
    unsigned epoch = dispatch_enter(d);
    int rc = store_cancel(d->config.store, id, dispatch_wall_us(), &state, &seq, &effects);
    struct row *row = rows_find(&d->rows, id);
    if (rc == STORE_OK && state == JOB_RUNNING) {
        if (row) {
            row->flags |= ROW_CANCEL;
        }
        struct running *r = dispatch_running_find(d, id);
        if (r) {
            dispatch_interrupt_one(r, JOB_OUTCOME_CANCELED, false);
        }
    } else if (rc == STORE_OK) {
        const struct job_row news = {.id = id,
                                     .state = (uint8_t)state,
                                     .cancel_requested = true,
                                     .queue = row ? d->queues[row->queue].name : SPEC_QUEUE_DEFAULT,
                                     .uid = row ? row->uid : 0};
        dispatch_apply(d, &news, seq, 0);
        dispatch_apply_effects(d, &effects);
    }
    store_effects_fini(&effects);
    dispatch_leave(d, epoch);
    return rc;
}

int dispatch_retry(struct dispatch *d, int64_t id)
{
    struct job_row row = {0};
    char queue[SPEC_NAME_MAX + 1] = "";
    int64_t seq = 0;
    if (d->draining) {
        return -ESHUTDOWN;
    }
    unsigned epoch = dispatch_enter(d);
    int rc = store_again(d->config.store, id, dispatch_wall_us(), &row, queue, &seq);
    if (rc == STORE_OK) {
        row.queue = queue;
        dispatch_apply(d, &row, seq, 0);
    }
    dispatch_leave(d, epoch);
    return rc;
}

struct removal {
    int dir;
    int64_t id;
};

static int64_t remove_output(void *arg)
{
    const struct removal *removal = arg;
    return output_remove(removal->dir, removal->id);
}

int dispatch_remove(struct dispatch *d, int64_t id)
{
    int rc = store_remove(d->config.store, id);
    if (rc != STORE_OK) {
        return rc;
    }
    struct removal removal = {d->config.out_dir, id};
    (void)cosched_blocking(NULL, remove_output,
                           &removal); /* what stays is overwritten with its id's end of life */
    return STORE_OK;
}

int dispatch_signal(struct dispatch *d, int64_t id, int signal)
{
    struct running *r = dispatch_running_find(d, id);
    return r && r->pid && process_signal_group(r->pid, signal) == 0 ? STORE_OK : STORE_REFUSED;
}

/* --- drain ---------------------------------------------------------------------------------------------- */

void dispatch_drain(struct dispatch *d, bool on)
{
    d->draining = on;
    bell_ring(&d->kick);
}

bool dispatch_draining(const struct dispatch *d)
{
    return d->draining;
}

size_t dispatch_running(const struct dispatch *d)
{
    return d->running_count;
}

int dispatch_wait_idle(struct dispatch *d, int64_t deadline)
{
    struct bell bell;
    struct watch_node node;
    int rc = bell_init(&bell);
    if (rc < 0) {
        return rc;
    }
    rc = watch_add(d->config.watch, &node, WATCH_DAEMON, WATCH_IDLE, &bell);
    while (rc == 0 && d->running_count > 0) {
        rc = bell_wait(&bell, deadline);
    }
    watch_remove(d->config.watch, &node);
    bell_fini(&bell);
    return rc;
}

void dispatch_interrupt(struct dispatch *d, bool at_once)
{
    for (struct running *r = d->all; r; r = r->next) {
        dispatch_interrupt_one(r, JOB_OUTCOME_INTERRUPTED, at_once);
    }
}
