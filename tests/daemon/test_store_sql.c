/* The database behind the store, on a real disk: what a request writes, what it refuses, what
 * survives a kill, a full disk and a migration. Time is an argument throughout. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/schema.h"
#include "sql.h"
#include "store_sql.h"
#include "suite.h"

#define NOW INT64_C(1700000000000000)

static char dir[200], path[240], reason[512];
static struct store_sql *sql;
static struct store_effects effects;

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".copy"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char file[256];
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    rmdir(dir);
}

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "%s/sql-XXXXXX", TEST_DIR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
}

static int open_with(uint32_t pages_max)
{
    struct store_sql_config config = {
        .path = path, .boot_id = "boot-1", .now_us = NOW, .pages_max = pages_max};
    return store_sql_open(&sql, &config, reason, sizeof reason);
}

static void set_up(void)
{
    make_dir();
    int r = open_with(0);
    ck_assert_msg(r == STORE_OK, "%d: %s", r, reason);
}

static void reopen(void)
{
    store_sql_close(sql);
    int r = open_with(0);
    ck_assert_msg(r == STORE_OK, "%d: %s", r, reason);
}

static void tear_down(void)
{
    store_effects_fini(&effects);
    store_sql_close(sql);
    sql = NULL;
    remove_files();
}

/* --- short forms ------------------------------------------------------------------------------ */

static void begin(void)
{
    ck_assert_int_eq(store_sql_begin(sql), 0);
}

static void commit(void)
{
    int r = store_sql_commit(sql);
    ck_assert_msg(r == 0, "%d: %s", r, store_sql_error(sql));
}

static struct spec *spec_of(const char *text)
{
    struct json_error json_error;
    struct spec_error error;
    struct spec *spec = NULL;
    static const struct spec_context context = {.admin = true, .many = true, .index = 10000};
    struct json *object = json_parse(text, strlen(text), &json_error);
    ck_assert_ptr_nonnull(object);
    int r = spec_parse(object, &context, &spec, &error);
    ck_assert_msg(r == SPEC_OK, "%s: %s: %s", text, error.path, error.reason);
    json_free(object);
    return spec;
}

static struct store_refusal refusal;

static int insert_as(uint32_t uid, const char *text, bool claim, struct store_insert *out)
{
    struct spec *spec = spec_of(text);
    *out = (struct store_insert){.spec = spec, .uid = uid, .now_us = NOW, .claim = claim};
    begin();
    int r = store_sql_insert(sql, out, 1, &refusal);
    ck_assert_int_ge(r, 0);
    commit();
    spec_free(spec);
    out->spec = NULL;
    return r;
}

static int64_t insert(const char *text)
{
    struct store_insert in;
    ck_assert_int_eq(insert_as(1000, text, false, &in), STORE_OK);
    return in.id;
}

static int64_t insert_running(const char *text)
{
    struct store_insert in;
    ck_assert_int_eq(insert_as(1000, text, true, &in), STORE_OK);
    ck_assert_int_eq(in.state, JOB_RUNNING);
    return in.id;
}

static struct store_job *get(int64_t id)
{
    struct store_job *job;
    begin();
    int r = store_sql_get(sql, id, STORE_WITH_ALL, &job);
    commit();
    ck_assert_int_eq(r == STORE_OK, job != NULL);
    return job;
}

static enum job_state state_of(int64_t id)
{
    struct store_job *job = get(id);
    enum job_state state = job ? job->state : JOB_GONE;
    store_job_free(job);
    return state;
}

static int start(int64_t id, uint32_t attempt)
{
    int64_t seq;
    begin();
    int r = store_sql_start(sql, id, attempt, NOW, NULL, NULL, &seq);
    commit();
    return r;
}

static int move(int64_t id, enum job_event event)
{
    struct store_step step = {.id = id, .event = event};
    begin();
    ck_assert_int_eq(store_sql_moves(sql, &step, 1, NOW, &effects), STORE_OK);
    commit();
    return step.outcome;
}

static int finish_with(int64_t id, uint32_t attempt, struct job_outcome *outcome,
                       const struct job_retry *retry, struct job_decision *decision)
{
    struct job_retry none;
    int64_t seq;
    job_retry_default(&none);
    struct job_progress progress = {.retry = retry ? retry : &none};
    job_next_state(&progress, outcome, NOW, decision);
    begin();
    int r = store_sql_finish(sql, id, attempt, outcome, decision, NOW + 5, &seq, &effects);
    commit();
    return r;
}

static int finish(int64_t id, uint32_t attempt, enum job_outcome_kind kind)
{
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    struct job_decision decision;
    outcome.kind = kind;
    return finish_with(id, attempt, &outcome, NULL, &decision);
}

#define TRUE_JOB "{\"argv\":[\"true\"]}"

/* --- opening ---------------------------------------------------------------------------------- */

START_TEST(a_new_database_is_private_and_in_wal_mode_without_shared_memory)
{
    struct stat info;
    char shm[256];
    insert(TRUE_JOB);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    snprintf(shm, sizeof shm, "%s-shm", path);
    ck_assert_int_eq(access(shm, F_OK), -1);
    snprintf(shm, sizeof shm, "%s-wal", path);
    ck_assert_int_eq(access(shm, F_OK), 0);
}

END_TEST

START_TEST(a_second_opener_is_refused)
{
    struct store_sql *other;
    struct store_sql_config config = {.path = path, .boot_id = "b", .now_us = NOW};
    int r = store_sql_open(&other, &config, reason, sizeof reason);
    /* In one process SQLite answers at the first statement that locks. */
    ck_assert_int_eq(r, STORE_LOCKED);
    ck_assert_ptr_null(other);
    ck_assert_str_ne(reason, "");
    insert(TRUE_JOB);
}

END_TEST

static void set_version(int64_t version)
{
    struct sql *db;
    char pragma[64];
    ck_assert_int_eq(sql_open(&db, path, reason, sizeof reason), 0);
    snprintf(pragma, sizeof pragma, "PRAGMA user_version=%lld", (long long)version);
    ck_assert_int_eq(sql_exec(db, pragma), 0);
    sql_close(db);
}

START_TEST(a_newer_schema_is_refused_by_name_and_left_alone)
{
    insert(TRUE_JOB);
    store_sql_close(sql);
    set_version(99);
    ck_assert_int_eq(open_with(0), STORE_NEWER);
    ck_assert_ptr_null(sql);
    ck_assert_ptr_nonnull(strstr(reason, "99"));
    set_version(schema_version);
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_int_eq(state_of(1), JOB_QUEUED);
}

END_TEST

START_TEST(what_is_no_database_is_refused)
{
    store_sql_close(sql);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 1000; i++) {
        fputs("this is not a database at all; ", file);
    }
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(open_with(0), -EUCLEAN);
    ck_assert_ptr_null(sql);
}

END_TEST

START_TEST(a_migration_that_was_cut_off_is_made_again)
{
    /* As a crash before the commit of the first migration would leave it. */
    store_sql_close(sql);
    unlink(path);
    set_version(0);
    ck_assert_int_eq(open_with(0), STORE_OK);
    insert(TRUE_JOB);
}

END_TEST

/* --- inserting -------------------------------------------------------------------------------- */

START_TEST(ids_and_events_ascend_and_jobs_are_read_back_whole)
{
    struct store_insert in;
    ck_assert_int_eq(
        insert_as(7,
                  "{\"argv\":[\"a\"],\"name\":\"n\",\"queue\":\"q\",\"priority\":-3,\"labels\":"
                  "{\"b\":\"2\",\"a\":\"1\"},\"deadline\":\"1s\",\"delay\":\"2s\"}",
                  true, &in),
        STORE_OK);
    ck_assert_int_eq(in.id, 1);
    ck_assert_int_eq(in.seq, 1);
    ck_assert_int_eq(in.state, JOB_DELAYED); /* a claim does not hurry it */
    ck_assert_int_eq(in.row.run_at_us, NOW + 2000000);
    ck_assert_int_eq(in.row.deadline_us, NOW + 1000000);
    ck_assert_int_eq(in.row.priority, -3);
    ck_assert_int_eq(insert(TRUE_JOB), 2);
    struct store_job *job = get(1);
    ck_assert_str_eq(job->kind, "exec");
    ck_assert_str_eq(job->name, "n");
    ck_assert_str_eq(job->queue, "q");
    ck_assert_uint_eq(job->uid, 7);
    ck_assert_int_eq(job->priority, -3);
    ck_assert_int_eq(job->created_us, NOW);
    ck_assert_int_eq(job->scheduled_us, NOW + 2000000);
    ck_assert_int_eq(job->started_us, 0);
    ck_assert_int_eq(job->exit_code, JOB_CODE_NONE);
    ck_assert_uint_eq(job->label_count, 2);
    ck_assert_str_eq(job->labels[0].name, "a");
    ck_assert_str_eq(job->labels[1].value, "2");
    ck_assert_ptr_nonnull(strstr(job->spec, "\"priority\":-3"));
    ck_assert_ptr_null(job->result);
    ck_assert_uint_eq(job->attempt_count, 0);
    store_job_free(job);
    store_job_free(NULL);
    ck_assert_ptr_null(get(3));
}

END_TEST

START_TEST(a_claimed_job_is_running_with_its_first_attempt)
{
    int64_t id = insert_running(TRUE_JOB);
    struct store_job *job = get(id);
    ck_assert_int_eq(job->state, JOB_RUNNING);
    ck_assert_uint_eq(job->attempt, 1);
    ck_assert_int_eq(job->started_us, NOW);
    ck_assert_uint_eq(job->attempt_count, 1);
    ck_assert_int_eq(job->attempts[0].outcome, JOB_OUTCOME_NONE);
    store_job_free(job);
}

END_TEST

START_TEST(a_key_stands_for_one_body_of_one_owner)
{
    struct store_insert in;
    insert_as(1, "{\"argv\":[\"a\"],\"key\":\"k\",\"delay\":\"60s\"}", false, &in);
    ck_assert_int_eq(insert_as(1, "{\"key\":\"k\",\"delay\":\"1m\",\"argv\":[\"a\"]}", true, &in),
                     STORE_OK);
    ck_assert(in.existing);
    ck_assert_int_eq(in.id, 1);
    ck_assert_int_eq(in.seq, 0);
    ck_assert_int_eq(in.state, JOB_DELAYED);
    ck_assert_int_eq(insert_as(1, "{\"key\":\"k\",\"argv\":[\"b\"]}", false, &in), STORE_CONFLICT);
    ck_assert_int_eq(refusal.id, 1);
    ck_assert_int_eq(insert_as(2, "{\"key\":\"k\",\"argv\":[\"b\"]}", false, &in), STORE_OK);
    ck_assert(!in.existing);
    ck_assert_int_eq(in.id, 2);
    /* Retained means retained: also ended, and no longer than that. */
    ck_assert_int_eq(move(1, JOB_EVENT_CANCEL), STORE_OK);
    insert_as(1, "{\"argv\":[\"a\"],\"key\":\"k\",\"delay\":\"60s\"}", false, &in);
    ck_assert(in.existing);
    ck_assert_int_eq(in.state, JOB_CANCELED);
    ck_assert_int_eq(move(1, JOB_EVENT_REMOVE), STORE_OK);
    ck_assert_int_eq(insert_as(1, "{\"key\":\"k\",\"argv\":[\"b\"]}", false, &in), STORE_OK);
    ck_assert(!in.existing);
}

END_TEST

START_TEST(many_are_accepted_or_none)
{
    struct spec *specs[3] = {spec_of(TRUE_JOB), spec_of("{\"argv\":[\"a\"],\"key\":\"k\"}"),
                             spec_of("{\"argv\":[\"b\"],\"key\":\"k\"}")};
    struct store_insert jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct store_insert){.spec = specs[i], .uid = 1, .now_us = NOW};
    }
    int64_t before = insert(TRUE_JOB);
    begin();
    ck_assert_int_eq(store_sql_insert(sql, jobs, 3, &refusal), STORE_CONFLICT);
    ck_assert_uint_eq(refusal.job, 2);
    /* The same transaction goes on with other requests. */
    struct store_insert good = {.spec = specs[0], .uid = 1, .now_us = NOW};
    ck_assert_int_eq(store_sql_insert(sql, &good, 1, &refusal), STORE_OK);
    ck_assert_int_eq(good.id, before + 1);
    ck_assert_int_eq(good.seq, 2);
    commit();
    ck_assert_ptr_null(get(before + 2));
    begin();
    ck_assert_int_eq(store_sql_insert(sql, jobs, 2, &refusal), STORE_OK);
    commit();
    ck_assert_int_eq(jobs[0].id, before + 2);
    ck_assert_int_eq(jobs[1].id, before + 3);
    /* One key twice in one call: the second is the first. */
    jobs[0] = (struct store_insert){.spec = specs[1], .uid = 9, .now_us = NOW};
    jobs[1] = (struct store_insert){.spec = specs[1], .uid = 9, .now_us = NOW};
    begin();
    ck_assert_int_eq(store_sql_insert(sql, jobs, 2, &refusal), STORE_OK);
    commit();
    ck_assert(!jobs[0].existing && jobs[1].existing);
    ck_assert_int_eq(jobs[0].id, jobs[1].id);
    for (int i = 0; i < 3; i++) {
        spec_free(specs[i]);
    }
}

END_TEST

START_TEST(a_rollback_takes_ids_and_counts_back)
{
    struct spec *spec = spec_of(TRUE_JOB);
    struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
    begin();
    ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
    ck_assert_int_eq(in.id, 1);
    store_sql_rollback(sql);
    ck_assert_ptr_null(get(1));
    ck_assert_int_eq(insert(TRUE_JOB), 1);
    spec_free(spec);
}

END_TEST

START_TEST(ids_are_not_given_twice)
{
    for (int i = 0; i < 3; i++) {
        insert(TRUE_JOB);
    }
    for (int64_t id = 1; id <= 3; id++) {
        ck_assert_int_eq(move(id, JOB_EVENT_CANCEL), STORE_OK);
        ck_assert_int_eq(move(id, JOB_EVENT_REMOVE), STORE_OK);
    }
    reopen();
    ck_assert_int_eq(insert(TRUE_JOB), 4);
}

END_TEST

/* --- dependencies ----------------------------------------------------------------------------- */

START_TEST(a_job_waits_for_those_it_runs_after)
{
    int64_t a = insert_running(TRUE_JOB), b = insert_running(TRUE_JOB);
    int64_t c = insert("{\"argv\":[\"c\"],\"after\":[1,2,1]}");
    ck_assert_int_eq(state_of(c), JOB_BLOCKED);
    struct store_job *job = get(c);
    ck_assert_uint_eq(job->after_count, 2);
    store_job_free(job);
    ck_assert_int_eq(start(c, 1), STORE_REFUSED);
    ck_assert_int_eq(finish(a, 1, JOB_OUTCOME_SUCCEEDED), STORE_OK);
    ck_assert_int_eq(state_of(c), JOB_BLOCKED);
    ck_assert_uint_eq(effects.count, 0);
    ck_assert_int_eq(finish(b, 1, JOB_OUTCOME_SUCCEEDED), STORE_OK);
    ck_assert_int_eq(state_of(c), JOB_QUEUED);
    ck_assert_uint_eq(effects.count, 1);
    ck_assert_int_eq(effects.moved[0].row.id, c);
    ck_assert_int_eq(effects.moved[0].row.state, JOB_QUEUED);
    ck_assert_str_eq(effects.moved[0].row.queue, "default");
    ck_assert_int_gt(effects.moved[0].seq, 0);
    ck_assert_int_eq(start(c, 1), STORE_OK);
}

END_TEST

START_TEST(a_failed_dependency_skips_the_whole_chain)
{
    insert_running(TRUE_JOB);
    insert("{\"argv\":[\"b\"],\"after\":[1]}");
    insert("{\"argv\":[\"c\"],\"after\":[2]}");
    insert("{\"argv\":[\"d\"],\"after\":[3],\"after_policy\":\"any\",\"delay\":\"1h\"}");
    insert("{\"argv\":[\"e\"],\"after\":[3,1]}");
    ck_assert_int_eq(finish(1, 1, JOB_OUTCOME_FAILED), STORE_OK);
    ck_assert_int_eq(state_of(2), JOB_SKIPPED);
    ck_assert_int_eq(state_of(3), JOB_SKIPPED);
    ck_assert_int_eq(state_of(4), JOB_DELAYED); /* any: released, and its own time lies ahead */
    ck_assert_int_eq(state_of(5), JOB_SKIPPED);
    ck_assert_uint_eq(effects.count, 4);
    struct store_job *job = get(2);
    ck_assert_str_eq(job->error_name, "dependency");
    ck_assert_ptr_nonnull(strstr(job->error_message, "job 1"));
    ck_assert_int_eq(job->finished_us, NOW + 5);
    store_job_free(job);
}

END_TEST

START_TEST(a_retried_dependency_has_not_ended)
{
    struct job_retry retry;
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    struct job_decision decision;
    job_retry_default(&retry);
    retry.max = 1;
    outcome.kind = JOB_OUTCOME_FAILED;
    insert_running(TRUE_JOB);
    insert("{\"argv\":[\"b\"],\"after\":[1]}");
    ck_assert_int_eq(finish_with(1, 1, &outcome, &retry, &decision), STORE_OK);
    ck_assert_int_eq(state_of(1), JOB_DELAYED);
    ck_assert_int_eq(state_of(2), JOB_BLOCKED);
}

END_TEST

START_TEST(ended_dependencies_count_at_once)
{
    struct store_insert in;
    insert_running(TRUE_JOB);
    insert_running(TRUE_JOB);
    finish(1, 1, JOB_OUTCOME_SUCCEEDED);
    finish(2, 1, JOB_OUTCOME_CANCELED);
    ck_assert_int_eq(insert_as(1000, "{\"argv\":[\"c\"],\"after\":[1]}", true, &in), STORE_OK);
    ck_assert_int_eq(in.state, JOB_RUNNING);
    ck_assert_int_eq(insert_as(1000, "{\"argv\":[\"c\"],\"after\":[2,1]}", true, &in), STORE_OK);
    ck_assert_int_eq(in.state, JOB_SKIPPED);
    ck_assert_int_eq(in.row.state, JOB_SKIPPED);
    ck_assert_int_eq(state_of(in.id), JOB_SKIPPED);
    ck_assert_int_eq(
        insert_as(1000, "{\"argv\":[\"c\"],\"after\":[2],\"after_policy\":\"any\"}", false, &in),
        STORE_OK);
    ck_assert_int_eq(in.state, JOB_QUEUED);
}

END_TEST

START_TEST(unknown_and_foreign_dependencies_are_not_found)
{
    struct store_insert in;
    insert(TRUE_JOB);
    ck_assert_int_eq(insert_as(1000, "{\"argv\":[\"c\"],\"after\":[1,77]}", false, &in),
                     STORE_NOT_FOUND);
    ck_assert_uint_eq(refusal.after, 1);
    ck_assert_int_eq(refusal.id, 77);
    ck_assert_int_eq(insert_as(2000, "{\"argv\":[\"c\"],\"after\":[1]}", false, &in),
                     STORE_NOT_FOUND);
    ck_assert_uint_eq(refusal.after, 0);
    struct spec *spec = spec_of("{\"argv\":[\"c\"],\"after\":[1]}");
    in = (struct store_insert){.spec = spec, .uid = 0, .now_us = NOW, .any_owner = true};
    begin();
    ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
    commit();
    spec_free(spec);
    /* Nothing of the refused ones is left. */
    ck_assert_int_eq(in.id, 2);
}

END_TEST

START_TEST(jobs_of_one_call_may_follow_each_other)
{
    struct spec *specs[3] = {spec_of(TRUE_JOB), spec_of("{\"argv\":[\"b\"],\"after\":[\"#0\"]}"),
                             spec_of("{\"argv\":[\"c\"],\"after\":[\"#1\",\"#0\"]}")};
    struct store_insert jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct store_insert){.spec = specs[i], .uid = 1, .now_us = NOW, .claim = true};
    }
    begin();
    ck_assert_int_eq(store_sql_insert(sql, jobs, 3, &refusal), STORE_OK);
    commit();
    ck_assert_int_eq(jobs[0].state, JOB_RUNNING);
    ck_assert_int_eq(jobs[1].state, JOB_BLOCKED);
    ck_assert_int_eq(jobs[2].state, JOB_BLOCKED);
    finish(jobs[0].id, 1, JOB_OUTCOME_SUCCEEDED);
    ck_assert_int_eq(state_of(jobs[1].id), JOB_QUEUED);
    ck_assert_int_eq(state_of(jobs[2].id), JOB_BLOCKED);
    ck_assert_int_eq(move(jobs[1].id, JOB_EVENT_CANCEL), STORE_OK);
    ck_assert_int_eq(state_of(jobs[2].id), JOB_SKIPPED);
    for (int i = 0; i < 3; i++) {
        spec_free(specs[i]);
    }
}

END_TEST

START_TEST(a_canceled_blocked_job_is_not_released_later)
{
    insert_running(TRUE_JOB);
    int64_t b = insert("{\"argv\":[\"b\"],\"after\":[1]}");
    ck_assert_int_eq(move(b, JOB_EVENT_CANCEL), STORE_OK);
    finish(1, 1, JOB_OUTCOME_SUCCEEDED);
    ck_assert_int_eq(state_of(b), JOB_CANCELED);
    ck_assert_uint_eq(effects.count, 0);
}

END_TEST

/* --- arrows ----------------------------------------------------------------------------------- */

START_TEST(start_wants_the_next_attempt_of_a_waiting_job)
{
    char *spec = NULL;
    size_t len = 0;
    int64_t id = insert(TRUE_JOB), seq = 0;
    ck_assert_int_eq(start(id, 2), STORE_REFUSED);
    ck_assert_int_eq(start(99, 1), STORE_NOT_FOUND);
    begin();
    ck_assert_int_eq(store_sql_start(sql, id, 1, NOW, &spec, &len, &seq), STORE_OK);
    commit();
    ck_assert_uint_eq(len, strlen(spec));
    ck_assert_int_eq(seq, 2);
    free(spec);
    ck_assert_int_eq(start(id, 2), STORE_REFUSED); /* it runs */
    begin();
    ck_assert_int_eq(store_sql_process(sql, id, 1, 4711, 99), STORE_OK);
    ck_assert_int_eq(store_sql_process(sql, id, 2, 4711, 99), STORE_REFUSED);
    commit();
    ck_assert_int_eq(finish(id, 2, JOB_OUTCOME_SUCCEEDED), STORE_REFUSED);
    ck_assert_int_eq(finish(id, 1, JOB_OUTCOME_SUCCEEDED), STORE_OK);
    ck_assert_int_eq(finish(id, 1, JOB_OUTCOME_SUCCEEDED), STORE_REFUSED);
    ck_assert_int_eq(start(id, 2), STORE_REFUSED);
    begin();
    ck_assert_int_eq(store_sql_process(sql, id, 1, 4711, 99), STORE_REFUSED);
    commit();
}

END_TEST

START_TEST(a_delayed_job_starts_when_its_time_has_come)
{
    int64_t early = insert("{\"argv\":[\"a\"],\"delay\":\"1s\"}"), seq;
    ck_assert_int_eq(start(early, 1), STORE_REFUSED);
    begin();
    ck_assert_int_eq(store_sql_start(sql, early, 1, NOW + 1000000, NULL, NULL, &seq), STORE_OK);
    commit();
    ck_assert_int_eq(seq, 3); /* due, then started: two arrows */
    int64_t due = insert("{\"argv\":[\"a\"],\"delay\":\"1s\"}");
    ck_assert_int_eq(move(due, JOB_EVENT_DUE), STORE_OK);
    ck_assert_int_eq(state_of(due), JOB_QUEUED);
    ck_assert_int_eq(move(due, JOB_EVENT_DUE), STORE_REFUSED);
}

END_TEST

START_TEST(an_ended_attempt_is_kept_with_all_it_left)
{
    int64_t id = insert_running(TRUE_JOB);
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    struct job_decision decision;
    outcome.kind = JOB_OUTCOME_FAILED;
    outcome.exit_code = 3;
    outcome.output = (struct job_stream_size){100, 80};
    outcome.errors = (struct job_stream_size){7, 7};
    outcome.result = strdup("{\"digest\":1}");
    job_outcome_error(&outcome, "exit", "exit code %d", 3);
    ck_assert_int_eq(finish_with(id, 1, &outcome, NULL, &decision), STORE_OK);
    job_outcome_fini(&outcome);
    struct store_job *job = get(id);
    ck_assert_int_eq(job->state, JOB_FAILED);
    ck_assert_int_eq(job->exit_code, 3);
    ck_assert_str_eq(job->error_name, "exit");
    ck_assert_str_eq(job->error_message, "exit code 3");
    ck_assert_str_eq(job->result, "{\"digest\":1}");
    ck_assert_int_eq(job->finished_us, NOW + 5);
    ck_assert_uint_eq(job->failures, 1);
    ck_assert_uint_eq(job->attempt_count, 1);
    ck_assert_int_eq(job->attempts[0].outcome, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(job->attempts[0].exit_code, 3);
    ck_assert_int_eq(job->attempts[0].finished_us, NOW + 5);
    ck_assert_int_eq(job->attempts[0].output.bytes, 100);
    ck_assert_int_eq(job->attempts[0].output.kept, 80);
    ck_assert_int_eq(job->attempts[0].errors.bytes, 7);
    struct store_stats stats;
    store_sql_sizes(sql, &stats);
    ck_assert_uint_eq(stats.ended, 1);
    ck_assert_uint_eq(stats.ended_bytes, job->spec_len + 12 + 87);
    store_job_free(job);
    reopen();
    store_sql_sizes(sql, &stats);
    ck_assert_uint_eq(stats.ended, 1);
    ck_assert_uint_gt(stats.ended_bytes, 99);
}

END_TEST

START_TEST(a_retry_keeps_the_attempts_and_their_count)
{
    struct job_retry retry;
    struct job_decision decision;
    job_retry_default(&retry);
    retry.max = 1;
    retry.jitter = 0;
    int64_t id = insert_running(TRUE_JOB), seq;
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    outcome.kind = JOB_OUTCOME_FAILED;
    outcome.exit_code = 1;
    ck_assert_int_eq(finish_with(id, 1, &outcome, &retry, &decision), STORE_OK);
    struct store_job *job = get(id);
    ck_assert_int_eq(job->state, JOB_DELAYED);
    ck_assert_int_eq(job->scheduled_us, NOW + 1000000);
    ck_assert_uint_eq(job->failures, 1);
    ck_assert_int_eq(job->exit_code, 1);
    ck_assert_int_eq(job->finished_us, 0);
    store_job_free(job);
    begin();
    ck_assert_int_eq(store_sql_start(sql, id, 2, NOW + 1000000, NULL, NULL, &seq), STORE_OK);
    commit();
    ck_assert_int_eq(finish(id, 2, JOB_OUTCOME_SUCCEEDED), STORE_OK);
    job = get(id);
    ck_assert_int_eq(job->state, JOB_SUCCEEDED);
    ck_assert_int_eq(job->exit_code, JOB_CODE_NONE);
    ck_assert_ptr_null(job->error_name);
    ck_assert_uint_eq(job->attempt_count, 2);
    ck_assert_int_eq(job->attempts[0].outcome, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(job->attempts[1].outcome, JOB_OUTCOME_SUCCEEDED);
    store_job_free(job);
}

END_TEST

START_TEST(a_cancel_committed_first_wins_over_what_was_decided)
{
    struct job_retry retry;
    struct job_decision decision;
    job_retry_default(&retry);
    retry.max = 1;
    int64_t id = insert_running(TRUE_JOB);
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    outcome.kind = JOB_OUTCOME_FAILED;
    ck_assert_int_eq(move(id, JOB_EVENT_CANCEL), STORE_OK);
    ck_assert_int_eq(move(id, JOB_EVENT_CANCEL), STORE_OK);
    ck_assert_int_eq(state_of(id), JOB_RUNNING);
    ck_assert_int_eq(finish_with(id, 1, &outcome, &retry, &decision), STORE_OK);
    ck_assert_int_eq(decision.state, JOB_CANCELED);
    ck_assert_int_eq(state_of(id), JOB_CANCELED);
    ck_assert_int_eq(move(id, JOB_EVENT_CANCEL), STORE_REFUSED);
}

END_TEST

START_TEST(waiting_jobs_end_by_cancel_and_by_deadline)
{
    int64_t queued = insert(TRUE_JOB), delayed = insert("{\"argv\":[\"a\"],\"delay\":\"1h\"}");
    ck_assert_int_eq(move(queued, JOB_EVENT_CANCEL), STORE_OK);
    ck_assert_int_eq(move(delayed, JOB_EVENT_DEADLINE), STORE_OK);
    ck_assert_int_eq(state_of(queued), JOB_CANCELED);
    struct store_job *job = get(delayed);
    ck_assert_int_eq(job->state, JOB_TIMED_OUT);
    ck_assert_str_eq(job->error_name, "deadline");
    ck_assert_int_eq(job->scheduled_us, 0);
    store_job_free(job);
    int64_t running = insert_running(TRUE_JOB);
    ck_assert_int_eq(move(running, JOB_EVENT_DEADLINE), STORE_REFUSED);
    ck_assert_int_eq(move(running, JOB_EVENT_SUCCEED), STORE_REFUSED);
    ck_assert_int_eq(move(77, JOB_EVENT_CANCEL), STORE_NOT_FOUND);
}

END_TEST

START_TEST(arrows_with_a_function_of_their_own_are_not_moves)
{
    int64_t id = insert(TRUE_JOB);
    ck_assert_int_eq(move(id, JOB_EVENT_START), STORE_REFUSED);
    move(id, JOB_EVENT_CANCEL);
    ck_assert_int_eq(move(id, JOB_EVENT_AGAIN), STORE_REFUSED);
    ck_assert_int_eq(state_of(id), JOB_CANCELED);
}

END_TEST

START_TEST(again_resets_the_budget_and_keeps_the_id)
{
    struct job_row row;
    char queue[SPEC_NAME_MAX + 1];
    int64_t seq, id = insert_running("{\"argv\":[\"a\"],\"deadline\":\"1m\",\"keep\":\"1h\"}");
    begin();
    ck_assert_int_eq(store_sql_again(sql, id, NOW, &row, queue, &seq), STORE_REFUSED);
    commit();
    move(id, JOB_EVENT_CANCEL);
    finish(id, 1, JOB_OUTCOME_FAILED);
    begin();
    ck_assert_int_eq(store_sql_again(sql, id, NOW + 500, &row, queue, &seq), STORE_OK);
    commit();
    ck_assert_int_eq(row.state, JOB_QUEUED);
    ck_assert_uint_eq(row.attempt, 1);
    ck_assert_str_eq(queue, "default");
    ck_assert_int_eq(row.deadline_us, NOW + 500 + 60000000); /* counted anew */
    struct store_job *job = get(id);
    ck_assert(!job->cancel_requested);
    ck_assert_uint_eq(job->failures, 0);
    ck_assert_int_eq(job->finished_us, 0);
    ck_assert_ptr_null(job->error_name);
    store_job_free(job);
    struct store_stats stats;
    store_sql_sizes(sql, &stats);
    ck_assert_uint_eq(stats.ended, 0);
    ck_assert_uint_eq(stats.ended_bytes, 0);
    ck_assert_int_eq(start(id, 2), STORE_OK);
    finish(id, 2, JOB_OUTCOME_SUCCEEDED);
    begin();
    ck_assert_int_eq(store_sql_again(sql, id, NOW, &row, queue, &seq), STORE_REFUSED);
    ck_assert_int_eq(store_sql_again(sql, 77, NOW, &row, queue, &seq), STORE_NOT_FOUND);
    commit();
}

END_TEST

static int edit(int64_t id, const char *text, bool after, int64_t run_at_us, struct store_edit *out)
{
    static struct spec *spec; /* the row's queue points into it until the next edit */
    spec_free(spec);
    spec = text ? spec_of(text) : NULL;
    if (!text) {
        return STORE_OK;
    }
    *out = (struct store_edit){.spec = spec, .after = after, .run_at_us = run_at_us};
    out->deadline_us = NOW + 99;
    begin();
    int r = store_sql_edit(sql, id, out, NOW, &effects);
    commit();
    return r;
}

START_TEST(an_edit_moves_what_has_not_started)
{
    static const char changed[] = "{\"argv\":[\"a\"],\"queue\":\"q\",\"priority\":5,"
                                  "\"delay\":\"1s\",\"labels\":{\"y\":\"2\"}}";
    struct store_edit out;
    int64_t id = insert("{\"argv\":[\"a\"],\"labels\":{\"x\":\"1\"}}");
    ck_assert_int_eq(edit(id, changed, false, NOW + 9, &out), STORE_OK);
    ck_assert_int_eq(out.row.state, JOB_DELAYED);
    ck_assert_int_eq(out.row.priority, 5);
    ck_assert_int_eq(out.row.deadline_us, NOW + 99);
    ck_assert_str_eq(out.row.queue, "q");
    struct store_job *job = get(id);
    ck_assert_str_eq(job->queue, "q");
    ck_assert_uint_eq(job->label_count, 1);
    ck_assert_str_eq(job->labels[0].name, "y");
    store_job_free(job);
    ck_assert_int_eq(edit(id, changed, false, 0, &out), STORE_OK);
    ck_assert_int_eq(out.row.state, JOB_QUEUED);
    start(id, 1);
    ck_assert_int_eq(edit(id, changed, false, 0, &out), STORE_REFUSED);
    ck_assert_int_eq(edit(77, changed, false, 0, &out), STORE_NOT_FOUND);
    ck_assert_int_eq(out.refusal.id, 0);
    edit(0, NULL, false, 0, NULL);
}

END_TEST

static enum job_state state_after_edit(int64_t id, const char *text, int64_t run_at_us)
{
    struct store_edit out;
    ck_assert_int_eq(edit(id, text, true, run_at_us, &out), STORE_OK);
    return (enum job_state)out.row.state;
}

START_TEST(an_edit_gives_and_takes_dependencies)
{
    struct store_edit out;
    struct store_job *job;
    int64_t first = insert(TRUE_JOB), second = insert(TRUE_JOB), id = insert(TRUE_JOB);
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"],\"after\":[1,2,1]}", 0), JOB_BLOCKED);
    job = get(id);
    ck_assert_uint_eq(job->after_count, 2);
    store_job_free(job);
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"],\"after\":[2]}", 0), JOB_BLOCKED);
    start(first, 1);
    finish(first, 1, JOB_OUTCOME_FAILED); /* it does not wait for this one any more */
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"]}", NOW + 5), JOB_DELAYED);
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"],\"after\":[2]}", NOW + 5),
                     JOB_BLOCKED); /* through queued: the table has no arrow of its own */
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"]}", 0), JOB_QUEUED);
    ck_assert_int_eq(edit(id, "{\"argv\":[\"a\"],\"after\":[2,77]}", true, 0, &out),
                     STORE_NOT_FOUND);
    ck_assert_int_eq(out.refusal.id, 77);
    ck_assert_uint_eq(out.refusal.after, 1);
    /* waiting for oneself, at once or over another */
    ck_assert_int_eq(edit(id, "{\"argv\":[\"a\"],\"after\":[3]}", true, 0, &out), STORE_CONFLICT);
    ck_assert_int_eq(state_after_edit(second, "{\"argv\":[\"a\"],\"after\":[3]}", 0), JOB_BLOCKED);
    ck_assert_int_eq(edit(id, "{\"argv\":[\"a\"],\"after\":[2]}", true, 0, &out), STORE_CONFLICT);
    ck_assert_int_eq(out.refusal.id, second);
    /* one that has failed already skips it, and whoever waits for it */
    ck_assert_int_eq(state_after_edit(id, "{\"argv\":[\"a\"],\"after\":[1]}", 0), JOB_SKIPPED);
    job = get(second);
    ck_assert_int_eq(job->state, JOB_SKIPPED);
    store_job_free(job);
    edit(0, NULL, false, 0, NULL);
}

END_TEST

/* --- looking ---------------------------------------------------------------------------------- */

struct loaded {
    int64_t ids[64];
    size_t count, stop_at;
};

static int load_row(void *ctx, const struct job_row *row)
{
    struct loaded *loaded = ctx;
    ck_assert_uint_lt(loaded->count, 64);
    ck_assert_str_ne(row->queue, "");
    loaded->ids[loaded->count++] = row->id;
    return loaded->count == loaded->stop_at ? -ECANCELED : 0;
}

START_TEST(unfinished_jobs_are_loaded_in_order)
{
    for (int i = 0; i < 6; i++) {
        insert(i == 3 ? "{\"argv\":[\"a\"],\"delay\":\"1h\"}" : TRUE_JOB);
    }
    move(2, JOB_EVENT_CANCEL);
    start(5, 1);
    reopen();
    struct loaded loaded = {.count = 0};
    ck_assert_int_eq(store_sql_load(sql, load_row, &loaded), 0);
    ck_assert_uint_eq(loaded.count, 5);
    static const int64_t wanted[] = {1, 3, 4, 5, 6};
    ck_assert_mem_eq(loaded.ids, wanted, sizeof wanted);
    loaded = (struct loaded){.stop_at = 2};
    ck_assert_int_eq(store_sql_load(sql, load_row, &loaded), -ECANCELED);
    ck_assert_uint_eq(loaded.count, 2);
    loaded = (struct loaded){.stop_at = 0};
    ck_assert_int_eq(store_sql_load(sql, load_row, &loaded), 0);
    ck_assert_uint_eq(loaded.count, 5);
}

END_TEST

static size_t list(const struct store_filter *filter, int64_t *ids, bool *more)
{
    struct store_page page = STORE_PAGE_INIT;
    begin();
    do {
        ck_assert_int_eq(store_sql_list(sql, filter, &page), STORE_OK);
    } while (page.next > 0);
    commit();
    for (size_t i = 0; i < page.count; i++) {
        ids[i] = page.jobs[i]->id;
    }
    size_t count = page.count;
    *more = page.more;
    store_page_fini(&page);
    return count;
}

static void ck_list(const struct store_filter *filter, const char *wanted)
{
    int64_t ids[64];
    bool more;
    char text[256] = "";
    size_t count = list(filter, ids, &more);
    for (size_t i = 0; i < count; i++) {
        sprintf(text + strlen(text), "%s%lld", i ? " " : "", (long long)ids[i]);
    }
    strcat(text, more ? " more" : "");
    ck_assert_str_eq(text, wanted);
}

START_TEST(lists_are_filtered_and_newest_first)
{
    struct store_insert in;
    ck_list(&(struct store_filter){.limit = 0}, "");
    insert("{\"argv\":[\"a\"],\"name\":\"n\",\"labels\":{\"x\":\"1\",\"y\":\"1\"}}");
    insert("{\"argv\":[\"a\"],\"queue\":\"q\",\"labels\":{\"x\":\"1\"}}");
    insert("{\"kind\":\"sleep\",\"args\":{\"for\":\"1s\"}}");
    insert_as(7, TRUE_JOB, false, &in);
    insert(TRUE_JOB);
    move(5, JOB_EVENT_CANCEL);
    ck_list(&(struct store_filter){.limit = 0}, "5 4 3 2 1");
    ck_list(&(struct store_filter){.limit = 5}, "5 4 3 2 1");
    ck_list(&(struct store_filter){.limit = 4}, "5 4 3 2 more");
    ck_list(&(struct store_filter){.limit = 2, .before = 4}, "3 2 more");
    ck_list(&(struct store_filter){.before = 1}, "");
    ck_list(&(struct store_filter){.before = 1000}, "5 4 3 2 1");
    ck_list(&(struct store_filter){.states = JOB_STATE_BIT(JOB_CANCELED)}, "5");
    ck_list(&(struct store_filter){.states = JOB_STATES_FINAL | JOB_STATE_BIT(JOB_QUEUED)},
            "5 4 3 2 1");
    ck_list(&(struct store_filter){.has_uid = true, .uid = 7}, "4");
    ck_list(&(struct store_filter){.queue = "q"}, "2");
    ck_list(&(struct store_filter){.kind = "sleep"}, "3");
    ck_list(&(struct store_filter){.name = "n"}, "1");
    ck_list(&(struct store_filter){.has_parent = true, .parent = 3}, "");
    struct spec_label x = {(char[]){"x"}, (char[]){"1"}};
    struct spec_label both[] = {{(char[]){"x"}, (char[]){"1"}}, {(char[]){"y"}, (char[]){"1"}}};
    ck_list(&(struct store_filter){.labels = &x, .label_count = 1}, "2 1");
    ck_list(&(struct store_filter){.labels = both, .label_count = 2}, "1");
    ck_list(&(struct store_filter){.labels = &x, .label_count = 1, .has_uid = true, .uid = 7}, "");
}

END_TEST

START_TEST(a_list_goes_down_slice_by_slice)
{
    struct spec *rare = spec_of("{\"argv\":[\"a\"],\"name\":\"rare\"}"), *other = spec_of(TRUE_JOB);
    int slices = 0;
    begin();
    for (int i = 1; i <= 45000; i++) {
        struct store_insert in = {.spec = i % 22000 == 1 ? rare : other, .uid = 1, .now_us = NOW};
        ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
    }
    commit();
    struct store_filter filter = {.name = "rare"};
    struct store_page page = STORE_PAGE_INIT;
    begin();
    do {
        ck_assert_int_eq(store_sql_list(sql, &filter, &page), STORE_OK);
        slices++;
    } while (page.next > 0);
    commit();
    ck_assert_int_eq(slices, 3);
    ck_assert_uint_eq(page.count, 3);
    ck_assert_int_eq(page.jobs[2]->id, 1);
    ck_assert(!page.more);
    store_page_fini(&page);
    store_page_fini(NULL);
    spec_free(rare);
    spec_free(other);
}

END_TEST

START_TEST(events_tell_every_arrow_and_the_oldest_go)
{
    static struct store_event events[8];
    struct store_filter filter = {.states = 0};
    struct store_follow f = {.filter = &filter, .events = events, .max = 8};
    begin();
    ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
    ck_assert_uint_eq(f.count, 0);
    ck_assert_int_eq(f.oldest, 1);
    ck_assert(f.seq == 0 && f.last == 0);
    commit();
    int64_t id = insert(TRUE_JOB);
    start(id, 1);
    finish(id, 1, JOB_OUTCOME_SUCCEEDED);
    reopen();
    begin();
    f.from = 1;
    ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
    commit();
    ck_assert_uint_eq(f.count, 2);
    ck_assert(f.seq == 3 && f.last == 3);
    ck_assert_int_eq(events[0].state, JOB_RUNNING);
    ck_assert_uint_eq(events[0].attempt, 1);
    ck_assert_int_eq(events[1].state, JOB_SUCCEEDED);
    ck_assert_int_eq(events[1].seq, 3);
    ck_assert_int_eq(events[1].id, id);
    ck_assert_uint_eq(events[1].uid, 1000);
    ck_assert_str_eq(events[1].kind, "exec");
    ck_assert_str_eq(events[1].queue, "default");
    ck_assert_str_eq(events[1].name, "");
    struct spec *spec = spec_of(TRUE_JOB);
    begin();
    for (int i = 0; i < STORE_EVENTS_KEPT + 5000; i++) {
        struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
        ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
    }
    commit();
    begin();
    f = (struct store_follow){.filter = &filter, .events = events, .max = 8};
    ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
    /* A row stands for up to 256 events and goes when the last of them may. */
    ck_assert(f.oldest <= 5004 && f.oldest > 5004 - 256);
    f.from = f.oldest - 1;
    f.max = 1;
    ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
    commit();
    ck_assert_uint_eq(f.count, 1);
    ck_assert_int_eq(events[0].seq, f.oldest);
    ck_assert_int_eq(f.seq, f.oldest);
    spec_free(spec);
}

END_TEST

/* The numbers of the events that a filter lets through, over as many looks as it takes. */
static size_t followed(const struct store_filter *filter, int64_t *seqs, size_t max)
{
    static struct store_event events[3];
    struct store_follow f = {.last = 1};
    size_t count = 0;
    begin();
    for (int64_t from = 0; from < f.last; from = f.seq) {
        f = (struct store_follow){.filter = filter, .from = from, .events = events, .max = 3};
        ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
        ck_assert(f.seq > from && f.seq <= f.last);
        for (size_t i = 0; i < f.count; i++) {
            ck_assert_uint_lt(count, max);
            seqs[count++] = events[i].seq;
        }
    }
    commit();
    return count;
}

START_TEST(followers_see_what_their_filter_lets_through)
{
    int64_t seqs[16];
    struct spec_label both[] = {{(char[]){"a"}, (char[]){"1"}}, {(char[]){"b"}, (char[]){"2"}}};
    struct store_filter filter = {.queue = "q"};
    struct spec *spec = spec_of(TRUE_JOB);
    insert("{\"argv\":[\"a\"],\"queue\":\"q\",\"name\":\"n\"}");                   /* 1 */
    insert("{\"argv\":[\"a\"],\"labels\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}"); /* 2 */
    insert("{\"argv\":[\"a\"],\"labels\":{\"a\":\"1\",\"b\":\"3\"}}");             /* 3 */
    insert("{\"kind\":\"sleep\",\"args\":{\"for\":\"1s\"},\"delay\":\"1s\"}");     /* 4 */
    begin();
    for (int i = 0; i < 4500; i++) { /* more than two slices that hold nothing */
        struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
        ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
    }
    commit();
    int64_t last = insert("{\"argv\":[\"a\"],\"queue\":\"q\"}");
    ck_assert_uint_eq(followed(&filter, seqs, 16), 2);
    ck_assert(seqs[0] == 1 && seqs[1] == last);
    filter = (struct store_filter){.labels = both, .label_count = 2};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 1);
    ck_assert_int_eq(seqs[0], 2);
    filter = (struct store_filter){.kind = "sleep"};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 1);
    filter = (struct store_filter){.states = JOB_STATE_BIT(JOB_DELAYED)};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 1);
    ck_assert_int_eq(seqs[0], 4);
    filter = (struct store_filter){.name = "n", .queue = "q"};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 1);
    filter = (struct store_filter){.has_uid = true, .uid = 1000};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 5);
    filter = (struct store_filter){.has_uid = true, .uid = 0};
    ck_assert_uint_eq(followed(&filter, seqs, 16), 0);
    spec_free(spec);
}

END_TEST

/* --- recovery and retention ------------------------------------------------------------------- */

START_TEST(a_former_life_is_listed_and_decided_by_the_table)
{
    int64_t plain = insert_running(TRUE_JOB), sleeper = insert_running(TRUE_JOB);
    int64_t canceled = insert_running(TRUE_JOB);
    int64_t asked = insert_running("{\"argv\":[\"a\"],\"retry\":{\"on\":[\"interrupted\"]}}");
    int64_t follower = insert("{\"argv\":[\"b\"],\"after\":[1]}"), waiting = insert(TRUE_JOB);
    begin();
    ck_assert_int_eq(store_sql_process(sql, plain, 1, 4711, 123456789012), STORE_OK);
    commit();
    move(canceled, JOB_EVENT_CANCEL);
    reopen();
    struct store_recovery recovery = STORE_RECOVERY_INIT;
    ck_assert_int_eq(store_sql_interrupted(sql, &recovery), 0);
    ck_assert_str_eq(recovery.boot_id, "boot-1");
    ck_assert_uint_eq(recovery.count, 4);
    ck_assert_int_eq(recovery.jobs[0].pid, 4711);
    ck_assert_int_eq((int64_t)recovery.jobs[0].start_time, 123456789012);
    ck_assert_str_eq(recovery.jobs[0].boot_id, "boot-1");
    ck_assert_str_eq(recovery.jobs[0].spec->kind, "exec");
    ck_assert_int_eq(recovery.jobs[1].pid, 0);
    ck_assert(recovery.jobs[2].cancel_requested);
    recovery.jobs[1].repeatable = recovery.jobs[2].repeatable = true;
    /* Nothing is decided yet. */
    ck_assert_int_eq(state_of(plain), JOB_RUNNING);
    begin();
    ck_assert_int_eq(store_sql_recover(sql, &recovery, NOW + 1, &effects), STORE_OK);
    commit();
    ck_assert_int_eq(recovery.jobs[0].decision.state, JOB_FAILED);
    ck_assert_int_eq(recovery.jobs[3].decision.state, JOB_DELAYED);
    ck_assert_int_gt(recovery.jobs[3].seq, recovery.jobs[0].seq);
    struct store_job *job = get(plain);
    ck_assert_int_eq(job->state, JOB_FAILED);
    ck_assert_str_eq(job->error_name, "interrupted");
    ck_assert_int_eq(job->attempts[0].outcome, JOB_OUTCOME_INTERRUPTED);
    ck_assert_uint_eq(job->lost, 1);
    store_job_free(job);
    ck_assert_int_eq(state_of(sleeper), JOB_DELAYED);
    ck_assert_int_eq(state_of(canceled), JOB_CANCELED);
    ck_assert_int_eq(state_of(asked), JOB_DELAYED);
    ck_assert_int_eq(state_of(follower), JOB_SKIPPED);
    ck_assert_int_eq(state_of(waiting), JOB_QUEUED);
    ck_assert_uint_eq(effects.count, 1);
    store_recovery_fini(&recovery);
    store_recovery_fini(&recovery);
}

END_TEST

START_TEST(the_fourth_loss_of_one_job_is_its_end)
{
    int64_t id = insert_running(TRUE_JOB);
    for (uint32_t attempt = 1; attempt <= JOB_LOST_MAX + 1; attempt++) {
        struct store_recovery recovery = STORE_RECOVERY_INIT;
        reopen();
        ck_assert_int_eq(store_sql_interrupted(sql, &recovery), 0);
        ck_assert_uint_eq(recovery.count, 1);
        ck_assert_uint_eq(recovery.jobs[0].attempt, attempt);
        recovery.jobs[0].repeatable = true;
        begin();
        ck_assert_int_eq(store_sql_recover(sql, &recovery, NOW, &effects), STORE_OK);
        commit();
        store_recovery_fini(&recovery);
        ck_assert_int_eq(start(id, attempt + 1), attempt <= JOB_LOST_MAX ? STORE_OK : STORE_REFUSED);
    }
    ck_assert_int_eq(state_of(id), JOB_FAILED);
}

END_TEST

static size_t expire(const struct store_retention *retention, size_t max, int64_t *ids)
{
    size_t count = 99;
    begin();
    ck_assert_int_eq(store_sql_expire(sql, retention, ids, max, &count), STORE_OK);
    commit();
    return count;
}

START_TEST(retention_goes_by_age_own_keep_count_and_bytes)
{
    int64_t ids[8];
    for (int i = 1; i <= 6; i++) {
        insert_running(i == 2   ? "{\"argv\":[\"a\"],\"keep\":\"1s\"}"
                       : i == 3 ? "{\"argv\":[\"a\"],\"keep\":\"1h\"}"
                                : TRUE_JOB);
        if (i < 6) {
            finish(i, 1, JOB_OUTCOME_SUCCEEDED); /* all at NOW + 5 */
        }
    }
    struct store_retention retention = {.now_us = NOW + 5 + 999999};
    ck_assert_uint_eq(expire(&retention, 8, ids), 0);
    retention.now_us = NOW + 5 + 1000000;
    ck_assert_uint_eq(expire(&retention, 8, ids), 1);
    ck_assert_int_eq(ids[0], 2);
    retention.keep_ns = INT64_C(2000000000);
    ck_assert_uint_eq(expire(&retention, 8, ids), 0);
    retention.now_us = NOW + 5 + 2000000;
    ck_assert_uint_eq(expire(&retention, 2, ids), 2); /* in small batches */
    ck_assert_int_eq(ids[0], 1);
    ck_assert_int_eq(ids[1], 4);
    ck_assert_uint_eq(expire(&retention, 2, ids), 1);
    ck_assert_int_eq(ids[0], 5);
    ck_assert_int_eq(state_of(3), JOB_SUCCEEDED); /* its own keep */
    ck_assert_int_eq(state_of(6), JOB_RUNNING);
    ck_assert_ptr_null(get(1));
    /* Limits of number and size take what keep would have kept. */
    finish(6, 1, JOB_OUTCOME_SUCCEEDED);
    retention = (struct store_retention){.now_us = NOW, .keep_count = 2};
    ck_assert_uint_eq(expire(&retention, 8, ids), 0);
    retention.keep_count = 1;
    ck_assert_uint_eq(expire(&retention, 8, ids), 1);
    ck_assert_int_eq(ids[0], 6); /* those without a keep of their own go first */
    retention = (struct store_retention){.now_us = NOW, .keep_bytes = 1};
    ck_assert_uint_eq(expire(&retention, 8, ids), 1);
    ck_assert_int_eq(ids[0], 3);
    struct store_stats stats;
    store_sql_sizes(sql, &stats);
    ck_assert_uint_eq(stats.ended, 0);
    ck_assert_uint_eq(stats.ended_bytes, 0);
}

END_TEST

static int count_setting(void *ctx, const char *name, const char *value)
{
    sprintf((char *)ctx + strlen(ctx), "%s=%s;", name, value);
    return 0;
}

START_TEST(settings_and_backups_survive)
{
    char text[256] = "", copy[256];
    insert(TRUE_JOB);
    move(1, JOB_EVENT_CANCEL);
    move(1, JOB_EVENT_REMOVE); /* writes last_id, which is the store's own */
    begin();
    ck_assert_int_eq(store_sql_setting_put(sql, "queue.b", "{}"), 0);
    ck_assert_int_eq(store_sql_setting_put(sql, "queue.a", "1"), 0);
    ck_assert_int_eq(store_sql_setting_put(sql, "queue.a", "2"), 0);
    ck_assert_int_eq(store_sql_setting_put(sql, "queue.c", "3"), 0);
    ck_assert_int_eq(store_sql_setting_put(sql, "queue.c", NULL), 0);
    commit();
    reopen();
    ck_assert_int_eq(store_sql_setting_each(sql, count_setting, text), 0);
    ck_assert_str_eq(text, "queue.a=2;queue.b={};");
    insert(TRUE_JOB);
    snprintf(copy, sizeof copy, "%s.copy", path);
    ck_assert_int_eq(store_sql_backup(sql, copy), 0);
    ck_assert_int_lt(store_sql_backup(sql, copy), 0);
    store_sql_close(sql);
    struct store_sql_config config = {.path = copy, .boot_id = "b", .now_us = NOW};
    ck_assert_int_eq(store_sql_open(&sql, &config, reason, sizeof reason), STORE_OK);
    ck_assert_int_eq(state_of(2), JOB_QUEUED);
}

END_TEST

/* --- what goes wrong -------------------------------------------------------------------------- */

START_TEST(a_full_database_refuses_and_loses_nothing)
{
    int64_t accepted = 0;
    store_sql_close(sql);
    ck_assert_int_eq(open_with(60), STORE_OK);
    struct spec *spec = spec_of(TRUE_JOB);
    int r = 0;
    while (r == 0) {
        begin();
        struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
        for (int i = 0; i < 10 && r == 0; i++) {
            r = store_sql_insert(sql, &in, 1, &refusal);
        }
        r = r < 0 ? r : store_sql_commit(sql);
        if (r == 0) {
            accepted = in.id;
        }
    }
    ck_assert_int_eq(r, -ENOSPC);
    store_sql_rollback(sql);
    ck_assert_int_gt(accepted, 10);
    ck_assert_ptr_null(get(accepted + 1)); /* reads go on */
    ck_assert_int_eq(state_of(accepted), JOB_QUEUED);
    /* What was accepted can still end, at least when some of it goes. */
    reopen();
    ck_assert_int_eq(state_of(accepted), JOB_QUEUED);
    ck_assert_int_eq(insert(TRUE_JOB), accepted + 1);
    spec_free(spec);
}

END_TEST

START_TEST(a_disk_that_refuses_writes_is_survived)
{
    struct rlimit before, small = {.rlim_cur = 65536};
    struct spec *spec = spec_of(TRUE_JOB);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    insert(TRUE_JOB);
    small.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int64_t accepted = 1;
    int r = 0;
    while (r == 0) {
        begin();
        struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
        r = store_sql_insert(sql, &in, 1, &refusal);
        r = r < 0 ? r : store_sql_commit(sql);
        if (r == 0) {
            accepted = in.id;
        }
    }
    ck_assert_int_lt(r, 0);
    store_sql_rollback(sql);
    ck_assert_int_eq(state_of(accepted), JOB_QUEUED);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(store_sql_heal(sql), 0);
    ck_assert_int_eq(insert(TRUE_JOB), accepted + 1);
    reopen();
    ck_assert_ptr_null(get(accepted + 2));
    ck_assert_int_eq(state_of(accepted + 1), JOB_QUEUED);
    spec_free(spec);
}

END_TEST

/* The writer of a kill round: commits batches and tells the last id of each only after COMMIT. */
static void write_until_killed(int out)
{
    struct spec *spec = spec_of("{\"argv\":[\"true\"],\"labels\":{\"a\":\"b\"}}");
    if (open_with(0) != STORE_OK) {
        _exit(2);
    }
    for (uint32_t n = 1;; n++) {
        struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW, .claim = n % 3 == 0};
        begin();
        for (uint32_t i = 0; i < n % 7 + 1; i++) {
            if (store_sql_insert(sql, &in, 1, &refusal) != STORE_OK) {
                _exit(3);
            }
        }
        if (store_sql_commit(sql) < 0 || store_sql_maintain(sql) < 0 ||
            write(out, &in.id, sizeof in.id) != sizeof in.id) {
            _exit(4);
        }
    }
}

START_TEST(nothing_acknowledged_is_lost_to_a_kill)
{
    int64_t last = 0, acknowledged = 0;
    unsigned seed = (unsigned)getpid();
    store_sql_close(sql);
    sql = NULL;
    for (int round = 0; round < 25; round++) {
        int pipes[2];
        ck_assert_int_eq(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            close(pipes[0]);
            write_until_killed(pipes[1]);
        }
        close(pipes[1]);
        /* The kill comes after so many acknowledgements, wherever the writer is by then. */
        for (int n = rand_r(&seed) % 40 + 1; n > 0; n--) {
            int64_t id;
            ck_assert_int_eq(read(pipes[0], &id, sizeof id), sizeof id);
            ck_assert_int_gt(id, last);
            last = id;
            acknowledged++;
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        int64_t id;
        while (read(pipes[0], &id, sizeof id) == sizeof id) {
            last = id; /* said before it died */
        }
        close(pipes[0]);
        ck_assert_int_eq(open_with(0), STORE_OK);
        for (int64_t check = last; check > 0 && check > last - 50; check--) {
            enum job_state state = state_of(check);
            ck_assert_msg(state == JOB_QUEUED || state == JOB_RUNNING, "round %d: job %lld is %s",
                          round, (long long)check, job_state_name(state));
        }
        store_sql_close(sql);
        sql = NULL;
    }
    struct sql *db;
    struct sql_stmt *stmt;
    ck_assert_int_eq(sql_open(&db, path, reason, sizeof reason), 0);
    ck_assert_int_eq(sql_prepare(db, "PRAGMA integrity_check", false, &stmt), 0);
    ck_assert_int_eq(sql_step(stmt), SQL_ROW);
    ck_assert_str_eq(sql_text(stmt, 0, NULL), "ok");
    sql_finalize(stmt);
    ck_assert_int_eq(sql_prepare(db, "SELECT count(*), max(id) FROM jobs", false, &stmt), 0);
    ck_assert_int_eq(sql_step(stmt), SQL_ROW);
    ck_assert_int_eq(sql_int(stmt, 0), sql_int(stmt, 1)); /* no gap: batches are whole */
    ck_assert_int_ge(sql_int(stmt, 1), last);
    sql_finalize(stmt);
    sql_close(db);
    ck_assert_int_gt(acknowledged, 25);
}

END_TEST

START_TEST(a_grown_wal_is_moved_home)
{
    struct spec *spec = spec_of(TRUE_JOB);
    struct store_stats stats;
    bool moved = false;
    for (int n = 0; n < 400 && !moved; n++) {
        begin();
        for (int i = 0; i < 100; i++) {
            struct store_insert in = {.spec = spec, .uid = 1, .now_us = NOW};
            ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
        }
        commit();
        int r = store_sql_maintain(sql);
        ck_assert_int_ge(r, 0);
        moved = r == 1;
    }
    ck_assert(moved);
    store_sql_sizes(sql, &stats);
    ck_assert_uint_eq(stats.wal_bytes, 0);
    ck_assert_uint_gt(stats.db_bytes, 1000000);
    spec_free(spec);
}

END_TEST

SUITE_MAIN_WITH(
    "store_sql", set_up, tear_down, a_new_database_is_private_and_in_wal_mode_without_shared_memory,
    a_second_opener_is_refused, a_newer_schema_is_refused_by_name_and_left_alone,
    what_is_no_database_is_refused, a_migration_that_was_cut_off_is_made_again,
    ids_and_events_ascend_and_jobs_are_read_back_whole,
    a_claimed_job_is_running_with_its_first_attempt, a_key_stands_for_one_body_of_one_owner,
    many_are_accepted_or_none, a_rollback_takes_ids_and_counts_back, ids_are_not_given_twice,
    a_job_waits_for_those_it_runs_after, a_failed_dependency_skips_the_whole_chain,
    a_retried_dependency_has_not_ended, ended_dependencies_count_at_once,
    unknown_and_foreign_dependencies_are_not_found, jobs_of_one_call_may_follow_each_other,
    a_canceled_blocked_job_is_not_released_later, start_wants_the_next_attempt_of_a_waiting_job,
    a_delayed_job_starts_when_its_time_has_come, an_ended_attempt_is_kept_with_all_it_left,
    a_retry_keeps_the_attempts_and_their_count, a_cancel_committed_first_wins_over_what_was_decided,
    waiting_jobs_end_by_cancel_and_by_deadline, arrows_with_a_function_of_their_own_are_not_moves,
    again_resets_the_budget_and_keeps_the_id, an_edit_moves_what_has_not_started,
    an_edit_gives_and_takes_dependencies, unfinished_jobs_are_loaded_in_order,
    lists_are_filtered_and_newest_first, a_list_goes_down_slice_by_slice,
    events_tell_every_arrow_and_the_oldest_go, followers_see_what_their_filter_lets_through,
    a_former_life_is_listed_and_decided_by_the_table, the_fourth_loss_of_one_job_is_its_end,
    retention_goes_by_age_own_keep_count_and_bytes, settings_and_backups_survive,
    a_full_database_refuses_and_loses_nothing, a_disk_that_refuses_writes_is_survived,
    nothing_acknowledged_is_lost_to_a_kill, a_grown_wal_is_moved_home)
