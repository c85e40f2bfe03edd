/* What follows an attempt of a job: the wait before a retry, and whether there is one. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "suite.h"

/* --- the wait before a retry ------------------------------------------------------------------ */

#define SECOND INT64_C(1000000000)
#define MIDDLE (UINT32_MAX / 2)

static void near(int64_t value, int64_t wanted)
{
    ck_assert_msg(llabs(value - wanted) <= wanted / 1000000 + 1, "%lld is not %lld",
                  (long long)value, (long long)wanted);
}

START_TEST(backoff_grows_by_the_factor_up_to_the_cap)
{
    struct job_retry retry;
    job_retry_default(&retry);
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (uint32_t n = 1; n <= 8; n++) {
        near(job_retry_wait_ns(&retry, n, MIDDLE), seconds[n - 1] * SECOND);
    }
    near(job_retry_wait_ns(&retry, JOB_RETRY_MAX, MIDDLE), 60 * SECOND);
    retry.factor = 1;
    near(job_retry_wait_ns(&retry, JOB_RETRY_MAX, MIDDLE), SECOND);
    retry.cap_ns = SECOND / 2;
    near(job_retry_wait_ns(&retry, 1, MIDDLE), SECOND / 2);
    retry.backoff_ns = 0;
    ck_assert_int_eq(job_retry_wait_ns(&retry, 9, 0), 0);
}

END_TEST

START_TEST(jitter_spreads_evenly_around_the_wait)
{
    struct job_retry retry;
    job_retry_default(&retry);
    near(job_retry_wait_ns(&retry, 1, 0), SECOND * 9 / 10);
    near(job_retry_wait_ns(&retry, 1, UINT32_MAX), SECOND * 11 / 10);
    retry.jitter = 1;
    ck_assert_int_eq(job_retry_wait_ns(&retry, 1, 0), 0);
    near(job_retry_wait_ns(&retry, 1, UINT32_MAX), 2 * SECOND);
    retry.jitter = 0;
    ck_assert_int_eq(job_retry_wait_ns(&retry, 1, 0), SECOND);
    ck_assert_int_eq(job_retry_wait_ns(&retry, 1, UINT32_MAX), SECOND);
}

END_TEST

START_TEST(the_longest_wait_does_not_overflow)
{
    struct job_retry retry;
    job_retry_default(&retry);
    retry.backoff_ns = retry.cap_ns = INT64_MAX;
    retry.factor = 1000;
    retry.jitter = 1;
    ck_assert_int_eq(job_retry_wait_ns(&retry, 1000, UINT32_MAX), INT64_MAX);
    ck_assert_int_ge(job_retry_wait_ns(&retry, 1000, 0), 0);
}

END_TEST

/* --- what follows an attempt ------------------------------------------------------------------ */

struct situation {
    struct job_retry retry;
    struct job_progress progress;
    struct job_outcome outcome;
    struct job_decision decision;
};

#define NOW INT64_C(1000000000)

static void set_up(struct situation *s, enum job_outcome_kind kind)
{
    memset(s, 0, sizeof *s);
    job_retry_default(&s->retry);
    s->retry.jitter = 0;
    s->progress.retry = &s->retry;
    job_outcome_init(&s->outcome);
    s->outcome.kind = kind;
}

static enum job_state decide(struct situation *s)
{
    job_next_state(&s->progress, &s->outcome, NOW, &s->decision);
    ck_assert_int_eq(job_move(JOB_RUNNING, s->decision.event), (int)s->decision.state);
    ck_assert_int_eq(s->decision.run_at_us > 0, s->decision.state == JOB_DELAYED);
    return s->decision.state;
}

START_TEST(an_attempt_without_retry_decides_the_job)
{
    static const enum job_state ends[] = {
        [JOB_OUTCOME_SUCCEEDED] = JOB_SUCCEEDED, [JOB_OUTCOME_FAILED] = JOB_FAILED,
        [JOB_OUTCOME_TIMED_OUT] = JOB_TIMED_OUT, [JOB_OUTCOME_CANCELED] = JOB_CANCELED,
        [JOB_OUTCOME_DEADLINE] = JOB_TIMED_OUT,  [JOB_OUTCOME_INTERRUPTED] = JOB_FAILED,
    };

    for (int kind = JOB_OUTCOME_SUCCEEDED; kind <= JOB_OUTCOME_INTERRUPTED; kind++) {
        struct situation s;
        set_up(&s, (enum job_outcome_kind)kind);
        ck_assert_int_eq(decide(&s), ends[kind]);
    }
}

END_TEST

START_TEST(errors_are_named_where_the_contract_names_them)
{
    struct situation s;
    set_up(&s, JOB_OUTCOME_DEADLINE);
    decide(&s);
    ck_assert_str_eq(s.outcome.error_name, "deadline");
    set_up(&s, JOB_OUTCOME_INTERRUPTED);
    decide(&s);
    ck_assert_str_eq(s.outcome.error_name, "interrupted");
    set_up(&s, JOB_OUTCOME_FAILED);
    job_outcome_error(&s.outcome, "exec_failed", "%s", "no such file");
    decide(&s);
    ck_assert_str_eq(s.outcome.error_name, "exec_failed");
    ck_assert_str_eq(s.outcome.error_message, "no such file");
    set_up(&s, JOB_OUTCOME_SUCCEEDED);
    decide(&s);
    ck_assert_str_eq(s.outcome.error_name, "");
}

END_TEST

START_TEST(max_counts_the_runs_after_the_first)
{
    struct situation s;
    for (uint32_t failures = 0; failures <= 3; failures++) {
        set_up(&s, failures % 2 ? JOB_OUTCOME_FAILED : JOB_OUTCOME_TIMED_OUT);
        s.retry.max = 3;
        s.progress.failures = failures;
        enum job_state state = decide(&s);
        ck_assert_int_eq(state == JOB_DELAYED, failures < 3);
        ck_assert_uint_eq(s.decision.failures, failures + 1);
        if (state == JOB_DELAYED) {
            ck_assert_int_eq(s.decision.run_at_us, NOW + (INT64_C(1000000) << failures));
        }
    }
}

END_TEST

START_TEST(only_listed_classes_are_retried)
{
    struct situation s;
    set_up(&s, JOB_OUTCOME_TIMED_OUT);
    s.retry.max = 1;
    s.retry.on = JOB_RETRY_FAILED;
    ck_assert_int_eq(decide(&s), JOB_TIMED_OUT);
    set_up(&s, JOB_OUTCOME_FAILED);
    s.retry.max = 1;
    s.retry.on = JOB_RETRY_TIMED_OUT;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.retry.exits[75 / 64] = UINT64_C(1) << (75 % 64);
    s.retry.signals = UINT64_C(1) << (SIGKILL - 1);
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.outcome.exit_code = 75;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    s.outcome.exit_code = 76;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.outcome.exit_code = JOB_CODE_NONE;
    s.outcome.signal = SIGKILL;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    s.outcome.signal = SIGTERM;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.outcome.signal = 64;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
}

END_TEST

START_TEST(cancel_and_deadline_are_never_retried)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_CANCELED, JOB_OUTCOME_DEADLINE};

    for (size_t i = 0; i < 2; i++) {
        struct situation s;
        set_up(&s, kinds[i]);
        s.retry.max = 9;
        s.retry.on = ~0u;
        memset(s.retry.exits, 0xff, sizeof s.retry.exits);
        s.retry.signals = UINT64_MAX;
        s.outcome.exit_code = 1;
        ck_assert(job_final(decide(&s)));
    }
}

END_TEST

START_TEST(a_retry_that_would_start_after_the_deadline_is_none)
{
    struct situation s;
    set_up(&s, JOB_OUTCOME_FAILED);
    s.retry.max = 1;
    s.progress.deadline_us = NOW + 1000000;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.progress.deadline_us = NOW + 1000001;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    s.retry.cap_ns = s.retry.backoff_ns = INT64_MAX;
    s.progress.deadline_us = 0;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    ck_assert_int_gt(s.decision.run_at_us, NOW);
}

END_TEST

START_TEST(an_interrupted_attempt_runs_again_only_when_that_was_allowed)
{
    struct situation s;
    set_up(&s, JOB_OUTCOME_INTERRUPTED);
    s.retry.max = 5; /* for failures: an interruption is none */
    ck_assert_int_eq(decide(&s), JOB_FAILED);
    s.progress.repeatable = true;
    s.retry.max = 0;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    ck_assert_int_eq(s.decision.run_at_us, NOW);
    ck_assert_uint_eq(s.decision.failures, 0);
    ck_assert_uint_eq(s.decision.lost, 1);
    s.progress.repeatable = false;
    s.retry.on = JOB_RETRY_INTERRUPTED;
    ck_assert_int_eq(decide(&s), JOB_DELAYED);
    s.progress.deadline_us = NOW;
    ck_assert_int_eq(decide(&s), JOB_FAILED);
}

END_TEST

START_TEST(attempts_lost_to_the_daemon_have_their_own_cap)
{
    struct situation s;
    for (uint32_t lost = 0; lost <= JOB_LOST_MAX; lost++) {
        set_up(&s, JOB_OUTCOME_INTERRUPTED);
        s.progress.repeatable = true;
        s.progress.lost = lost;
        s.progress.failures = 1;
        ck_assert_int_eq(decide(&s) == JOB_DELAYED, lost < JOB_LOST_MAX);
        ck_assert_uint_eq(s.decision.lost, lost + 1);
        ck_assert_uint_eq(s.decision.failures, 1);
    }
}

END_TEST

START_TEST(a_committed_cancel_wins_over_recovery_retry_and_success)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_INTERRUPTED, JOB_OUTCOME_FAILED,
                                                  JOB_OUTCOME_SUCCEEDED, JOB_OUTCOME_CANCELED};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct situation s;
        set_up(&s, kinds[i]);
        s.retry.max = 1;
        s.progress.repeatable = true;
        s.progress.cancel_requested = true;
        ck_assert_int_eq(decide(&s), JOB_CANCELED);
        /* The same when it was committed between the decision and its commit. */
        s.progress.cancel_requested = false;
        decide(&s);
        job_decision_cancel(&s.decision, &s.outcome);
        ck_assert_int_eq(s.decision.state, JOB_CANCELED);
        ck_assert_int_eq(s.decision.run_at_us, 0);
    }
}

END_TEST

START_TEST(a_timeout_recorded_before_the_cancel_stays_and_is_not_retried)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_TIMED_OUT, JOB_OUTCOME_DEADLINE};

    for (size_t i = 0; i < 2; i++) {
        struct situation s;
        set_up(&s, kinds[i]);
        s.retry.max = 1;
        s.progress.cancel_requested = true;
        ck_assert_int_eq(decide(&s), JOB_TIMED_OUT);
        s.progress.cancel_requested = false;
        decide(&s);
        job_decision_cancel(&s.decision, &s.outcome);
        ck_assert_int_eq(s.decision.state, JOB_TIMED_OUT);
        ck_assert_int_eq(s.decision.run_at_us, 0);
    }
}

END_TEST

SUITE_MAIN("job_retry", backoff_grows_by_the_factor_up_to_the_cap,
           jitter_spreads_evenly_around_the_wait, the_longest_wait_does_not_overflow,
           an_attempt_without_retry_decides_the_job, errors_are_named_where_the_contract_names_them,
           max_counts_the_runs_after_the_first, only_listed_classes_are_retried,
           cancel_and_deadline_are_never_retried,
           a_retry_that_would_start_after_the_deadline_is_none,
           an_interrupted_attempt_runs_again_only_when_that_was_allowed,
           attempts_lost_to_the_daemon_have_their_own_cap,
           a_committed_cancel_wins_over_recovery_retry_and_success,
           a_timeout_recorded_before_the_cancel_stays_and_is_not_retried)
