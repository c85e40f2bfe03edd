/* Waiting for jobs, with their output or without. */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "wire/writer.h"

#define WAIT_IDS_MAX 1000 /* ids in one request: far below a mebibyte */

static bool answers(const struct response *message, int64_t id)
{
    return message->kind != MESSAGE_EVENT && message->id.type == MESSAGE_ID_INT &&
           message->id.number == id;
}

int follow_logs(struct ctl *ctl, int64_t id, int (*interrupted)(struct ctl *ctl, void *arg),
                void *arg)
{
    int status = 0;
    bool ended = false;
    while (status == 0 && !ended) {
        struct response message;
        status = ctl_next(ctl, &message);
        if (status == -EINTR) {
            status = interrupted ? interrupted(ctl, arg) : 0;
            continue;
        }
        if (status != 0) {
            break;
        }
        if (message.kind == MESSAGE_EVENT) {
            status = ctl->output->event(ctl, message.params);
        } else if (answers(&message, id)) {
            ended = true;
            if (message.kind == MESSAGE_ERROR) {
                status = ctl_refused(ctl, "cannot read the output", &message);
            }
        }
        message_response_fini(&message);
    }
    return status;
}

int follow_get(struct ctl *ctl, int64_t id, struct response *answer)
{
    struct writer w;
    int64_t request = client_begin(&ctl->client, &w, "get");
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_end_object(&w);
    client_end(&w);
    return ctl_answer(ctl, "cannot get the job", request, answer);
}

/* The job with this id; most likely at the place where it was asked for. */
static const struct json *find_job(const struct json *jobs, const struct json *likely, int64_t id)
{
    int64_t found;
    if (json_int(json_get(likely, "id"), &found) && found == id) {
        return likely;
    }
    for (const struct json *job = json_first(jobs); job; job = json_next(job)) {
        if (json_int(json_get(job, "id"), &found) && found == id) {
            return job;
        }
    }
    return NULL;
}

/* With mode any, jobs that have not ended are not in the answer and do not count. */
static int status_of(const struct json *jobs, const int64_t *ids, size_t count)
{
    int status = 0;
    const struct json *likely = json_first(jobs);
    for (size_t i = 0; i < count && status == 0; i++) {
        const struct json *job = find_job(jobs, likely, ids[i]);
        if (job) {
            status = ctl_job_status(job);
        }
        likely = json_next(likely);
    }
    return status;
}

static int wait_some(struct ctl *ctl, const int64_t *ids, size_t count, const char *mode,
                     const char *timeout, int *job_status)
{
    struct writer w;
    struct response answer;
    int64_t request = client_begin(&ctl->client, &w, "wait");
    writer_object(&w);
    writer_member_array(&w, "ids");
    for (size_t i = 0; i < count; i++) {
        writer_int(&w, ids[i]);
    }
    writer_end_array(&w);
    if (mode) {
        writer_member_string(&w, "mode", mode);
    }
    if (timeout) {
        writer_member_string(&w, "timeout", timeout);
    }
    writer_end_object(&w);
    client_end(&w);
    for (;;) {
        int status = ctl_next(ctl, &answer);
        if (status == -EINTR) {
            continue;
        }
        if (status != 0) {
            return status;
        }
        if (answers(&answer, request)) {
            break;
        }
        message_response_fini(&answer);
    }
    int status;
    if (answer.kind == MESSAGE_RESULT) {
        const struct json *jobs = json_get(answer.result, "jobs");
        status = ctl->output->waited(ctl, jobs);
        *job_status = status_of(jobs, ids, count);
    } else {
        status = ctl_refused(ctl, "cannot wait", &answer);
        if (answer.code == MESSAGE_TIMEOUT) {
            status = CTL_TIMED_OUT;
        }
    }
    message_response_fini(&answer);
    return status;
}

int follow_wait(struct ctl *ctl, const int64_t *ids, size_t count, const char *mode,
                const char *timeout)
{
    int result = 0;
    for (size_t at = 0; at < count; at += WAIT_IDS_MAX) {
        size_t n = count - at < WAIT_IDS_MAX ? count - at : WAIT_IDS_MAX;
        int job_status = 0;
        int status = wait_some(ctl, ids + at, n, mode, timeout, &job_status);
        if (status != 0) {
            return status;
        }
        if (result == 0) {
            result = job_status;
        }
    }
    return result;
}
