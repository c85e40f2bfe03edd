/* For tests of commands: what one is, and what it says. With TEST_HELPER in the environment that program stands in front of
 * every command. What has to have happened before a step is told by a line on the command's stdout, never by waiting. */
#ifndef SUPPORT_COMMANDS_H
#define SUPPORT_COMMANDS_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instance.h"
#include "process.h"
#include "process_internal.h"

/* What a job's environment is, with an id and an instance of the test's choice. */
struct environment {
    char id[64], instance[80];
    char *list[4];
};

static inline struct environment *environment(long id, const char *name)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static struct environment e;

    snprintf(e.id, sizeof e.id, "COSCHED_JOB_ID=%ld", id);
    snprintf(e.instance, sizeof e.instance, "COSCHED_INSTANCE=%s", name);
    e.list[0] = path;
    e.list[1] = e.id;
    e.list[2] = e.instance;
    e.list[3] = NULL;
    return &e;
}

static inline struct process_command shell(const char *script, long id)
{
    static char sh[] = "sh", c[] = "-c", text[4096];
    static char *argv[] = {sh, c, text, NULL};

    snprintf(text, sizeof text, "%s", script);
    return (struct process_command){.helper = getenv("TEST_HELPER"),
                                    .argv = argv,
                                    .envp = environment(id, test_instance)->list,
                                    .cwd = NULL,
                                    .umask = 022,
                                    .limits = PROCESS_LIMITS_NONE};
}

static inline struct process start(const char *script, long id)
{
    struct process_command command = shell(script, id);
    struct process p;

    ck_assert_int_eq(process_spawn(&command, &p), 0);
    ck_assert_int_gt(p.pid, 1);
    return p;
}

/* A line of the command's stdout, which is non-blocking on our side. */
static inline void read_line(int fd, char *line, size_t size)
{
    size_t length = 0;

    for (;;) {
        ssize_t n = read(fd, line + length, 1);
        if (n < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
            ck_assert_int_eq(poll(&poll_fd, 1, -1), 1);
        } else if (n == 0 || line[length] == '\n') {
            break;
        } else {
            ck_assert_uint_lt(++length, size - 1);
        }
    }
    line[length] = '\0';
}

static inline pid_t read_pid(const struct process *p)
{
    char line[64];

    read_line(p->out, line, sizeof line);
    return (pid_t)strtol(line, NULL, 10);
}

static inline uint64_t start_of(pid_t pid)
{
    uint64_t start_time;

    ck_assert_int_eq(process_start_time(pid, &start_time), 0);
    return start_time;
}

static inline int await(struct process *p)
{
    int status;

    ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
    process_reaped(p->pid);
    return status;
}

static inline bool gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Asked one by one: a folder of /proc would need a descriptor itself, and there may be none left. */
static inline size_t count_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A soft limit below whatever hard one this machine gives: only some may raise that again. */
static inline struct rlimit soft_files(rlim_t soft)
{
    struct rlimit files;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max > 4096)
        files.rlim_max = 4096;
    files.rlim_cur = soft;
    return files;
}

static inline void init(void)
{
    ck_assert_int_eq(process_init(), 0);
}

#endif
