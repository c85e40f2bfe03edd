/* New jobs on their way into the tables: many of every shape in one transaction, what looks at them
 * there, what is refused or fails behind them, and how often a commit calls the kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_sql.h"
#include "suite.h"

#define NOW  INT64_C(1700000000000000)
#define MANY 700 /* more than are written at once, and not a multiple of it */

static char dir[200], path[240], reason[512];
static struct store_sql *sql;
static struct store_refusal refusal;

static void open_with(uint32_t pages_max)
{
    struct store_sql_config config = {
        .path = path, .boot_id = "boot-1", .now_us = NOW, .pages_max = pages_max};
    int r = store_sql_open(&sql, &config, reason, sizeof reason);
    ck_assert_msg(r == STORE_OK, "%d: %s", r, reason);
}

static void set_up(void)
{
    snprintf(dir, sizeof dir, "%s/pending-XXXXXX", TEST_DIR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    open_with(0);
}

static void tear_down(void)
{
    static const char *const suffixes[] = {"", "-wal"};
    store_sql_close(sql);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char file[256];
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    ck_assert_int_eq(rmdir(dir), 0);
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

/* Inside a transaction. The specification is gone before the commit, as the store may not count on
 * it. */
static int insert(const char *text, uint32_t uid, bool claim, struct store_insert *out)
{
    struct spec *spec = spec_of(text);
    *out = (struct store_insert){.spec = spec, .uid = uid, .now_us = NOW + uid, .claim = claim};
    int r = store_sql_insert(sql, out, 1, &refusal);
    spec_free(spec);
    out->spec = NULL;
    return r;
}

static int64_t insert_ok(const char *text)
{
    struct store_insert in;
    ck_assert_int_eq(insert(text, 1000, false, &in), STORE_OK);
    return in.id;
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

static struct store_job *get(int64_t id)
{
    struct store_job *job;
    begin();
    int r = store_sql_get(sql, id, STORE_WITH_ALL, &job);
    commit();
    ck_assert_int_eq(r == STORE_OK, job != NULL);
    return job;
}

/* --- every shape ------------------------------------------------------------------------------ */

/* The i-th job: each member is there in some and missing in others. */
static void write_job(int i, char *text, size_t size)
{
    char more[5000] = "";
    if (i % 50 == 7) { /* the text of all of them is more than is kept, too */
        memset(more, 'x', sizeof more - 1);
    }
    int at = snprintf(text, size, "{\"argv\":[\"a%d\",\"%s\"]", i, more);
    at += i % 2 ? snprintf(text + at, size - (size_t)at, ",\"name\":\"n%d\"", i) : 0;
    at += i % 3 ? snprintf(text + at, size - (size_t)at, ",\"priority\":%d", i % 100 - 50) : 0;
    at += i % 5 == 1 ? snprintf(text + at, size - (size_t)at, ",\"delay\":\"%ds\"", i) : 0;
    at += i % 5 == 2 ? snprintf(text + at, size - (size_t)at, ",\"deadline\":\"%ds\"", i) : 0;
    at += i % 5 == 3 ? snprintf(text + at, size - (size_t)at, ",\"keep\":\"%ds\"", i) : 0;
    at += i % 7 == 4 ? snprintf(text + at, size - (size_t)at, ",\"key\":\"k%d\"", i) : 0;
    at += i % 7 == 5 ? snprintf(text + at, size - (size_t)at, ",\"labels\":{\"l\":\"%d\"}", i) : 0;
    at += i % 11 == 3 ? snprintf(text + at, size - (size_t)at, ",\"queue\":\"q%d\"", i % 4) : 0;
    snprintf(text + at, size - (size_t)at, "}");
}

static bool is_claimed(int i)
{
    return i % 13 == 0 && i % 5 != 1;
}

static void same_string(const char *is, const char *wanted)
{
    ck_assert_str_eq(is ? is : "(none)", wanted ? wanted : "(none)");
}

static void check_job(int i, int64_t id, const char *text)
{
    struct spec *spec = spec_of(text);
    struct buf wanted = BUF_INIT;
    struct writer w;
    writer_init(&w, &wanted);
    spec_write(&w, spec, 0);
    struct store_job *job = get(id);
    ck_assert_ptr_nonnull(job);
    ck_assert_str_eq(job->spec, wanted.data);
    same_string(job->name, spec->name);
    same_string(job->queue, spec->queue);
    same_string(job->kind, "exec");
    ck_assert_int_eq(job->priority, spec->priority);
    ck_assert_uint_eq(job->uid, (unsigned)i);
    ck_assert_int_eq(job->created_us, NOW + i);
    ck_assert_int_eq(job->scheduled_us, i % 5 == 1 ? NOW + i + INT64_C(1000000) * i : 0);
    ck_assert_int_eq(job->deadline_us, i % 5 == 2 ? NOW + i + INT64_C(1000000) * i : 0);
    ck_assert_int_eq(job->state, is_claimed(i) ? JOB_RUNNING
                                 : i % 5 == 1  ? JOB_DELAYED
                                               : JOB_QUEUED);
    ck_assert_uint_eq(job->attempt, is_claimed(i));
    ck_assert_uint_eq(job->attempt_count, is_claimed(i));
    ck_assert_int_eq(job->started_us, is_claimed(i) ? NOW + i : 0);
    ck_assert_uint_eq(job->label_count, i % 7 == 5);
    store_job_free(job);
    buf_free(&wanted);
    spec_free(spec);
}

static void check_events(int64_t first_seq)
{
    static struct store_event events[MANY + 1];
    struct store_filter filter = {.states = 0};
    struct store_follow follow = {
        .filter = &filter, .from = first_seq - 1, .events = events, .max = MANY + 1};
    begin();
    ck_assert_int_eq(store_sql_follow(sql, &follow), STORE_OK);
    commit();
    ck_assert_uint_eq(follow.count, MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(events[i].seq, first_seq + i);
        ck_assert_uint_eq(events[i].uid, (unsigned)i);
        ck_assert_int_eq(events[i].at_us, NOW + i);
        ck_assert_uint_eq(events[i].attempt, is_claimed(i));
    }
}

START_TEST(many_of_every_shape_are_all_there)
{
    static char text[8000];
    static int64_t ids[MANY];
    int64_t first_seq = 0;
    begin();
    for (int i = 0; i < MANY; i++) {
        struct store_insert in;
        write_job(i, text, sizeof text);
        ck_assert_int_eq(insert(text, (uint32_t)i, is_claimed(i), &in), STORE_OK);
        ids[i] = in.id;
        first_seq = i == 0 ? in.seq : first_seq;
        ck_assert_int_eq(in.seq, first_seq + i);
        ck_assert(i == 0 || ids[i] == ids[i - 1] + 1);
    }
    commit();
    store_sql_close(sql);
    open_with(0);
    for (int i = 0; i < MANY; i++) {
        write_job(i, text, sizeof text);
        check_job(i, ids[i], text);
    }
    check_events(first_seq);
}

END_TEST

/* --- who looks at them ------------------------------------------------------------------------ */

START_TEST(a_later_submission_finds_those_before_it)
{
    struct store_insert in;
    begin();
    int64_t first = insert_ok("{\"argv\":[\"a\"],\"key\":\"k\"}");
    int64_t second = insert_ok("{\"argv\":[\"b\"]}");
    ck_assert_int_eq(insert("{\"argv\":[\"a\"],\"key\":\"k\"}", 1000, false, &in), STORE_OK);
    ck_assert(in.existing);
    ck_assert_int_eq(in.id, first);
    ck_assert_int_eq(insert("{\"argv\":[\"c\"],\"key\":\"k\"}", 1000, false, &in), STORE_CONFLICT);
    ck_assert_int_eq(refusal.id, first);
    char text[80];
    snprintf(text, sizeof text, "{\"argv\":[\"d\"],\"after\":[%lld]}", (long long)second);
    ck_assert_int_eq(insert(text, 1000, false, &in), STORE_OK);
    ck_assert_int_eq(in.state, JOB_BLOCKED);
    commit();
    struct store_job *job = get(in.id);
    ck_assert_uint_eq(job->after_count, 1);
    ck_assert_int_eq(job->after[0], second);
    store_job_free(job);
}

END_TEST

START_TEST(what_is_settled_can_be_moved_in_the_same_transaction)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    begin();
    struct store_step step = {.id = insert_ok("{\"argv\":[\"a\"]}"), .event = JOB_EVENT_CANCEL};
    ck_assert_int_eq(store_sql_settle(sql), 0);
    ck_assert_int_eq(store_sql_moves(sql, &step, 1, NOW, &effects), STORE_OK);
    ck_assert_int_eq(step.outcome, STORE_OK);
    int64_t other = insert_ok("{\"argv\":[\"b\"]}");
    commit();
    store_effects_fini(&effects);
    struct store_job *job = get(step.id);
    ck_assert_int_eq(job->state, JOB_CANCELED);
    store_job_free(job);
    job = get(other);
    ck_assert_int_eq(job->state, JOB_QUEUED);
    store_job_free(job);
}

END_TEST

/* --- refused, and failed ---------------------------------------------------------------------- */

/* The last of many conflicts, when most of them are in the tables already. */
START_TEST(a_refused_request_leaves_those_before_it_alone)
{
    static struct store_insert all[MANY];
    struct spec *plain = spec_of("{\"argv\":[\"x\"]}"), *keyed;
    begin();
    int64_t before = insert_ok("{\"argv\":[\"a\"],\"key\":\"k\"}");
    keyed = spec_of("{\"argv\":[\"other\"],\"key\":\"k\"}");
    for (int i = 0; i < MANY; i++) {
        all[i] =
            (struct store_insert){.spec = i + 1 < MANY ? plain : keyed, .uid = 1000, .now_us = NOW};
    }
    ck_assert_int_eq(store_sql_insert(sql, all, MANY, &refusal), STORE_CONFLICT);
    ck_assert_uint_eq(refusal.job, MANY - 1);
    int64_t after = insert_ok("{\"argv\":[\"b\"]}");
    ck_assert_int_eq(after, before + 1);
    commit();
    spec_free(plain);
    spec_free(keyed);
    struct store_filter filter = {.limit = 10};
    struct store_page page = STORE_PAGE_INIT;
    begin();
    ck_assert_int_eq(store_sql_list(sql, &filter, &page), STORE_OK);
    commit();
    ck_assert_uint_eq(page.count, 2);
    store_page_fini(&page);
}

END_TEST

/* Written in the middle, or at the commit: either way nothing is there afterwards, ids and events go
 * on where they were, and there is room again. */
START_TEST(what_cannot_be_written_never_was)
{
    static char text[8000];
    store_sql_close(sql);
    open_with(60); /* 240 KiB */
    begin();
    int64_t first = insert_ok("{\"argv\":[\"a\"]}");
    commit();
    for (int many = 1; many >= 0; many--) {
        int r = 0;
        begin();
        for (int i = 0; r == 0 && i < (many ? MANY : 40); i++) {
            struct store_insert in;
            write_job(7, text, sizeof text); /* 5 KB */
            r = insert(text, 1000, false, &in);
        }
        ck_assert_int_eq(r, (many ? -ENOSPC : 0));
        ck_assert_int_eq(store_sql_settle(sql), -ENOSPC);
        ck_assert_int_eq(store_sql_commit(sql), -ENOSPC); /* it lasts until the rollback */
        store_sql_rollback(sql);
        begin();
        ck_assert_int_eq(store_sql_settle(sql), 0);
        ck_assert_int_eq(insert_ok("{\"argv\":[\"b\"]}"), ++first);
        commit();
    }
    ck_assert_int_eq(first, 3);
    struct store_job *job = get(3);
    ck_assert_ptr_nonnull(job);
    store_job_free(job);
    ck_assert_ptr_null(get(4));
}

END_TEST

/* --- the log ---------------------------------------------------------------------------------- */

/* Calls that write, of this process; -1: this kernel does not count them. */
static long writes(void)
{
    char line[80];
    long count = -1;
    FILE *file = fopen("/proc/self/io", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "syscw: %ld", &count);
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

START_TEST(a_commit_of_many_pages_is_one_write)
{
    for (int round = 0; round < 3; round++) { /* the first may begin the log */
        begin();
        for (int i = 0; i < 100; i++) {
            insert_ok("{\"argv\":[\"/bin/true\"]}");
        }
        long before = writes(); /* an assertion writes, too */
        int r = store_sql_commit(sql);
        long took = writes() - before;
        ck_assert_int_eq(r, 0);
        ck_assert_msg(before < 0 || took <= (round == 0 ? 2 : 1), "%ld writes", took);
    }
}

END_TEST

/* Pages that do not fit into memory go to the log before the commit, and are read back from it. */
START_TEST(pages_that_spill_are_read_back)
{
    static char text[8000];
    write_job(7, text, sizeof text);
    begin();
    int64_t first = insert_ok(text), last = 0;
    for (int i = 0; i < 2000; i++) { /* 10 MB; the cache has 4 */
        last = insert_ok(text);
    }
    ck_assert_int_eq(store_sql_settle(sql), 0);
    struct store_job *job;
    ck_assert_int_eq(store_sql_get(sql, first, STORE_WITH_SPEC, &job), STORE_OK);
    ck_assert_uint_gt(job->spec_len, 4000);
    store_job_free(job);
    commit();
    ck_assert_int_eq(store_sql_maintain(sql), 1);
    store_sql_close(sql);
    open_with(0);
    for (int64_t id = first; id <= last; id += 500) {
        job = get(id);
        ck_assert_uint_gt(job->spec_len, 4000);
        store_job_free(job);
    }
}

END_TEST

SUITE_MAIN_WITH("store_pending", set_up, tear_down, many_of_every_shape_are_all_there,
                a_later_submission_finds_those_before_it,
                what_is_settled_can_be_moved_in_the_same_transaction,
                a_refused_request_leaves_those_before_it_alone, what_cannot_be_written_never_was,
                a_commit_of_many_pages_is_one_write, pages_that_spill_are_read_back)
