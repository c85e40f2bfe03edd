/* process_spawn.c - a command as a child: pipes, standard input, and cosched-exec through
 * posix_spawn.
 *
 * Never fork: the daemon has threads and much memory. posix_spawn borrows the address space until
 * the helper is running, and costs the same whatever the daemon's size. Descriptors are O_CLOEXEC
 * from birth, because other threads start other commands at the same time. Called from blocking
 * threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process.h"
#include "process_internal.h"

/* The command's standard input. A text is laid into a sealed memory file, not a pipe: it is whole
 * before the command starts, so there is nobody to feed it, no EPIPE, and no pipe whose capacity
 * the kernel may have cut. */
static int open_stdin(const struct process_command *command)
{
    if (command->stdin_size == 0) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = 0;
    for (size_t done = 0; done < command->stdin_size && !error;) {
        ssize_t n = write(fd, command->stdin_data + done, command->stdin_size - done);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            error = n < 0 ? errno : EIO;
    }
    if (!error &&
        (lseek(fd, 0, SEEK_SET) < 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0))
        error = errno;
    if (!error)
        return fd;
    close(fd);
    return -error;
}

/* Both ends close on exec; ours does not block, the command's does, as programs expect. */
static int open_pipe(int *ours, int *theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *ours = ends[0];
    *theirs = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

enum { REPORT_FD = 3, SETTINGS_MAX = 320 };

static void settings_add(char *text, const char *name, uint64_t value)
{
    size_t length = strlen(text);
    if (value != PROCESS_UNLIMITED)
        snprintf(text + length, SETTINGS_MAX - length, ",%s=%llu", name, (unsigned long long)value);
}

static void settings_format(const struct process_command *c, char text[SETTINGS_MAX])
{
    struct rlimit files;
    uint64_t files_soft = process_files_soft();

    snprintf(text, SETTINGS_MAX, "report=%d,umask=%o", REPORT_FD, c->umask & 0777);
    if (c->nice > 0)
        settings_add(text, "nice", (uint64_t)c->nice);
    if (files_soft > 0 && getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != files_soft)
        settings_add(text, "files_soft", files_soft);
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

    while (c->argv[count])
        count++;
    char **argv = calloc(count + 4, sizeof *argv);
    if (!argv)
        return NULL;
    argv[0] = name;
    argv[1] = settings;
    /* posix_spawn wants char *, and does not write. */
    argv[2] = c->cwd ? (char *)(uintptr_t)c->cwd : root;
    memcpy(argv + 3, c->argv, count * sizeof *argv);
    return argv;
}

/* fds: the child's stdin, stdout, stderr, report. All are above 2 (process_init) and none of the
 * first three targets is above 2, so no dup2 can overwrite a source that is still needed. */
static int spawn_helper(const struct process_command *c, char *const *argv, const int fds[4],
                        pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return -error;
    error = posix_spawnattr_init(&attr);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    for (int i = 0; i < 4 && !error; i++)
        error = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    /* The helper does all of this again. Here it matters for the moment before its first line: the
     * group must exist when we return, and a TERM that arrives early must not meet an ignored or
     * blocked signal. */
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error)
        error = posix_spawn(pid, c->helper, &actions, &attr, argv, c->envp);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int process_spawn(const struct process_command *command, struct process *p)
{
    char settings[SETTINGS_MAX];
    int fds[4] = {-1, -1, -1, -1}, result;
    char **argv = NULL;
    pid_t pid = 0;

    *p = PROCESS_NULL;
    settings_format(command, settings);
    result = fds[0] = open_stdin(command);
    if (result >= 0)
        result = open_pipe(&p->out, &fds[1]);
    if (result == 0)
        result = open_pipe(&p->err, &fds[2]);
    if (result == 0)
        result = open_pipe(&p->report, &fds[3]);
    if (result == 0) {
        argv = helper_argv(command, settings);
        result = argv ? process_register_begin() : -ENOMEM;
    }
    if (result == 0) {
        result = spawn_helper(command, argv, fds, &pid);
        process_register_end(result == 0 ? pid : 0);
    }
    free(argv);
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (result < 0) {
        process_close(p);
        return result;
    }
    p->pid = pid;
    /* Not reaped before we say so: its entry in /proc is there even if it has ended. */
    if (process_start_time(pid, &p->start_time) < 0)
        p->start_time = 0;
    return 0;
}

void process_close(struct process *p)
{
    int *const fds[] = {&p->out, &p->err, &p->report};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

bool process_failed(const struct process *p, struct process_report *report)
{
    char text[64];
    ssize_t n;

    do
        n = read(p->report, text, sizeof text - 1);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    text[n] = '\0';
    size_t length = strcspn(text, " ");
    if (length >= sizeof report->stage)
        length = sizeof report->stage - 1;
    memcpy(report->stage, text, length);
    report->stage[length] = '\0';
    report->error = (int)strtol(text + length, NULL, 10);
    return true;
}
