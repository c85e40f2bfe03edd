/* tasks: the daemon's own tasks, as they come (--json) or as a tree. */
#include <errno.h>
#include <stdio.h>

#include "options.h"
#include "output.h"
#include "text_tasks.h"

struct wish {
    bool fold, stuck, frames;
    int64_t id; /* 0: of all jobs */
};

static int parse(struct ctl *ctl, struct wish *wish, int argc, char **argv)
{
    static const struct option long_options[] = {{"fold", no_argument, NULL, 'F'},
                                                 {"stuck", no_argument, NULL, 's'},
                                                 {"frames", no_argument, NULL, 'f'},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    int option, status = 0;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        switch (option) {
        case 'F': wish->fold = true; break;
        case 's': wish->stuck = true; break;
        case 'f': wish->frames = true; break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status == 0 && wish->fold && wish->stuck) {
        status = options_usage(ctl, "--fold and --stuck do not go together");
    }
    if (status == 0 && argc - optind > 1) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind + 1]);
    }
    if (status == 0 && optind < argc && !options_id(argv[optind], &wish->id)) {
        status = options_usage(ctl, "\"%s\" is not the id of a job", argv[optind]);
    }
    return status;
}

static int64_t ask(struct ctl *ctl, const struct wish *wish)
{
    struct writer w;
    int64_t request = client_begin(&ctl->client, &w, "tasks");
    writer_object(&w);
    if (wish->id) {
        writer_member_int(&w, "id", wish->id);
    }
    if (wish->fold) {
        writer_member_bool(&w, "fold", true);
    }
    if (wish->stuck) {
        writer_member_bool(&w, "stuck", true);
    }
    if (!wish->frames) {
        writer_member_bool(&w, "frames", false);
    }
    writer_end_object(&w);
    client_end(&w);
    return request;
}

int command_tasks(struct ctl *ctl, int argc, char **argv)
{
    struct wish wish = {.id = 0};
    struct task_list list = {.at = NULL};
    bool ended = false;
    int status = parse(ctl, &wish, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    int64_t request = status == 0 ? ask(ctl, &wish) : 0;
    while (status == 0 && !ended) {
        struct response message;
        status = ctl_next(ctl, &message);
        if (status != 0) {
            status = status == -EINTR ? 0 : status;
            continue;
        }
        ended = message.kind != MESSAGE_EVENT && message.id.number == request;
        if (message.kind == MESSAGE_EVENT) {
            status = ctl->output->task(ctl, message.params, &list);
        } else if (ended && message.kind == MESSAGE_ERROR) {
            status = ctl_refused(ctl, "cannot look at the tasks", &message);
        } else if (ended) {
            status = ctl->output->tasks(ctl, message.result, &list);
        }
        message_response_fini(&message);
    }
    task_list_fini(&list);
    return status;
}
