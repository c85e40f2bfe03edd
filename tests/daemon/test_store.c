/* The store as its callers see it: tasks that ask, one thread that commits. A gate inside on_commit
 * holds that thread between two batches, so that what waits behind it is known exactly and no test
 * needs luck or time. */
#include <cosched/cosched.h>

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store.h"
#include "suite.h"

#define NOW INT64_C(1700000000000000)

static char dir[200];
static struct store *store;
static struct store_recovery recovery;
static _Atomic uint64_t commits;
static _Atomic uint64_t last_batch;
static _Atomic bool hold; /* the next commit closes the gate */
static sem_t gate;
static _Atomic bool held;

static void on_commit(void *ctx, int64_t commit_ns, size_t requests)
{
    (void)ctx;
    ck_assert_int_ge(commit_ns, 0);
    atomic_store(&last_batch, requests);
    atomic_fetch_add(&commits, 1);
    if (atomic_exchange(&hold, false)) {
        atomic_store(&held, true);
        while (sem_wait(&gate) < 0) {
        }
    }
}

static int open_with(uint32_t pages_max)
{
    struct store_config config = {.dir = dir,
                                  .boot_id = "boot-1",
                                  .now_us = NOW,
                                  .on_commit = on_commit,
                                  .pages_max = pages_max};
    return store_open(&store, &config, &recovery);
}

static void set_up(void)
{
    snprintf(dir, sizeof dir, "%s/store-XXXXXX", TEST_DIR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    sem_init(&gate, 0, 0);
}

static void tear_down(void)
{
    static const char *const names[] = {"lock", "cosched.db", "cosched.db-wal", "copy.db"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Runs a body as the main task, once without workers and once with two. */
static void run_in_tasks(cosched_fn body)
{
    static const int32_t workers[] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        cosched_config config = {.struct_size = sizeof config, .workers = workers[i]};
        if (i > 0) {
            tear_down();
            set_up();
        }
        atomic_store(&commits, 0);
        ck_assert_int_eq(cosched_run(&config, body, NULL), 0);
    }
}

static struct spec *spec_of(const char *text)
{
    struct json_error json_error;
    struct spec_error error;
    struct spec *spec = NULL;
    static const struct spec_context context = {.admin = true};
    struct json *object = json_parse(text, strlen(text), &json_error);
    ck_assert_ptr_nonnull(object);
    int r = spec_parse(object, &context, &spec, &error);
    ck_assert_msg(r == SPEC_OK, "%s: %s", error.path, error.reason);
    json_free(object);
    return spec;
}

static int insert(const char *text, bool claim, struct store_insert *out)
{
    struct store_insert job = {.spec = spec_of(text), .uid = 1000, .now_us = NOW, .claim = claim};
    struct spec *spec = (struct spec *)(uintptr_t)job.spec;
    int r = store_insert(store, &job, 1, NULL);
    job.spec = NULL;
    *out = job;
    spec_free(spec);
    return r;
}

static int64_t insert_ok(const char *text, bool claim)
{
    struct store_insert job;
    ck_assert_int_eq(insert(text, claim, &job), STORE_OK);
    return job.id;
}

static enum job_state state_of(int64_t id)
{
    struct store_job *job;
    int r = store_get(store, id, 0, &job);
    if (r == STORE_NOT_FOUND) {
        return JOB_GONE;
    }
    ck_assert_int_eq(r, STORE_OK);
    enum job_state state = job->state;
    store_job_free(job);
    return state;
}

#define TRUE_JOB "{\"argv\":[\"true\"]}"

/* --- one at a time ---------------------------------------------------------------------------- */

static int64_t whole_life(void *arg)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    struct job_decision decision;
    struct spec *spec;
    struct store_job *job;
    int64_t seq = 0;
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_uint_eq(recovery.count, 0);
    ck_assert_str_eq(recovery.boot_id, "");
    int64_t id = insert_ok("{\"argv\":[\"a\",\"b\"],\"name\":\"n\"}", false);
    ck_assert_uint_ge(atomic_load(&commits), 1); /* no acknowledgement before COMMIT */
    ck_assert_int_eq(store_start(store, id, 1, NOW, &spec, &seq), STORE_OK);
    ck_assert_int_eq(seq, 2);
    ck_assert_str_eq(spec->name, "n");
    ck_assert_uint_eq(json_count(json_get(spec_args(spec), "argv")), 2);
    ck_assert_int_eq(store_start(store, id, 2, NOW, NULL, NULL), STORE_REFUSED);
    ck_assert_int_eq(store_process(store, id, 1, 4711, 5), STORE_OK);
    outcome.kind = JOB_OUTCOME_SUCCEEDED;
    outcome.exit_code = 0;
    struct job_progress progress = {.retry = &spec->retry};
    job_next_state(&progress, &outcome, NOW, &decision);
    ck_assert_int_eq(store_finish(store, id, 1, &outcome, &decision, NOW + 1, &seq, &effects),
                     STORE_OK);
    ck_assert_int_eq(seq, 3);
    ck_assert_uint_eq(atomic_load(&commits), 4);
    ck_assert_int_eq(store_get(store, id, STORE_WITH_ALL, &job), STORE_OK);
    ck_assert_int_eq(job->state, JOB_SUCCEEDED);
    ck_assert_int_eq(job->exit_code, 0);
    ck_assert_uint_eq(job->attempt_count, 1);
    store_job_free(job);
    ck_assert_int_eq(store_get(store, 77, 0, &job), STORE_NOT_FOUND);
    ck_assert_ptr_null(job);
    ck_assert_int_eq(store_remove(store, id), STORE_OK);
    ck_assert_int_eq(store_remove(store, id), STORE_NOT_FOUND);
    spec_free(spec);
    store_effects_fini(&effects);
    store_close(store);
    return 0;
}

START_TEST(a_job_lives_from_submission_to_removal)
{
    run_in_tasks(whole_life);
}

END_TEST

static int count_rows(void *ctx, const struct job_row *row)
{
    (*(int *)ctx)++;
    return row->id == 3 ? -EINTR : 0;
}

static int count_settings(void *ctx, const char *name, const char *value)
{
    (void)name;
    (void)value;
    (*(int *)ctx)++;
    return 0;
}

static int64_t every_other_call(void *arg)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    struct store_page page;
    struct store_event events[16];
    struct job_row row;
    char queue[SPEC_NAME_MAX + 1], copy[256];
    enum job_state state;
    size_t count;
    int64_t seq, ids[8];
    int rows = 0, settings = 0;
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    for (int i = 0; i < 3; i++) {
        insert_ok(TRUE_JOB, i == 1);
    }
    ck_assert_int_eq(store_cancel(store, 1, NOW, &state, &seq, &effects), STORE_OK);
    ck_assert_int_eq(state, JOB_CANCELED);
    ck_assert_int_eq(store_cancel(store, 1, NOW, &state, &seq, &effects), STORE_REFUSED);
    ck_assert_int_eq(state, JOB_CANCELED);
    ck_assert_int_eq(store_cancel(store, 2, NOW, &state, &seq, &effects), STORE_OK);
    ck_assert_int_eq(state, JOB_RUNNING);
    ck_assert_int_eq(store_cancel(store, 9, NOW, &state, &seq, &effects), STORE_NOT_FOUND);
    ck_assert_int_eq(store_load(store, count_rows, &rows), -EINTR);
    ck_assert_int_eq(rows, 2);
    struct store_filter filter = {.limit = 2, .with = STORE_WITH_SPEC};
    ck_assert_int_eq(store_list(store, &filter, &page), STORE_OK);
    ck_assert_uint_eq(page.count, 2);
    ck_assert(page.more);
    ck_assert_ptr_nonnull(page.jobs[0]->spec);
    store_page_fini(&page);
    struct store_filter all = {.states = 0};
    struct store_follow f = {.filter = &all, .events = events, .max = 16};
    ck_assert_int_eq(store_follow(store, &f), STORE_OK);
    ck_assert_uint_eq(f.count, 4);
    ck_assert_int_eq(f.oldest, 1);
    ck_assert_int_eq(store_again(store, 1, NOW, &row, queue, &seq), STORE_OK);
    ck_assert_str_eq(queue, "default");
    struct spec *spec = spec_of("{\"argv\":[\"true\"],\"queue\":\"q\"}");
    struct store_edit edit = {.spec = spec};
    ck_assert_int_eq(store_edit(store, 1, &edit, NOW, &effects), STORE_OK);
    ck_assert_str_eq(edit.row.queue, "q");
    spec_free(spec);
    ck_assert_int_eq(store_setting_put(store, "queue.q", "{}"), STORE_OK);
    ck_assert_int_eq(store_setting_each(store, count_settings, &settings), STORE_OK);
    ck_assert_int_eq(settings, 1);
    snprintf(copy, sizeof copy, "%s/copy.db", dir);
    ck_assert_int_eq(store_backup(store, copy), STORE_OK);
    ck_assert_int_eq(store_backup(store, copy), -EEXIST);
    ck_assert_int_eq(store_move(store, 3, JOB_EVENT_DEADLINE, NOW, &state, &seq, &effects),
                     STORE_OK);
    struct store_retention retention = {.now_us = NOW + 10, .keep_ns = 1000};
    ck_assert_int_eq(store_expire(store, &retention, ids, 8, &count), STORE_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(ids[0], 3);
    store_close(store);
    store_close(NULL);
    return 0;
}

START_TEST(every_other_call_answers)
{
    run_in_tasks(every_other_call);
}

END_TEST

/* --- group commit ----------------------------------------------------------------------------- */

#define ASKERS 60

struct asker {
    const char *text;
    int result;
    int64_t id;
    uint64_t commits_seen;
};

static struct asker askers[ASKERS];
static _Atomic int asking;

static int64_t ask(void *arg)
{
    struct asker *asker = arg;
    struct store_insert job;
    struct spec *spec = spec_of(asker->text);
    job = (struct store_insert){.spec = spec, .uid = 1, .now_us = NOW};
    atomic_fetch_add(&asking, 1);
    asker->result = store_insert(store, &job, 1, NULL);
    asker->commits_seen = atomic_load(&commits);
    asker->id = job.id;
    spec_free(spec);
    return 0;
}

/* All askers wait behind a commit that is held open; then they are let go. MAIN runs a task up to
 * its first suspension, so whoever has counted itself has also asked. */
static void ask_together(cosched_group *group)
{
    struct store_insert job;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};
    atomic_store(&asking, 0);
    atomic_store(&held, false);
    atomic_store(&hold, true);
    ck_assert_int_eq(cosched_group_init(group, NULL), 0);
    struct asker first = {.text = "{\"argv\":[\"first\"]}"};
    ck_assert_int_eq(cosched_group_spawn(group, ask, &first, &attr), 0);
    while (!atomic_load(&held)) {
        cosched_yield();
    }
    for (int i = 0; i < ASKERS; i++) {
        ck_assert_int_eq(cosched_group_spawn(group, ask, &askers[i], &attr), 0);
    }
    while (atomic_load(&asking) < ASKERS + 1) {
        cosched_yield();
    }
    sem_post(&gate);
    ck_assert_int_eq(cosched_group_join(group, COSCHED_NEVER), 0);
    ck_assert_int_eq(first.result, STORE_OK);
    (void)job;
}

static int64_t waiting_requests_share_a_commit(void *arg)
{
    cosched_group group;
    struct store_stats before, after;
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    store_stats(store, &before);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.text = TRUE_JOB};
    }
    ask_together(&group);
    store_stats(store, &after);
    ck_assert_uint_eq(after.commits - before.commits, 2);
    ck_assert_uint_eq(after.requests - before.requests, ASKERS + 1);
    ck_assert_uint_eq(atomic_load(&last_batch), ASKERS);
    for (int i = 0; i < ASKERS; i++) {
        ck_assert_int_eq(askers[i].result, STORE_OK);
        ck_assert_int_eq(askers[i].id, i + 2); /* in order of asking */
        ck_assert_uint_eq(askers[i].commits_seen, 2);
    }
    store_close(store);
    return 0;
}

START_TEST(what_waits_is_committed_together_and_answered_afterwards)
{
    run_in_tasks(waiting_requests_share_a_commit);
}

END_TEST

static char huge_job[1 << 20];

static void make_huge_job(size_t size)
{
    int at = snprintf(huge_job, sizeof huge_job, "{\"argv\":[\"");
    memset(huge_job + at, 'x', size);
    strcpy(huge_job + at + size, "\"]}");
}

static int64_t bad_requests_fail_alone(void *arg)
{
    cosched_group group;
    (void)arg;
    ck_assert_int_eq(open_with(100), STORE_OK); /* 400 KiB */
    make_huge_job(500000);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.text = TRUE_JOB};
    }
    askers[3].text = "{\"argv\":[\"a\"],\"key\":\"k\"}";
    askers[7].text = "{\"argv\":[\"b\"],\"key\":\"k\"}"; /* conflict: writes nothing */
    askers[20].text = huge_job; /* a full disk: the whole batch is rolled back */
    ask_together(&group);
    for (int i = 0; i < ASKERS; i++) {
        int wanted = i == 7 ? STORE_CONFLICT : i == 20 ? STORE_UNAVAILABLE : STORE_OK;
        ck_assert_msg(askers[i].result == wanted, "%d: %d", i, askers[i].result);
        if (wanted == STORE_OK) {
            ck_assert_int_eq(state_of(askers[i].id), JOB_QUEUED);
        }
    }
    struct store_page page;
    struct store_filter filter = {.limit = 1000};
    ck_assert_int_eq(store_list(store, &filter, &page), STORE_OK);
    ck_assert_uint_eq(page.count, ASKERS + 1 - 2); /* none twice, none left over */
    store_page_fini(&page);
    store_close(store);
    return 0;
}

START_TEST(a_request_that_fails_does_not_poison_its_batch)
{
    run_in_tasks(bad_requests_fail_alone);
}

END_TEST

/* Asked under one lock, so that they are one batch. */
static int64_t each_is_decided_by_itself(void *arg)
{
    enum { EACH = 40 };
    struct store_insert jobs[EACH + 2];
    struct store_insertion each[EACH];
    struct spec *specs[EACH + 2];
    (void)arg;
    ck_assert_int_eq(open_with(100), STORE_OK); /* 400 KiB */
    make_huge_job(500000);
    int64_t first = insert_ok("{\"argv\":[\"a\"],\"key\":\"k\"}", false);
    for (int i = 0; i < EACH + 2; i++) {
        const char *text = i == 5    ? "{\"argv\":[\"b\"],\"key\":\"k\"}"
                           : i == 9  ? "{\"argv\":[\"b\"],\"after\":[999]}"
                           : i == 20 ? huge_job
                                     : TRUE_JOB;
        specs[i] = spec_of(text);
        jobs[i] = (struct store_insert){.spec = specs[i], .uid = 1000, .now_us = NOW};
    }
    for (int i = 0; i < EACH; i++) { /* the last one brings three */
        each[i] = (struct store_insertion){.jobs = &jobs[i], .count = i + 1 < EACH ? 1 : 3};
    }
    store_insert_each(store, each, EACH);
    int64_t id = first;
    for (int i = 0; i < EACH; i++) {
        int wanted = i == 5    ? STORE_CONFLICT
                     : i == 9  ? STORE_NOT_FOUND
                     : i == 20 ? STORE_UNAVAILABLE
                               : STORE_OK;
        ck_assert_msg(each[i].result == wanted, "%d: %d", i, each[i].result);
        for (size_t k = 0; wanted == STORE_OK && k < each[i].count; k++) {
            ck_assert_int_gt(each[i].jobs[k].id, id);
            id = each[i].jobs[k].id;
            ck_assert_int_eq(state_of(id), JOB_QUEUED);
        }
    }
    ck_assert_int_eq(each[5].refusal.id, first);
    ck_assert_int_eq(each[9].refusal.id, 999);
    uint64_t before = atomic_load(&commits);
    store_insert_each(store, each, 5);
    ck_assert_uint_eq(atomic_load(&commits), before + 1);
    ck_assert_uint_eq(atomic_load(&last_batch), 5);
    store_insert_each(store, each, 1);
    ck_assert_int_eq(each[0].result, STORE_OK);
    for (int i = 0; i < EACH + 2; i++) {
        spec_free(specs[i]);
    }
    store_close(store);
    return 0;
}

START_TEST(what_is_asked_together_is_decided_one_by_one)
{
    run_in_tasks(each_is_decided_by_itself);
}

END_TEST

static int64_t ask_from_worker(void *arg)
{
    for (int i = 0; i < 20; i++) {
        ask(arg);
        ck_assert_int_eq(((struct asker *)arg)->result, STORE_OK);
    }
    return 0;
}

static int64_t many_from_everywhere(void *arg)
{
    cosched_group group;
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_int_eq(cosched_group_init(&group, NULL), 0);
    for (int i = 0; i < ASKERS; i++) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = i % 2 ? COSCHED_WORKER : COSCHED_MAIN};
        askers[i] = (struct asker){.text = TRUE_JOB};
        ck_assert_int_eq(cosched_group_spawn(&group, ask_from_worker, &askers[i], &attr), 0);
    }
    ck_assert_int_eq(cosched_group_join(&group, COSCHED_NEVER), 0);
    ck_assert_int_eq(state_of(ASKERS * 20), JOB_QUEUED);
    ck_assert_int_eq(state_of(ASKERS * 20 + 1), JOB_GONE);
    const int64_t ids[] = {2, ASKERS * 20 + 1, 1};
    struct store_job *jobs[3];
    ck_assert_int_eq(store_get_many(store, ids, 3, STORE_WITH_SPEC, jobs), STORE_OK);
    ck_assert_int_eq(jobs[0]->id, 2);
    ck_assert_ptr_null(jobs[1]);
    ck_assert_int_eq(jobs[2]->id, 1);
    ck_assert_ptr_nonnull(jobs[2]->spec);
    store_job_free(jobs[0]);
    store_job_free(jobs[2]);
    struct store_stats stats;
    store_stats(store, &stats);
    ck_assert_uint_eq(stats.requests, ASKERS * 20);
    ck_assert(stats.batch_avg >= 1);
    store_close(store);
    return 0;
}

START_TEST(tasks_of_every_executor_may_ask)
{
    run_in_tasks(many_from_everywhere);
}

END_TEST

/* --- cancellation ----------------------------------------------------------------------------- */

static int64_t asks_while_canceled(void *arg)
{
    struct asker *asker = arg;
    ask(asker); /* canceled while it waits */
    ck_assert(cosched_cancelled());
    ck_assert_int_eq(state_of(asker->id), JOB_QUEUED); /* canceled before it asks */
    return 0;
}

static int64_t cancel_an_asker(void *arg)
{
    cosched_task first, second;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};
    struct asker holder = {.text = TRUE_JOB}, asker = {.text = TRUE_JOB};
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    atomic_store(&asking, 0);
    atomic_store(&held, false);
    atomic_store(&hold, true);
    ck_assert_int_eq(cosched_spawn(&first, ask, &holder, &attr), 0);
    while (!atomic_load(&held)) {
        cosched_yield();
    }
    ck_assert_int_eq(cosched_spawn(&second, asks_while_canceled, &asker, &attr), 0);
    while (atomic_load(&asking) < 2) {
        cosched_yield();
    }
    cosched_cancel(second);
    cosched_yield();
    sem_post(&gate);
    ck_assert_int_eq(cosched_await(&first, NULL, COSCHED_NEVER), 0);
    ck_assert_int_eq(cosched_await(&second, NULL, COSCHED_NEVER), 0);
    ck_assert_int_eq(asker.result, STORE_OK); /* the true answer, not the cancellation */
    ck_assert_int_eq(state_of(asker.id), JOB_QUEUED);
    store_close(store);
    return 0;
}

START_TEST(a_canceled_task_still_gets_the_true_answer)
{
    run_in_tasks(cancel_an_asker);
}

END_TEST

/* --- lives ------------------------------------------------------------------------------------ */

static int64_t recover(void *arg)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    insert_ok(TRUE_JOB, true);
    insert_ok("{\"argv\":[\"a\"],\"retry\":{\"on\":[\"interrupted\"]}}", true);
    insert_ok("{\"argv\":[\"a\"],\"after\":[1]}", true);
    ck_assert_int_eq(store_process(store, 1, 1, 99, 1234), STORE_OK);
    store_close(store);
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_uint_eq(recovery.count, 2);
    ck_assert_int_eq(recovery.jobs[0].pid, 99);
    ck_assert_str_eq(recovery.jobs[0].boot_id, "boot-1");
    ck_assert_int_eq(state_of(1), JOB_RUNNING);
    ck_assert_int_eq(store_recover_commit(store, &recovery, NOW, &effects), STORE_OK);
    ck_assert_int_eq(recovery.jobs[0].decision.state, JOB_FAILED);
    ck_assert_int_eq(recovery.jobs[1].decision.state, JOB_DELAYED);
    ck_assert_uint_eq(effects.count, 1);
    ck_assert_int_eq(effects.moved[0].row.state, JOB_SKIPPED);
    store_effects_fini(&effects);
    store_recovery_fini(&recovery);
    store_close(store);
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_uint_eq(recovery.count, 0);
    store_close(store);
    return 0;
}

START_TEST(what_a_former_life_left_running_is_listed_then_decided)
{
    run_in_tasks(recover);
}

END_TEST

static int64_t open_twice(void *arg)
{
    struct store *first, *other;
    struct store_recovery none;
    struct store_config config = {.dir = dir, .boot_id = "b", .now_us = NOW};
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    first = store;
    ck_assert_int_eq(store_open(&other, &config, &none), STORE_LOCKED);
    ck_assert_ptr_null(other);
    ck_assert_ptr_nonnull(strstr(store_open_error(), "held by process"));
    config.dir = "/proc/nowhere";
    ck_assert_int_lt(store_open(&other, &config, &none), 0);
    insert_ok(TRUE_JOB, false);
    store_close(first);
    ck_assert_int_eq(open_with(0), STORE_OK); /* the lock went with it */
    store_close(store);
    return 0;
}

START_TEST(a_second_daemon_on_the_same_state_is_refused)
{
    run_in_tasks(open_twice);
}

END_TEST

static int64_t never_closes(void *arg)
{
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    insert_ok(TRUE_JOB, false);
    return 0;
}

static int64_t opens_again(void *arg)
{
    (void)arg;
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_int_eq(state_of(1), JOB_QUEUED);
    store_close(store);
    return 0;
}

START_TEST(a_runtime_that_ends_without_closing_loses_nothing)
{
    static struct store *forgotten;
    ck_assert_int_eq(cosched_run(NULL, never_closes, NULL), 0);
    forgotten = store; /* reachable: it is the caller's leak, not ours */
    ck_assert_ptr_nonnull(forgotten);
    ck_assert_int_eq(cosched_run(NULL, opens_again, NULL), 0);
}

END_TEST

/* --- failing disks ---------------------------------------------------------------------------- */

static int64_t fill_and_free(void *arg)
{
    struct store_effects effects = STORE_EFFECTS_INIT;
    struct store_insert job;
    enum job_state state;
    int64_t seq, last = 0;
    int r;
    (void)arg;
    make_huge_job(200000);
    ck_assert_int_eq(open_with(300), STORE_OK);
    while ((r = insert(huge_job, false, &job)) == STORE_OK) {
        last = job.id;
    }
    ck_assert_int_eq(r, STORE_UNAVAILABLE);
    ck_assert_int_ge(last, 3);
    ck_assert_int_eq(state_of(last), JOB_QUEUED);
    ck_assert_int_eq(state_of(last + 1), JOB_GONE);
    ck_assert_int_eq(store_cancel(store, 1, NOW, &state, &seq, &effects), STORE_OK);
    ck_assert_int_eq(store_remove(store, 1), STORE_OK);
    ck_assert_int_eq(insert(huge_job, false, &job), STORE_OK);
    ck_assert_int_eq(job.id, last + 1);
    struct store_stats stats;
    store_stats(store, &stats);
    ck_assert(stats.available);
    ck_assert_uint_ge(stats.failures, 1);
    store_close(store);
    return 0;
}

START_TEST(a_full_disk_refuses_by_name_until_there_is_room)
{
    run_in_tasks(fill_and_free);
}

END_TEST

static int64_t break_and_heal(void *arg)
{
    struct rlimit before, none = {.rlim_cur = 1};
    struct store_insert job;
    struct store_stats stats;
    int r;
    (void)arg;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(open_with(0), STORE_OK);
    insert_ok(TRUE_JOB, false);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(insert(TRUE_JOB, false, &job), STORE_UNAVAILABLE);
        ck_assert_int_eq(state_of(1), JOB_QUEUED); /* reads go on */
    }
    store_stats(store, &stats);
    ck_assert_uint_ge(stats.failures, 1);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    /* As dispatch does with what it must not lose: again, after a pause. */
    while ((r = insert(TRUE_JOB, false, &job)) == STORE_UNAVAILABLE) {
        cosched_sleep_until(cosched_in_ms(10));
    }
    ck_assert_int_eq(r, STORE_OK);
    ck_assert_int_eq(job.id, 2);
    store_stats(store, &stats);
    ck_assert(stats.available);
    store_close(store);
    ck_assert_int_eq(open_with(0), STORE_OK);
    ck_assert_int_eq(state_of(2), JOB_QUEUED);
    ck_assert_int_eq(state_of(3), JOB_GONE);
    store_close(store);
    return 0;
}

START_TEST(an_io_error_stops_writes_until_the_wal_is_clean)
{
    run_in_tasks(break_and_heal);
}

END_TEST

SUITE_MAIN_WITH("store", set_up, tear_down, a_job_lives_from_submission_to_removal,
                every_other_call_answers, what_waits_is_committed_together_and_answered_afterwards,
                a_request_that_fails_does_not_poison_its_batch,
                what_is_asked_together_is_decided_one_by_one, tasks_of_every_executor_may_ask,
                a_canceled_task_still_gets_the_true_answer,
                what_a_former_life_left_running_is_listed_then_decided,
                a_second_daemon_on_the_same_state_is_refused,
                a_runtime_that_ends_without_closing_loses_nothing,
                a_full_disk_refuses_by_name_until_there_is_room,
                an_io_error_stops_writes_until_the_wal_is_clean)
