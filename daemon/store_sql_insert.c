/* New jobs: keys, dependencies, rows. All of one request or none; in a batch of one nothing is
 * written before it is certain, several lie in a savepoint. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store_sql_private.h"

/* One job on its way in. */
struct insertion {
    struct store_insert *all;
    size_t index;
    struct store_insert *job; /* &all[index] */
    unsigned char body[SPEC_HASH_SIZE];
    int64_t run_at_us, deadline_us;
    uint32_t waits; /* dependencies still open */
    int64_t failed; /* one that has ended badly under `success`; 0: none */
    enum job_state failed_state;
};

/* The key's job, if there is one. STORE_OK: none; STORE_CONFLICT; existing is set otherwise. */
static int look_up_key(struct store_sql *sql, struct insertion *in, struct store_refusal *refusal)
{
    struct store_insert *job = in->job;
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_KEY);
    sql_bind_int(stmt, 1, job->uid);
    sql_bind_text(stmt, 2, job->spec->key);
    int r = sql_step(stmt);
    if (r != SQL_ROW) {
        return r;
    }
    size_t size = 0;
    int64_t id = sql_int(stmt, 0);
    const void *body = sql_blob(stmt, 1, &size);
    bool same = size == SPEC_HASH_SIZE && memcmp(body, in->body, SPEC_HASH_SIZE) == 0;
    sql_reset(stmt);
    if (!same) {
        *refusal = (struct store_refusal){.job = in->index, .id = id};
        return STORE_CONFLICT;
    }
    job->id = id;
    job->existing = true;
    r = store_sql_row(sql, id, &job->row, NULL);
    job->row.queue = job->spec->queue;
    job->state = (enum job_state)job->row.state;
    return r;
}

static int64_t dependency_id(const struct insertion *in, size_t which)
{
    const struct spec_after *after = &in->job->spec->after[which];
    if (after->index < 0) {
        return after->id;
    }
    assert((size_t)after->index < in->index); /* spec_parse saw to it */
    return in->all[after->index].id;
}

static int look_up_dependencies(struct store_sql *sql, struct insertion *in,
                                struct store_refusal *refusal)
{
    const struct spec *spec = in->job->spec;
    for (size_t i = 0; i < spec->after_count; i++) {
        struct store_current other;
        int64_t id = dependency_id(in, i);
        int r = store_sql_current(sql, id, &other);
        if (r < 0) {
            return r;
        }
        if (r == STORE_NOT_FOUND || (other.uid != in->job->uid && !in->job->any_owner)) {
            *refusal = (struct store_refusal){.job = in->index, .after = i, .id = id};
            return STORE_NOT_FOUND;
        }
        if (!job_final(other.state)) {
            in->waits++;
        } else if (!spec->after_any && other.state != JOB_SUCCEEDED && in->failed == 0) {
            in->failed = id;
            in->failed_state = other.state;
        }
    }
    return STORE_OK;
}

/* The same dependency named twice is one row: what counts are rows. */
static int put_dependencies(struct store_sql *sql, struct insertion *in)
{
    const struct spec *spec = in->job->spec;
    struct sql_stmt *stmt = store_sql_stmt_beside(sql, STMT_WAIT); /* settled since the look-up */
    in->waits = 0;
    for (size_t i = 0; i < spec->after_count; i++) {
        struct store_current other;
        int r = store_sql_current(sql, dependency_id(in, i), &other);
        if (r != STORE_OK) {
            return r < 0 ? r : -EIO;
        }
        if (job_final(other.state)) {
            continue;
        }
        sql_bind_int(stmt, 1, other.id);
        sql_bind_int(stmt, 2, in->job->id);
        sql_bind_int(stmt, 3, spec->after_any);
        r = sql_run(stmt);
        if (r < 0) {
            return r;
        }
        in->waits += (uint32_t)sql_changes(sql->db);
    }
    return 0;
}

int store_sql_labels_put(struct store_sql *sql, int64_t id, const struct spec *spec)
{
    struct sql_stmt *stmt = store_sql_stmt_beside(sql, STMT_LABEL);
    for (size_t i = 0; i < spec->label_count; i++) {
        sql_bind_int(stmt, 1, id);
        sql_bind_text(stmt, 2, spec->labels[i].name);
        sql_bind_text(stmt, 3, spec->labels[i].value);
        int r = sql_run(stmt);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static enum job_event submit_event(const struct insertion *in)
{
    /* A dependency that failed already skips the job: it goes in as blocked and takes that
     * arrow. */
    if (in->waits > 0 || in->failed != 0) {
        return JOB_EVENT_SUBMIT_BLOCKED;
    }
    if (in->run_at_us > in->job->now_us) {
        return JOB_EVENT_SUBMIT_DELAYED;
    }
    return in->job->claim ? JOB_EVENT_SUBMIT_CLAIMED : JOB_EVENT_SUBMIT_QUEUED;
}

static int put_attempt(struct store_sql *sql, int64_t id, int64_t now_us)
{
    struct sql_stmt *stmt = store_sql_stmt_beside(sql, STMT_ATTEMPT);
    sql_bind_int(stmt, 1, id);
    sql_bind_int(stmt, 2, 1);
    sql_bind_int(stmt, 3, sql->life);
    sql_bind_int(stmt, 4, now_us);
    return sql_run(stmt);
}

static int skip_at_once(struct store_sql *sql, struct insertion *in)
{
    struct store_insert *job = in->job;
    struct store_current current = {
        .id = job->id,
        .state = job->state,
        .uid = job->uid,
        .waits = in->waits,
        .keep_us = job->spec->keep_ns < 0 ? -1 : job->spec->keep_ns / 1000,
        .bytes = (int64_t)sql->text.len,
    };
    char message[80];
    snprintf(message, sizeof message, "job %lld, which it runs after, ended %s",
             (long long)in->failed, job_state_name(in->failed_state));
    int r = store_sql_settle(sql);
    if (r == 0) {
        r = store_sql_end_waiting(sql, &current, JOB_EVENT_SKIP, "dependency", message, job->now_us,
                                  &job->seq);
    }
    if (r == 0 && in->waits > 0) {
        struct sql_stmt *stmt = store_sql_stmt(sql, STMT_WAITS_REMOVE);
        sql_bind_int(stmt, 1, job->id);
        r = sql_run(stmt);
    }
    job->state = JOB_SKIPPED;
    return r;
}

static void fill_row(struct insertion *in)
{
    struct store_insert *job = in->job;
    job->row = (struct job_row){
        .id = job->id,
        .run_at_us = in->run_at_us,
        .deadline_us = in->deadline_us,
        .queue = job->spec->queue,
        .uid = job->uid,
        .attempt = job->state == JOB_RUNNING,
        .priority = (int8_t)job->spec->priority,
        .state = (uint8_t)job->state,
    };
}

static int put_job(struct store_sql *sql, struct insertion *in)
{
    struct store_insert *job = in->job;
    job->id = ++sql->now.last_id;
    int r = put_dependencies(sql, in);
    if (r < 0) {
        return r;
    }
    job->state = (enum job_state)job_move(JOB_NEW, submit_event(in));
    if (job->state == JOB_RUNNING) {
        in->run_at_us = 0;
    }
    job->seq = ++sql->now.last_seq;
    const struct store_new row = {job, in->run_at_us, in->deadline_us, in->waits, in->body};
    r = store_sql_pending_add(sql, &row);
    if (r == 0) {
        r = store_sql_labels_put(sql, job->id, job->spec);
    }
    if (r == 0 && job->state == JOB_RUNNING) {
        r = put_attempt(sql, job->id, job->now_us);
    }
    if (r == 0 && in->failed != 0) {
        r = skip_at_once(sql, in);
    }
    fill_row(in);
    return r;
}

static int insert_one(struct store_sql *sql, struct insertion *in, struct store_refusal *refusal)
{
    struct writer w;
    buf_reset(&sql->text);
    writer_init(&w, &sql->text);
    spec_write(&w, in->job->spec, 0);
    if (sql->text.failed) {
        return -ENOMEM;
    }
    in->job->existing = false;
    in->job->seq = 0;
    bool looks = in->job->spec->key != NULL || in->job->spec->after_count > 0;
    int r = looks ? store_sql_settle(sql) : 0;
    if (r < 0) {
        return r;
    }
    if (in->job->spec->key != NULL) {
        spec_hash(sql->text.data, sql->text.len, in->body);
        r = look_up_key(sql, in, refusal);
        if (r != STORE_OK || in->job->existing) {
            return r;
        }
    }
    r = look_up_dependencies(sql, in, refusal);
    if (r != STORE_OK) {
        return r;
    }
    spec_resolve(in->job->spec, in->job->now_us, &in->run_at_us, &in->deadline_us);
    return put_job(sql, in);
}

static int insert_all(struct store_sql *sql, struct store_insert *jobs, size_t count,
                      struct store_refusal *refusal)
{
    for (size_t i = 0; i < count; i++) {
        struct insertion in = {.all = jobs, .index = i, .job = &jobs[i]};
        int r = insert_one(sql, &in, refusal);
        if (r != STORE_OK) {
            return r;
        }
    }
    return STORE_OK;
}

int store_sql_insert(struct store_sql *sql, struct store_insert *jobs, size_t count,
                     struct store_refusal *refusal)
{
    if (count <= 1) {
        return insert_all(sql, jobs, count, refusal);
    }
    int r = store_sql_settle(sql); /* what others bring is not undone with these */
    struct store_counters before = sql->now;
    if (r == 0) {
        r = sql_savepoint(sql->db);
    }
    if (r < 0) {
        return r;
    }
    r = insert_all(sql, jobs, count, refusal);
    if (r == STORE_OK) {
        return sql_savepoint_keep(sql->db);
    }
    store_sql_pending_drop(sql);
    sql->now = before;
    /* A failed statement may have ended the whole transaction, savepoint included: r says so. */
    int undone = sql_savepoint_undo(sql->db);
    return r > 0 && undone < 0 ? undone : r;
}
