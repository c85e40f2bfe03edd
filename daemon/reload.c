/* reload.c - the settings read again while the daemon runs: on a blocking thread, then taken over on MAIN.
 */
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "notify.h"

struct reading {
    const struct reload *from;
    struct config next;
    char *faults; /* owned by the caller of free; what is wrong, a line each */
};

/* On a blocking thread. */
static int64_t read_settings(void *arg)
{
    struct reading *r = arg;
    size_t size = 0;
    FILE *said = open_memstream(&r->faults, &size);
    if (!said) {
        return -ENOMEM;
    }
    int code = config_load(&r->next, r->from->argc, r->from->argv, said, said);
    if (fclose(said) != 0) {
        return -ENOMEM;
    }
    fputs(r->faults, stderr);
    return code;
}

/* The first fault, without its line end and the program's name. */
static void tell_fault(const char *faults, char *why, size_t size)
{
    static const char prefix[] = "coschedd: ";
    faults += strncmp(faults, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    snprintf(why, size, "%.*s", (int)strcspn(faults, "\n"), faults);
}

static int take_settings(struct reload *reload, struct reading *r, char *why, size_t size)
{
    int64_t result = 0;
    int rc = cosched_blocking(&result, read_settings, r);
    if (rc == 0 && result != -1) {
        rc = result < 0 ? (int)result : -EINVAL;
    }
    if (rc == 0) {
        rc = config_take_over(reload->config, &r->next);
    }
    if (rc < 0) {
        tell_fault(rc == -EINVAL && r->faults ? r->faults : cosched_strerror(rc), why, size);
        log_error("settings not taken over: the old ones stay", LOG_ERR(rc));
        return rc;
    }
    log_set_level((enum log_level)reload->config->log_level);
    (void)dispatch_reload(reload->dispatch);
    (void)server_reload(reload->server, reload->config->admin_group);
    return 0;
}

int reload_settings(struct reload *reload, struct surface_reload *out)
{
    struct reading *r = calloc(1, sizeof *r); /* a configuration is too large for a task's stack */
    int rc = r ? cosched_mutex_lock(&reload->lock, COSCHED_NEVER) : -ENOMEM;
    if (rc < 0) {
        free(r);
        tell_fault(cosched_strerror(rc), out->why, sizeof out->why);
        return rc;
    }
    r->from = reload;
    bool serving = *reload->stop_requests == 0;
    if (serving) {
        (void)notify_reloading();
    }
    rc = take_settings(reload, r, out->why, sizeof out->why);
    if (rc == 0) {
        int restart =
            config_needs_restart(reload->config, &r->next, out->restart, sizeof out->restart);
        log_info("settings read again", LOG_STR("needs_restart", restart ? out->restart : "none"));
    }
    config_fini(&r->next);
    free(r->faults);
    free(r);
    if (serving) {
        (void)notify_ready("serving");
    }
    cosched_mutex_unlock(&reload->lock);
    return rc;
}
