/* Every schedule of one waiting fiber against two racing sources: it is submitted exactly once per wait, by the
 * right side, with the right cause; what the source wrote and what the fiber left on its stack is visible to whoever
 * runs it; a source of the first wait does nothing to the second. */
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "queue/wait.h"

enum { CAUSE_A = 1, CAUSE_B = 2 };

static struct cos_wait wait_word;
static COS_ATOMIC(uint32_t) armed_a, armed_b; /* the sequence number a source was given; 0: not armed */
static int registers;          /* the fiber's saved state: written before commit, read to resume */
static int result_a, result_b; /* what each source hands over */
static unsigned submitted, resumed, won_a, won_b;
static uint8_t cause;

static void setup(void)
{
    cos_wait_init(&wait_word);
    armed_a = armed_b = 0;
    submitted = resumed = won_a = won_b = 0;
    cause = 0xff;
    ex_name(&wait_word.word, "wait");
    ex_name(&armed_a, "armed a");
    ex_name(&armed_b, "armed b");
}

/* Runs the fiber: on this thread its registers are loaded, it ends its wait and uses the winner's result. */
static void resume(void)
{
    EX_CHECK(++submitted == 1);
    ex_data_read(&registers);
    cause = cos_wait_end(&wait_word);
    EX_CHECK(cause == CAUSE_A || cause == CAUSE_B);
    ex_data_read(cause == CAUSE_A ? &result_a : &result_b);
    resumed++;
}

static uint32_t arm(void)
{
    uint32_t seq = cos_wait_begin(&wait_word);
    cos_atomic_store(&armed_a, seq, release);
    cos_atomic_store(&armed_b, seq, release);
    return seq;
}

/* The fiber, then the other side of its switch, on the same thread. */
static void fiber_parks(void)
{
    uint32_t seq = arm();
    ex_data_write(&registers);
    if (!cos_wait_commit(&wait_word, seq)) {
        resume();
    }
}

static void fiber_aborts(void)
{
    uint32_t seq = arm();
    bool mine = cos_wait_abort(&wait_word, seq);
    cause = cos_wait_end(&wait_word);
    EX_CHECK(mine == (cause == COS_WAIT_CAUSE_ABORT));
    if (cause != COS_WAIT_CAUSE_ABORT) {
        ex_data_read(cause == CAUSE_A ? &result_a : &result_b);
    }
}

static void source(COS_ATOMIC(uint32_t) * armed, int *result, uint8_t mine, unsigned *won)
{
    uint32_t seq = cos_atomic_load(armed, acquire);
    if (seq == 0) {
        return;
    }
    ex_data_write(result);
    switch (cos_wait_claim(&wait_word, seq, mine)) {
    case COS_CLAIM_LOST: break;
    case COS_CLAIM_COMMIT: (*won)++; break;
    case COS_CLAIM_SUBMIT:
        (*won)++;
        resume();
        break;
    }
}

static void source_a(void)
{
    source(&armed_a, &result_a, CAUSE_A, &won_a);
}

static void source_b(void)
{
    source(&armed_b, &result_b, CAUSE_B, &won_b);
}

static void check_parked(void)
{
    EX_CHECK(won_a + won_b == resumed && resumed <= 1);
    EX_CHECK(resumed == 0 || (cause == CAUSE_A) == (won_a == 1));
    uint64_t word = wait_word.word;
    EX_CHECK(cos_wait_word_phase(word) == (resumed ? COS_WAIT_RUNNING : COS_WAIT_PARKED));
}

static void check_aborted(void)
{
    EX_CHECK(submitted == 0 && won_a + won_b <= 1);
    EX_CHECK((cause == CAUSE_A) == (won_a == 1) && (cause == CAUSE_B) == (won_b == 1));
    EX_CHECK(cos_wait_word_phase(wait_word.word) == COS_WAIT_RUNNING);
}

/* Two waits: the first is aborted or won, the second is ended by A alone. B comes late with the first number and must
 * never end the second. */
static void fiber_twice(void)
{
    uint32_t first = cos_wait_begin(&wait_word);
    cos_atomic_store(&armed_b, first, release);
    (void)cos_wait_abort(&wait_word, first);
    uint8_t first_cause = cos_wait_end(&wait_word);
    EX_CHECK(first_cause == COS_WAIT_CAUSE_ABORT || first_cause == CAUSE_B);
    uint32_t second = cos_wait_begin(&wait_word);
    EX_CHECK(second == first + 1);
    cos_atomic_store(&armed_a, second, release);
    ex_data_write(&registers);
    if (!cos_wait_commit(&wait_word, second)) {
        resume();
    }
}

static void check_twice(void)
{
    EX_CHECK(resumed == won_a);
    EX_CHECK(resumed == 0 || cause == CAUSE_A);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"wait park, two sources", 3, setup, {fiber_parks, source_a, source_b}, NULL, check_parked, 9, 0},
        {"wait abort, two sources",
         3,
         setup,
         {fiber_aborts, source_a, source_b},
         NULL,
         check_aborted,
         9,
         0},
        {"wait twice, late source", 3, setup, {fiber_twice, source_a, source_b}, NULL, check_twice, 9, 0},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
