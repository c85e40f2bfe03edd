/* Queues at run time: what was changed wins over the configuration and survives a restart; a queue that goes away leaves
 * its jobs to its heir, whatever is on the way; rates and weights decide who starts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_world.h"

#define IN(queue) "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"queue\":\"" queue "\"}"

static struct metrics_queue shown(struct world *w, const char *name)
{
    struct metrics_queue queues[8];
    size_t count = dispatch_queues(w->dispatch, queues, 8);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(queues[i].name, name) == 0) {
            return queues[i];
        }
    }
    return (struct metrics_queue){.name = NULL};
}

static void set(struct world *w, const char *name, int64_t parallel, int paused)
{
    const struct dispatch_queue_change change = {.has_parallel = parallel >= 0,
                                                 .parallel = parallel,
                                                 .has_paused = paused >= 0,
                                                 .paused = paused > 0};
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, name, &change, true), STORE_OK);
}

static void restart(struct world *w)
{
    end(w);
    begin(w);
}

static void changes(struct world *w)
{
    const struct dispatch_queue_change fast = {
        .has_rate = true, .rate = 2.5, .has_weight = true, .weight = 9};
    set(w, "other", 5, -1);
    set(w, "made", 3, 1);
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "made", &fast, false), STORE_OK);
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "nowhere", &fast, false), STORE_NOT_FOUND);
    for (int life = 0; life < 3; life++) {
        struct metrics_queue made = shown(w, "made");
        ck_assert_int_eq(shown(w, "other").parallel, 5);
        ck_assert(made.name && made.parallel == 3 && made.paused && made.weight == 9);
        ck_assert_double_eq(made.rate, 2.5);
        ck_assert(dispatch_queue_exists(w->dispatch, "made"));
        w->config.queues[1].parallel = 77; /* what the file says does not matter now */
        ck_assert_int_eq(dispatch_reload(w->dispatch), 0);
        if (life < 2) {
            restart(w);
        }
    }
    ck_assert_int_eq(dispatch_queue_reset(w->dispatch, "other"), STORE_OK);
    ck_assert_int_eq(shown(w, "other").parallel, 77);
    ck_assert_int_eq(dispatch_queue_reset(w->dispatch, "made"), STORE_OK);
    ck_assert(!shown(w, "made").paused && shown(w, "made").weight == 1);
    restart(w);
    ck_assert_int_eq(shown(w, "other").parallel, 77);
    ck_assert(shown(w, "made").name && !shown(w, "made").paused);
    ck_assert_int_eq(dispatch_queue_reset(w->dispatch, "nowhere"), STORE_NOT_FOUND);
}

START_TEST(changes_win_over_the_configuration_until_reset_and_survive)
{
    play(changes, 1);
}

END_TEST

static void pause_survives(struct world *w)
{
    set(w, "other", -1, 1);
    int64_t held = submit(w, IN("other"), JOB_QUEUED);
    restart(w);
    ck_assert_int_eq((int)state_of(w, held), JOB_QUEUED);
    int64_t later = submit(w, IN("other"), JOB_QUEUED);
    int64_t beside = submit(w, SHORT, JOB_RUNNING);
    until(w, beside, JOB_SUCCEEDED); /* dispatch has looked around, and left the paused ones alone */
    ck_assert_int_eq((int)state_of(w, held), JOB_QUEUED);
    set(w, "other", -1, 0);
    until(w, held, JOB_SUCCEEDED);
    until(w, later, JOB_SUCCEEDED);
}

START_TEST(a_pause_survives_a_restart)
{
    play(pause_survives, 1);
}

END_TEST

static void deleting(struct world *w)
{
    char text[160];
    size_t moved = 0;
    int64_t running =
        submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1h\"},\"queue\":\"other\"}", JOB_RUNNING);
    int64_t queued = submit(w, IN("other"), JOB_QUEUED);
    int64_t later = submit(w,
                           "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"queue\":\"other\","
                           "\"delay\":\"1h\"}",
                           JOB_DELAYED);
    snprintf(text, sizeof text,
             "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"queue\":\"other\",\"after\":[%lld]}",
             (long long)running);
    int64_t blocked = submit(w, text, JOB_BLOCKED);
    ck_assert_int_eq(dispatch_queue_delete(w->dispatch, "other", NULL, &moved), STORE_CONFLICT);
    ck_assert(dispatch_queue_exists(w->dispatch, "other"));
    ck_assert_int_eq(dispatch_queue_delete(w->dispatch, "other", "default", &moved), STORE_OK);
    ck_assert_uint_eq(moved, 4);
    ck_assert(!dispatch_queue_exists(w->dispatch, "other"));
    ck_assert_ptr_null(shown(w, "other").name);
    until(w, queued, JOB_SUCCEEDED); /* a slot of the heir */
    const int64_t ids[] = {running, later, blocked};
    for (int i = 0; i < 3; i++) {
        struct store_job *job = get(w, ids[i]);
        ck_assert_str_eq(job->queue, "default");
        store_job_free(job);
        ck_assert_str_eq(w->dispatch->queues[dispatch_find(w->dispatch, ids[i])->queue].name,
                         "default");
    }
    restart(w); /* configured, and deleted all the same */
    ck_assert(!dispatch_queue_exists(w->dispatch, "other"));
    ck_assert_int_eq(dispatch_queue_delete(w->dispatch, "other", NULL, &moved), STORE_NOT_FOUND);
    ck_assert_int_eq(dispatch_queue_reset(w->dispatch, "other"), STORE_OK);
    int64_t again = submit(w, IN("other"), JOB_RUNNING);
    until(w, again, JOB_SUCCEEDED);
}

START_TEST(a_deleted_queue_leaves_its_jobs_to_its_heir)
{
    play(deleting, 2);
}

END_TEST

static int64_t submit_one(void *arg)
{
    struct world *w = arg;
    struct dispatch_job job = {.spec = spec_of(IN("other"))};
    struct store_refusal refusal;
    int rc = dispatch_submit(w->dispatch, &job, 1, 7, true, &refusal);
    return rc == STORE_OK ? job.id : rc;
}

/* Submissions that were checked before the queue went, some on their way to the disk, some not yet. */
static void racing(struct world *w)
{
    enum { TASKS = 40 };

    cosched_task tasks[TASKS];
    size_t moved = 0;
    set(w, "default", 0, -1);
    for (int i = 0; i < TASKS; i++) {
        ck_assert_int_eq(cosched_spawn(&tasks[i], submit_one, w, NULL), 0);
        if (i == TASKS / 2) {
            ck_assert_int_eq(dispatch_queue_delete(w->dispatch, "other", "default", &moved),
                             STORE_OK);
        }
    }
    int64_t ids[TASKS];
    for (int i = 0; i < TASKS; i++) {
        ck_assert_int_eq(cosched_await(&tasks[i], &ids[i], COSCHED_NEVER), 0);
        ck_assert_int_gt(ids[i], 0);
    }
    set(w, "default", 2, -1);
    for (int i = 0; i < TASKS; i++) {
        until(w, ids[i], JOB_SUCCEEDED);
    }
    for (size_t i = 0; i < w->dispatch->queue_count; i++) {
        ck_assert_uint_eq(w->dispatch->queues[i].jobs + w->dispatch->queues[i].entering, 0);
    }
}

START_TEST(submissions_on_their_way_find_the_heir)
{
    play(racing, 2);
}

END_TEST

static void rates(struct world *w)
{
    enum { JOBS = 6 };
    const struct dispatch_queue_change paced = {
        .has_rate = true, .rate = 50, .has_paused = true, .paused = false};
    int64_t ids[JOBS], last_us = 0;
    set(w, "default", -1, 1);
    for (int i = 0; i < JOBS; i++) {
        ids[i] = submit(w, SHORT, JOB_QUEUED);
    }
    int64_t before_us = dispatch_wall_us();
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "default", &paced, false), STORE_OK);
    for (int i = 0; i < JOBS; i++) {
        until(w, ids[i], JOB_SUCCEEDED);
        struct store_job *job = get(w, ids[i]);
        last_us = job->started_us > last_us ? job->started_us : last_us;
        store_job_free(job);
    }
    /* The first cannot start before that moment, the last not before five times 20 ms more, less the ten milliseconds of
     * lateness that are made up for. A slow machine only makes it longer. */
    ck_assert_int_ge(last_us - before_us, (JOBS - 1) * 20000 - 10000);
}

START_TEST(a_rate_spaces_starts)
{
    play(rates, 100);
}

END_TEST

/* Everything waits in both queues; then all may go at once, in the order that the weights say. */
static void weights(struct world *w)
{
    enum { JOBS = 12 };

    int64_t ids[2][JOBS];
    const struct dispatch_queue_change heavy = {.has_weight = true, .weight = 3};
    const struct dispatch_queue_change open = {
        .has_parallel = true, .parallel = 100, .has_paused = true, .paused = false};
    set(w, "default", 0, 1);
    set(w, "other", 0, 1);
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "other", &heavy, false), STORE_OK);
    for (int i = 0; i < JOBS; i++) {
        ids[0][i] = submit(w, SHORT, JOB_QUEUED);
        ids[1][i] = submit(w, IN("other"), JOB_QUEUED);
    }
    /* Both open in one look of dispatch: drained first, so that neither is ahead. */
    dispatch_drain(w->dispatch, true);
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "default", &open, false), STORE_OK);
    ck_assert_int_eq(dispatch_queue_change(w->dispatch, "other", &open, false), STORE_OK);
    dispatch_drain(w->dispatch, false);
    for (int i = 0; i < JOBS; i++) {
        until(w, ids[0][i], JOB_SUCCEEDED);
        until(w, ids[1][i], JOB_SUCCEEDED);
    }
    /* Events are numbered in the order of the starts: among the first eight, two of one and six of the other. */
    struct store_event *events = calloc(1000, sizeof *events);
    struct store_filter running = {.states = JOB_STATE_BIT(JOB_RUNNING)};
    struct store_follow f = {.filter = &running, .events = events, .max = 1000};
    ck_assert_int_eq(store_follow(w->store, &f), STORE_OK);
    int seen = 0, of_other = 0;
    for (size_t i = 0; i < f.count && seen < 8; i++) {
        seen++;
        for (int k = 0; k < JOBS; k++) {
            of_other += events[i].id == ids[1][k];
        }
    }
    free(events);
    ck_assert_int_eq(seen, 8);
    ck_assert_msg(of_other >= 5 && of_other <= 7, "%d of 8", of_other);
}

START_TEST(queues_share_starts_by_weight)
{
    play(weights, 1);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch_queue");
    TCase *tc = tcase_create("dispatch_queue");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, changes_win_over_the_configuration_until_reset_and_survive);
    tcase_add_test(tc, a_pause_survives_a_restart);
    tcase_add_test(tc, a_deleted_queue_leaves_its_jobs_to_its_heir);
    tcase_add_test(tc, submissions_on_their_way_find_the_heir);
    tcase_add_test(tc, a_rate_spaces_starts);
    tcase_add_test(tc, queues_share_starts_by_weight);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
