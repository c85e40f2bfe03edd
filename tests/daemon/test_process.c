/* Processes of jobs: known again, and ended to the last one, whatever they did to get away. Each
 * test is a process of its own (libcheck forks), and so a daemon of its own with children of its
 * own. */
#include <limits.h>
#include <sys/stat.h>

#include "commands.h"
#include "suite.h"

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
        if (!marked) {
            command.envp = empty;
        }
        process_spawn(&command, &p);
        said.mark.pid = p.pid;
        said.mark.start_time = start_of(p.pid);
        snprintf(said.mark.boot_id, sizeof said.mark.boot_id, "%s", process_boot_id());
        said.child = read_pid(&p);
        if (write(ends[1], &said, sizeof said) != (ssize_t)sizeof said) {
            abort();
        }
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

SUITE_MAIN("process", the_group_gets_the_signal, a_term_meets_the_command_even_at_its_first_moment,
           a_grandchild_in_a_session_of_its_own_is_found,
           one_without_mark_and_session_is_found_by_descent, others_are_left_alone,
           many_leftovers_that_fork_on, the_reaper_takes_orphans_and_never_a_registered_child,
           recovery_ends_what_a_former_life_left, one_that_executes_on_and_on_is_found,
           recovery_touches_a_number_only_if_time_and_boot_agree, the_instance_is_made_once,
           the_program_in_front_is_where_the_environment_says,
           missing_standard_descriptors_are_filled)
