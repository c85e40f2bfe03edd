/* The lock of a state folder: one holder, told by process; gone with the holder however it ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state_lock.h"
#include "suite.h"

static char dir[200];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "%s/lock-XXXXXX", TEST_DIR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/lock", dir);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(the_second_is_refused_and_told_who_holds_it)
{
    pid_t holder;
    make_dir();
    int fd = state_lock_acquire(dir, &holder);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(state_lock_acquire(dir, &holder), -EWOULDBLOCK);
    ck_assert_int_eq(holder, getpid());
    ck_assert_int_eq(state_lock_acquire(dir, NULL), -EWOULDBLOCK);
    state_lock_release(fd);
    fd = state_lock_acquire(dir, NULL);
    ck_assert_int_ge(fd, 0);
    state_lock_release(fd);
    state_lock_release(-1);
    remove_dir();
}

END_TEST

START_TEST(a_killed_holder_leaves_it_free)
{
    int pipes[2];
    pid_t holder;
    char byte;
    make_dir();
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        byte = state_lock_acquire(dir, NULL) >= 0;
        if (write(pipes[1], &byte, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    ck_assert_int_eq(state_lock_acquire(dir, &holder), -EWOULDBLOCK);
    ck_assert_int_eq(holder, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int fd = state_lock_acquire(dir, &holder);
    ck_assert_int_ge(fd, 0);
    state_lock_release(fd);
    close(pipes[0]);
    close(pipes[1]);
    remove_dir();
}

END_TEST

/* As when a daemon is killed while it starts a command: the child has the descriptor until it executes. */
START_TEST(what_a_child_of_a_killed_holder_still_has_is_waited_for)
{
    int pipes[2], waits = 0;
    pid_t holder, pids[2];
    make_dir();
    ck_assert_int_eq(pipe(pipes), 0);
    pids[0] = fork();
    if (pids[0] == 0) {
        if (state_lock_acquire(dir, NULL) < 0) {
            _exit(1);
        }
        pids[1] = fork();
        if (pids[1] == 0) {
            pause();
        }
        pids[0] = getpid();
        if (write(pipes[1], pids, sizeof pids) == (ssize_t)sizeof pids) {
            pause();
        }
        _exit(1);
    }
    ck_assert_int_eq(read(pipes[0], pids, sizeof pids), (ssize_t)sizeof pids);
    kill(pids[0], SIGKILL);
    ck_assert(state_lock_await_remains(getpid(), &waits) == false && waits == 0);
    ck_assert(state_lock_await_remains(0, &waits) == false);
    waitpid(pids[0], NULL, 0);
    ck_assert(state_lock_await_remains(pids[0], &waits) && waits == 1);
    /* Another one lets it go in a while: nobody sees when the lock was looked at. */
    pid_t later = fork();
    if (later == 0) {
        usleep(50000);
        kill(pids[1], SIGKILL);
        _exit(0);
    }
    int fd = state_lock_acquire(dir, &holder);
    ck_assert_int_ge(fd, 0);
    state_lock_release(fd);
    waitpid(later, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
    remove_dir();
}

END_TEST

START_TEST(the_folder_is_made_for_the_owner_alone)
{
    struct stat info;
    char inner[220];
    make_dir();
    snprintf(inner, sizeof inner, "%s/state", dir);
    int fd = state_lock_acquire(inner, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stat(inner, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    ck_assert_int_eq(fstat(fd, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    state_lock_release(fd);
    snprintf(inner, sizeof inner, "%s/a/b", dir);
    ck_assert_int_eq(state_lock_acquire(inner, NULL), -ENOENT);
    snprintf(inner, sizeof inner, "%s/state/lock", dir);
    ck_assert_int_eq(state_lock_acquire(inner, NULL), -ENOTDIR);
    unlink(inner);
    snprintf(inner, sizeof inner, "%s/state", dir);
    ck_assert_int_eq(rmdir(inner), 0);
    remove_dir();
}

END_TEST

SUITE_MAIN("state_lock", the_second_is_refused_and_told_who_holds_it,
           a_killed_holder_leaves_it_free, what_a_child_of_a_killed_holder_still_has_is_waited_for,
           the_folder_is_made_for_the_owner_alone)
