/* cosched_signals. */
#include <signal.h>

#include "test_io.h"

static const int numbers[] = {SIGUSR1, SIGUSR2, SIGHUP};

static cosched_signals *open_all(void)
{
    cosched_signals *s;
    ck_assert_int_eq(cosched_signals_open(&s, numbers, 3), 0);
    return s;
}

static int64_t wait_for_one(void *arg)
{
    return cosched_signals_wait(arg, IO_SOON);
}

static void until_waited_for(cosched_signals *s)
{
    io_until_waits((struct cos_source *)(void *)s, COS_READ_SIDE); /* its first member */
}

IO_TEST(two_that_came_before_are_both_kept)
{
    cosched_signals *s = open_all();
    ck_assert_int_eq(cosched_signals_wait(s, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0); /* one of each kind */
    int first = cosched_signals_wait(s, IO_SOON), second = cosched_signals_wait(s, IO_SOON);
    ck_assert(first != second);
    ck_assert_int_eq(first + second, SIGUSR1 + SIGUSR2);
    ck_assert_int_eq(cosched_signals_wait(s, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
    ck_assert_int_eq(cosched_signals_wait(s, IO_SOON), SIGHUP);
    cosched_signals_close(s);
    return 0;
}

IO_TEST(a_waiting_task_is_woken)
{
    cosched_signals *s = open_all();
    for (int i = 0; i < 30; i++) {
        cosched_task task = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, wait_for_one, s);
        until_waited_for(s);
        ck_assert_int_eq(cosched_signals_wait(s, IO_SOON), -EBUSY);
        ck_assert_int_eq(kill(getpid(), numbers[i % 3]), 0);
        ck_assert_int_eq(io_await(task), numbers[i % 3]);
    }
    cosched_signals_close(s);
    return 0;
}

IO_TEST(cancelled_and_closed)
{
    cosched_signals *s = open_all();
    cosched_task task = io_spawn(COSCHED_WORKER, wait_for_one, s);
    until_waited_for(s);
    cosched_cancel(task);
    ck_assert_int_eq(io_await(task), -ECANCELED);
    task = io_spawn(COSCHED_WORKER, wait_for_one, s);
    until_waited_for(s);
    cosched_signals_close(s); /* who waits learns of it */
    ck_assert_int_eq(io_await(task), -ECANCELED);
    return 0;
}

static int64_t open_and_close(void *arg)
{
    cosched_affinity where = cosched_where();
    cosched_signals *s = open_all();
    ck_assert_int_eq(cosched_where(), where);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(cosched_signals_wait(s, IO_SOON), SIGUSR1);
    ck_assert_int_eq(cosched_where(), where);
    cosched_signals_close(s);
    return (int64_t)(arg == NULL ? 0 : 1);
}

static bool is_default(int number)
{
    struct sigaction now;
    ck_assert_int_eq(sigaction(number, NULL, &now), 0);
    return now.sa_handler == SIG_DFL;
}

IO_TEST(the_former_action_comes_back)
{
    ck_assert(is_default(SIGUSR1));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, open_and_close, NULL)), 0);
        ck_assert(is_default(SIGUSR1));
    }
    return 0;
}

IO_TEST(numbers_that_cannot_be)
{
    cosched_signals *s;
    int wrong[] = {SIGUSR1, SIGKILL}, many[65] = {SIGUSR1};
    ck_assert_int_eq(cosched_signals_open(&s, wrong, 2), -EINVAL);
    ck_assert_ptr_null(s);
    wrong[1] = 0;
    ck_assert_int_eq(cosched_signals_open(&s, wrong, 2), -EINVAL);
    ck_assert_int_eq(cosched_signals_open(&s, wrong, 0), -EINVAL);
    ck_assert_int_eq(cosched_signals_open(&s, many, 65), -EINVAL);
    for (int i = 0; i < 64; i++) {
        many[i] = SIGUSR1;
    }
    ck_assert_int_eq(cosched_signals_open(&s, many, 64), 0);
    cosched_signals_close(s);
    ck_assert(is_default(SIGUSR1));
    return 0;
}

IO_MAIN("io_signals", two_that_came_before_are_both_kept, a_waiting_task_is_woken,
        cancelled_and_closed, the_former_action_comes_back, numbers_that_cannot_be)
