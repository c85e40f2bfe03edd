/* The arrows of a job that is there: started, ended, retried, canceled, due, past its deadline.
 * Every state comes out of job_move. What the end of one job does to those that wait for it is in
 * store_sql_release, the verbs `retry` and `edit` are in store_sql_edit. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store_sql_private.h"

/* --- shared steps ----------------------------------------------------------------------------- */

int store_sql_current(struct store_sql *sql, int64_t id, struct store_current *out)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_CURRENT);
    sql_bind_int(stmt, 1, id);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r < 0 ? r : STORE_NOT_FOUND;
    }
    *out = (struct store_current){
        .id = id,
        .state = (enum job_state)sql_int(stmt, 0),
        .attempt = (uint32_t)sql_int(stmt, 1),
        .failures = (uint32_t)sql_int(stmt, 2),
        .lost = (uint32_t)sql_int(stmt, 3),
        .cancel_requested = sql_int(stmt, 4) != 0,
        .uid = (uint32_t)sql_int(stmt, 5),
        .waits = (uint32_t)sql_int(stmt, 6),
        .run_at_us = sql_int(stmt, 7),
        .keep_us = sql_int_or(stmt, 8, -1),
        .bytes = sql_int(stmt, 9),
        .parent = sql_int(stmt, 10),
    };
    sql_reset(stmt);
    return STORE_OK;
}

int store_sql_emit(struct store_sql *sql, const struct store_current *job, enum job_state state,
                   int64_t now_us, int64_t *seq)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_EVENT);
    int64_t number = ++sql->now.last_seq;
    sql_bind_int(stmt, 1, number);
    sql_bind_int(stmt, 2, job->id);
    sql_bind_int(stmt, 3, state);
    sql_bind_int(stmt, 4, job->attempt);
    sql_bind_int(stmt, 5, job->uid);
    sql_bind_int(stmt, 6, now_us);
    if (seq != NULL) {
        *seq = number;
    }
    return sql_run(stmt);
}

void store_sql_read_row(struct sql_stmt *stmt, struct job_row *row)
{
    *row = (struct job_row){
        .id = sql_int(stmt, 0),
        .state = (uint8_t)sql_int(stmt, 1),
        .priority = (int8_t)sql_int(stmt, 2),
        .attempt = (uint32_t)sql_int(stmt, 3),
        .cancel_requested = sql_int(stmt, 4) != 0,
        .uid = (uint32_t)sql_int(stmt, 5),
        .run_at_us = sql_int(stmt, 6),
        .deadline_us = sql_int(stmt, 7),
        .queue = sql_text(stmt, 8, NULL),
    };
}

int store_sql_row(struct store_sql *sql, int64_t id, struct job_row *row,
                  char queue[SPEC_NAME_MAX + 1])
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_ROW);
    sql_bind_int(stmt, 1, id);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r < 0 ? r : STORE_NOT_FOUND;
    }
    store_sql_read_row(stmt, row);
    if (queue != NULL) {
        snprintf(queue, SPEC_NAME_MAX + 1, "%s", row->queue ? row->queue : "");
    }
    row->queue = queue;
    sql_reset(stmt);
    return STORE_OK;
}

/* What STMT_END writes, besides the state. */
struct ending {
    uint32_t failures, lost;
    int64_t bytes;
    int exit_code, signal;
    const char *error_name, *error_message, *result; /* NULL or empty: none */
};

static void bind_error(struct sql_stmt *stmt, int index, const char *text)
{
    sql_bind_text(stmt, index, text != NULL && text[0] != '\0' ? text : NULL);
}

/* The row of a job that ends, its event and the accounts. */
static int put_end(struct store_sql *sql, struct store_current *job, enum job_state state,
                   const struct ending *ending, int64_t now_us, int64_t *seq)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_END);
    int64_t expires_us = job->keep_us > INT64_MAX - now_us ? INT64_MAX : now_us + job->keep_us;
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, state);
    sql_bind_int(stmt, 3, ending->failures);
    sql_bind_int(stmt, 4, ending->lost);
    sql_bind_int(stmt, 5, ending->bytes);
    sql_bind_int_or_null(stmt, 6, ending->exit_code, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 7, ending->signal, 0);
    bind_error(stmt, 8, ending->error_name);
    bind_error(stmt, 9, ending->error_message);
    sql_bind_int(stmt, 10, now_us);
    sql_bind_int_or_null(stmt, 11, job->keep_us < 0 ? -1 : expires_us, -1);
    int r = sql_run(stmt);
    if (r == 0 && ending->result != NULL) {
        r = store_sql_put_result(sql, job->id, ending->result);
    }
    if (r < 0) {
        return r;
    }
    job->state = state;
    job->bytes = ending->bytes;
    sql->now.ended++;
    sql->now.ended_bytes += ending->bytes;
    return store_sql_emit(sql, job, state, now_us, seq);
}

int store_sql_end_waiting(struct store_sql *sql, struct store_current *job, enum job_event event,
                          const char *error_name, const char *error_message, int64_t now_us,
                          int64_t *seq)
{
    int state = job_move(job->state, event);
    assert(state > 0 && job_final((enum job_state)state));
    struct ending ending = {
        .failures = job->failures,
        .lost = job->lost,
        .bytes = job->bytes,
        .exit_code = JOB_CODE_NONE,
        .error_name = error_name,
        .error_message = error_message,
    };
    return put_end(sql, job, (enum job_state)state, &ending, now_us, seq);
}

int store_sql_put_state(struct store_sql *sql, struct store_current *job, enum job_state state,
                        int64_t now_us, int64_t *seq)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_STATE);
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, state);
    sql_bind_int(stmt, 3, job->waits);
    int r = sql_run(stmt);
    if (r < 0) {
        return r;
    }
    job->state = state;
    return store_sql_emit(sql, job, state, now_us, seq);
}

/* --- starting and ending an attempt ----------------------------------------------------------- */

static int put_start(struct store_sql *sql, struct store_current *job, int64_t now_us, int64_t *seq)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_START);
    int state = job_move(job->state, JOB_EVENT_START);
    assert(state == JOB_RUNNING);
    job->attempt++;
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, state);
    sql_bind_int(stmt, 3, job->attempt);
    sql_bind_int(stmt, 4, now_us);
    int r = sql_run(stmt);
    if (r == 0) {
        stmt = store_sql_stmt(sql, STMT_ATTEMPT);
        sql_bind_int(stmt, 1, job->id);
        sql_bind_int(stmt, 2, job->attempt);
        sql_bind_int(stmt, 3, sql->life);
        sql_bind_int(stmt, 4, now_us);
        r = sql_run(stmt);
    }
    job->state = (enum job_state)state;
    return r < 0 ? r : store_sql_emit(sql, job, job->state, now_us, seq);
}

int store_sql_start(struct store_sql *sql, int64_t id, uint32_t attempt, int64_t now_us,
                    char **spec, size_t *spec_len, int64_t *seq)
{
    struct store_current job;
    int r = store_sql_current(sql, id, &job);
    if (r != STORE_OK) {
        return r;
    }
    bool due = job.state == JOB_DELAYED && job.run_at_us <= now_us;
    if ((job.state != JOB_QUEUED && !due) || job.attempt + 1 != attempt || job.cancel_requested) {
        return STORE_REFUSED;
    }
    if (due) {
        r = store_sql_put_state(sql, &job, (enum job_state)job_move(job.state, JOB_EVENT_DUE),
                                now_us, NULL);
    }
    if (r == 0) {
        r = put_start(sql, &job, now_us, seq);
    }
    if (r == 0 && spec != NULL) {
        r = store_sql_copy_spec(sql, id, spec, spec_len);
    }
    return r;
}

int store_sql_process(struct store_sql *sql, int64_t id, uint32_t attempt, pid_t pid,
                      uint64_t start_time)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_ATTEMPT_PROCESS);
    sql_bind_int(stmt, 1, id);
    sql_bind_int(stmt, 2, attempt);
    sql_bind_int(stmt, 3, pid);
    sql_bind_int(stmt, 4, (int64_t)start_time);
    int r = sql_run(stmt);
    if (r < 0) {
        return r;
    }
    return sql_changes(sql->db) == 1 ? STORE_OK : STORE_REFUSED;
}

static int put_attempt_end(struct store_sql *sql, const struct store_current *job,
                           const struct job_outcome *outcome, int64_t now_us)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_ATTEMPT_END);
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, job->attempt);
    sql_bind_int(stmt, 3, now_us);
    sql_bind_int(stmt, 4, outcome->kind);
    sql_bind_int_or_null(stmt, 5, outcome->exit_code, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 6, outcome->signal, 0);
    sql_bind_int_or_null(stmt, 7, outcome->output.bytes, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 8, outcome->output.kept, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 9, outcome->errors.bytes, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 10, outcome->errors.kept, JOB_CODE_NONE);
    return sql_run(stmt);
}

static int put_retry(struct store_sql *sql, struct store_current *job,
                     const struct job_outcome *outcome, const struct job_decision *decision,
                     int64_t bytes, int64_t now_us, int64_t *seq)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_RETRY);
    sql_bind_int(stmt, 1, job->id);
    sql_bind_int(stmt, 2, decision->state);
    sql_bind_int(stmt, 3, decision->run_at_us);
    sql_bind_int(stmt, 4, decision->failures);
    sql_bind_int(stmt, 5, decision->lost);
    sql_bind_int(stmt, 6, bytes);
    sql_bind_int_or_null(stmt, 7, outcome->exit_code, JOB_CODE_NONE);
    sql_bind_int_or_null(stmt, 8, outcome->signal, 0);
    bind_error(stmt, 9, outcome->error_name);
    bind_error(stmt, 10, outcome->error_message);
    int r = sql_run(stmt);
    job->state = decision->state;
    return r < 0 ? r : store_sql_emit(sql, job, decision->state, now_us, seq);
}

static int64_t kept_bytes(const struct job_outcome *outcome)
{
    int64_t bytes = outcome->output.kept > 0 ? outcome->output.kept : 0;
    return bytes + (outcome->errors.kept > 0 ? outcome->errors.kept : 0);
}

int store_sql_finish(struct store_sql *sql, int64_t id, uint32_t attempt,
                     const struct job_outcome *outcome, struct job_decision *decision,
                     int64_t now_us, int64_t *seq, struct store_effects *effects)
{
    struct store_current job;
    int r = store_sql_current(sql, id, &job);
    if (r != STORE_OK) {
        return r;
    }
    if (job.state != JOB_RUNNING || job.attempt != attempt) {
        return STORE_REFUSED;
    }
    if (job.cancel_requested) {
        job_decision_cancel(decision, outcome);
    }
    assert(job_move(JOB_RUNNING, decision->event) == (int)decision->state);
    r = put_attempt_end(sql, &job, outcome, now_us);
    if (r < 0) {
        return r;
    }
    int64_t bytes = job.bytes + kept_bytes(outcome);
    if (decision->state == JOB_DELAYED) {
        return put_retry(sql, &job, outcome, decision, bytes, now_us, seq);
    }
    struct ending ending = {
        .failures = decision->failures,
        .lost = decision->lost,
        .bytes = bytes + (outcome->result ? (int64_t)strlen(outcome->result) : 0),
        .exit_code = outcome->exit_code,
        .signal = outcome->signal,
        .error_name = outcome->error_name,
        .error_message = outcome->error_message,
        .result = outcome->result,
    };
    r = put_end(sql, &job, decision->state, &ending, now_us, seq);
    return r < 0 ? r : store_sql_release(sql, id, decision->state, now_us, effects);
}

/* --- the arrows of a job that does not run ---------------------------------------------------- */

static int cancel_running(struct store_sql *sql, const struct store_current *job)
{
    if (job->cancel_requested) {
        return 0;
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WISH);
    sql_bind_int(stmt, 1, job->id);
    return sql_run(stmt);
}

static int end_waiting(struct store_sql *sql, struct store_current *job, struct store_step *step,
                       int64_t now_us, struct store_effects *effects)
{
    bool deadline = step->event == JOB_EVENT_DEADLINE;
    int r = 0;
    if (job->waits > 0) {
        struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITS_REMOVE);
        sql_bind_int(stmt, 1, job->id);
        r = sql_run(stmt);
    }
    if (r == 0) {
        r = store_sql_end_waiting(sql, job, step->event, deadline ? "deadline" : NULL,
                                  deadline ? "the job's deadline passed before it ran" : NULL,
                                  now_us, &step->seq);
    }
    return r < 0 ? r : store_sql_release(sql, job->id, job->state, now_us, effects);
}

static int move_one(struct store_sql *sql, struct store_step *step, int64_t now_us,
                    struct store_effects *effects)
{
    struct store_current job;
    int r = store_sql_current(sql, step->id, &job);
    step->seq = 0;
    step->state = JOB_NEW;
    if (r != STORE_OK) {
        step->outcome = r;
        return r < 0 ? r : 0;
    }
    int next = job_move(job.state, step->event);
    step->state = job.state;
    step->outcome = STORE_OK;
    if (job.state == JOB_RUNNING && step->event == JOB_EVENT_CANCEL) {
        return cancel_running(sql, &job);
    }
    if (next < 0 || job.state == JOB_RUNNING || step->event == JOB_EVENT_START ||
        step->event == JOB_EVENT_AGAIN || step->event == JOB_EVENT_SKIP) {
        step->outcome = STORE_REFUSED; /* no such arrow, or one that has its own function */
        return 0;
    }
    step->state = (enum job_state)next;
    if (next == JOB_GONE) {
        return store_sql_forget(sql, &job);
    }
    if (job_final(step->state)) {
        return end_waiting(sql, &job, step, now_us, effects);
    }
    return store_sql_put_state(sql, &job, step->state, now_us, &step->seq);
}

int store_sql_moves(struct store_sql *sql, struct store_step *steps, size_t count, int64_t now_us,
                    struct store_effects *effects)
{
    for (size_t i = 0; i < count; i++) {
        int r = move_one(sql, &steps[i], now_us, effects);
        if (r < 0) {
            return r;
        }
    }
    return STORE_OK;
}
