/* run: submits a command, follows its output and ends as it did. The first Ctrl-C cancels the job
 * and goes on following; the second leaves at once, the cancellation goes on without us. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "follow.h"
#include "options.h"
#include "output.h"
#include "show.h"
#include "submission.h"
#include "submit.h"

static volatile sig_atomic_t interrupts; /* written by the handler alone, read after ppoll */

static void on_interrupt(int signal)
{
    (void)signal;
    interrupts = interrupts + 1;
}

struct following {
    int64_t job;
    bool canceled;
    sigset_t wait_mask;
};

/* From here on SIGINT arrives only inside ppoll, so none is lost between a look and a wait. A
 * SIGINT that was ignored (a background job of a plain shell) stays ignored. */
static void catch_interrupts(struct ctl *ctl, struct following *f)
{
    struct sigaction old;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigset_t blocked;
    if (sigaction(SIGINT, NULL, &old) < 0 || old.sa_handler == SIG_IGN) {
        return;
    }
    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &blocked, &f->wait_mask);
    (void)sigdelset(&f->wait_mask, SIGINT);
    (void)sigaction(SIGINT, &action, NULL);
    ctl->client.wait_mask = &f->wait_mask;
}

static int interrupted(struct ctl *ctl, void *arg)
{
    struct following *f = arg;
    struct writer w;
    if (interrupts > 1) {
        return CTL_CANCELED;
    }
    if (interrupts == 0 || f->canceled) {
        return 0;
    }
    f->canceled = true;
    (void)fflush(stdout);
    (void)fprintf(stderr, "coschedctl: canceling job %lld (Ctrl-C again leaves it)\n",
                  (long long)f->job);
    (void)client_begin(&ctl->client, &w, "cancel");
    writer_object(&w);
    writer_member_array(&w, "ids");
    writer_int(&w, f->job);
    writer_end_array(&w);
    writer_end_object(&w);
    client_end(&w);
    return 0;
}

static int64_t ask_logs(struct ctl *ctl, int64_t job)
{
    struct writer w;
    int64_t id = client_begin(&ctl->client, &w, "logs");
    writer_object(&w);
    writer_member_int(&w, "id", job);
    writer_member_string(&w, "stream", "both");
    writer_member_bool(&w, "follow", true);
    writer_end_object(&w);
    client_end(&w);
    return id;
}

/* The end of the job: how it ended where its own output cannot have told, and the result of kinds
 * that have one. */
static int tell_end(struct ctl *ctl, int64_t id, const struct json *job)
{
    int status = 0;
    const char *state = json_string(json_get(job, "state"));
    bool quiet = state && (strcmp(state, "succeeded") == 0 || strcmp(state, "canceled") == 0);
    bool error = json_is(json_get(job, "error"), JSON_OBJECT);
    bool killed = json_get(job, "signal") && !json_is(json_get(job, "signal"), JSON_NULL);
    const struct json *result = json_get(job, "result");
    if (ctl->json) {
        return ctl->output->job(ctl, job, true);
    }
    if (result && !json_is(result, JSON_NULL)) {
        status = output_json.answer(ctl, result, NULL);
    }
    if (state && !quiet && (error || killed || strcmp(state, "failed") != 0)) {
        struct buf text = BUF_INIT;
        show_outcome(&text, job);
        (void)fflush(stdout);
        (void)fprintf(stderr, "coschedctl: job %lld %s%s%s\n", (long long)id,
                      strcmp(state, "timed_out") == 0 ? "timed out" : state,
                      text.len > 0 ? ": " : "", buf_text(&text));
        buf_free(&text);
    }
    return status;
}

static int follow(struct ctl *ctl, int64_t id)
{
    struct following f = {.job = id, .canceled = false};
    struct response answer;
    catch_interrupts(ctl, &f);
    int status = follow_logs(ctl, ask_logs(ctl, id), interrupted, &f);
    if (status == 0) {
        status = follow_get(ctl, id, &answer);
    }
    ctl->client.wait_mask = NULL; /* f ends here */
    if (status != 0) {
        return status;
    }
    status = tell_end(ctl, id, answer.result);
    if (status == 0) {
        status = ctl_job_status(answer.result);
    }
    message_response_fini(&answer);
    return status;
}

int command_run(struct ctl *ctl, int argc, char **argv)
{
    struct submission s;
    int64_t id;
    bool existing;
    ctl->speaks_for_job = true;
    int status = submission_parse(ctl, &s, argc, argv, true);
    if (status == 0) {
        status = submit_one(ctl, &s, &id, &existing);
    }
    if (status == 0 && s.detach) {
        status = ctl->output->submitted(ctl, id, existing);
    } else if (status == 0) {
        status = follow(ctl, id);
    }
    submission_fini(&s);
    return status;
}
