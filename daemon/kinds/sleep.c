/* sleep - waits. For trying things out: it costs a task and a timer, nothing else. */
#include <cosched/cosched.h>

#include <errno.h>

#include "kind.h"
#include "spec.h"
#include "wire/units.h"

static int sleep_check(const struct json *args, struct spec_error *error)
{
    static const char *const known[] = {"for", NULL};
    int64_t ns;
    int result = kind_check_object(args, known, error);

    if (result != SPEC_OK) {
        return result;
    }
    const struct json *length = json_get(args, "for");
    if (!length) {
        return spec_refuse(error, "for", "is required");
    }
    const char *text = json_string(length);
    if (!text || units_parse_duration(text, &ns) < 0) {
        return spec_refuse(error, "for", "must be a duration such as \"100ms\"");
    }
    return SPEC_OK;
}

static int sleep_run(struct job_run *run, struct job_outcome *out)
{
    int64_t ns = 0;
    const char *text = json_string(json_get(run->args, "for"));

    if (!text || units_parse_duration(text, &ns) < 0) {
        /* What was accepted is checked; this is a store written by another version. */
        if (job_outcome_cause(out, JOB_OUTCOME_FAILED)) {
            job_outcome_error(out, "bad_args", "for is not a duration");
        }
        return 0;
    }
    int result = cosched_sleep_until(cosched_in_ns(ns));
    if (result < 0) {
        return -ECANCELED;
    }
    job_outcome_cause(out, JOB_OUTCOME_SUCCEEDED);
    return 0;
}

const struct kind kind_sleep = {
    .name = "sleep",
    .repeatable = true,
    .check = sleep_check,
    .schema =
        "{\"type\":\"object\",\"properties\":{\"for\":{\"type\":\"string\",\"description\":"
        "\"duration, such as 100ms\"}},\"required\":[\"for\"],\"additionalProperties\":false}",
    .run = sleep_run,
};
