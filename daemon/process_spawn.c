/* process_spawn.c - a command as a child: pipes, standard input, and the moments before its exec.
 *
 * Never fork: the daemon has threads and much memory. The child borrows our address space until it
 * has become the command (CLONE_VM | CLONE_VFORK, as posix_spawn does, which can set neither limits
 * nor nice nor no_new_privs): it costs the same whatever the daemon's size, there is one exec, and
 * what went wrong is said in memory. Meanwhile only the calling thread stands still; the child has a
 * stack of its own, all signals blocked, and runs nothing but become.h.
 *
 * Where a program is to stand between (process_command.helper), posix_spawn starts that, with its
 * instructions as arguments and a pipe for its report: two execs, a third of a small job's cost.
 *
 * Descriptors are O_CLOEXEC from birth, because other threads start other commands at the same time.
 * Called from blocking threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/become.h"
#include "process.h"
#include "process_internal.h"

/* The command's standard input; -1: /dev/null, which the child opens itself. A text is laid into a sealed memory file, not a pipe: it is whole
 * before the command starts, so there is nobody to feed it, no EPIPE, and no pipe whose capacity
 * the kernel may have cut. */
static int open_stdin(const struct process_command *command)
{
    int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    int error = 0;
    for (size_t done = 0; done < command->stdin_size && !error;) {
        ssize_t n = write(fd, command->stdin_data + done, command->stdin_size - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            error = n < 0 ? errno : EIO;
        }
    }
    if (!error &&
        (lseek(fd, 0, SEEK_SET) < 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)) {
        error = errno;
    }
    if (!error) {
        return fd;
    }
    close(fd);
    return -error;
}

/* Both ends close on exec; ours does not block, the command's does, as programs expect. */
static int open_pipe(int *ours, int *theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    *ours = ends[0];
    *theirs = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* --- a child of our own ----------------------------------------------------------------------------- */

enum { CHILD_STACK = 16 << 10 };

struct birth {
    struct become how;
    const int *fds;                /* stdin or -1, stdout, stderr */
    struct become_failure failure; /* written by the child; step NULL: none */
};

/* All sources are above 2 (process_init), so no dup2 can overwrite one that is still needed. */
BECOME_CHILD static int lay_out(const int fds[3])
{
    long null = fds[0] >= 0 ? fds[0] : syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);

    for (int i = 0; i < 3; i++) {
        if (null < 0 || syscall(SYS_dup3, i == 0 ? null : fds[i], i, 0) < 0) {
            return errno;
        }
    }
    return 0;
}

BECOME_CHILD static int child_main(void *arg)
{
    struct birth *birth = arg;
    struct become_failure failure = {"descriptors", lay_out(birth->fds)};

    if (failure.error == 0) {
        failure = become(&birth->how);
    }
    birth->failure = failure;
    syscall(SYS_exit_group, become_exit_code(&failure));
    return 0;
}

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
/* ThreadSanitizer takes every clone for a fork of its own making; the C library's other name for it
 * is left alone. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg,
            ...); // NOLINT: reserved, and theirs
#define clone __clone
#endif

/* Its own function, so that nothing of the caller's lies in registers across a call that, to the
 * compiler, is like any other. */
static int clone_child(struct birth *birth, void *stack, pid_t *pid)
{
    static const uint64_t all = UINT64_MAX;
    uint64_t before = 0;

    /* The kernel's own: the C library's would leave out two signals of its own. */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    int child =
        clone(child_main, (char *)stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, birth);
    int error = child < 0 ? errno : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    *pid = child;
    return -error;
}

static void describe(const struct process_command *c, struct become *how)
{
    struct rlimit files;
    uint64_t files_soft = process_files_soft();

    *how = BECOME_INIT;
    how->argv = c->argv;
    how->envp = c->envp;
    how->cwd = c->cwd ? c->cwd : "/";
    how->umask = c->umask;
    how->nice = c->nice > 0 ? (uint64_t)c->nice : BECOME_UNSET;
    if (files_soft > 0 && getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != files_soft) {
        how->files_soft = files_soft;
    }
    how->nofile = c->limits.nofile;
    how->memory = c->limits.memory_bytes;
    how->cpu_time = c->limits.cpu_seconds;
    how->file_size = c->limits.file_bytes;
    how->processes = c->limits.processes;
}

static int spawn_child(const struct process_command *c, const int fds[3], struct process *p)
{
    struct birth birth = {.fds = fds};
    void *stack = aligned_alloc(16, CHILD_STACK + PATH_MAX);

    if (!stack) {
        return -ENOMEM;
    }
    describe(c, &birth.how);
    birth.how.candidate = (char *)stack + CHILD_STACK;
    int result = clone_child(&birth, stack, &p->pid);
    free(stack);
    if (result == 0 && birth.failure.step) {
        snprintf(p->failed.stage, sizeof p->failed.stage, "%s", birth.failure.step);
        p->failed.error = birth.failure.error;
    }
    return result;
}

/* --- a program in front ----------------------------------------------------------------------------- */

enum { REPORT_FD = 3, SETTINGS_MAX = 320 };

static void settings_add(char *text, const char *name, uint64_t value)
{
    size_t length = strlen(text);
    if (value != PROCESS_UNLIMITED) {
        snprintf(text + length, SETTINGS_MAX - length, ",%s=%llu", name, (unsigned long long)value);
    }
}

static void settings_format(const struct process_command *c, char text[SETTINGS_MAX])
{
    struct rlimit files;
    uint64_t files_soft = process_files_soft();

    snprintf(text, SETTINGS_MAX, "report=%d,umask=%o", REPORT_FD, c->umask & 0777);
    if (c->nice > 0) {
        settings_add(text, "nice", (uint64_t)c->nice);
    }
    if (files_soft > 0 && getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != files_soft) {
        settings_add(text, "files_soft", files_soft);
    }
    settings_add(text, "nofile", c->limits.nofile);
    settings_add(text, "memory", c->limits.memory_bytes);
    settings_add(text, "cpu_time", c->limits.cpu_seconds);
    settings_add(text, "file_size", c->limits.file_bytes);
    settings_add(text, "processes", c->limits.processes);
}

/* The helper's arguments: its own three, then the command's. Heap, the strings borrowed. */
static char **helper_argv(const struct process_command *c, char *settings)
{
    static char name[] = "cosched-exec", root[] = "/";
    size_t count = 0;

    while (c->argv[count]) {
        count++;
    }
    char **argv = calloc(count + 4, sizeof *argv);
    if (!argv) {
        return NULL;
    }
    argv[0] = name;
    argv[1] = settings;
    /* posix_spawn wants char *, and does not write. */
    argv[2] = c->cwd ? (char *)(uintptr_t)c->cwd : root;
    memcpy(argv + 3, c->argv, count * sizeof *argv);
    return argv;
}

/* fds: the child's stdin, stdout, stderr, report, as above. */
static int posix_spawn_helper(const struct process_command *c, char *const *argv, const int fds[4],
                              pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int error = posix_spawn_file_actions_init(&actions);

    if (error) {
        return -error;
    }
    error = posix_spawnattr_init(&attr);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    if (fds[0] < 0) {
        error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    }
    for (int i = fds[0] < 0; i < 4 && !error; i++) {
        error = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    }
    /* The helper does all of this again. Here it matters for the moment before its first line: the
     * group must exist when we return, and a TERM that arrives early must not meet an ignored or
     * blocked signal. */
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error) {
        error = posix_spawn(pid, c->helper, &actions, &attr, argv, c->envp);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

static int spawn_helper(const struct process_command *c, const int fds[3], struct process *p)
{
    char settings[SETTINGS_MAX];
    int four[4] = {fds[0], fds[1], fds[2], -1};
    int result = open_pipe(&p->report, &four[3]);

    if (result == 0) {
        settings_format(c, settings);
        char **argv = helper_argv(c, settings);
        result = argv ? posix_spawn_helper(c, argv, four, &p->pid) : -ENOMEM;
        free(argv);
    }
    if (four[3] >= 0) {
        close(four[3]);
    }
    return result;
}

/* --- both ------------------------------------------------------------------------------------------- */

int process_spawn(const struct process_command *command, struct process *p)
{
    int fds[3] = {-1, -1, -1}, result = 0;

    *p = PROCESS_NULL;
    if (command->stdin_size > 0) {
        result = fds[0] = open_stdin(command);
    }
    if (result >= 0) {
        result = open_pipe(&p->out, &fds[1]);
    }
    if (result == 0) {
        result = open_pipe(&p->err, &fds[2]);
    }
    if (result == 0) {
        result = process_register_begin();
    }
    if (result == 0) {
        result = command->helper ? spawn_helper(command, fds, p) : spawn_child(command, fds, p);
        process_register_end(result == 0 ? p->pid : 0);
    }
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (result < 0) {
        process_close(p);
        *p = PROCESS_NULL;
        return result;
    }
    return 0;
}

void process_close(struct process *p)
{
    int *const fds[] = {&p->out, &p->err, &p->report};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
        }
        *fds[i] = -1;
    }
}

bool process_failed(const struct process *p, struct process_report *report)
{
    char text[64];
    ssize_t n;

    *report = p->failed;
    if (p->report < 0) {
        return report->stage[0] != '\0';
    }
    do {
        n = read(p->report, text, sizeof text - 1);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    size_t length = strcspn(text, " ");
    if (length >= sizeof report->stage) {
        length = sizeof report->stage - 1;
    }
    memcpy(report->stage, text, length);
    report->stage[length] = '\0';
    report->error = (int)strtol(text + length, NULL, 10);
    return true;
}
