/* dispatch_run.c - one attempt, from its slot to the commit of its end.
 *
 * The task here stays uncancelled; the kind runs in a child of it. Whoever wants the attempt to end (cancel, deadline,
 * shutdown, or this task when the time is up) first records the cause in the outcome and then cancels the child: the
 * first cause recorded decides, whatever the command does afterwards.
 */
#include <cosched/inspect.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_internal.h"
#include "log.h"
#include "process.h"

#define ENDING_MS 60000 /* how often an attempt that does not end is named in the log */

/* --- life ---------------------------------------------------------------------------------------------- */

struct running *dispatch_running_new(struct dispatch *d, uint16_t queue)
{
    struct running *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    r->d = d;
    r->queue = queue;
    job_outcome_init(&r->outcome);
    r->next = d->all;
    r->link = &d->all;
    if (r->next) {
        r->next->link = &r->next;
    }
    d->all = r;
    d->queues[queue].running++;
    r->has_slot = true;
    d->running_count++;
    bell_ring(&d->tend);
    return r;
}

void dispatch_slot_free(struct running *r)
{
    if (r->has_slot) {
        r->d->queues[r->queue].running--;
    }
    r->has_slot = false;
    bell_ring(&r->d->kick);
}

void dispatch_running_free(struct running *r)
{
    struct dispatch *d = r->d;
    dispatch_slot_free(r);
    *r->link = r->next;
    if (r->next) {
        r->next->link = r->link;
    }
    d->running_count--;
    if (d->running_count == 0) {
        watch_publish(d->config.watch, WATCH_DAEMON, WATCH_IDLE, JOB_NEW);
    }
    job_outcome_fini(&r->outcome);
    spec_free(r->spec);
    free(r);
}

struct running *dispatch_running_find(struct dispatch *d, int64_t id)
{
    for (struct running *r = d->all; r; r = r->next) {
        if (r->id == id) {
            return r;
        }
    }
    return NULL;
}

cosched_task dispatch_task_of(struct dispatch *d, int64_t id)
{
    const struct running *r = dispatch_running_find(d, id);
    return r ? r->task : (cosched_task){0, 0};
}

int dispatch_attempts(const struct dispatch *d, struct dispatch_attempt **out, size_t *count)
{
    *count = 0;
    *out = malloc((d->running_count + 1) * sizeof **out);
    if (!*out) {
        return -ENOMEM;
    }
    for (const struct running *r = d->all; r; r = r->next) {
        if (r->task.index) {
            (*out)[(*count)++] =
                (struct dispatch_attempt){.task = r->task, .id = r->id, .uid = r->uid};
        }
    }
    return 0;
}

void dispatch_interrupt_one(struct running *r, enum job_outcome_kind cause, bool at_once)
{
    (void)job_outcome_cause(&r->outcome, cause);
    if (r->body.generation) {
        cosched_cancel(r->body);
    }
    if (at_once) {
        r->idle_kill = true;
    }
    if (at_once && r->pid) {
        (void)process_signal_group(r->pid, SIGKILL);
    }
}

/* --- the start ------------------------------------------------------------------------------------------ */

/* Back into line at its old place. After a lost race (a cancel was committed first) the news of the winner is on its way
 * and takes it out again; when the store could not take the start, nothing starts for a moment. */
static void put_back(struct running *r, int rc)
{
    struct dispatch *d = r->d;
    struct row *row = rows_find(&d->rows, r->id);
    pace_rate_give_back(&d->queues[r->queue].rate);
    if (rc != STORE_REFUSED) {
        d->store_again_ns = cosched_in_ms(1000);
    }
    if (!row || !(row->flags & ROW_STARTING)) {
        return;
    }
    row->flags &= (uint8_t)~ROW_STARTING;
    row->order = r->ready_us;
    dispatch_line_push(d, row);
    dispatch_deadline_push(d, row);
}

/* JOB_RUNNING and the attempt's number are on disk when this answers true. */
static bool commit_start(struct running *r)
{
    struct dispatch *d = r->d;
    int64_t seq = 0;
    unsigned epoch = dispatch_enter(d);
    r->started_us = dispatch_wall_us();
    int rc = store_start(d->config.store, r->id, r->attempt, r->started_us, &r->spec, &seq);
    const struct row *row = rows_find(&d->rows, r->id);
    if (rc == STORE_OK && row) {
        const struct job_row news = {.id = r->id,
                                     .queue = d->queues[row->queue].name,
                                     .state = JOB_RUNNING,
                                     .uid = row->uid,
                                     .priority = row->priority,
                                     .attempt = r->attempt,
                                     .deadline_us = row->deadline_us,
                                     .cancel_requested = (row->flags & ROW_CANCEL) != 0};
        dispatch_apply(d, &news, seq, row->flags & ROW_DEADLINE_WALL);
    } else if (rc == STORE_NOT_FOUND) {
        log_error("a waiting job is not in the store", LOG_INT("id", r->id));
    } else if (rc != STORE_OK) {
        put_back(r, rc);
    }
    dispatch_leave(d, epoch);
    r->on_disk = rc == STORE_OK;
    return r->on_disk;
}

/* --- the attempt ---------------------------------------------------------------------------------------- */

/* The disk refused the record of the process; it lives on, and the record is tried until it takes it. Meanwhile recovery
 * would know the process by its environment alone. A child of the kind's task: it ends with that. */
static int64_t record_task(void *arg)
{
    struct running *r = arg;
    while (cosched_sleep_until(cosched_in_ms(200)) == 0) {
        if (store_process(r->d->config.store, r->id, r->attempt, r->pid, r->start_time) !=
            STORE_UNAVAILABLE) {
            break;
        }
    }
    return 0;
}

static int on_process(struct job_run *run, pid_t pid, uint64_t start_time)
{
    struct running *r = run->context;
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "record", .affinity = COSCHED_MAIN};
    r->pid = pid;
    r->start_time = start_time;
    if (r->idle_kill) {
        (void)process_signal_group(pid, SIGKILL);
    }
    int rc = store_process(r->d->config.store, r->id, r->attempt, pid, start_time);
    if (rc == STORE_UNAVAILABLE) {
        rc = cosched_spawn(&r->record, record_task, r, &attr);
    }
    return rc <= 0 ? rc : -EIO;
}

static void on_output(struct job_run *run, enum output_stream stream, uint64_t bytes)
{
    struct running *r = run->context;
    (void)stream;
    (void)bytes;
    watch_publish(r->d->config.watch, r->id, WATCH_OUTPUT, JOB_RUNNING);
}

static int64_t run_kind(void *arg)
{
    struct running *r = arg;
    const struct kind *kind = kind_find(r->spec->kind);
    r->run.args = spec_args(r->spec);
    int64_t result = 0;
    if (kind && r->run.args) {
        result = kind->run(&r->run, &r->outcome);
    } else if (job_outcome_cause(&r->outcome, JOB_OUTCOME_FAILED) && kind) {
        job_outcome_error(&r->outcome, "out_of_memory", "out of memory");
    } else if (!kind) {
        job_outcome_error(&r->outcome, "unknown_kind", "kind %s is not registered", r->spec->kind);
    }
    cosched_event_set(&r->ended); /* the last touch of *r */
    return result;
}

static int64_t wall_to_ns(int64_t at_us)
{
    return cosched_in_ns((at_us - dispatch_wall_us()) * 1000);
}

/* Waits for the kind. When a limit passes, its cause is recorded and the kind is told to end. */
static void await_body(struct running *r, int64_t timeout_at_ns)
{
    cosched_task body =
        r->body; /* r->body stays for others to cancel; this copy is the one consumed */
    int64_t result = 0;
    bool over = r->outcome.kind != JOB_OUTCOME_NONE;
    for (;;) {
        int64_t until_ns = over ? cosched_in_ms(ENDING_MS) : timeout_at_ns;
        if (!over && r->deadline_us) {
            int64_t deadline_ns = wall_to_ns(r->deadline_us);
            until_ns = deadline_ns < until_ns ? deadline_ns : until_ns;
        }
        int rc = cosched_await(&body, &result, until_ns);
        if (rc == 0) {
            break;
        }
        if (rc != -ETIMEDOUT) {
            /* This task is being torn down, and the child with it: `r` is the child's until it has ended. */
            dispatch_interrupt_one(r, JOB_OUTCOME_INTERRUPTED, false);
            cosched_event_wait_always(&r->ended);
            break;
        }
        if (over) {
            log_warning("an attempt that was told to end goes on", LOG_INT("id", r->id));
        } else if (cosched_now() >= timeout_at_ns) {
            dispatch_interrupt_one(r, JOB_OUTCOME_TIMED_OUT, false);
            over = true;
        } else if (dispatch_wall_us() >= r->deadline_us) {
            dispatch_interrupt_one(r, JOB_OUTCOME_DEADLINE, false);
            over = true;
        }
    }
    r->body = (cosched_task){0, 0};
    /* Cancelled by nobody who left a cause: only a teardown does that. */
    if (r->outcome.kind == JOB_OUTCOME_NONE) {
        (void)job_outcome_cause(&r->outcome, JOB_OUTCOME_INTERRUPTED);
    }
}

static void run_attempt(struct running *r)
{
    struct dispatch *d = r->d;
    int64_t timeout_ns = r->spec->timeout_ns;
    int64_t timeout_at_ns = timeout_ns ? cosched_in_ns(timeout_ns) : COSCHED_NEVER;
    int64_t ends_us = timeout_ns ? dispatch_wall_us() + timeout_ns / 1000 : 0;
    if (r->deadline_us && (!ends_us || r->deadline_us < ends_us)) {
        ends_us = r->deadline_us;
    }
    r->started_ns = cosched_now();
    int64_t waited_us = r->started_ns / 1000 - r->ready_us;
    histogram_record(&d->config.metrics->queue_wait_us, waited_us > 0 ? (uint64_t)waited_us : 0);
    metrics_started(d->config.metrics, r->spec->kind);
    r->run = (struct job_run){.id = r->id,
                              .attempt = r->attempt,
                              .ends_us = ends_us,
                              .uid = r->uid,
                              .out_dir = d->config.out_dir,
                              .exec = d->config.exec,
                              .on_process = on_process,
                              .on_output = on_output,
                              .context = r};
    if (r->outcome.kind != JOB_OUTCOME_NONE) {
        return; /* cancelled between its start and this line: no process ever existed */
    }
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "attempt", .affinity = COSCHED_MAIN};
    cosched_event_init(&r->ended);
    int rc = cosched_spawn(&r->body, run_kind, r, &attr);
    if (rc < 0) {
        (void)job_outcome_cause(&r->outcome, JOB_OUTCOME_FAILED);
        job_outcome_error(&r->outcome, "no_resources", "no task for it: %s", cosched_strerror(rc));
        return;
    }
    await_body(r, timeout_at_ns);
    r->pid = 0;
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* How often it failed or was lost before: known for a first attempt, read from the store otherwise. */
static void read_progress(struct running *r, struct job_progress *progress)
{
    struct store_job *job = NULL;
    if (r->attempt <= 1) {
        return;
    }
    int rc = store_get(r->d->config.store, r->id, 0, &job);
    while (rc == STORE_UNAVAILABLE && cosched_sleep_until(cosched_in_ms(200)) == 0) {
        rc = store_get(r->d->config.store, r->id, 0, &job);
    }
    if (rc != STORE_OK) {
        return;
    }
    progress->failures = job->failures;
    progress->lost = job->lost;
    progress->cancel_requested = job->cancel_requested;
    store_job_free(job);
}

static void apply_end(struct running *r, const struct job_decision *decision, int64_t seq)
{
    struct dispatch *d = r->d;
    const struct row *row = rows_find(&d->rows, r->id);
    if (!row) {
        return;
    }
    const struct job_row news = {.id = r->id,
                                 .queue = d->queues[row->queue].name,
                                 .state = (uint8_t)decision->state,
                                 .uid = row->uid,
                                 .priority = row->priority,
                                 .attempt = r->attempt,
                                 .run_at_us = decision->run_at_us,
                                 .deadline_us = row->deadline_us,
                                 .cancel_requested = (row->flags & ROW_CANCEL) != 0};
    if (r->outcome.kind == JOB_OUTCOME_INTERRUPTED) {
        d->config.metrics->interrupted++;
    }
    if (decision->state == JOB_DELAYED) {
        d->config.metrics->retried++;
    }
    dispatch_apply(d, &news, seq, row->flags & ROW_DEADLINE_WALL);
}

/* An end must not be lost: it is committed again and again until the disk takes it. */
static void commit_end(struct running *r)
{
    struct dispatch *d = r->d;
    const struct kind *kind = kind_find(r->spec->kind);
    const struct row *row = rows_find(&d->rows, r->id);
    struct job_progress progress = {.retry = &r->spec->retry,
                                    .cancel_requested = row && (row->flags & ROW_CANCEL),
                                    .repeatable = kind && kind->repeatable,
                                    .deadline_us = r->deadline_us,
                                    .random = dispatch_random(d)};
    read_progress(r, &progress);
    struct job_decision decision = {0};
    int64_t seq = 0, pause_ns = 50000000;
    struct store_effects effects = STORE_EFFECTS_INIT;
    for (;;) {
        int64_t now_us = dispatch_wall_us();
        job_next_state(&progress, &r->outcome, now_us, &decision);
        /* The next job's start goes down the channel right behind this end and shares its commit: on disk there are never
         * more running than the queue allows. */
        dispatch_slot_free(r);
        unsigned epoch = dispatch_enter(d);
        int rc = store_finish(d->config.store, r->id, r->attempt, &r->outcome, &decision, now_us,
                              &seq, &effects);
        if (rc == STORE_OK) {
            apply_end(r, &decision, seq);
            dispatch_apply_effects(d, &effects);
        }
        store_effects_fini(&effects);
        dispatch_leave(d, epoch);
        if (rc != STORE_UNAVAILABLE && rc != -ENOMEM) {
            if (rc != STORE_OK) {
                log_error("the end of an attempt was refused", LOG_INT("id", r->id),
                          LOG_INT("answer", rc));
            }
            return;
        }
        log_warning("the end of a job waits for the disk", LOG_INT("id", r->id));
        if (cosched_sleep_until(cosched_in_ns(pause_ns)) < 0) {
            return; /* torn down: recovery decides it as interrupted */
        }
        pause_ns = pause_ns < 5000000000 ? pause_ns * 2 : pause_ns;
    }
}

/* In the scheduler's trace; the name counts by its address. */
static void mark(const struct running *r, cosched_trace_phase phase)
{
    static const char name[] = "job";
    cosched_trace_mark(name, r->id, phase);
}

void dispatch_mark_running(const struct dispatch *d)
{
    for (const struct running *r = d->all; r; r = r->next) {
        mark(r, COSCHED_TRACE_UNDER_WAY);
    }
}

int64_t dispatch_run_task(void *arg)
{
    struct running *r = arg;
    struct dispatch *d = r->d;
    r->task = cosched_self();
    mark(r, COSCHED_TRACE_BEGIN);
    if (r->on_disk || commit_start(r)) {
        run_attempt(r);
        int64_t ran_us = (cosched_now() - r->started_ns) / 1000;
        histogram_record(&d->config.metrics->run_us, ran_us > 0 ? (uint64_t)ran_us : 0);
        log_debug("attempt ended", LOG_INT("id", r->id), LOG_INT("attempt", r->attempt),
                  LOG_STR("outcome", job_outcome_name(r->outcome.kind)), LOG_INT("us", ran_us));
        commit_end(r);
        (void)process_reap_orphans();
    }
    mark(r, COSCHED_TRACE_END);
    dispatch_running_free(r);
    return 0;
}
