/* become.c - see become.h.
 *
 * PR_SET_DUMPABLE and credentials are left alone: a program that changes the user would stand in
 * front of this. Nothing is added to the environment.
 */
#include "become.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CPU_HARD_EXTRA_S = 5 /* between SIGXCPU, which a command may catch, and SIGKILL */ };

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* A step answers 0 or a positive errno. syscall(2) leaves its error in errno, which in a borrowed
 * address space is that of the thread that waits for us: it expects as much. */
BECOME_CHILD static int call(long result)
{
    return result < 0 ? errno : 0;
}

BECOME_CHILD static int set_session(void)
{
    /* Whoever started us has done it already when it needed the group at once. */
    return syscall(SYS_getsid, 0) == syscall(SYS_getpid) ? 0 : call(syscall(SYS_setsid));
}

BECOME_CHILD static int set_signals(void)
{
    /* The kernel's struct sigaction, all zero: SIG_DFL, no flags, empty mask. Its own call, because
     * the C library refuses to touch two signals of its own. Only what is ignored would survive the
     * exec, but a handler must not run in here either once the mask is empty. */
    static const unsigned long standard[8], none[_NSIG / 8 / sizeof(long)];

    for (long number = 1; number < _NSIG; number++) {
        syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)_NSIG / 8); /* not KILL, STOP */
    }
    return call(syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, (size_t)_NSIG / 8));
}

BECOME_CHILD static int set_descriptors(unsigned first)
{
    struct rlimit64 files;

    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        return 0;
    }
    /* Kernels before 5.9, and user-mode emulators. */
    int error = call(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files));
    for (unsigned fd = first; error == 0 && fd < files.rlim_cur; fd++) {
        syscall(SYS_close, fd);
    }
    return error;
}

/* Added to what we have, so that whoever started us with a nice value is outranked no less. */
BECOME_CHILD static int set_nice(uint64_t steps)
{
    if (steps == BECOME_UNSET || steps == 0) {
        return 0;
    }
    long now = 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0); /* the kernel's own scale */
    long wanted = now + (long)(steps < 40 ? steps : 40);
    return call(syscall(SYS_setpriority, PRIO_PROCESS, 0, (int)(wanted < 19 ? wanted : 19)));
}

BECOME_CHILD static int set_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit64 limit = {soft, hard};

    return soft == BECOME_UNSET ? 0 : call(syscall(SYS_prlimit64, 0, resource, &limit, NULL));
}

/* A soft limit that was raised for ourselves: programs that still use select() break with that. */
BECOME_CHILD static int set_files_soft(uint64_t wanted)
{
    struct rlimit64 files;

    if (wanted == BECOME_UNSET || syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files) < 0) {
        return 0;
    }
    return set_limit(RLIMIT_NOFILE, wanted < files.rlim_max ? wanted : files.rlim_max,
                     files.rlim_max);
}

/* --- the command ---------------------------------------------------------------------------- */

BECOME_CHILD static const char *path_of(char *const *envp)
{
    for (; *envp; envp++) {
        if ((*envp)[0] == 'P' && (*envp)[1] == 'A' && (*envp)[2] == 'T' && (*envp)[3] == 'H' &&
            (*envp)[4] == '=') {
            return *envp + 5;
        }
    }
    return PATH_DEFAULT;
}

/* "folder/name" into candidate; an empty folder: here. False: too long. */
BECOME_CHILD static int join(char candidate[PATH_MAX], const char *folder, size_t length,
                             const char *name)
{
    size_t at = 0;

    for (; at < length && at < PATH_MAX - 1; at++) {
        candidate[at] = folder[at];
    }
    if (length > 0 && at < PATH_MAX - 1) {
        candidate[at++] = '/';
    }
    while (*name && at < PATH_MAX - 1) {
        candidate[at++] = *name++;
    }
    candidate[at] = '\0';
    return *name == '\0' && at < PATH_MAX - 1;
}

/* execve for one candidate. Returns only on failure; a script whose interpreter is missing has a step
 * of its own, because "not found" would send people looking for a file that is there. */
BECOME_CHILD static struct become_failure exec_file(const char *path, const struct become *how)
{
    struct become_failure failure = {"exec", call(syscall(SYS_execve, path, how->argv, how->envp))};

    if (failure.error == ENOENT && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0) {
        failure.step = "interpreter";
    }
    return failure;
}

/* As execvpe, without its fall-back to a shell for files that are no program: no shell unless asked
 * for. */
BECOME_CHILD static struct become_failure exec_command(const struct become *how)
{
    const char *name = how->argv[0], *path = path_of(how->envp);
    struct become_failure result = {"exec", ENOENT};
    size_t slash = 0;

    if (!*name) {
        return result;
    }
    while (name[slash] && name[slash] != '/') {
        slash++;
    }
    if (name[slash]) {
        return exec_file(name, how);
    }
    for (;;) {
        size_t length = 0;
        while (path[length] && path[length] != ':') {
            length++;
        }
        struct become_failure failure = {"exec", ENAMETOOLONG};
        if (join(how->candidate, path, length, name)) {
            failure = exec_file(how->candidate, how);
        }
        if (failure.step[0] == 'i') {
            return failure;
        }
        if (failure.error == EACCES) {
            result.error = EACCES; /* another folder may have one that we may run */
        } else if (failure.error != ENOENT && failure.error != ENOTDIR &&
                   failure.error != ENAMETOOLONG) {
            return failure;
        }
        if (!path[length]) {
            return result;
        }
        path += length + 1;
    }
}

BECOME_CHILD struct become_failure become(const struct become *how)
{
    struct become_failure failure = {"session", set_session()};

#define STEP(name, what)            \
    do {                            \
        if (failure.error == 0) {   \
            failure.step = (name);  \
            failure.error = (what); \
        }                           \
    } while (0)

    STEP("mask", set_signals());
    STEP("descriptors", set_descriptors(how->first_closed));
    if (failure.error == 0 && how->umask != BECOME_UNSET) {
        syscall(SYS_umask, (int)(how->umask & 0777));
    }
    if (how->cwd && how->cwd[0]) {
        STEP("cwd", call(syscall(SYS_chdir, how->cwd)));
    }
    STEP("nice", set_nice(how->nice));
    STEP("privileges", call(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
    STEP("nofile", set_files_soft(how->files_soft));
    STEP("nofile", set_limit(RLIMIT_NOFILE, how->nofile, how->nofile));
    STEP("cpu_time", set_limit(RLIMIT_CPU, how->cpu_time, how->cpu_time + CPU_HARD_EXTRA_S));
    STEP("file_size", set_limit(RLIMIT_FSIZE, how->file_size, how->file_size));
    STEP("processes", set_limit(RLIMIT_NPROC, how->processes, how->processes));
    STEP("memory", set_limit(RLIMIT_AS, how->memory, how->memory));
#undef STEP
    return failure.error ? failure : exec_command(how);
}

BECOME_CHILD int become_exit_code(const struct become_failure *failure)
{
    int not_found =
        failure->step[0] == 'e' && (failure->error == ENOENT || failure->error == ENOTDIR);
    return not_found ? BECOME_NOT_FOUND : BECOME_CANNOT;
}
