/* The life of a job, rule by rule. The table is checked against the contract's own words, written
 * down here a second time and in another form, so that a slip in one of the two shows. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "suite.h"

/* --- the table -------------------------------------------------------------------------------- */

/* CONTRACT §2.2: for each state, "event>state" in any order. */
static const struct {
    enum job_state from;
    const char *arrows;
} contract[] = {
    {JOB_NEW, "submit_blocked>blocked submit_delayed>delayed submit_queued>queued "
              "submit_claimed>running"},
    {JOB_BLOCKED, "release_delayed>delayed release_queued>queued skip>skipped cancel>canceled "
                  "deadline>timed_out"},
    {JOB_DELAYED, "due>queued cancel>canceled deadline>timed_out"},
    {JOB_QUEUED, "start>running edit_delayed>delayed edit_blocked>blocked cancel>canceled "
                 "deadline>timed_out"},
    {JOB_RUNNING, "succeed>succeeded fail>failed timeout>timed_out cancel>canceled "
                  "deadline>timed_out retry>delayed"},
    {JOB_SUCCEEDED, "remove>gone"},
    {JOB_FAILED, "again>queued remove>gone"},
    {JOB_TIMED_OUT, "again>queued remove>gone"},
    {JOB_CANCELED, "again>queued remove>gone"},
    {JOB_SKIPPED, "again>queued remove>gone"},
    {JOB_GONE, ""},
};

START_TEST(every_pair_of_state_and_event_is_as_the_contract_says)
{
    ck_assert_int_eq((int)(sizeof contract / sizeof contract[0]), JOB_STATES);
    for (int state = 0; state < JOB_STATES; state++) {
        ck_assert_int_eq((int)contract[state].from, state);
        for (int event = 0; event < JOB_EVENTS; event++) {
            char wanted[64] = "none", words[256], *rest = words;
            strcpy(words, contract[state].arrows);
            for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
                char *to = strchr(word, '>');
                *to++ = '\0';
                if (strcmp(word, job_event_name((enum job_event)event)) == 0) {
                    strcpy(wanted, to);
                }
            }
            int next = job_move((enum job_state)state, (enum job_event)event);
            ck_assert_str_eq(next < 0 ? "none" : job_state_name((enum job_state)next), wanted);
        }
    }
}

END_TEST

START_TEST(every_state_can_be_reached_and_every_final_one_can_be_left)
{
    unsigned reached = JOB_STATE_BIT(JOB_NEW);
    for (int round = 0; round < JOB_STATES; round++) {
        for (int state = 0; state < JOB_STATES; state++) {
            for (int event = 0; event < JOB_EVENTS; event++) {
                int next = job_move((enum job_state)state, (enum job_event)event);
                if (next >= 0 && (reached & JOB_STATE_BIT(state))) {
                    reached |= JOB_STATE_BIT(next);
                }
            }
        }
    }
    ck_assert_uint_eq(reached, JOB_STATE_BIT(JOB_STATES) - 1);
    for (int state = 0; state < JOB_STATES; state++) {
        bool final = JOB_STATES_FINAL & JOB_STATE_BIT(state);
        ck_assert_int_eq(job_final((enum job_state)state), final);
        ck_assert_int_eq(job_move((enum job_state)state, JOB_EVENT_REMOVE) == JOB_GONE, final);
    }
}

END_TEST

START_TEST(names_are_read_back)
{
    for (int state = JOB_BLOCKED; state <= JOB_SKIPPED; state++) {
        ck_assert_int_eq(job_state_parse(job_state_name((enum job_state)state)), state);
    }
    ck_assert_int_eq(job_state_parse("new"), -1);
    ck_assert_int_eq(job_state_parse("gone"), -1);
    ck_assert_int_eq(job_state_parse("Running"), -1);
    ck_assert_int_eq(job_state_parse(""), -1);
    for (int kind = JOB_OUTCOME_NONE; kind <= JOB_OUTCOME_INTERRUPTED; kind++) {
        ck_assert_int_eq(job_outcome_parse(job_outcome_name((enum job_outcome_kind)kind)), kind);
    }
    ck_assert_int_eq(job_outcome_parse("lost"), -1);
    ck_assert_int_eq(job_signal_number("TERM"), SIGTERM);
    ck_assert_int_eq(job_signal_number("SIGKILL"), SIGKILL);
    ck_assert_int_eq(job_signal_number("term"), 0);
    ck_assert_int_eq(job_signal_number(""), 0);
    ck_assert_str_eq(job_signal_name(SIGSEGV), "SEGV");
    ck_assert_ptr_null(job_signal_name(0));
    ck_assert_ptr_null(job_signal_name(77));
}

END_TEST

START_TEST(numbers_on_disk_do_not_move)
{
    ck_assert_int_eq(JOB_BLOCKED, 1);
    ck_assert_int_eq(JOB_RUNNING, 4);
    ck_assert_int_eq(JOB_SUCCEEDED, 5);
    ck_assert_int_eq(JOB_SKIPPED, 9);
    ck_assert_int_eq(JOB_OUTCOME_SUCCEEDED, 1);
    ck_assert_int_eq(JOB_OUTCOME_INTERRUPTED, 6);
}

END_TEST

START_TEST(the_first_cause_recorded_decides)
{
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    ck_assert(job_outcome_cause(&outcome, JOB_OUTCOME_TIMED_OUT));
    ck_assert(!job_outcome_cause(&outcome, JOB_OUTCOME_CANCELED));
    ck_assert(!job_outcome_cause(&outcome, JOB_OUTCOME_SUCCEEDED));
    ck_assert_int_eq(outcome.kind, JOB_OUTCOME_TIMED_OUT);
    job_outcome_fini(&outcome);
    job_outcome_fini(&outcome);
}

END_TEST

START_TEST(long_error_texts_are_cut_between_characters)
{
    struct job_outcome outcome = JOB_OUTCOME_INIT;
    char text[600];
    memset(text, 'x', sizeof text);
    for (size_t i = 1; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    text[sizeof text - 1] = '\0';
    job_outcome_error(&outcome, "a_name_that_is_much_too_long_for_its_place", "%s", text);
    ck_assert_uint_eq(strlen(outcome.error_name), JOB_ERROR_NAME_MAX - 1);
    size_t length = strlen(outcome.error_message);
    ck_assert_uint_ge(length, JOB_ERROR_MESSAGE_MAX - 4);
    ck_assert_uint_lt(length, JOB_ERROR_MESSAGE_MAX);
    ck_assert_uint_eq(length % 2, 1); /* one x and whole pairs */
}

END_TEST

SUITE_MAIN("job", every_pair_of_state_and_event_is_as_the_contract_says,
           every_state_can_be_reached_and_every_final_one_can_be_left, names_are_read_back,
           numbers_on_disk_do_not_move, the_first_cause_recorded_decides,
           long_error_texts_are_cut_between_characters)
