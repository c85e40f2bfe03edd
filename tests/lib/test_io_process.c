/* Processes. Children wait on a pipe that the test holds, so nothing here depends on how fast they are. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "emulated.h"
#include "io/process.h"
#include "test_io.h"

static cosched_process *spawn_shell(const char *command, cosched_stream *pipes[3], uint32_t flags)
{
    const char *argv[] = {"sh", "-c", command, NULL};
    cosched_process_attr attr = {.struct_size = sizeof attr, .argv = argv, .flags = flags};
    for (int i = 0; i < 3; i++) {
        attr.stdio[i].how = pipes != NULL ? COSCHED_STDIO_PIPE : COSCHED_STDIO_INHERIT;
    }
    cosched_process *p;
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), 0);
    return p;
}

static void close_all(cosched_stream *pipes[3])
{
    for (int i = 0; i < 3; i++) {
        cosched_close(pipes[i]);
    }
}

/* All that comes until the end, as text. */
static void read_all(cosched_stream *s, char *text, size_t size)
{
    size_t at = 0;
    int64_t n;
    while ((n = cosched_read(s, text + at, size - 1 - at, IO_SOON)) > 0) {
        at += (size_t)n;
    }
    ck_assert_int_eq(n, 0);
    text[at] = '\0';
}

static void expect_exit(cosched_process *p, int code)
{
    int status = -1;
    ck_assert_int_eq(cosched_process_wait(p, &status, IO_SOON), 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), code);
}

static int64_t converse(void *arg)
{
    (void)arg;
    cosched_stream *pipes[3];
    char text[64];
    cosched_process *p = spawn_shell("read a; echo \"<$a>\"; echo bad >&2; exit 3", pipes, 0);
    ck_assert_int_gt(cosched_process_pid(p), 0);
    ck_assert_int_eq(cosched_process_wait(p, NULL, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_process_wait(p, NULL, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(cosched_write(pipes[0], "hello\n", 6, IO_SOON), 6);
    read_all(pipes[1], text, sizeof text);
    ck_assert_str_eq(text, "<hello>\n");
    read_all(pipes[2], text, sizeof text);
    ck_assert_str_eq(text, "bad\n");
    expect_exit(p, 3);
    expect_exit(p, 3); /* it is remembered */
    ck_assert_int_eq(cosched_process_kill(p, SIGTERM), -ESRCH);
    ck_assert_int_eq(cosched_write(pipes[0], "more", 4, IO_SOON), -EPIPE);
    close_all(pipes);
    cosched_process_close(p);
    return 0;
}

IO_TEST(a_conversation_from_main_and_a_worker)
{
    ck_assert_int_eq(converse(NULL), 0);
    ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, converse, NULL)), 0);
    return 0;
}

IO_TEST(what_the_child_finds)
{
    cosched_stream *pipes[3];
    char text[256], here[128];
    const char *const env[] = {"WORD=fish", NULL};
    const char *script = "echo $WORD; pwd; for f in /proc/self/fd/*; do echo ${f##*/}; done; "
                         "test -z \"$HOME\" && cat";
    const char *const argv[] = {"named", "-c", script, NULL};
    cosched_process_attr attr = {
        .struct_size = sizeof attr, .file = "/bin/sh", .argv = argv, .env = env, .cwd = "/"};
    attr.stdio[1].how = COSCHED_STDIO_PIPE;
    attr.stdio[2].how = COSCHED_STDIO_STDOUT;
    int leak = open("/dev/null", O_RDWR); /* not close-on-exec, and yet it stays here */
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    cosched_process *p;
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), 0);
    ck_assert_ptr_null(pipes[0]);
    ck_assert_ptr_null(pipes[2]);
    read_all(pipes[1], text, sizeof text);
    expect_exit(p, 0); /* its input was empty */
    close_all(pipes);
    cosched_process_close(p);
    close(leak);
    /* The shell opens one more to list them. */
    ck_assert_msg(strcmp(text, "fish\n/\n0\n1\n2\n3\n") == 0 ||
                      strcmp(text, "fish\n/\n0\n1\n2\n") == 0,
                  "%s", text);
    return 0;
}

IO_TEST(descriptors_change_places)
{
    cosched_stream *from, *to;
    char text[64];
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
    cosched_process_attr attr = {.struct_size = sizeof attr, .argv = argv};
    ck_assert_int_eq(cosched_pipe(&from, &to), 0);
    /* Both of the child's outputs lie on low numbers of ours, the wrong way round. */
    int keep = fcntl(1, F_DUPFD_CLOEXEC, 10);
    ck_assert_int_ge(keep, 0);
    ck_assert_int_eq(dup2(cosched_stream_fileno(to), 1), 1);
    attr.stdio[1] = (cosched_stdio){COSCHED_STDIO_FD, cosched_stream_fileno(to)};
    attr.stdio[2] = (cosched_stdio){COSCHED_STDIO_FD, 1};
    cosched_process *p;
    int rc = cosched_process_spawn(&p, NULL, &attr, IO_SOON);
    ck_assert_int_eq(dup2(keep, 1), 1);
    close(keep);
    ck_assert_int_eq(rc, 0);
    cosched_close(to);
    read_all(from, text, sizeof text);
    ck_assert_str_eq(text, "out\nerr\n");
    expect_exit(p, 0);
    cosched_process_close(p);
    cosched_close(from);
    return 0;
}

IO_TEST(what_cannot_be_started)
{
    cosched_process *p;
    cosched_stream *pipes[3];
    const char *argv[] = {"no-such-program-of-cosched", NULL};
    cosched_process_attr attr = {.struct_size = sizeof attr, .argv = argv};
    attr.stdio[0].how = attr.stdio[1].how = attr.stdio[2].how = COSCHED_STDIO_PIPE;
    if (!emulator_lacks("what_cannot_be_started, errors of exec",
                        "starts the child as a copy, not in shared memory")) {
        ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -ENOENT);
        ck_assert_ptr_null(p);
        ck_assert_ptr_null(pipes[1]);
        attr.file = "/etc/passwd";
        ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -EACCES);
        attr.file = "/bin/true";
        attr.cwd = "/no-such-directory-of-cosched";
        ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -ENOENT);
        attr.cwd = NULL;
    }
    attr.file = "/bin/true";
    ck_assert_int_eq(cosched_process_spawn(&p, NULL, &attr, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, COSCHED_NOW), -ETIMEDOUT);
    attr.stdio[1].how = COSCHED_STDIO_STDOUT;
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -EINVAL);
    attr.stdio[1] = (cosched_stdio){COSCHED_STDIO_FD, -1};
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -EBADF);
    attr.stdio[1].how = (cosched_stdio_how)99;
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -EINVAL);
    attr.stdio[1].how = COSCHED_STDIO_PIPE;
    for (unsigned n = 1; n <= 4; n++) {
        cos_alloc_fail_at(n);
        ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -ENOMEM);
        cos_alloc_fail_at(0);
    }
    argv[0] = NULL;
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, &attr, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_process_spawn(&p, pipes, NULL, IO_SOON), -EINVAL);
    cosched_process_close(NULL);
    return 0;
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

static char read_byte(cosched_stream *s)
{
    char byte = 0;
    ck_assert_int_eq(cosched_read(s, &byte, 1, IO_SOON), 1);
    return byte;
}

IO_TEST(a_kill)
{
    cosched_stream *pipes[3];
    int status = 0;
    cosched_process *p = spawn_shell("read x", pipes, 0);
    ck_assert_int_eq(cosched_process_kill(p, SIGUSR1), 0);
    ck_assert_int_eq(cosched_process_wait(p, &status, IO_SOON), 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGUSR1);
    close_all(pipes);
    cosched_process_close(p);
    return 0;
}

static int64_t end_in_a_moment(void *arg)
{
    int status = 0;
    int rc = cosched_process_end(arg, &status, IO_MOMENT);
    return rc < 0 ? rc : WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int64_t end_when_cancelled(void *arg)
{
    cosched_cancel(cosched_self());
    int status = 0;
    int rc = cosched_process_end(arg, &status, COSCHED_NEVER);
    return rc < 0 ? rc : WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

IO_TEST(an_end_by_asking_and_by_force)
{
    cosched_stream *pipes[3];
    int status = 0;
    /* A shell that reads may have looked for signals and not begun to read. */
    cosched_process *p = spawn_shell("trap 'exit 5' TERM; echo r; while :; do :; done", pipes, 0);
    read_byte(pipes[1]);
    ck_assert_int_eq(cosched_process_end(p, &status, IO_SOON), 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 5);
    ck_assert_int_eq(cosched_process_end(p, &status, COSCHED_NOW), 0);
    close_all(pipes);
    cosched_process_close(p);
    for (int i = 0; i < 2; i++) {
        p = spawn_shell("trap '' TERM; echo r; read x", pipes, 0);
        read_byte(pipes[1]);
        cosched_task task =
            io_spawn(COSCHED_WORKER, i == 0 ? end_in_a_moment : end_when_cancelled, p);
        ck_assert_int_eq(io_await(task), SIGKILL);
        close_all(pipes);
        cosched_process_close(p);
    }
    return 0;
}

IO_TEST(a_close_leaves_nothing_behind)
{
    cosched_stream *pipes[3];
    for (int i = 0; i < 3; i++) {
        cosched_process *p = spawn_shell("read x", pipes, 0);
        pid_t pid = cosched_process_pid(p);
        cosched_process_close(p);
        ck_assert_int_eq(kill(pid, 0), -1); /* killed, and reaped */
        close_all(pipes);
    }
    return 0;
}

IO_TEST(a_group_goes_as_a_whole)
{
    cosched_stream *pipes[3];
    uint32_t flags[] = {COSCHED_PROCESS_GROUP, COSCHED_PROCESS_SESSION,
                        COSCHED_PROCESS_GROUP | COSCHED_PROCESS_SESSION};
    for (int i = 0; i < 3; i++) {
        cosched_process *p = spawn_shell("(read x <&3) 3<&0 & echo r; wait", pipes, flags[i]);
        char byte;
        read_byte(pipes[1]);
        ck_assert_int_eq(getpgid(cosched_process_pid(p)), cosched_process_pid(p));
        ck_assert_int_eq(cosched_process_kill(p, SIGKILL), 0);
        ck_assert_int_eq(cosched_process_wait(p, NULL, IO_SOON), 0);
        read_byte(pipes[1]); /* the line's end */
        /* The end comes when the last of them has gone. */
        ck_assert_int_eq(cosched_read(pipes[1], &byte, 1, IO_SOON), 0);
        close_all(pipes);
        cosched_process_close(p);
    }
    return 0;
}

static int64_t wait_for_end(void *arg)
{
    int status = 0;
    int rc = cosched_process_wait(arg, &status, IO_SOON);
    return rc < 0 ? rc : WEXITSTATUS(status);
}

IO_TEST(many_wait_and_some_are_cancelled)
{
    enum { WAITERS = 8 };

    cosched_stream *pipes[3];
    cosched_task task[WAITERS];
    cosched_process *p = spawn_shell("read x; exit 9", pipes, 0);
    for (int i = 0; i < WAITERS; i++) {
        task[i] = io_spawn(i % 2 ? COSCHED_MAIN : COSCHED_WORKER, wait_for_end, p);
    }
    for (int i = 0; i < WAITERS; i += 2) {
        cosched_cancel(task[i]);
        ck_assert_int_eq(io_await(task[i]), -ECANCELED);
    }
    cosched_close(pipes[0]);
    for (int i = 1; i < WAITERS; i += 2) {
        ck_assert_int_eq(io_await(task[i]), 9);
    }
    expect_exit(p, 9);
    cosched_process_close(p);
    cosched_close(pipes[1]);
    cosched_close(pipes[2]);
    return 0;
}

/* A kernel without pidfds. */
static int asked;

static int answer_the_fifth_time(void *arg, int *status)
{
    *status = *(int *)arg;
    return ++asked == 5;
}

IO_TEST(without_a_pidfd_it_is_asked_again)
{
    int status = 0, code = 7;
    asked = 0;
    ck_assert_int_eq(cos_child_wait(answer_the_fifth_time, &code, 1, -1, &status, IO_SOON), 1);
    ck_assert_int_eq(status, 7);
    asked = 5;
    ck_assert_int_eq(cos_child_wait(answer_the_fifth_time, &code, 1, -1, &status, COSCHED_NOW),
                     -ETIMEDOUT);
    ck_assert_int_eq(cos_child_wait(answer_the_fifth_time, &code, 1, -1, &status, IO_MOMENT),
                     -ETIMEDOUT);
    return 0;
}

IO_MAIN("io_process", a_conversation_from_main_and_a_worker, what_the_child_finds,
        descriptors_change_places, what_cannot_be_started, a_kill, an_end_by_asking_and_by_force,
        a_close_leaves_nothing_behind, a_group_goes_as_a_whole, many_wait_and_some_are_cancelled,
        without_a_pidfd_it_is_asked_again)
