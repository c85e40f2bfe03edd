/* Commands as they start: what they find, what is said when they cannot. Each test is a process of its own (libcheck forks),
 * and so a daemon of its own. */
#include <pthread.h>

#include "commands.h"
#include "suite.h"

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
    snprintf(nice_value, sizeof nice_value, "%d",
             mine + command.nice < 19 ? mine + command.nice : 19);
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
    for (int fd = 20; fd < 200; fd += 30) { /* as a library without O_CLOEXEC would */
        ck_assert_int_eq(dup2(2, fd), fd);
    }
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &some, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    struct process p = start("ls /proc/self/fd; exec cat /proc/self/status", 1);
    ck_assert_int_eq(fcntl(p.out, F_SETFL, 0), 0);
    for (ssize_t n; (n = read(p.out, text + length, sizeof text - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = '\0';
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ck_assert_msg(strstr(text, expected[i]), "no %s in: %s", expected[i], text);
    }
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
        if (process_spawn(arg, &p) < 0 || WEXITSTATUS(await(&p)) != 3) {
            return arg;
        }
        process_close(&p);
    }
    return NULL;
}

START_TEST(threads_start_commands_side_by_side)
{
    pthread_t threads[4];

    init();
    struct process_command command = shell("exit 3", 1);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, spawn_some, &command), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert(process_only_orphans());
}

END_TEST

SUITE_MAIN("process_spawn", streams_environment_and_exit_code,
           stdin_text_is_whole_and_cannot_be_changed, a_command_that_cannot_start_is_reported,
           nothing_is_left_of_a_start_that_failed, limits_nice_umask_and_folder_arrive,
           a_raised_soft_limit_is_not_inherited, a_short_one_is_waited_for, a_command_starts_clean,
           threads_start_commands_side_by_side)
