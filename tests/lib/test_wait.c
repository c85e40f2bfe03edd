/* queue/wait: each move of the drawing in wait.h, and each claim that must lose. One thread. */
#include "queue/wait.h"
#include "suite.h"

static struct cos_wait w;

static enum cos_wait_phase phase(void)
{
    return cos_wait_word_phase(cos_atomic_load(&w.word, relaxed));
}

START_TEST(claim_before_commit_lets_the_commit_submit)
{
    cos_wait_init(&w);
    uint32_t seq = cos_wait_begin(&w);
    ck_assert_int_eq(phase(), COS_WAIT_PARKING);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 7), COS_CLAIM_COMMIT);
    ck_assert(!cos_wait_commit(&w, seq));
    ck_assert_uint_eq(cos_wait_end(&w), 7);
    ck_assert_int_eq(phase(), COS_WAIT_RUNNING);
}

END_TEST

START_TEST(claim_after_commit_submits_itself)
{
    cos_wait_init(&w);
    uint32_t seq = cos_wait_begin(&w);
    ck_assert(cos_wait_commit(&w, seq));
    ck_assert_int_eq(phase(), COS_WAIT_PARKED);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 255), COS_CLAIM_SUBMIT);
    ck_assert_uint_eq(cos_wait_end(&w), 255);
}

END_TEST

START_TEST(second_claim_loses_and_the_first_cause_stays)
{
    cos_wait_init(&w);
    uint32_t seq = cos_wait_begin(&w);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 1), COS_CLAIM_COMMIT);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 2), COS_CLAIM_LOST);
    ck_assert(!cos_wait_commit(&w, seq));
    ck_assert_int_eq(cos_wait_claim(&w, seq, 2), COS_CLAIM_LOST);
    ck_assert_uint_eq(cos_wait_end(&w), 1);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 2), COS_CLAIM_LOST);
}

END_TEST

START_TEST(a_source_of_an_earlier_wait_loses)
{
    cos_wait_init(&w);
    uint32_t first = cos_wait_begin(&w);
    ck_assert(cos_wait_abort(&w, first));
    ck_assert_uint_eq(cos_wait_end(&w), COS_WAIT_CAUSE_ABORT);
    uint32_t second = cos_wait_begin(&w);
    ck_assert_uint_ne(first, second);
    ck_assert_int_eq(cos_wait_claim(&w, first, 1), COS_CLAIM_LOST);
    ck_assert(cos_wait_commit(&w, second));
    ck_assert_int_eq(cos_wait_claim(&w, first, 1), COS_CLAIM_LOST);
    ck_assert_int_eq(phase(), COS_WAIT_PARKED);
    ck_assert_int_eq(cos_wait_claim(&w, second, 1), COS_CLAIM_SUBMIT);
    ck_assert_uint_eq(cos_wait_end(&w), 1);
}

END_TEST

START_TEST(abort_loses_against_a_source)
{
    cos_wait_init(&w);
    uint32_t seq = cos_wait_begin(&w);
    ck_assert_int_eq(cos_wait_claim(&w, seq, 3), COS_CLAIM_COMMIT);
    ck_assert(!cos_wait_abort(&w, seq));
    ck_assert_uint_eq(cos_wait_end(&w), 3);
}

END_TEST

START_TEST(the_sequence_number_wraps)
{
    cos_wait_init(&w);
    cos_atomic_store(&w.word, cos_wait_word(UINT32_MAX, COS_WAIT_RUNNING, 0), relaxed);
    uint32_t seq = cos_wait_begin(&w);
    ck_assert_uint_eq(seq, 0);
    ck_assert_int_eq(cos_wait_claim(&w, UINT32_MAX, 1), COS_CLAIM_LOST);
    ck_assert(cos_wait_commit(&w, seq));
    ck_assert_int_eq(cos_wait_claim(&w, seq, 1), COS_CLAIM_SUBMIT);
    ck_assert_uint_eq(cos_wait_end(&w), 1);
}

END_TEST

SUITE_MAIN("wait", claim_before_commit_lets_the_commit_submit, claim_after_commit_submits_itself,
           second_claim_loses_and_the_first_cause_stays, a_source_of_an_earlier_wait_loses,
           abort_loses_against_a_source, the_sequence_number_wraps)
