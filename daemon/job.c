/* A job as a value.
 *
 * Everything that decides what becomes of a job is here and pure: dispatch, the store and recovery
 * call it with what they know (the clock and the dice included) and carry out the answer. So the
 * rules can be tested one by one, and no two places can disagree about them. */
#include "job.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

/* The life of a job. Every arrow is one commit; whatever is neither drawn nor said does not exist.
 *
 *   (new)
 *     +----------------+-----------------+-----------------+
 *     v                v                 v                 v
 *   blocked -release-> delayed --due--> queued --start--> running
 *     | ^ |             ^  ^            ^ |  |             |  |
 *     | | +---release---|--|------------+ |  |             |  |
 *     | |               |  +-----edit-----+  |             |  |
 *     | +---------------|--------edit--------+             |  |
 *     |                 +----------------retry-------------+  |
 *     | skip                                                  | succeed, fail, timeout
 *     v                                                       v
 *   skipped                                    succeeded, failed, timed_out
 *
 * From each of the four in a row, cancel leads to canceled and deadline to timed_out. From every
 * final state but succeeded, again leads to queued; from every final state, remove leads out. */
struct arrow {
    enum job_state from;
    enum job_event event;
    enum job_state to;
};

/* clang-format off */
static const struct arrow arrows[] = {
    {JOB_NEW,       JOB_EVENT_SUBMIT_BLOCKED,  JOB_BLOCKED},
    {JOB_NEW,       JOB_EVENT_SUBMIT_DELAYED,  JOB_DELAYED},
    {JOB_NEW,       JOB_EVENT_SUBMIT_QUEUED,   JOB_QUEUED},
    {JOB_NEW,       JOB_EVENT_SUBMIT_CLAIMED,  JOB_RUNNING},

    {JOB_BLOCKED,   JOB_EVENT_RELEASE_DELAYED, JOB_DELAYED},
    {JOB_BLOCKED,   JOB_EVENT_RELEASE_QUEUED,  JOB_QUEUED},
    {JOB_BLOCKED,   JOB_EVENT_SKIP,            JOB_SKIPPED},
    {JOB_BLOCKED,   JOB_EVENT_CANCEL,          JOB_CANCELED},
    {JOB_BLOCKED,   JOB_EVENT_DEADLINE,        JOB_TIMED_OUT},

    {JOB_DELAYED,   JOB_EVENT_DUE,             JOB_QUEUED},
    {JOB_DELAYED,   JOB_EVENT_CANCEL,          JOB_CANCELED},
    {JOB_DELAYED,   JOB_EVENT_DEADLINE,        JOB_TIMED_OUT},

    {JOB_QUEUED,    JOB_EVENT_START,           JOB_RUNNING},
    {JOB_QUEUED,    JOB_EVENT_EDIT_DELAYED,    JOB_DELAYED},
    {JOB_QUEUED,    JOB_EVENT_EDIT_BLOCKED,    JOB_BLOCKED},
    {JOB_QUEUED,    JOB_EVENT_CANCEL,          JOB_CANCELED},
    {JOB_QUEUED,    JOB_EVENT_DEADLINE,        JOB_TIMED_OUT},

    {JOB_RUNNING,   JOB_EVENT_SUCCEED,         JOB_SUCCEEDED},
    {JOB_RUNNING,   JOB_EVENT_FAIL,            JOB_FAILED},
    {JOB_RUNNING,   JOB_EVENT_TIMEOUT,         JOB_TIMED_OUT},
    {JOB_RUNNING,   JOB_EVENT_CANCEL,          JOB_CANCELED},
    {JOB_RUNNING,   JOB_EVENT_DEADLINE,        JOB_TIMED_OUT},
    {JOB_RUNNING,   JOB_EVENT_RETRY,           JOB_DELAYED},

    {JOB_FAILED,    JOB_EVENT_AGAIN,           JOB_QUEUED},
    {JOB_TIMED_OUT, JOB_EVENT_AGAIN,           JOB_QUEUED},
    {JOB_CANCELED,  JOB_EVENT_AGAIN,           JOB_QUEUED},
    {JOB_SKIPPED,   JOB_EVENT_AGAIN,           JOB_QUEUED},

    {JOB_SUCCEEDED, JOB_EVENT_REMOVE,          JOB_GONE},
    {JOB_FAILED,    JOB_EVENT_REMOVE,          JOB_GONE},
    {JOB_TIMED_OUT, JOB_EVENT_REMOVE,          JOB_GONE},
    {JOB_CANCELED,  JOB_EVENT_REMOVE,          JOB_GONE},
    {JOB_SKIPPED,   JOB_EVENT_REMOVE,          JOB_GONE},
};

static const char *const state_names[JOB_STATES] = {
    "new", "blocked", "delayed", "queued", "running",
    "succeeded", "failed", "timed_out", "canceled", "skipped", "gone",
};

static const char *const event_names[] = {
    "submit_blocked", "submit_delayed", "submit_queued", "submit_claimed",
    "release_delayed", "release_queued", "skip", "due", "start", "edit_blocked", "edit_delayed",
    "cancel", "deadline", "succeed", "fail", "timeout", "retry", "again", "remove",
};

static const char *const outcome_names[] = {
    "running", "succeeded", "failed", "timed_out", "canceled", "deadline", "interrupted",
};

static const struct { const char *name; int number; } signal_names[] = {
    {"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"ILL", SIGILL}, {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"BUS", SIGBUS}, {"FPE", SIGFPE}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU}, {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},
    {"WINCH", SIGWINCH}, {"IO", SIGIO}, {"PWR", SIGPWR}, {"SYS", SIGSYS},
};

/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(COUNT_OF(event_names) == JOB_EVENTS, "every event has a name");

int job_move(enum job_state state, enum job_event event)
{
    for (size_t i = 0; i < COUNT_OF(arrows); i++) {
        if (arrows[i].from == state && arrows[i].event == event) {
            return (int)arrows[i].to;
        }
    }
    return -1;
}

const char *job_state_name(enum job_state state)
{
    assert((unsigned)state < JOB_STATES);
    return state_names[state];
}

int job_state_parse(const char *name)
{
    for (int state = JOB_BLOCKED; state <= JOB_SKIPPED; state++) {
        if (strcmp(name, state_names[state]) == 0) {
            return state;
        }
    }
    return -1;
}

const char *job_event_name(enum job_event event)
{
    assert((unsigned)event < JOB_EVENTS);
    return event_names[event];
}

const char *job_outcome_name(enum job_outcome_kind kind)
{
    assert((size_t)kind < COUNT_OF(outcome_names));
    return outcome_names[kind];
}

int job_outcome_parse(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(outcome_names); i++) {
        if (strcmp(name, outcome_names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int job_signal_number(const char *name)
{
    if (strncmp(name, "SIG", 3) == 0) {
        name += 3;
    }
    for (size_t i = 0; i < COUNT_OF(signal_names); i++) {
        if (strcmp(name, signal_names[i].name) == 0) {
            return signal_names[i].number;
        }
    }
    return 0;
}

const char *job_signal_name(int number)
{
    for (size_t i = 0; i < COUNT_OF(signal_names); i++) {
        if (signal_names[i].number == number) {
            return signal_names[i].name;
        }
    }
    return NULL;
}

void job_outcome_init(struct job_outcome *outcome)
{
    *outcome = (struct job_outcome)JOB_OUTCOME_INIT;
}

void job_outcome_fini(struct job_outcome *outcome)
{
    free(outcome->result);
    outcome->result = NULL;
}

bool job_outcome_cause(struct job_outcome *outcome, enum job_outcome_kind kind)
{
    assert(kind != JOB_OUTCOME_NONE);
    if (outcome->kind != JOB_OUTCOME_NONE) {
        return false;
    }
    outcome->kind = kind;
    return true;
}

void job_outcome_error(struct job_outcome *outcome, const char *name, const char *format, ...)
{
    snprintf(outcome->error_name, sizeof outcome->error_name, "%s", name);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(outcome->error_message, sizeof outcome->error_message, format, args);
    va_end(args);
    if (length >= (int)sizeof outcome->error_message) {
        size_t keep = text_utf8_cut(outcome->error_message, sizeof outcome->error_message - 1);
        outcome->error_message[keep] = '\0';
    }
}

void job_retry_default(struct job_retry *retry)
{
    *retry = (struct job_retry){
        .max = 0,
        .on = JOB_RETRY_FAILED | JOB_RETRY_TIMED_OUT,
        .backoff_ns = INT64_C(1000000000),
        .cap_ns = INT64_C(60000000000),
        .factor = 2,
        .jitter = 0.1,
    };
}

int64_t job_retry_wait_ns(const struct job_retry *retry, uint32_t failures, uint32_t random)
{
    assert(failures > 0);
    double wait = (double)retry->backoff_ns;
    double cap = (double)retry->cap_ns;
    for (uint32_t n = 1; n < failures && wait < cap && retry->factor > 1; n++) {
        wait *= retry->factor;
    }
    if (wait > cap) {
        wait = cap;
    }
    double spread = ((double)random / (double)UINT32_MAX) * 2 - 1;
    wait += wait * retry->jitter * spread;
    if (wait <= 0) {
        return 0;
    }
    return wait >= 9.2e18 ? INT64_MAX : (int64_t)wait;
}

/* Whether the policy names this outcome. An exit code or signal that is named makes its attempt
 * retryable even when `failed` is not listed. */
static bool retry_covers(const struct job_retry *retry, const struct job_outcome *outcome)
{
    if (outcome->kind == JOB_OUTCOME_TIMED_OUT) {
        return retry->on & JOB_RETRY_TIMED_OUT;
    }
    if (outcome->kind == JOB_OUTCOME_INTERRUPTED) {
        return retry->on & JOB_RETRY_INTERRUPTED;
    }
    if (outcome->kind != JOB_OUTCOME_FAILED) {
        return false;
    }
    if (retry->on & JOB_RETRY_FAILED) {
        return true;
    }
    int code = outcome->exit_code;
    if (code >= 0 && code <= 255 && (retry->exits[code / 64] >> (code % 64) & 1)) {
        return true;
    }
    int number = outcome->signal;
    return number >= 1 && number <= 64 && (retry->signals >> (number - 1) & 1);
}

static enum job_event final_event(enum job_outcome_kind kind)
{
    switch (kind) {
    case JOB_OUTCOME_SUCCEEDED: return JOB_EVENT_SUCCEED;
    case JOB_OUTCOME_FAILED: return JOB_EVENT_FAIL;
    case JOB_OUTCOME_TIMED_OUT: return JOB_EVENT_TIMEOUT;
    case JOB_OUTCOME_CANCELED: return JOB_EVENT_CANCEL;
    case JOB_OUTCOME_DEADLINE: return JOB_EVENT_DEADLINE;
    case JOB_OUTCOME_INTERRUPTED: return JOB_EVENT_FAIL;
    case JOB_OUTCOME_NONE: break;
    }
    abort(); /* an attempt that has not ended has no next state */
}

static void decide(struct job_decision *decision, enum job_event event)
{
    int state = job_move(JOB_RUNNING, event);
    assert(state > 0);
    decision->event = event;
    decision->state = (enum job_state)state;
}

/* Errors that the outcome's kind implies and nobody else words. */
static void name_error(struct job_outcome *outcome)
{
    if (outcome->error_name[0] != '\0') {
        return;
    }
    if (outcome->kind == JOB_OUTCOME_DEADLINE) {
        job_outcome_error(outcome, "deadline", "the job's deadline passed");
    } else if (outcome->kind == JOB_OUTCOME_TIMED_OUT) {
        job_outcome_error(outcome, "timeout", "the attempt's time limit passed");
    } else if (outcome->kind == JOB_OUTCOME_INTERRUPTED) {
        job_outcome_error(outcome, "interrupted", "the daemon ended while the attempt ran");
    }
}

static bool cancel_wins(enum job_outcome_kind kind)
{
    return kind != JOB_OUTCOME_TIMED_OUT && kind != JOB_OUTCOME_DEADLINE;
}

void job_next_state(const struct job_progress *progress, struct job_outcome *outcome,
                    int64_t now_us, struct job_decision *decision)
{
    enum job_outcome_kind kind = outcome->kind;
    *decision = (struct job_decision){.failures = progress->failures, .lost = progress->lost};
    name_error(outcome);
    if (progress->cancel_requested && cancel_wins(kind)) {
        decide(decision, JOB_EVENT_CANCEL);
        return;
    }
    int64_t wait_ns = 0;
    bool again = false;
    if (kind == JOB_OUTCOME_INTERRUPTED) {
        decision->lost++;
        again = (progress->repeatable || retry_covers(progress->retry, outcome)) &&
                decision->lost <= JOB_LOST_MAX;
    } else if (kind == JOB_OUTCOME_FAILED || kind == JOB_OUTCOME_TIMED_OUT) {
        decision->failures++;
        again = retry_covers(progress->retry, outcome) && decision->failures <= progress->retry->max;
        if (again) {
            wait_ns = job_retry_wait_ns(progress->retry, decision->failures, progress->random);
        }
    }
    int64_t wait_us = wait_ns / 1000;
    int64_t run_at_us = now_us > INT64_MAX - wait_us ? INT64_MAX : now_us + wait_us;
    if (again && !progress->cancel_requested &&
        (progress->deadline_us == 0 || run_at_us < progress->deadline_us)) {
        decide(decision, JOB_EVENT_RETRY);
        decision->run_at_us = run_at_us;
        return;
    }
    decide(decision, final_event(kind));
}

void job_decision_cancel(struct job_decision *decision, const struct job_outcome *outcome)
{
    decision->run_at_us = 0;
    decide(decision, cancel_wins(outcome->kind) ? JOB_EVENT_CANCEL : final_event(outcome->kind));
}
