/* See sys_process.h. Any thread that may block; nothing here knows of tasks. */
#include "io/sys_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The child's first three. A descriptor that lies among the numbers that are filled here would be overwritten before its
 * turn, so it is copied out of the way first; *copies are closed by the caller. */
static int lay_out(posix_spawn_file_actions_t *actions, const struct cos_process_start *s,
                   int copies[3])
{
    for (int i = 0; i < 3; i++) {
        int from = s->from[i], error;
        if (from == COS_PROCESS_NULL) {
            error = posix_spawn_file_actions_addopen(actions, i, "/dev/null",
                                                     i == 0 ? O_RDONLY : O_WRONLY, 0);
        } else if (from == COS_PROCESS_STDOUT) {
            error = posix_spawn_file_actions_adddup2(actions, 1, i);
        } else {
            if (from < 3 && from != i) {
                copies[i] = from = fcntl(from, F_DUPFD_CLOEXEC, 3);
                if (from < 0) {
                    return errno;
                }
            }
            /* The same number: it is kept, and its close-on-exec flag is taken off. */
            error = posix_spawn_file_actions_adddup2(actions, from, i);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int add_rest(posix_spawn_file_actions_t *actions, const struct cos_process_start *s)
{
    int error = s->cwd != NULL ? posix_spawn_file_actions_addchdir_np(actions, s->cwd) : 0;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    /* Elsewhere the flag close-on-exec must do. */
    error = error == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, 3) : error;
#endif
    return error;
}

/* Signals as a fresh program expects them: threads of ours block most, and this process may ignore some. */
static int set_signals(posix_spawnattr_t *attr, short flags)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attr, &none);
    error = error == 0 ? posix_spawnattr_setsigdefault(attr, &all) : error;
    flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return error == 0 ? posix_spawnattr_setflags(attr, flags) : error;
}

static int spawn(pid_t *pid, const struct cos_process_start *s, int copies[3])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attr);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    /* A session has a group of its own, and its leader may not make another. */
    short flags = s->session ? POSIX_SPAWN_SETSID : s->group ? POSIX_SPAWN_SETPGROUP : 0;
    error = set_signals(&attr, flags);
    error = error == 0 ? lay_out(&actions, s, copies) : error;
    error = error == 0 ? add_rest(&actions, s) : error;
    if (error == 0) {
        /* Its parameters want char *, and are not written to. */
        error = posix_spawnp(pid, s->file, &actions, &attr, (char *const *)(uintptr_t)s->argv,
                             s->env != NULL ? (char *const *)(uintptr_t)s->env : environ);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int cos_sys_process_start(const struct cos_process_start *s)
{
    int copies[3] = {-1, -1, -1};
    pid_t pid = 0;
    int error = spawn(&pid, s, copies);
    for (int i = 0; i < 3; i++) {
        if (copies[i] >= 0) {
            close(copies[i]);
        }
    }
    return error != 0 ? -error : pid;
}

int cos_sys_kill(pid_t pid, int number)
{
    return kill(pid, number) < 0 ? -errno : 0;
}
