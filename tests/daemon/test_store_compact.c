/* How a job lies on disk: a short specification in its row, a long one beside it, one row of events for jobs that came
 * together, and all that was written before it was so. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/schema.h"
#include "sql.h"
#include "store_sql.h"
#include "suite.h"

#define NOW  INT64_C(1700000000000000)
#define MANY 600 /* more than one row of events stands for */

static char dir[200], path[240], reason[512];
static struct store_sql *sql;
static struct store_refusal refusal;
static struct store_effects effects;

static void open_store(void)
{
    struct store_sql_config config = {.path = path, .boot_id = "boot-1", .now_us = NOW};
    int r = store_sql_open(&sql, &config, reason, sizeof reason);
    ck_assert_msg(r == STORE_OK, "%d: %s", r, reason);
}

static void reopen(void)
{
    store_sql_close(sql);
    open_store();
}

static void set_up(void)
{
    snprintf(dir, sizeof dir, "%s/compact-XXXXXX", TEST_DIR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    effects = (struct store_effects)STORE_EFFECTS_INIT;
    open_store();
}

static void tear_down(void)
{
    static const char *const suffixes[] = {"", "-wal"};
    store_sql_close(sql);
    store_effects_fini(&effects);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char file[256];
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

static void begin(void)
{
    ck_assert_int_eq(store_sql_begin(sql), 0);
}

static void commit(void)
{
    int r = store_sql_commit(sql);
    ck_assert_msg(r == 0, "%d: %s", r, store_sql_error(sql));
}

static struct spec *spec_padded(size_t padding)
{
    struct json_error json_error;
    struct spec_error error;
    struct spec *spec = NULL;
    static const struct spec_context context = {.admin = true, .many = true, .index = 10000};
    char *text = calloc(1, padding + 20);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "{\"argv\":[\"", 10);
    memset(text + 10, 'x', padding);
    memcpy(text + 10 + padding, "\"]}", 4);
    struct json *object = json_parse(text, strlen(text), &json_error);
    ck_assert_ptr_nonnull(object);
    ck_assert_int_eq(spec_parse(object, &context, &spec, &error), SPEC_OK);
    json_free(object);
    free(text);
    return spec;
}

static void write_spec(struct buf *text, const struct spec *spec)
{
    struct writer w;
    writer_init(&w, text);
    spec_write(&w, spec, 0);
}

/* A specification whose text has this many bytes. */
static struct spec *spec_sized(size_t size)
{
    struct buf text = BUF_INIT;
    struct spec *spec = spec_padded(1);
    write_spec(&text, spec);
    size_t least = text.len;
    ck_assert_uint_le(least, size);
    spec_free(spec);
    spec = spec_padded(size - least + 1);
    buf_reset(&text);
    write_spec(&text, spec);
    ck_assert_uint_eq(text.len, size);
    buf_free(&text);
    return spec;
}

static int64_t insert(struct spec *spec, uint32_t uid, bool claim)
{
    struct store_insert in = {.spec = spec, .uid = uid, .now_us = NOW, .claim = claim};
    ck_assert_int_eq(store_sql_insert(sql, &in, 1, &refusal), STORE_OK);
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

/* What a query for one number says, of a store that is closed meanwhile. */
static int64_t number(const char *query)
{
    struct sql *db;
    struct sql_stmt *stmt;
    store_sql_close(sql);
    ck_assert_int_eq(sql_open(&db, path, reason, sizeof reason), 0);
    ck_assert_int_eq(sql_prepare(db, query, false, &stmt), 0);
    ck_assert_int_eq(sql_step(stmt), SQL_ROW);
    int64_t value = sql_int(stmt, 0);
    sql_finalize(stmt);
    sql_close(db);
    open_store();
    return value;
}

/* --- specifications --------------------------------------------------------------------------- */

static void check_spec(int64_t id, struct spec *wanted)
{
    struct buf text = BUF_INIT;
    char *stored = NULL;
    size_t len = 0;
    write_spec(&text, wanted);
    struct store_job *job = get(id);
    ck_assert_ptr_nonnull(job);
    ck_assert_str_eq(job->spec, text.data);
    ck_assert_uint_eq(job->spec_len, text.len);
    store_job_free(job);
    int64_t seq;
    begin();
    int r = store_sql_start(sql, id, 1, NOW, &stored, &len, &seq);
    ck_assert_int_eq(r, STORE_OK);
    ck_assert_uint_eq(len, text.len);
    ck_assert_mem_eq(stored, text.data, len);
    store_sql_rollback(sql);
    free(stored);
    buf_free(&text);
}

static void finish(int64_t id, char *result)
{
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    struct job_decision decision;
    struct job_retry none;
    int64_t seq;
    job_retry_default(&none);
    struct job_progress progress = {.retry = &none};
    outcome.kind = JOB_OUTCOME_SUCCEEDED;
    outcome.result = result;
    job_next_state(&progress, &outcome, NOW, &decision);
    begin();
    ck_assert_int_eq(store_sql_finish(sql, id, 1, &outcome, &decision, NOW + 5, &seq, &effects),
                     STORE_OK);
    commit();
}

static const size_t sizes[] = {40, 511, 512, 513, 4096, 70000};
#define SIZES (sizeof sizes / sizeof sizes[0])

START_TEST(specifications_of_every_length_are_read_back)
{
    struct spec *specs[SIZES];
    int64_t ids[SIZES];
    begin();
    for (size_t i = 0; i < SIZES; i++) {
        specs[i] = spec_sized(sizes[i]);
        ids[i] = insert(specs[i], 1000, false);
    }
    commit();
    reopen();
    for (size_t i = 0; i < SIZES; i++) {
        check_spec(ids[i], specs[i]);
        spec_free(specs[i]);
    }
    ck_assert_int_eq(number("SELECT count(*) FROM texts"), 3);
    ck_assert_int_eq(number("SELECT count(*) FROM jobs WHERE length(spec) <= 512"), 3);
}

END_TEST

/* From every length to every other, and what it cost to keep follows. */
START_TEST(an_edit_puts_a_specification_where_it_belongs)
{
    struct spec *specs[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        specs[i] = spec_sized(sizes[i]);
    }
    for (size_t from = 0; from < SIZES; from++) {
        for (size_t to = 0; to < SIZES; to++) {
            begin();
            int64_t id = insert(specs[from], 1000, false);
            commit();
            struct store_edit edit = {.spec = specs[to]};
            begin();
            ck_assert_int_eq(store_sql_edit(sql, id, &edit, NOW, &effects), STORE_OK);
            commit();
            check_spec(id, specs[to]);
        }
    }
    ck_assert_int_eq(number("SELECT count(*) FROM jobs j LEFT JOIN texts t ON t.job = j.id"
                            " WHERE (j.spec IS NULL) != (ifnull(t.spec, '') != '')"),
                     0); /* in one of both places */
    for (size_t i = 0; i < SIZES; i++) {
        spec_free(specs[i]);
    }
}

END_TEST

START_TEST(a_result_stands_beside_either)
{
    for (size_t i = 0; i < SIZES; i++) {
        struct spec *spec = spec_sized(sizes[i]);
        begin();
        int64_t id = insert(spec, 1000, true);
        commit();
        finish(id, (char[]){"{\"sum\":1}"});
        reopen();
        struct store_job *job = get(id);
        ck_assert_str_eq(job->result, "{\"sum\":1}");
        ck_assert_uint_eq(job->spec_len, sizes[i]);
        store_job_free(job);
        struct job_row row;
        char queue[SPEC_NAME_MAX + 1];
        int64_t seq;
        struct store_step gone = {.id = id, .event = JOB_EVENT_REMOVE};
        begin();
        ck_assert_int_eq(store_sql_again(sql, id, NOW, &row, queue, &seq), STORE_REFUSED);
        ck_assert_int_eq(store_sql_moves(sql, &gone, 1, NOW, &effects), STORE_OK);
        ck_assert_int_eq(gone.outcome, STORE_OK);
        commit();
        spec_free(spec);
    }
    ck_assert_int_eq(number("SELECT count(*) FROM texts"), 0); /* nothing is left behind */
}

END_TEST

START_TEST(a_queue_that_goes_away_respells_both)
{
    int64_t ids[SIZES];
    size_t count = 0;
    begin();
    for (size_t i = 0; i < SIZES; i++) {
        struct spec *spec = spec_sized(sizes[i]);
        insert(spec, 1000, false);
        spec_free(spec);
    }
    commit();
    begin();
    ck_assert_int_eq(store_sql_queue_move(sql, "default", "other", 0, ids, SIZES, &count), 0);
    commit();
    ck_assert_uint_eq(count, SIZES);
    for (size_t i = 0; i < SIZES; i++) {
        struct store_job *job = get(ids[i]);
        ck_assert_str_eq(job->queue, "other");
        ck_assert_ptr_nonnull(strstr(job->spec, "\"queue\":\"other\""));
        store_job_free(job);
    }
}

END_TEST

/* --- events ----------------------------------------------------------------------------------- */

static struct store_event events[MANY * 2];

static size_t follow(const struct store_filter *filter, int64_t from, size_t max)
{
    struct store_follow f = {.filter = filter, .from = from, .events = events, .max = max};
    begin();
    ck_assert_int_eq(store_sql_follow(sql, &f), STORE_OK);
    commit();
    ck_assert_int_eq(f.seq, f.count == max ? events[max - 1].seq : f.last);
    return f.count;
}

static void insert_many(size_t count, uint32_t uid)
{
    struct spec *spec = spec_sized(40);
    begin();
    for (size_t i = 0; i < count; i++) {
        insert(spec, uid, false);
    }
    commit();
    spec_free(spec);
}

START_TEST(events_of_jobs_that_came_together_are_one_row)
{
    struct store_filter all = {.states = 0};
    insert_many(MANY, 1000);
    ck_assert_int_eq(number("SELECT count(*) FROM events"), (MANY + 255) / 256);
    /* From every place, and in pieces of every size. */
    for (int64_t from = 0; from < MANY; from += 7) {
        size_t max = (size_t)from % 300 + 1, left = (size_t)(MANY - from);
        size_t count = follow(&all, from, max);
        ck_assert_uint_eq(count, left < max ? left : max);
        for (size_t i = 0; i < count; i++) {
            ck_assert_int_eq(events[i].seq, from + 1 + (int64_t)i);
            ck_assert_int_eq(events[i].id, events[i].seq);
            ck_assert_int_eq(events[i].state, JOB_QUEUED);
            ck_assert_uint_eq(events[i].uid, 1000);
            ck_assert_int_eq(events[i].at_us, NOW);
            ck_assert_str_eq(events[i].kind, "exec");
        }
    }
    /* The numbers go on behind the last that a row stands for. */
    insert_many(1, 1000);
    ck_assert_uint_eq(follow(&all, MANY, 5), 1);
    ck_assert_int_eq(events[0].seq, MANY + 1);
}

END_TEST

/* Owner, state and attempt differ: each has its own. */
START_TEST(events_that_differ_are_rows_of_their_own)
{
    struct store_filter all = {.states = 0}, own = {.has_uid = true, .uid = 2},
                        running = {.states = JOB_STATE_BIT(JOB_RUNNING)};
    struct spec *spec = spec_sized(40);
    begin();
    for (int i = 0; i < 12; i++) {
        insert(spec, i < 3 ? 1 : 2, i >= 6 && i < 8);
    }
    commit();
    spec_free(spec);
    ck_assert_int_eq(number("SELECT count(*) FROM events"), 4); /* 3, 3, 2 running, 4 */
    ck_assert_uint_eq(follow(&all, 0, 100), 12);
    for (size_t i = 0; i < 12; i++) {
        ck_assert_int_eq(events[i].seq, (int64_t)i + 1);
        ck_assert_uint_eq(events[i].uid, i < 3 ? 1 : 2);
        ck_assert_int_eq(events[i].state, i >= 6 && i < 8 ? JOB_RUNNING : JOB_QUEUED);
        ck_assert_uint_eq(events[i].attempt, i >= 6 && i < 8);
    }
    ck_assert_uint_eq(follow(&own, 0, 100), 9);
    ck_assert_int_eq(events[0].seq, 4);
    ck_assert_uint_eq(follow(&running, 0, 100), 2);
    ck_assert_int_eq(events[0].seq, 7);
}

END_TEST

/* Names are those of each job of a row, and a job that is gone has none. */
START_TEST(a_filter_looks_at_each_job_of_a_row)
{
    struct store_filter other = {.queue = "other"}, all = {.states = 0};
    int64_t ids[1];
    size_t count = 0;
    insert_many(20, 1000);
    struct store_step gone = {.id = 5, .event = JOB_EVENT_CANCEL};
    begin();
    ck_assert_int_eq(store_sql_queue_move(sql, "default", "other", 9, ids, 1, &count), 0);
    ck_assert_int_eq(store_sql_moves(sql, &gone, 1, NOW, &effects), STORE_OK);
    gone.event = JOB_EVENT_REMOVE;
    ck_assert_int_eq(store_sql_moves(sql, &gone, 1, NOW, &effects), STORE_OK);
    commit();
    ck_assert_int_eq(ids[0], 10);
    ck_assert_uint_eq(follow(&other, 0, 100), 1);
    ck_assert_int_eq(events[0].id, 10);
    ck_assert_uint_eq(follow(&all, 0, 100), 21);
    ck_assert_int_eq(events[4].id, 5);
    ck_assert_str_eq(events[4].kind, "");
    ck_assert_str_eq(events[9].queue, "other");
    ck_assert_int_eq(events[20].state, JOB_CANCELED);
}

END_TEST

/* --- what was written before ------------------------------------------------------------------ */

#define OLD_JOB                                                                              \
    "INSERT INTO jobs (id, state, priority, attempt, failures, lost, cancel_requested, uid," \
    " waits, created_us, bytes, queue, kind) VALUES "

#define OLD_TEXT "INSERT INTO texts VALUES "

static const char *const old_rows[] = {
    OLD_JOB "(1, 2, 0, 0, 0, 0, 0, 1000, 0, 5, 30, 'default', 'exec'),"
            " (2, 4, 0, 1, 0, 0, 0, 1000, 0, 6, 30, 'default', 'exec')",
    OLD_TEXT "(1, '{\"kind\":\"exec\",\"args\":{\"argv\":[\"a\"]}}', NULL)",
    OLD_TEXT "(2, '{\"kind\":\"exec\",\"args\":{\"argv\":[\"b\"]}}', NULL)",
    "INSERT INTO attempts (job, n, life, started_us, outcome) VALUES (2, 1, 1, 7, 0)",
    "INSERT INTO events VALUES (1, 1, 2, 0, 1000, 5), (2, 2, 2, 0, 1000, 6), (3, 2, 4, 1, 1000, 7)",
    "INSERT INTO lives VALUES (1, 'boot-0', 4)",
    "PRAGMA user_version=1",
};

static void write_version_1(void)
{
    struct sql *db;
    ck_assert_int_eq(sql_open(&db, path, reason, sizeof reason), 0);
    for (const char *const *text = schema_migrations[0]; *text != NULL; text++) {
        ck_assert_int_eq(sql_exec(db, *text), 0);
    }
    for (size_t i = 0; i < sizeof old_rows / sizeof old_rows[0]; i++) {
        ck_assert_msg(sql_exec(db, old_rows[i]) == 0, "%s: %s", old_rows[i], sql_error(db));
    }
    sql_close(db);
}

START_TEST(jobs_of_the_first_schema_live_on)
{
    struct store_filter all = {.states = 0};
    struct store_recovery recovery = STORE_RECOVERY_INIT;
    store_sql_close(sql);
    ck_assert_int_eq(unlink(path), 0);
    write_version_1();
    open_store();
    ck_assert_int_eq(store_sql_interrupted(sql, &recovery), STORE_OK);
    ck_assert_uint_eq(recovery.count, 1);
    ck_assert_ptr_nonnull(recovery.jobs[0].spec);
    store_recovery_fini(&recovery);
    struct store_job *job = get(1);
    ck_assert_str_eq(job->spec, "{\"kind\":\"exec\",\"args\":{\"argv\":[\"a\"]}}");
    store_job_free(job);
    finish(2, (char[]){"{\"sum\":2}"});
    job = get(2);
    ck_assert_str_eq(job->spec, "{\"kind\":\"exec\",\"args\":{\"argv\":[\"b\"]}}");
    ck_assert_str_eq(job->result, "{\"sum\":2}");
    store_job_free(job);
    insert_many(3, 1000);
    ck_assert_uint_eq(follow(&all, 0, 100), 7);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(events[i].seq, (int64_t)i + 1);
    }
    ck_assert_int_eq(events[6].id, 5);
    /* An edit moves it into the row. */
    struct spec *spec = spec_sized(60);
    struct store_edit edit = {.spec = spec};
    begin();
    ck_assert_int_eq(store_sql_edit(sql, 1, &edit, NOW, &effects), STORE_OK);
    commit();
    check_spec(1, spec);
    spec_free(spec);
}

END_TEST

SUITE_MAIN_WITH("store_compact", set_up, tear_down, specifications_of_every_length_are_read_back,
                an_edit_puts_a_specification_where_it_belongs, a_result_stands_beside_either,
                a_queue_that_goes_away_respells_both, events_of_jobs_that_came_together_are_one_row,
                events_that_differ_are_rows_of_their_own, a_filter_looks_at_each_job_of_a_row,
                jobs_of_the_first_schema_live_on)
