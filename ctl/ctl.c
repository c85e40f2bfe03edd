/* What the commands share: messages of failures, waiting for answers, the status of a job. */
#include "ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "terminal.h"

int ctl_fail(const struct ctl *ctl, int status, const char *what, const char *why, ...)
{
    va_list args;
    (void)fflush(stdout); /* what was printed before stands before the message */
    (void)fprintf(stderr, "coschedctl: %s: ", what);
    va_start(args, why);
    (void)vfprintf(stderr, why, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return ctl->speaks_for_job ? CTL_FAILED : status;
}

int ctl_out_of_memory(const struct ctl *ctl)
{
    return ctl_fail(ctl, CTL_REFUSED, ctl->command, "out of memory");
}

static void add_part(struct buf *why, const char *text)
{
    if (text && *text) {
        buf_puts(why, why->len > 0 ? ": " : "");
        terminal_clean(why, text, strlen(text));
    }
}

int ctl_refused(const struct ctl *ctl, const char *what, const struct response *answer)
{
    struct buf why = BUF_INIT;
    int64_t id;
    const char *name = json_string(json_get(answer->data, "name"));
    const char *path = json_string(json_get(answer->data, "path"));
    const char *reason = json_string(json_get(answer->data, "reason"));
    /* The bare name of the code says nothing where there is a reason; a message that tells path or
     * reason itself is not followed by them again. */
    if (!reason || !name || strcmp(answer->text, name) != 0) {
        add_part(&why, answer->text);
    }
    add_part(&why, path && strstr(answer->text, path) ? NULL : path);
    add_part(&why, reason && strstr(answer->text, reason) ? NULL : reason);
    add_part(&why, json_string(json_get(answer->data, "limit")));
    if (answer->code == MESSAGE_CONFLICT && json_int(json_get(answer->data, "id"), &id)) {
        buf_printf(&why, " (job %lld)", (long long)id);
    }
    int status = answer->code == MESSAGE_NOT_PERMITTED ? CTL_NOT_PERMITTED : CTL_REFUSED;
    status = ctl_fail(ctl, status, what, "%s", buf_text(&why));
    buf_free(&why);
    return status;
}

int ctl_lost(const struct ctl *ctl, int error)
{
    char what[CLIENT_PATH_MAX + 40];
    const char *why = strerror(-error);
    (void)snprintf(what, sizeof what, "lost the daemon at %s", ctl->client.path);
    if (error == -ECONNRESET) {
        why = "it closed the connection";
    } else if (error == -EPROTO) {
        why = "its answer is not protocol version 1";
    }
    return ctl_fail(ctl, CTL_UNREACHABLE, what, "%s", why);
}

int ctl_next(struct ctl *ctl, struct response *message)
{
    int result = client_next(&ctl->client, 0, message);
    if (result == -EINTR) {
        return result;
    }
    return result < 0 ? ctl_lost(ctl, result) : 0;
}

int ctl_answer(struct ctl *ctl, const char *what, int64_t id, struct response *answer)
{
    for (;;) {
        int status = ctl_next(ctl, answer);
        if (status == -EINTR) {
            continue;
        }
        if (status != 0) {
            return status;
        }
        bool null_id = answer->kind == MESSAGE_ERROR && answer->id.type == MESSAGE_ID_NULL;
        if (answer->kind == MESSAGE_EVENT ||
            (!null_id && (answer->id.type != MESSAGE_ID_INT || answer->id.number != id))) {
            message_response_fini(answer);
            continue;
        }
        if (answer->kind == MESSAGE_RESULT) {
            return 0;
        }
        status = ctl_refused(ctl, what, answer);
        message_response_fini(answer);
        return status;
    }
}

int ctl_call(struct ctl *ctl, const char *what, const char *method, struct response *answer)
{
    struct writer w;
    int status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t id = client_begin(&ctl->client, &w, method);
    writer_object(&w);
    writer_end_object(&w);
    client_end(&w);
    return ctl_answer(ctl, what, id, answer);
}

/* A signal as the job tells it: a number, or a name with or without SIG. 0: none. */
static int signal_number(const struct json *value)
{
    int64_t number;
    if (json_int(value, &number)) {
        return number > 0 && number < 128 ? (int)number : 0;
    }
    const char *name = json_string(value);
    if (!name) {
        return 0;
    }
    if (strncmp(name, "SIG", 3) == 0) {
        name += 3;
    }
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcmp(known, name) == 0) {
            return i;
        }
    }
    return 0;
}

int ctl_job_status(const struct json *job)
{
    int64_t code;
    const char *state = json_string(json_get(job, "state"));
    if (!state) {
        return CTL_FAILED;
    }
    if (strcmp(state, "succeeded") == 0) {
        return CTL_OK;
    }
    if (strcmp(state, "timed_out") == 0) {
        return CTL_TIMED_OUT;
    }
    if (strcmp(state, "canceled") == 0) {
        return CTL_CANCELED;
    }
    int number = signal_number(json_get(job, "signal"));
    if (number > 0) {
        return 128 + number;
    }
    bool exited = json_int(json_get(job, "exit_code"), &code) && code > 0 && code < 256;
    return exited ? (int)code : 1;
}
