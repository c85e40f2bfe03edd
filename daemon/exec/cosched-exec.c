/* cosched-exec - what has to happen between fork and exec, in a program of its own.
 *
 *     cosched-exec SETTINGS CWD COMMAND [ARG…]
 *
 * coschedd has threads and much memory, so it starts commands by posix_spawn, which can set neither
 * limits nor a working directory. This program does, then becomes the command: a session of its
 * own, default dispositions, empty mask, descriptors 0, 1 and 2 only, umask, nice, limits, no new
 * privileges. It adds nothing to the environment; the command is looked up in the PATH it finds
 * there.
 *
 * SETTINGS is "name=value,…", numbers in decimal, umask in octal: report (a descriptor), umask,
 * nice, files_soft, nofile, memory, cpu_time, file_size, processes. CWD "" stays where it is. The
 * instructions are arguments because that costs no system call and no parser of files, and because
 * whatever does not fit beside them would not fit into the command's own exec either.
 *
 * A step that fails is written to `report` as "STEP ERRNO" before the exit: 127 when the command
 * was not found, 126 for everything else. `report` closes itself on success, so that its reader
 * sees an end of file and nothing else. PR_SET_DUMPABLE and credentials are left alone: a program
 * that changes the user would stand in front of this one.
 *
 * Linked statically where the C library allows: half of a small command's start-up is the dynamic
 * loader.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 64,
    EXIT_CANNOT = 126,
    EXIT_NOT_FOUND = 127,
    CPU_HARD_EXTRA_S = 5 /* between SIGXCPU, which a command may catch, and SIGKILL */
};

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define UNSET        UINT64_MAX

struct settings {
    int report; /* -1: none */
    uint64_t umask, nice, files_soft, nofile, memory, cpu_time, file_size, processes;
};

static int report_fd = -1;

__attribute__((noreturn)) static void fail(const char *step, int error)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%s %d\n", step, error);

    /* Nobody is left to tell if this write fails; the exit code speaks as well. */
    if (report_fd >= 0 && write(report_fd, text, (size_t)length) != length)
        error = EIO;
    bool not_found = strcmp(step, "exec") == 0 && (error == ENOENT || error == ENOTDIR);
    _exit(not_found ? EXIT_NOT_FOUND : EXIT_CANNOT);
}

static uint64_t *setting_field(struct settings *s, const char *name, size_t length)
{
    const struct {
        const char *name;
        uint64_t *field;
    } table[] = {
        {"umask", &s->umask},         {"nice", &s->nice},           {"files_soft", &s->files_soft},
        {"nofile", &s->nofile},       {"memory", &s->memory},       {"cpu_time", &s->cpu_time},
        {"file_size", &s->file_size}, {"processes", &s->processes},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return table[i].field;
    return NULL;
}

static bool settings_parse(const char *text, struct settings *s)
{
    *s = (struct settings){-1, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET};
    while (*text) {
        size_t length = strcspn(text, "=");
        const char *value = text + length + 1;
        bool report = length == 6 && memcmp(text, "report", length) == 0;
        uint64_t *field = setting_field(s, text, length);
        if (text[length] != '=' || (!report && !field) || *value < '0' || *value > '9')
            return false;

        char *end;
        errno = 0;
        uint64_t number = strtoull(value, &end, field == &s->umask ? 8 : 10);
        if (errno || (*end && *end != ',') || number == UNSET || (report && number > INT_MAX))
            return false;
        if (report)
            s->report = (int)number;
        else
            *field = number;
        text = *end ? end + 1 : end;
    }
    return true;
}

static void set_session(void)
{
    /* Whoever spawned us has done it already when it needed the group at once. */
    if (getsid(0) != getpid() && setsid() < 0)
        fail("session", errno);
}

static void set_signals(void)
{
    /* The kernel's struct sigaction, all zero: SIG_DFL, no flags, empty mask. Its own call, because
     * the C library refuses to touch two signals of its own, and posix_spawn leaves just those
     * ignored. */
    static const unsigned long standard[8];
    sigset_t none;

    for (long number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)NSIG / 8); /* not KILL, STOP */
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        fail("mask", errno);
}

/* Keeps 0, 1, 2 and, until exec, the report. */
static void set_descriptors(void)
{
    unsigned first = 3;

    if (report_fd >= 0) {
        if (report_fd != 3 && dup2(report_fd, 3) < 0)
            fail("descriptors", errno);
        report_fd = 3;
        if (fcntl(report_fd, F_SETFD, FD_CLOEXEC) < 0)
            fail("descriptors", errno);
        first = 4;
    }
    if (close_range(first, ~0U, 0) == 0)
        return;
    /* Kernels before 5.9, and user-mode emulators. */
    long last = sysconf(_SC_OPEN_MAX);
    for (long fd = (long)first; fd < last; fd++)
        close((int)fd);
}

static void set_limit(const char *step, unsigned resource, uint64_t soft, uint64_t hard)
{
    /* prlimit64's numbers are 64 bits wide and RLIM_INFINITY is the largest: nothing can be cut. */
    struct rlimit limit = {(rlim_t)soft, (rlim_t)hard};

    if (setrlimit(resource, &limit) < 0)
        fail(step, errno);
}

static void set_limits(const struct settings *s)
{
    struct rlimit files;

    /* The daemon raised its own soft limit; programs that still use select() break with that. */
    if (s->files_soft != UNSET && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        uint64_t soft = s->files_soft < files.rlim_max ? s->files_soft : files.rlim_max;
        set_limit("nofile", RLIMIT_NOFILE, soft, files.rlim_max);
    }
    if (s->nofile != UNSET)
        set_limit("nofile", RLIMIT_NOFILE, s->nofile, s->nofile);
    if (s->cpu_time != UNSET)
        set_limit("cpu_time", RLIMIT_CPU, s->cpu_time, s->cpu_time + CPU_HARD_EXTRA_S);
    if (s->file_size != UNSET)
        set_limit("file_size", RLIMIT_FSIZE, s->file_size, s->file_size);
    if (s->processes != UNSET)
        set_limit("processes", RLIMIT_NPROC, s->processes, s->processes);
    if (s->memory != UNSET)
        set_limit("memory", RLIMIT_AS, s->memory, s->memory);
}

static void set_nice(uint64_t wanted)
{
    errno = 0;
    int now = getpriority(PRIO_PROCESS, 0);

    /* Only ever downwards: a daemon that was itself started with nice 10 may not go back to 5. */
    if (wanted != UNSET && (int)wanted > now && setpriority(PRIO_PROCESS, 0, (int)wanted) < 0)
        fail("nice", errno);
}

/* execve for one candidate. Returns only on failure; a script whose interpreter is missing has an
 * error of its own, because "not found" would send people looking for a file that is there. */
static int exec_file(const char *path, char **argv)
{
    execve(path, argv, environ);
    int error = errno;
    if (error == ENOENT && access(path, F_OK) == 0)
        fail("interpreter", ENOENT);
    return error;
}

/* As execvp, without its fall-back to a shell for files that are no program: no shell unless asked
 * for. */
__attribute__((noreturn)) static void exec_command(char **argv)
{
    static char candidate[PATH_MAX];
    const char *name = argv[0], *path = getenv("PATH");
    int result = ENOENT;

    if (!*name)
        fail("exec", ENOENT);
    if (strchr(name, '/'))
        fail("exec", exec_file(name, argv));
    if (!path)
        path = PATH_DEFAULT;
    for (;;) {
        int length = (int)strcspn(path, ":");
        int need = snprintf(candidate, sizeof candidate, "%.*s%s%s", length, path,
                            length ? "/" : "", name); /* an empty element: here */
        int error = need < (int)sizeof candidate ? exec_file(candidate, argv) : ENAMETOOLONG;
        if (error == EACCES)
            result = EACCES; /* another folder may have one that we may run */
        else if (error != ENOENT && error != ENOTDIR && error != ENAMETOOLONG)
            fail("exec", error);
        if (!path[length])
            fail("exec", result);
        path += length + 1;
    }
}

int main(int argc, char **argv)
{
    struct settings settings;

    if (argc < 4 || !settings_parse(argv[1], &settings)) {
        static const char usage[] = "usage: cosched-exec SETTINGS CWD COMMAND [ARG…]\n"
                                    "coschedd runs it; see daemon/exec/cosched-exec.c\n";
        return write(2, usage, sizeof usage - 1) < 0 ? EXIT_CANNOT : EXIT_USAGE;
    }
    report_fd = settings.report;
    set_session();
    set_signals();
    set_descriptors();
    if (settings.umask != UNSET)
        umask((mode_t)(settings.umask & 0777));
    if (argv[2][0] && chdir(argv[2]) < 0)
        fail("cwd", errno);
    set_nice(settings.nice);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail("privileges", errno);
    set_limits(&settings);
    exec_command(argv + 3);
}
