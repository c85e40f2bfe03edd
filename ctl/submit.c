/* submit: one job from options. Files of specifications are submit_file.c. */
#include "submit.h"

#include <stdlib.h>

#include "follow.h"
#include "output.h"

int submit_one(struct ctl *ctl, const struct submission *s, int64_t *id, bool *existing)
{
    bool with_env;
    struct writer w;
    struct response answer;
    int status = ctl_connect(ctl);
    if (status == 0) {
        status = submission_wants_env(ctl, s, &with_env);
    }
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "submit");
    status = submission_write(ctl, s, &w, with_env);
    if (status != 0) {
        return status; /* half a request lies in the buffer and is never sent: we end here */
    }
    client_end(&w);
    status = ctl_answer(ctl, "cannot submit", request, &answer);
    if (status != 0) {
        return status;
    }
    *existing = json_bool(json_get(answer.result, "existing"));
    if (!json_int(json_get(answer.result, "id"), id)) {
        status = ctl_fail(ctl, CTL_REFUSED, "cannot submit", "the answer has no id");
    }
    message_response_fini(&answer);
    return status;
}

int submit_accepted(struct ctl *ctl, struct accepted *accepted, const struct json *id,
                    const struct json *existing)
{
    int64_t number;
    if (!json_int(id, &number)) {
        return ctl_fail(ctl, CTL_REFUSED, "cannot submit", "the answer has no id");
    }
    if (accepted->count == accepted->cap) {
        size_t cap = accepted->cap ? accepted->cap * 2 : 64;
        int64_t *ids = realloc(accepted->ids, cap * sizeof *ids);
        if (!ids) {
            return ctl_out_of_memory(ctl);
        }
        accepted->ids = ids;
        accepted->cap = cap;
    }
    accepted->ids[accepted->count++] = number;
    return ctl->output->submitted(ctl, number, json_bool(existing));
}

int command_submit(struct ctl *ctl, int argc, char **argv)
{
    struct submission s;
    struct accepted accepted = {NULL, 0, 0};
    int status = submission_parse(ctl, &s, argc, argv, false);
    if (status == 0 && s.spec_file) {
        status = submit_file(ctl, s.spec_file, &accepted);
        if (status == 0 && s.wait) {
            status = follow_wait(ctl, accepted.ids, accepted.count, NULL, NULL);
        }
    } else if (status == 0) {
        int64_t id;
        bool existing;
        status = submit_one(ctl, &s, &id, &existing);
        if (status == 0) {
            status = ctl->output->submitted(ctl, id, existing);
        }
        if (status == 0 && s.wait) {
            status = follow_wait(ctl, &id, 1, NULL, NULL);
        }
    }
    free(accepted.ids);
    submission_fini(&s);
    return status;
}
