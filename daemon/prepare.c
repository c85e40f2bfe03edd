/* prepare.c - the process before its first thread: who it runs as, its limits, the state folder, and what commands start
 * with. What is wrong is logged here; the answers are exit codes.
 */
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "process.h"

int prepare_user(const struct config *config)
{
    if (geteuid() != 0 || config->allow_root) {
        return 0;
    }
    log_error("refusing to run as root: use a service user, or set allow_root = yes in [daemon]",
              LOG_NONE);
    return CONFIG_EXIT_PERMISSION;
}

/* The folder and the ones above it: $XDG_STATE_HOME may not exist yet. */
static int make_state_dir(const char *path)
{
    char *copy = strdup(path);
    int rc = copy ? 0 : -ENOMEM;
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; rc == 0 && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            rc = -errno;
        }
        *slash = '/';
    }
    if (rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST) {
        rc = -errno;
    }
    free(copy);
    return rc;
}

static int open_state_dir(const char *path, int *fd)
{
    int rc = make_state_dir(path);
    if (rc == 0) {
        *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = *fd < 0 ? -errno : 0;
    }
    if (rc == 0 && faccessat(*fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0) {
        rc = -errno;
    }
    if (rc == 0) {
        return 0;
    }
    log_error("cannot use the state folder", LOG_STR("path", path), LOG_ERR(rc));
    return rc == -ENOMEM ? CONFIG_EXIT_INTERNAL : CONFIG_EXIT_PERMISSION;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int prepare_process(const struct config *config, int *state_dir, struct exec_env *exec)
{
    int rc = process_init();
    if (rc == 0) {
        rc = notify_open();
    }
    if (rc < 0) {
        log_error("cannot prepare the process", LOG_ERR(rc));
        return CONFIG_EXIT_INTERNAL;
    }
    (void)umask(077);
    raise_descriptor_limit();
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* its memory holds what every user's jobs were given */
    (void)setenv("UV_USE_IO_URING", "0", 1);
    int code = open_state_dir(config->state_dir, state_dir);
    if (code) {
        return code;
    }
    rc = exec_env_init(exec, config, *state_dir);
    if (rc < 0) {
        log_error(rc == -ENOENT ? "COSCHED_EXEC names no program" : "cannot prepare commands",
                  LOG_ERR(rc));
        return CONFIG_EXIT_INTERNAL;
    }
    return 0;
}
