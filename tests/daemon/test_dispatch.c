/* Dispatch with a real store: lines and limits, claims, cancels, deadlines, retries, drain, restart, and news that
 * arrives in the wrong order. Jobs are of kind sleep; each test is a task on MAIN.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_world.h"

/* --- tests --------------------------------------------------------------------------------------------- */

static void claims(struct world *w)
{
    int64_t a = submit(w, LONG, JOB_RUNNING);
    int64_t b = submit(w, LONG, JOB_RUNNING);
    int64_t c = submit(w, LONG, JOB_QUEUED); /* two slots */
    ck_assert_uint_eq(dispatch_running(w->dispatch), 2);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, a), STORE_OK);
    until(w, a, JOB_CANCELED);
    until(w, c, JOB_RUNNING); /* its place is taken at once */
    ck_assert_int_eq(dispatch_cancel(w->dispatch, c), STORE_OK);
    until(w, c, JOB_CANCELED);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, c), STORE_REFUSED);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, 12345), STORE_NOT_FOUND);
    ck_assert_int_eq((int)state_of(w, b), JOB_RUNNING);
    struct dispatch_counts counts;
    dispatch_counts(w->dispatch, &counts);
    ck_assert_uint_eq(counts.running, 1);
    ck_assert_uint_eq(counts.queued, 0);
}

START_TEST(claimed_at_submission_until_the_slots_are_taken)
{
    play(claims, 2);
}

END_TEST

static int64_t started_us(struct world *w, int64_t id)
{
    struct store_job *job = get(w, id);
    int64_t started = job->started_us;
    store_job_free(job);
    return started;
}

static void order(struct world *w)
{
    int64_t ids[5], first = submit(w, LONG, JOB_RUNNING);
    ids[3] = submit(w, SHORT, JOB_QUEUED);
    ids[4] = submit(w, SHORT, JOB_QUEUED);
    ids[0] = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"priority\":5}", JOB_QUEUED);
    ids[1] = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"priority\":1}", JOB_QUEUED);
    ids[2] = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"priority\":1}", JOB_QUEUED);
    int64_t beside = submit(
        w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"queue\":\"other\"}", JOB_RUNNING);
    until(w, beside, JOB_SUCCEEDED); /* another queue is not held up */
    ck_assert_int_eq(dispatch_cancel(w->dispatch, first), STORE_OK);
    until(w, ids[4], JOB_SUCCEEDED);
    for (int i = 1; i < 5; i++) {
        ck_assert_int_lt(started_us(w, ids[i - 1]), started_us(w, ids[i]));
    }
}

START_TEST(higher_priority_first_then_first_come)
{
    play(order, 1);
}

END_TEST

static void times(struct world *w)
{
    int64_t due = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"delay\":\"30ms\"}",
                         JOB_DELAYED);
    int64_t never = submit(
        w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"delay\":\"1h\",\"deadline\":\"40ms\"}",
        JOB_DELAYED);
    until(w, due, JOB_SUCCEEDED);
    until(w, never, JOB_TIMED_OUT);
    int64_t hog = submit(w, LONG, JOB_RUNNING);
    int64_t held = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"delay\":\"20ms\"}",
                          JOB_DELAYED);
    until(w, held, JOB_QUEUED); /* due, and no slot: seen as queued */
    int64_t late = submit(
        w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"deadline\":\"20ms\"}", JOB_QUEUED);
    until(w, late, JOB_TIMED_OUT);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, hog), STORE_OK);
    until(w, held, JOB_SUCCEEDED);
    ck_assert_ptr_null(dispatch_find(w->dispatch, held));
}

START_TEST(delays_and_deadlines)
{
    play(times, 1);
}

END_TEST

static void attempts(struct world *w)
{
    int64_t id = submit(w,
                        "{\"kind\":\"sleep\",\"args\":{\"for\":\"1h\"},\"timeout\":\"10ms\","
                        "\"retry\":{\"max\":2,\"backoff\":\"5ms\",\"on\":[\"timed_out\"]}}",
                        JOB_RUNNING);
    until(w, id, JOB_TIMED_OUT);
    struct store_job *job = get(w, id);
    ck_assert_uint_eq(job->attempt, 3);
    for (size_t i = 0; i < job->attempt_count; i++) {
        ck_assert_int_eq((int)job->attempts[i].outcome, JOB_OUTCOME_TIMED_OUT);
    }
    store_job_free(job);
    ck_assert_uint_eq(w->metrics.retried, 2);
    ck_assert_int_eq(dispatch_retry(w->dispatch, id), STORE_OK); /* a full budget again */
    int64_t deadline = cosched_in_ms(30000);
    for (uint32_t attempt = 0; attempt < 6 && cosched_now() < deadline;
         cosched_sleep_until(cosched_in_ms(2))) {
        job = get(w, id);
        attempt = job_final(job->state) ? job->attempt : 0;
        store_job_free(job);
    }
    job = get(w, id);
    ck_assert_uint_eq(job->attempt, 6);
    store_job_free(job);
    ck_assert_int_eq(dispatch_remove(w->dispatch, id), STORE_OK);
    ck_assert_int_eq(dispatch_remove(w->dispatch, id), STORE_NOT_FOUND);
}

START_TEST(timeouts_retry_verb_and_remove)
{
    play(attempts, 1);
}

END_TEST

static void dependants(struct world *w)
{
    char text[128];
    int64_t first = submit(w, LONG, JOB_RUNNING);
    snprintf(
        text, sizeof text,
        "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"after\":[%lld],\"after_policy\":\"any\"}",
        (long long)first);
    int64_t any = submit(w, text, JOB_BLOCKED);
    snprintf(text, sizeof text, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"after\":[%lld]}",
             (long long)first);
    int64_t strict = submit(w, text, JOB_BLOCKED);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, first), STORE_OK);
    until(w, any, JOB_SUCCEEDED);
    until(w, strict, JOB_SKIPPED);
    ck_assert_uint_eq(w->metrics.skipped, 1);
}

START_TEST(dependants_are_released_or_skipped)
{
    play(dependants, 2);
}

END_TEST

static void draining(struct world *w)
{
    struct dispatch_job job = {.spec = spec_of(SHORT)};
    struct store_refusal refusal;
    int64_t held = 0, running = submit(w, LONG, JOB_RUNNING);
    held = submit(w, SHORT, JOB_QUEUED);
    dispatch_drain(w->dispatch, true);
    ck_assert_int_eq(dispatch_submit(w->dispatch, &job, 1, 7, true, &refusal), -ESHUTDOWN);
    ck_assert_int_eq(dispatch_wait_idle(w->dispatch, cosched_in_ms(20)), -ETIMEDOUT);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, running), STORE_OK);
    ck_assert_int_eq(dispatch_wait_idle(w->dispatch, cosched_in_ms(30000)), 0);
    ck_assert_int_eq((int)state_of(w, held), JOB_QUEUED);
    dispatch_drain(w->dispatch, false);
    until(w, held, JOB_SUCCEEDED);
}

START_TEST(drain_stops_starts_and_submissions_and_can_be_undone)
{
    play(draining, 1);
}

END_TEST

static void restart(struct world *w)
{
    int64_t running = submit(w, LONG, JOB_RUNNING);
    int64_t waiting = submit(w, SHORT, JOB_QUEUED);
    int64_t later = submit(w, "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"delay\":\"50ms\"}",
                           JOB_DELAYED);
    end(w);
    w->config.queues[0].parallel = 2;
    begin(w);
    /* The interrupted one sleeps again: its kind is repeatable, and it is due again after a backoff. */
    ck_assert_ptr_nonnull(dispatch_find(w->dispatch, running));
    until(w, waiting, JOB_SUCCEEDED);
    until(w, later, JOB_SUCCEEDED);
    until(w, running, JOB_RUNNING);
    struct store_job *job = get(w, running);
    ck_assert_uint_eq(job->attempt, 2);
    ck_assert_int_eq((int)job->attempts[0].outcome, JOB_OUTCOME_INTERRUPTED);
    store_job_free(job);
}

START_TEST(everything_is_there_after_a_restart)
{
    play(restart, 1);
}

END_TEST

static struct job_row news_of(int64_t id, enum job_state state)
{
    return (struct job_row){.id = id, .queue = "default", .uid = 7, .state = (uint8_t)state};
}

static void late(struct world *w)
{
    struct dispatch *d = w->dispatch;
    struct job_row blocked = news_of(900, JOB_BLOCKED), queued = news_of(900, JOB_DELAYED),
                   canceled = news_of(900, JOB_CANCELED);
    queued.run_at_us = INT64_MAX / 2;
    unsigned slow = dispatch_enter(d); /* a call that is still in the store */
    unsigned quick = dispatch_enter(d);
    dispatch_apply(d, &canceled, 13, 0);
    dispatch_apply(d, &queued, 12, 0);
    dispatch_leave(d, quick);
    ck_assert_ptr_null(dispatch_find(d, 900));
    for (int i = 0; i < 10; i++) {
        dispatch_leave(d, dispatch_enter(d));
    }
    dispatch_apply(d, &blocked, 11, 0); /* what the slow one brings home */
    ck_assert_ptr_null(dispatch_find(d, 900));
    ck_assert_ptr_nonnull(rows_find(&d->rows, 900)); /* remembered as long as it may matter */
    dispatch_leave(d, slow);
    dispatch_leave(d, dispatch_enter(d));
    ck_assert_ptr_null(rows_find(&d->rows, 900)); /* and no longer */
    struct dispatch_counts counts;
    dispatch_counts(d, &counts);
    ck_assert_uint_eq(counts.blocked + counts.delayed, 0);
}

START_TEST(late_news_of_an_ended_job_is_dropped)
{
    play(late, 1);
}

END_TEST

static void side_by_side(struct world *w)
{
    struct dispatch *d = w->dispatch;
    int64_t hog = submit(w, LONG, JOB_RUNNING);
    struct job_row queued = news_of(901, JOB_QUEUED), running = news_of(901, JOB_RUNNING);
    dispatch_apply(d, &queued, 900001, 0);
    struct row *row = rows_find(&d->rows, 901);
    row_heap_remove(&d->queues[0].line, row);
    row->flags |= ROW_STARTING; /* as the dispatcher does when it takes it out of line */
    dispatch_apply(d, &queued, 900002, 0);
    ck_assert_uint_eq(row->at[ROW_IN_LINE], ROW_NOWHERE); /* it must not be started twice */
    dispatch_apply(d, &running, 900003, 0);
    ck_assert_int_eq(row->state, JOB_RUNNING);
    ck_assert(!(row->flags & ROW_STARTING));
    ck_assert_int_eq(dispatch_cancel(d, hog), STORE_OK);
}

START_TEST(due_and_started_side_by_side_runs_once)
{
    play(side_by_side, 1);
}

END_TEST

static void limited(struct world *w)
{
    struct dispatch_job job = {.spec = spec_of(LONG)};
    struct store_refusal refusal;
    w->config.jobs_per_user = 1;
    submit(w, LONG, JOB_RUNNING);
    ck_assert_str_eq(dispatch_limit(w->dispatch, 7, 1), "jobs_per_user");
    ck_assert_ptr_null(dispatch_limit(w->dispatch, 8, 1));
    ck_assert_int_eq(dispatch_submit(w->dispatch, &job, 1, 7, true, &refusal), -EDQUOT);
    w->config.jobs_waiting = 1;
    ck_assert_str_eq(dispatch_limit(w->dispatch, 8, 1), "jobs_waiting");
}

/* Two that come one behind the other, and room for one. */
static void limited_together(struct world *w)
{
    struct dispatch_job jobs[2] = {{.spec = spec_of(LONG)}, {.spec = spec_of(LONG)}};
    struct dispatch_submission both[2] = {{.jobs = &jobs[0], .count = 1},
                                          {.jobs = &jobs[1], .count = 1}};
    w->config.jobs_per_user = 1;
    dispatch_submit_each(w->dispatch, both, 2, 7, true);
    ck_assert_int_eq(both[0].result, STORE_OK);
    ck_assert_int_eq(both[1].result, -EDQUOT);
    w->config.jobs_per_user = 2; /* nothing is counted twice */
    ck_assert_ptr_null(dispatch_limit(w->dispatch, 7, 1));
    ck_assert_str_eq(dispatch_limit(w->dispatch, 7, 2), "jobs_per_user");
}

START_TEST(limits_are_kept_at_their_edge)
{
    play(limited, 1);
    play(limited_together, 1);
}

END_TEST

static void reloaded(struct world *w)
{
    char why[256];
    int64_t a = submit(w, LONG, JOB_RUNNING), b = submit(w, SHORT, JOB_QUEUED);
    w->config.queues[0].paused = true;
    w->config.queues[0].parallel = 2;
    ck_assert_int_eq(dispatch_reload(w->dispatch), 0);
    cosched_sleep_until(cosched_in_ms(20));
    ck_assert_int_eq((int)state_of(w, b), JOB_QUEUED); /* paused: nothing starts */
    ck_assert_int_eq(config_set(&w->config, "queue default", "paused", "no", why), 0);
    ck_assert_int_eq(dispatch_reload(w->dispatch), 0);
    until(w, b, JOB_SUCCEEDED);
    ck_assert_int_eq((int)state_of(w, a), JOB_RUNNING);
    ck_assert(!dispatch_queue_exists(w->dispatch, "nowhere") &&
              dispatch_queue_exists(w->dispatch, "other"));
}

START_TEST(pause_and_reload)
{
    play(reloaded, 1);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *tc = tcase_create("dispatch");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, claimed_at_submission_until_the_slots_are_taken);
    tcase_add_test(tc, higher_priority_first_then_first_come);
    tcase_add_test(tc, delays_and_deadlines);
    tcase_add_test(tc, timeouts_retry_verb_and_remove);
    tcase_add_test(tc, dependants_are_released_or_skipped);
    tcase_add_test(tc, drain_stops_starts_and_submissions_and_can_be_undone);
    tcase_add_test(tc, everything_is_there_after_a_restart);
    tcase_add_test(tc, late_news_of_an_ended_job_is_dropped);
    tcase_add_test(tc, due_and_started_side_by_side_runs_once);
    tcase_add_test(tc, limits_are_kept_at_their_edge);
    tcase_add_test(tc, pause_and_reload);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
