/* cosched-exec as a program: what a command finds when it starts, and what is said when it cannot.
 * The commands are cat and ls on /proc/self, so that the kernel is the witness. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static char out[1 << 16], report[64];
static int status;

static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, text + length, size - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(fd);
}

/* Runs the helper with its stdout into `out` and its report, as descriptor 9, into `report`. */
static void run_in(const char *settings, const char *cwd, const char *const *command,
                   char *const *envp)
{
    const char *argv[40] = {"cosched-exec", settings, cwd};
    posix_spawn_file_actions_t actions;
    int text[2], said[2];
    pid_t pid;

    for (size_t i = 0; command[i]; i++) {
        argv[i + 3] = command[i];
    }
    ck_assert_int_eq(pipe2(text, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(said, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, text[1], 1);
    posix_spawn_file_actions_adddup2(&actions, said[1], 9);
    char *const *plain = (char *const *)(const void *)argv;
    ck_assert_int_eq(posix_spawn(&pid, COSCHED_EXEC_PATH, &actions, NULL, plain, envp), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(text[1]);
    close(said[1]);
    read_all(text[0], out, sizeof out);
    read_all(said[0], report, sizeof report);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

#define RUN(settings, cwd, ...) \
    run_in(settings, cwd, (const char *const[]){__VA_ARGS__, NULL}, environ)

static void ended_with(int code, const char *said)
{
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), code);
    ck_assert_str_eq(report, said);
}

/* The rest of the line of `out` that starts with name. */
static const char *line(const char *name)
{
    static char value[256];
    const char *at = strstr(out, name);

    ck_assert_msg(at != NULL, "no %s in: %s", name, out);
    at += strlen(name);
    at += strspn(at, ": \t");
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    return value;
}

START_TEST(only_three_descriptors_are_open)
{
    for (int fd = 20; fd < 200; fd += 30) { /* as a library without O_CLOEXEC would */
        ck_assert_int_eq(dup2(2, fd), fd);
    }
    RUN("report=9", "", "ls", "/proc/self/fd");
    ended_with(0, "");
    ck_assert_str_eq(out, "0\n1\n2\n3\n"); /* 3 is ls's own look into the folder */
}

END_TEST

START_TEST(signals_are_clean)
{
    sigset_t some;

    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &some, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    RUN("report=9", "", "cat", "/proc/self/status");
    ended_with(0, "");
    ck_assert_str_eq(line("SigBlk"), "0000000000000000");
    ck_assert_str_eq(line("SigIgn"), "0000000000000000");
    ck_assert_str_eq(line("SigCgt"), "0000000000000000");
}

END_TEST

START_TEST(session_umask_nice_and_privileges)
{
    int pid, parent, group, session, nice_value;
    int nicer = getpriority(PRIO_PROCESS, 0) < 12 ? getpriority(PRIO_PROCESS, 0) + 7 : 19;

    RUN("umask=027,nice=7,report=9", "", "cat", "/proc/self/status", "/proc/self/stat");
    ended_with(0, "");
    ck_assert_str_eq(line("Umask"), "0027");
    ck_assert_str_eq(line("NoNewPrivs"), "1");
    const char *stat = strrchr(out, '(');
    while (stat[-1] != '\n') {
        stat--;
    }
    ck_assert_int_eq(sscanf(stat,
                            "%d %*s %*c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                            "%*d %d",
                            &pid, &parent, &group, &session, &nice_value),
                     5);
    ck_assert_int_eq(group, pid);
    ck_assert_int_eq(session, pid);
    ck_assert_int_eq(nice_value, nicer);
}

END_TEST

START_TEST(nice_is_added_and_ends_at_its_end)
{
    int mine = getpriority(PRIO_PROCESS, 0) < 10 ? 10 : getpriority(PRIO_PROCESS, 0);
    char said[16];

    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, mine), 0);
    RUN("nice=5,report=9", "", "sh", "-c", "nice");
    ended_with(0, "");
    snprintf(said, sizeof said, "%d\n", mine + 5 < 19 ? mine + 5 : 19);
    ck_assert_str_eq(out, said);
    RUN("nice=18446744073709551614,report=9", "", "sh", "-c", "nice");
    ended_with(0, "");
    ck_assert_str_eq(out, "19\n");
}

END_TEST

START_TEST(limits_are_set)
{
    RUN("report=9,nofile=99,memory=1073741824,cpu_time=60,file_size=4096,processes=5000", "", "cat",
        "/proc/self/limits");
    ended_with(0, "");
    int a, b;
    long long c, d;
    ck_assert_int_eq(sscanf(line("Max open files"), "%d %d", &a, &b), 2);
    ck_assert(a == 99 && b == 99);
    ck_assert_int_eq(sscanf(line("Max address space"), "%lld %lld", &c, &d), 2);
    ck_assert(c == 1073741824 && d == 1073741824);
    ck_assert_int_eq(sscanf(line("Max cpu time"), "%d %d", &a, &b), 2);
    ck_assert(a == 60 && b == 65);
    ck_assert_int_eq(sscanf(line("Max file size"), "%d %d", &a, &b), 2);
    ck_assert(a == 4096 && b == 4096);
    ck_assert_int_eq(sscanf(line("Max processes"), "%d %d", &a, &b), 2);
    ck_assert(a == 5000 && b == 5000);
    /* The soft limit alone; the hard one stays. */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    RUN("files_soft=77,report=9", "", "cat", "/proc/self/limits");
    ck_assert_int_eq(sscanf(line("Max open files"), "%d %lld", &a, &c), 2);
    ck_assert_int_eq(a, 77);
    ck_assert_int_eq(c, (long long)files.rlim_max);
}

END_TEST

START_TEST(a_limit_that_cannot_be_set_is_named)
{
    struct rlimit files = {100, 100};

    if (geteuid() == 0) {
        return; /* root may raise it; the container's root may not: either answer would be right */
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    RUN("nofile=200,report=9", "", "true");
    ended_with(126, "nofile 1\n");
}

END_TEST

START_TEST(works_where_it_is_told)
{
    RUN("report=9", "/usr", "pwd");
    ended_with(0, "");
    ck_assert_str_eq(out, "/usr\n");
    RUN("report=9", "/nowhere/at/all", "pwd");
    ended_with(126, "cwd 2\n");
    RUN("report=9", "/etc/passwd", "pwd");
    ended_with(126, "cwd 20\n");
}

END_TEST

static void write_script(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(failures_have_names_and_codes)
{
    char folder[] = "exec-test-XXXXXX", path[64], file[96];
    char *envp[] = {path, NULL};

    RUN("report=9", "", "no-such-command-anywhere");
    ended_with(127, "exec 2\n");
    RUN("report=9", "", "./no/such/file");
    ended_with(127, "exec 2\n");
    RUN("report=9", "", "");
    ended_with(127, "exec 2\n");
    RUN("report=9", "", "/etc/passwd");
    ended_with(126, "exec 13\n");
    RUN("report=9", "", "/etc");
    ended_with(126, "exec 13\n");
    RUN("report=9", "", "/etc/passwd/x");
    ended_with(127, "exec 20\n");

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "PATH=/nowhere:%s", folder);
    snprintf(file, sizeof file, "%s/no-interpreter", folder);
    write_script(file, "#!/no/such/shell\n", 0755);
    run_in("report=9", "", (const char *const[]){"no-interpreter", NULL}, envp);
    ended_with(126, "interpreter 2\n");
    unlink(file);
    /* Text without "#!" is no program, and no shell is asked to make one of it. */
    snprintf(file, sizeof file, "%s/text", folder);
    write_script(file, "echo hello\n", 0755);
    run_in("report=9", "", (const char *const[]){"text", NULL}, envp);
    ended_with(126, "exec 8\n");
    /* Not executable here, and nowhere else in PATH. */
    write_script(file, "#!/bin/sh\n", 0644);
    run_in("report=9", "", (const char *const[]){"text", NULL}, envp);
    ended_with(126, "exec 13\n");
    unlink(file);
    rmdir(folder);
}

END_TEST

START_TEST(path_of_the_jobs_environment_decides)
{
    char folder[] = "exec-test-XXXXXX", path[64], file[64];
    char *envp[] = {path, NULL}, *none[] = {NULL};
    const char *const command[] = {"uname", NULL};

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "PATH=%s:/usr/bin:/bin", folder);
    snprintf(file, sizeof file, "%s/uname", folder);
    write_script(file, "#!/bin/sh\necho ours\n", 0755);
    run_in("report=9", "", command, envp);
    ended_with(0, "");
    ck_assert_str_eq(out, "ours\n");
    /* One that may not be run does not hide a later one. */
    ck_assert_int_eq(chmod(file, 0644), 0);
    run_in("report=9", "", command, envp);
    ended_with(0, "");
    ck_assert_str_eq(out, "Linux\n");
    /* An empty element is the working directory. */
    ck_assert_int_eq(chmod(file, 0755), 0);
    snprintf(path, sizeof path, "PATH=/nowhere:");
    run_in("report=9", folder, command, envp);
    ended_with(0, "");
    ck_assert_str_eq(out, "ours\n");
    unlink(file);
    rmdir(folder);
    run_in("report=9", "", command, none);
    ck_assert_str_eq(out, "Linux\n");
}

END_TEST

START_TEST(long_arguments_pass)
{
    static char big[120000], settings[] = "report=9";

    memset(big, 'x', sizeof big - 1);
    RUN(settings, "", "sh", "-c", "echo $# ${#1} ${#9}", "sh", big, big, big, big, big, big, big,
        big, big);
    ended_with(0, "");
    ck_assert_str_eq(out, "9 119999 119999\n");
}

END_TEST

START_TEST(bad_settings_are_refused)
{
    const char *const bad[] = {"umask",    "umask=",   "umask=9",
                               "what=1",   "report=x", "nice=-1",
                               "=1",       "nice=1;",  "nice=99999999999999999999999",
                               "umask=1,,"};

    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* the usage, ten times */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        RUN(bad[i], "", "true");
        ck_assert(WIFEXITED(status));
        ck_assert_msg(WEXITSTATUS(status) == 64, "%s: %d", bad[i], WEXITSTATUS(status));
    }
    RUN("", "", "true");
    ended_with(0, "");
}

END_TEST

SUITE_MAIN("exec", only_three_descriptors_are_open, signals_are_clean,
           session_umask_nice_and_privileges, nice_is_added_and_ends_at_its_end, limits_are_set,
           a_limit_that_cannot_be_set_is_named, works_where_it_is_told,
           failures_have_names_and_codes, path_of_the_jobs_environment_decides, long_arguments_pass,
           bad_settings_are_refused)
