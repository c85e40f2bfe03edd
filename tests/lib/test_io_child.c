/* cosched_child_wait. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "test_io.h"

extern char **environ;

/* Runs a shell command; with gate != NULL its standard input is a pipe, and *gate the end that holds it. */
static pid_t start(const char *command, int *gate)
{
    int ends[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (gate != NULL) {
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
        *gate = ends[1];
    }
    char shell[] = "sh", c[] = "-c";
    char *copy = strdup(command), *argv[] = {shell, c, copy, NULL};
    pid_t pid;
    ck_assert_int_eq(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), 0);
    free(copy);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    return pid;
}

IO_TEST(an_end_that_is_waited_for)
{
    int status = 0, gate;
    pid_t pid = start("read x; exit 7", &gate);
    ck_assert_int_eq(cosched_child_wait(pid, &status, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_child_wait(pid, &status, IO_MOMENT), -ETIMEDOUT);
    close(gate);
    ck_assert_int_eq(cosched_child_wait(pid, &status, IO_SOON), 0); /* it had not been reaped */
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert_int_eq(cosched_child_wait(pid, &status, IO_SOON), -ECHILD);
    return 0;
}

IO_TEST(an_end_by_a_signal)
{
    int status = 0, gate;
    pid_t pid = start("read x", &gate);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(cosched_child_wait(pid, &status, IO_SOON), 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
    close(gate);
    return 0;
}

IO_TEST(an_end_that_is_past)
{
    int status = -1;
    pid_t pid = start("exit 0", NULL);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(cosched_child_wait(pid, &status, COSCHED_NOW), 0);
    ck_assert_int_eq(status, 0);
    return 0;
}

IO_TEST(nobodys_children)
{
    int status;
    ck_assert_int_eq(cosched_child_wait(1, &status, IO_SOON), -ECHILD);
    ck_assert_int_eq(cosched_child_wait(getpid(), &status, IO_SOON), -ECHILD);
    ck_assert_int_eq(cosched_child_wait(0, &status, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_child_wait(-1, &status, IO_SOON), -EINVAL);
    return 0;
}

struct waiter {
    pid_t pid;
    int status;
};

static int64_t wait_for_it(void *arg)
{
    struct waiter *w = arg;
    return cosched_child_wait(w->pid, &w->status, IO_SOON);
}

IO_TEST(cancelled_and_again)
{
    int gate;
    struct waiter w = {.pid = start("read x; exit 3", &gate)};
    for (int i = 0; i < 10; i++) {
        cosched_task task = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, wait_for_it, &w);
        for (int yields = i / 2; yields > 0; yields--) {
            cosched_yield();
        }
        cosched_cancel(task);
        ck_assert_int_eq(io_await(task), -ECANCELED);
    }
    close(gate);
    ck_assert_int_eq(wait_for_it(&w), 0);
    ck_assert_int_eq(WEXITSTATUS(w.status), 3);
    return 0;
}

IO_TEST(many_at_once_and_one_waited_for_twice)
{
    enum { MANY = 16 };
    struct waiter w[MANY + 1];
    cosched_task task[MANY + 1];
    int gate[MANY];
    for (int i = 0; i < MANY; i++) {
        char command[32];
        snprintf(command, sizeof command, "read x; exit %d", i);
        w[i] = (struct waiter){.pid = start(command, &gate[i])};
        task[i] = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, wait_for_it, &w[i]);
    }
    w[MANY] = w[0];
    task[MANY] = io_spawn(COSCHED_WORKER, wait_for_it, &w[MANY]);
    for (int i = MANY - 1; i >= 0; i--) {
        close(gate[i]);
    }
    for (int i = 1; i < MANY; i++) {
        ck_assert_int_eq(io_await(task[i]), 0);
        ck_assert_int_eq(WEXITSTATUS(w[i].status), i);
    }
    int64_t first = io_await(task[0]), second = io_await(task[MANY]);
    ck_assert(first != second); /* one of them has reaped it */
    ck_assert_int_eq(first + second, -ECHILD);
    return 0;
}

IO_MAIN("io_child", an_end_that_is_waited_for, an_end_by_a_signal, an_end_that_is_past,
        nobodys_children, cancelled_and_again, many_at_once_and_one_waited_for_twice)
