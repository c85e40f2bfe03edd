/* Processes of jobs: started, known again, and ended to the last one, whatever they did to get
 * away. Each test is a process of its own (libcheck forks), and so a daemon of its own with
 * children of its own. With TEST_HELPER in the environment that program stands in front of every
 * command. What has to have happened before a step is told by a line on the command's
 * stdout, never by waiting a while. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instance.h"
#include "process.h"
#include "process_internal.h"
#include "suite.h"

/* What a job's environment is, with an id and an instance of the test's choice. */
struct environment {
    char id[64], instance[80];
    char *list[4];
};

static struct environment *environment(long id, const char *instance)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static struct environment e;

    snprintf(e.id, sizeof e.id, "COSCHED_JOB_ID=%ld", id);
    snprintf(e.instance, sizeof e.instance, "COSCHED_INSTANCE=%s", instance);
    e.list[0] = path;
    e.list[1] = e.id;
    e.list[2] = e.instance;
    e.list[3] = NULL;
    return &e;
}

static struct process_command shell(const char *script, long id)
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

static struct process start(const char *script, long id)
{
    struct process_command command = shell(script, id);
    struct process p;

    ck_assert_int_eq(process_spawn(&command, &p), 0);
    ck_assert_int_gt(p.pid, 1);
    return p;
}

/* A line of the command's stdout, which is non-blocking on our side. */
static void read_line(int fd, char *line, size_t size)
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

static pid_t read_pid(const struct process *p)
{
    char line[64];

    read_line(p->out, line, sizeof line);
    return (pid_t)strtol(line, NULL, 10);
}

static uint64_t start_of(pid_t pid)
{
    uint64_t start_time;

    ck_assert_int_eq(process_start_time(pid, &start_time), 0);
    return start_time;
}

static int await(struct process *p)
{
    int status;

    ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
    process_reaped(p->pid);
    return status;
}

static bool gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Asked one by one: a folder of /proc would need a descriptor itself, and there may be none left. */
static size_t count_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A soft limit below whatever hard one this machine gives: only some may raise that again. */
static struct rlimit soft_files(rlim_t soft)
{
    struct rlimit files;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max > 4096)
        files.rlim_max = 4096;
    files.rlim_cur = soft;
    return files;
}

static void init(void)
{
    ck_assert_int_eq(process_init(), 0);
}

/* --- starting ------------------------------------------------------------------------------- */

START_TEST(streams_environment_and_exit_code)
{
    struct process_report report;
    char line[256];

    init();
    struct process p = start("echo out $COSCHED_JOB_ID; echo err >&2; exit 3", 42);
    ck_assert_uint_gt(start_of(p.pid), 0);
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, "out 42");
    read_line(p.err, line, sizeof line);
    ck_assert_str_eq(line, "err");
    ck_assert_int_eq(WEXITSTATUS(await(&p)), 3);
    ck_assert(!process_failed(&p, &report));
    ck_assert(!process_may_have_left(p.pid));
    process_close(&p);
    process_close(&p);
}

END_TEST

START_TEST(stdin_text_is_whole_and_cannot_be_changed)
{
    static char data[65536];
    char line[64];

    init();
    memset(data, 'x', sizeof data);
    struct process_command command = shell("wc -c; echo more 2>&1 1>&0 | grep -c permitted", 1);
    command.stdin_data = data;
    command.stdin_size = sizeof data;
    struct process p;
    ck_assert_int_eq(process_spawn(&command, &p), 0);
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, "65536");
    await(&p);
    process_close(&p);
    p = start("wc -c", 1);
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, "0");
    await(&p);
    process_close(&p);
}

END_TEST

START_TEST(a_command_that_cannot_start_is_reported)
{
    static char name[] = "no-such-command", *argv[] = {name, NULL};
    struct process_report report;

    init();
    struct process_command command = shell("", 1);
    struct process p;
    command.argv = argv;
    ck_assert_int_eq(process_spawn(&command, &p), 0);
    ck_assert_int_eq(WEXITSTATUS(await(&p)), 127);
    ck_assert(process_failed(&p, &report));
    ck_assert_str_eq(report.stage, "exec");
    ck_assert_int_eq(report.error, ENOENT);
    process_close(&p);
    /* Exit 127 of the command itself is not a report. */
    p = start("exit 127", 1);
    ck_assert_int_eq(WEXITSTATUS(await(&p)), 127);
    ck_assert(!process_failed(&p, &report));
    process_close(&p);
}

END_TEST

START_TEST(nothing_is_left_of_a_start_that_failed)
{
    static char big[200000], name[] = "true", *argv[] = {name, big, NULL};

    init();
    size_t before = count_descriptors();
    struct process_command command = shell("true", 1);
    struct process p;
    command.helper = "/no/such/helper";
    ck_assert_int_eq(process_spawn(&command, &p), -ENOENT);
    ck_assert_int_eq(p.out, -1);
    command.helper = getenv("TEST_HELPER");
    memset(big, 'x', sizeof big - 1);
    command.argv = argv;
    if (command.helper) {
        ck_assert_int_eq(process_spawn(&command, &p), -E2BIG);
    } else { /* there is a child by then */
        struct process_report report;
        ck_assert_int_eq(process_spawn(&command, &p), 0);
        ck_assert_int_eq(WEXITSTATUS(await(&p)), 126);
        ck_assert(process_failed(&p, &report));
        ck_assert_str_eq(report.stage, "exec");
        ck_assert_int_eq(report.error, E2BIG);
        process_close(&p);
    }
    ck_assert_uint_eq(count_descriptors(), before);
    ck_assert(process_only_orphans());
    /* At every descriptor that can be missing. */
    command = shell("true", 1);
    struct rlimit files = soft_files(3);
    int result;
    do {
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
        result = process_spawn(&command, &p);
        files.rlim_cur++;
    } while (result == -EMFILE && count_descriptors() == before);
    ck_assert_int_eq(result, 0);
    await(&p);
    process_close(&p);
    ck_assert_uint_eq(count_descriptors(), before);
}

END_TEST

START_TEST(limits_nice_umask_and_folder_arrive)
{
    char line[128];

    init();
    struct process_command command = shell("ulimit -n; umask; pwd; nice", 1);
    struct process p;
    command.limits.nofile = 55;
    command.umask = 027;
    command.cwd = "/usr";
    command.nice = 4;
    ck_assert_int_eq(process_spawn(&command, &p), 0);
    char nice_value[16];
    int mine = getpriority(PRIO_PROCESS, 0);
    snprintf(nice_value, sizeof nice_value, "%d", mine + command.nice < 19 ? mine + command.nice : 19);
    const char *const expected[] = {"55", "0027", "/usr", nice_value};
    for (size_t i = 0; i < 4; i++) {
        read_line(p.out, line, sizeof line);
        ck_assert_str_eq(line, expected[i]);
    }
    await(&p);
    process_close(&p);
}

END_TEST

START_TEST(a_raised_soft_limit_is_not_inherited)
{
    struct rlimit files = soft_files(64);
    char line[64], hard[32];

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    init();
    files.rlim_cur = files.rlim_max;
    snprintf(hard, sizeof hard, "%llu", (unsigned long long)files.rlim_max);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    struct process p = start("ulimit -Sn; ulimit -Hn", 1);
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, "64");
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, hard);
    await(&p);
    process_close(&p);
}

END_TEST

/* --- ending --------------------------------------------------------------------------------- */

START_TEST(the_group_gets_the_signal)
{
    init();
    struct process p = start("sleep 1000 & echo $!; wait", 1);
    pid_t child = read_pid(&p);
    ck_assert_int_eq(process_signal_group(p.pid, SIGTERM), 0);
    ck_assert_int_eq(WTERMSIG(await(&p)), SIGTERM);
    ck_assert_int_eq(process_signal_group(p.pid, SIGTERM), -ESRCH);
    ck_assert_int_eq(process_signal_group(0, SIGTERM), -ESRCH);
    ck_assert_int_ge(process_end_leftovers(test_instance, 1, p.pid), 0);
    ck_assert(gone(child));
    ck_assert(!process_may_have_left(p.pid));
    process_close(&p);
}

END_TEST

START_TEST(a_term_meets_the_command_even_at_its_first_moment)
{
    init();
    for (int i = 0; i < 50; i++) {
        struct process p = start("sleep 1000", 1);
        ck_assert_int_eq(process_signal_group(p.pid, SIGTERM), 0);
        ck_assert_int_eq(WTERMSIG(await(&p)), SIGTERM);
        process_close(&p);
    }
}

END_TEST

START_TEST(a_grandchild_in_a_session_of_its_own_is_found)
{
    init();
    struct process p = start("setsid sh -c 'echo $$; exec sleep 1000' &", 7);
    pid_t grandchild = read_pid(&p);
    ck_assert_int_eq(WEXITSTATUS(await(&p)), 0);
    ck_assert(process_may_have_left(p.pid));
    ck_assert(!gone(grandchild));
    ck_assert_int_ge(process_end_leftovers(test_instance, 7, p.pid), 1);
    ck_assert(gone(grandchild));
    ck_assert(!process_may_have_left(p.pid));
    process_close(&p);
}

END_TEST

START_TEST(one_without_mark_and_session_is_found_by_descent)
{
    init();
    struct process p = start("env -i setsid sh -c 'echo $$; exec sleep 1000' &", 7);
    pid_t grandchild = read_pid(&p);
    await(&p);
    ck_assert_int_ge(process_end_leftovers(test_instance, 7, p.pid), 1);
    ck_assert(gone(grandchild));
    process_close(&p);
}

END_TEST

START_TEST(others_are_left_alone)
{
    init();
    /* Another job; its orphan; the orphan of another daemon's job of the same number; one whose job
     * is unknown. */
    struct process other = start("setsid sh -c 'echo $$; exec sleep 1000' & exec sleep 1000", 8);
    pid_t other_child = read_pid(&other);
    struct process_command command = shell("setsid sh -c 'echo $$; exec sleep 1000' &", 7);
    command.envp = environment(7, "ffffffffffffffffffffffffffffffff")->list;
    struct process foreign;
    ck_assert_int_eq(process_spawn(&command, &foreign), 0);
    pid_t foreign_child = read_pid(&foreign);
    await(&foreign);
    struct process p = start("setsid sh -c 'echo $$; exec sleep 1000' &"
                             "env -i setsid sh -c 'echo $$; exec sleep 1000' &",
                             7);
    pid_t first = read_pid(&p), second = read_pid(&p);
    await(&p);
    ck_assert_int_eq(process_end_leftovers(test_instance, 7, p.pid), 1);
    ck_assert(!gone(other.pid));
    ck_assert(!gone(other_child));
    ck_assert(!gone(foreign_child));
    ck_assert_int_eq(gone(first) + gone(second), 1); /* the marked one */
    /* The last job takes everything with it. */
    ck_assert_int_eq(process_signal_group(other.pid, SIGKILL), 0);
    await(&other);
    ck_assert_int_eq(process_end_leftovers(test_instance, 8, other.pid), 3);
    ck_assert(gone(other_child) && gone(foreign_child) && gone(first) && gone(second));
    process_close(&p);
    process_close(&other);
    process_close(&foreign);
}

END_TEST

START_TEST(many_leftovers_that_fork_on)
{
    init();
    struct process p = start("i=0; while [ $i -lt 90 ]; do setsid sh -c 'sleep 1000 & wait' & "
                             "i=$((i+1)); done; echo 0",
                             9);
    read_pid(&p);
    await(&p);
    ck_assert_int_ge(process_end_leftovers(test_instance, 9, p.pid), 90);
    ck_assert(!process_may_have_left(p.pid));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* all reaped */
    process_close(&p);
}

END_TEST

/* --- orphans -------------------------------------------------------------------------------- */

START_TEST(the_reaper_takes_orphans_and_never_a_registered_child)
{
    siginfo_t info;

    init();
    ck_assert_int_eq(process_reap_orphans(), 0);
    struct process first = start("exit 1", 1);
    struct process p = start("setsid sh -c 'echo $$; exec sleep 1000' &", 2);
    pid_t orphan = read_pid(&p);
    /* Dead, not reaped: they stand in front of the orphan. */
    ck_assert_int_eq(waitid(P_PID, (id_t)first.pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(process_reap_orphans(), 0);
    ck_assert_int_eq(kill(orphan, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)orphan, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(process_reap_orphans(), 1);
    ck_assert(gone(orphan));
    ck_assert_int_eq(WEXITSTATUS(await(&first)), 1);
    ck_assert_int_eq(WEXITSTATUS(await(&p)), 0);
    process_close(&first);
    process_close(&p);
}

END_TEST

/* --- recovery ------------------------------------------------------------------------------- */

/* A daemon that starts a job and dies: what is on record afterwards, and the job's process. */
static struct process_mark former_life(const char *script, bool marked, pid_t *child)
{
    struct process_mark mark;
    char *empty[] = {NULL};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t daemon_pid = fork();
    ck_assert_int_ge(daemon_pid, 0);
    if (daemon_pid == 0) {
        struct process_command command = shell(script, 7);
        struct process p;

        struct {
            struct process_mark mark;
            pid_t child;
        } said;

        memset(&said, 0, sizeof said);
        process_init();
        if (!marked)
            command.envp = empty;
        process_spawn(&command, &p);
        said.mark.pid = p.pid;
        said.mark.start_time = start_of(p.pid);
        snprintf(said.mark.boot_id, sizeof said.mark.boot_id, "%s", process_boot_id());
        said.child = read_pid(&p);
        if (write(ends[1], &said, sizeof said) != (ssize_t)sizeof said)
            abort();
        _exit(0);
    }

    struct {
        struct process_mark mark;
        pid_t child;
    } said;

    ck_assert_int_eq(read(ends[0], &said, sizeof said), (ssize_t)sizeof said);
    ck_assert_int_eq(waitpid(daemon_pid, NULL, 0), daemon_pid);
    close(ends[0]);
    close(ends[1]);
    mark = said.mark;
    *child = said.child;
    return mark;
}

START_TEST(recovery_ends_what_a_former_life_left)
{
    pid_t child;

    init();
    struct process_mark mark =
        former_life("setsid sh -c 'echo $$; exec sleep 1000' & exec sleep 1000", true, &child);
    ck_assert(!gone(mark.pid) && !gone(child));
    ck_assert_int_eq(process_end_job(test_instance, 8, &(struct process_mark){0}), 0);
    ck_assert_int_eq(process_end_job(test_instance, 7, &mark), 2);
    ck_assert(gone(mark.pid) && gone(child));
    ck_assert_int_eq(process_end_job(test_instance, 7, &mark), 0);
    /* The process had not been recorded when the daemon died: the environment is enough. */
    mark = former_life("echo $$; exec sleep 1000", true, &child);
    ck_assert_int_eq(process_end_job(test_instance, 7, &(struct process_mark){0}), 1);
    ck_assert(gone(mark.pid));
}

END_TEST

/* In the middle of an execve a process has no environment that could be read. */
START_TEST(one_that_executes_on_and_on_is_found)
{
    char name[] = "process-test-XXXXXX", script[2 * PATH_MAX];
    pid_t child;

    init();
    int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    char *path = realpath(name, NULL);
    ck_assert_ptr_nonnull(path);
    ck_assert_int_gt(dprintf(fd, "[ $1 -eq 0 ] || exec sh '%s' $(($1 - 1))\n", path), 0);
    snprintf(script, sizeof script, "echo $$; exec sh '%s' 100000", path); /* not for ever */
    for (int i = 0; i < 100; i++) {
        struct process_mark mark = former_life(script, true, &child);
        int ended = process_end_job(test_instance, 7, &(struct process_mark){0});
        ck_assert(ended == 1 || kill(mark.pid, SIGKILL) != 0); /* else nobody would */
        ck_assert(gone(mark.pid));
    }
    close(fd);
    unlink(path);
    free(path);
}

END_TEST

START_TEST(recovery_touches_a_number_only_if_time_and_boot_agree)
{
    pid_t child;

    init();
    /* No environment: only the record can name them. */
    struct process_mark mark = former_life("sleep 1000 & echo $!; exec sleep 1000", false, &child),
                        wrong = mark;
    wrong.start_time++;
    ck_assert_int_eq(process_end_job(test_instance, 7, &wrong), 0);
    wrong = mark;
    wrong.boot_id[0] = wrong.boot_id[0] == 'a' ? 'b' : 'a';
    ck_assert_int_eq(process_end_job(test_instance, 7, &wrong), 0);
    ck_assert(!gone(mark.pid) && !gone(child));
    ck_assert_int_eq(process_end_job(test_instance, 7, &mark), 2);
    ck_assert(gone(mark.pid) && gone(child));
}

END_TEST

/* --- at start ------------------------------------------------------------------------------- */

START_TEST(the_instance_is_made_once)
{
    char folder[] = "process-test-XXXXXX", path[64], first[PROCESS_INSTANCE_SIZE],
         again[PROCESS_INSTANCE_SIZE];
    struct stat st;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(process_instance(dir, first), 0);
    ck_assert_uint_eq(strspn(first, "0123456789abcdef"), PROCESS_INSTANCE_SIZE - 1);
    ck_assert_int_eq(process_instance(dir, again), 0);
    ck_assert_str_eq(first, again);
    snprintf(path, sizeof path, "%s/instance", folder);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(truncate(path, 12), 0);
    ck_assert_int_eq(process_instance(dir, again), 0);
    ck_assert_str_ne(first, again);
    ck_assert_int_eq(process_instance(dir, first), 0);
    ck_assert_str_eq(first, again);
    unlink(path);
    rmdir(folder);
    close(dir);
}

END_TEST

START_TEST(the_program_in_front_is_where_the_environment_says)
{
    char *path;

    ck_assert_int_eq(unsetenv("COSCHED_EXEC"), 0);
    ck_assert_int_eq(process_find_helper(&path), 0);
    ck_assert_ptr_null(path);
    ck_assert_int_eq(setenv("COSCHED_EXEC", COSCHED_EXEC_PATH, 1), 0);
    ck_assert_int_eq(process_find_helper(&path), 0);
    ck_assert_ptr_nonnull(path);
    ck_assert_str_eq(path, COSCHED_EXEC_PATH);
    free(path);
    ck_assert_int_eq(setenv("COSCHED_EXEC", "/no/such/file", 1), 0);
    ck_assert_int_eq(process_find_helper(&path), -ENOENT);
    ck_assert_ptr_null(path);
}

END_TEST

START_TEST(a_short_one_is_waited_for)
{
    int status = 0;

    init();
    struct process p = start("exec sleep 1000", 1);
    ck_assert(!process_ends_within(p.pid, 0, &status));
    ck_assert(!process_ends_within(p.pid, 1, &status));
    ck_assert(process_registered(p.pid));
    ck_assert_int_eq(process_signal_group(p.pid, SIGTERM), 0);
    ck_assert(process_ends_within(p.pid, -1, &status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
    ck_assert(!process_registered(p.pid));
    ck_assert(!process_ends_within(p.pid, 0, &status));
    process_close(&p);
}

END_TEST

/* What cosched-exec is asked in test_exec, of our own child: the kernel is the witness. */
START_TEST(a_command_starts_clean)
{
    static const char *const expected[] = {"0\n1\n2\n3\n", "SigBlk:\t0000000000000000",
                                           "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000",
                                           "NoNewPrivs:\t1"};
    char text[8192];
    size_t length = 0;
    sigset_t some;

    init();
    for (int fd = 20; fd < 200; fd += 30) /* as a library without O_CLOEXEC would */
        ck_assert_int_eq(dup2(2, fd), fd);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &some, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    struct process p = start("ls /proc/self/fd; exec cat /proc/self/status", 1);
    ck_assert_int_eq(fcntl(p.out, F_SETFL, 0), 0);
    for (ssize_t n; (n = read(p.out, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_msg(strstr(text, expected[i]), "no %s in: %s", expected[i], text);
    await(&p);
    process_close(&p);
    /* And we are as we were: our mask, our dispositions. */
    sigset_t now;
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    ck_assert(sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGHUP) == 0);
    ck_assert(signal(SIGINT, SIG_DFL) == SIG_IGN);
}

END_TEST

static void *spawn_some(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct process p;
        if (process_spawn(arg, &p) < 0 || WEXITSTATUS(await(&p)) != 3)
            return arg;
        process_close(&p);
    }
    return NULL;
}

START_TEST(threads_start_commands_side_by_side)
{
    pthread_t threads[4];

    init();
    struct process_command command = shell("exit 3", 1);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, spawn_some, &command), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert(process_only_orphans());
}

END_TEST

START_TEST(missing_standard_descriptors_are_filled)
{
    char line[64];

    close(0);
    init();
    ck_assert_int_ge(fcntl(0, F_GETFD), 0);
    struct process p = start("echo fine", 1);
    ck_assert_int_gt(p.out, 2);
    read_line(p.out, line, sizeof line);
    ck_assert_str_eq(line, "fine");
    await(&p);
    process_close(&p);
}

END_TEST

SUITE_MAIN("process", streams_environment_and_exit_code, stdin_text_is_whole_and_cannot_be_changed,
           a_command_that_cannot_start_is_reported, nothing_is_left_of_a_start_that_failed,
           limits_nice_umask_and_folder_arrive, a_raised_soft_limit_is_not_inherited,
           the_group_gets_the_signal, a_term_meets_the_command_even_at_its_first_moment,
           a_grandchild_in_a_session_of_its_own_is_found,
           one_without_mark_and_session_is_found_by_descent, others_are_left_alone,
           many_leftovers_that_fork_on, the_reaper_takes_orphans_and_never_a_registered_child,
           recovery_ends_what_a_former_life_left, one_that_executes_on_and_on_is_found,
           recovery_touches_a_number_only_if_time_and_boot_agree, the_instance_is_made_once,
           the_program_in_front_is_where_the_environment_says, a_short_one_is_waited_for,
           a_command_starts_clean, threads_start_commands_side_by_side,
           missing_standard_descriptors_are_filled)
