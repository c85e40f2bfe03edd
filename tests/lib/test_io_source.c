/* What every source has in common: cancellation, shut, one task a side, who may use it, and on which loop. */
#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

#include "test_io.h"

static int64_t read_some(void *arg)
{
    char buffer[8];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

/* --- cancellation ------------------------------------------------------------------------------------------------ */

static int64_t write_endlessly(void *arg)
{
    static const char zeroes[1 << 20];
    return cosched_write(arg, zeroes, sizeof zeroes, IO_SOON);
}

IO_TEST(cancelled_waits_end_and_the_stream_is_usable)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    for (int i = 0; i < 20; i++) {
        cosched_affinity where = i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
        cosched_task reader = io_spawn(where, read_some, ends[0]),
                     writer = io_spawn(where, write_endlessly, ends[0]);
        io_until_waits(io_source(ends[0]), COS_READ_SIDE);
        io_until_waits(io_source(ends[0]), COS_WRITE_SIDE);
        cosched_cancel(reader);
        ck_assert_int_eq(io_await(reader), -ECANCELED);
        cosched_cancel(writer);
        ck_assert_int_eq(io_await(writer), -ECANCELED);
    }
    ck_assert_int_eq(cosched_write(ends[1], "abc", 3, COSCHED_NOW), 3);
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, COSCHED_NOW), 3);
    io_close_pair(ends);
    return 0;
}

IO_TEST(what_came_before_the_cancellation_wins)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    ck_assert_int_eq(cosched_write(ends[1], "abc", 3, COSCHED_NOW), 3);
    cosched_cancel(reader); /* MAIN has not polled since: this is the first the reader hears of */
    ck_assert_int_eq(io_await(reader), 3);
    io_close_pair(ends);
    return 0;
}

static int64_t use_when_cancelled(void *arg)
{
    cosched_stream **ends = arg, *other;
    cosched_listener *l;
    char buffer[8];
    int status, usr1 = 10;
    cosched_signals *signals;
    cosched_cancel(cosched_self());
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, COSCHED_NEVER), -ECANCELED);
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, COSCHED_NOW), -ECANCELED);
    ck_assert_int_eq(cosched_write(ends[0], buffer, 1, COSCHED_NEVER), -ECANCELED);
    ck_assert_int_eq(cosched_connect_unix(&other, io_path, COSCHED_NEVER), -ECANCELED);
    ck_assert_int_eq(cosched_listen_unix(&l, io_path, 0600, 1), -ECANCELED);
    ck_assert_int_eq(cosched_poll(cosched_stream_fileno(ends[0]), COSCHED_READABLE, COSCHED_NEVER),
                     -ECANCELED);
    ck_assert_int_eq(cosched_signals_open(&signals, &usr1, 1), -ECANCELED);
    ck_assert_int_eq(cosched_child_wait(1, &status, COSCHED_NEVER), -ECANCELED);
    cosched_close(ends[0]); /* cannot be cancelled */
    return 0;
}

IO_TEST(a_cancelled_task_may_only_close)
{
    cosched_stream *ends[2];
    io_pair(ends);
    ck_assert_int_eq(cosched_write(ends[1], "abc", 3, COSCHED_NOW),
                     3); /* even though something is there */
    ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, use_when_cancelled, ends)), 0);
    cosched_close(ends[1]);
    return 0;
}

/* --- two at once ------------------------------------------------------------------------------------------------- */

IO_TEST(shut_wakes_reader_and_writer)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
    cosched_task writer = io_spawn(COSCHED_WORKER, write_endlessly, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    io_until_waits(io_source(ends[0]), COS_WRITE_SIDE);
    cosched_stream_shut(ends[0]);
    ck_assert_int_eq(io_await(reader), -ECANCELED);
    ck_assert_int_eq(io_await(writer), -ECANCELED);
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, IO_SOON), -ECANCELED);
    ck_assert_int_eq(cosched_write(ends[0], buffer, 1, IO_SOON), -ECANCELED);
    cosched_stream_shut(ends[0]);
    io_close_pair(ends);
    return 0;
}

static int64_t shut(void *arg)
{
    cosched_stream_shut(arg);
    return 0;
}

IO_TEST(shut_races_with_a_read_that_begins)
{
    for (int i = 0; i < 500; i++) {
        cosched_stream *ends[2];
        io_pair(ends);
        cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
        cosched_task shutter = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, shut, ends[0]);
        ck_assert_int_eq(io_await(reader), -ECANCELED);
        ck_assert_int_eq(io_await(shutter), 0);
        io_close_pair(ends);
    }
    return 0;
}

IO_TEST(one_task_a_direction)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, IO_SOON), -EBUSY);
    ck_assert_int_eq(cosched_write(ends[0], "abc", 3, IO_SOON), 3);
    ck_assert_int_eq(cosched_write(ends[1], "abcd", 4, IO_SOON), 4);
    ck_assert_int_eq(io_await(reader), 4);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 3);
    io_close_pair(ends);
    return 0;
}

static int64_t read_pinned(void *arg)
{
    cosched_affinity where = cosched_where();
    int64_t n = read_some(arg);
    return cosched_where() == where ? n : -1;
}

IO_TEST(pinned_tasks_wait_where_they_are)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_affinity places[] = {COSCHED_MAIN, COSCHED_BLOCKING, COSCHED_WORKER};
    for (int i = 0; i < 3; i++) {
        cosched_task task;
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = places[i], .flags = COSCHED_PINNED};
        ck_assert_int_eq(cosched_spawn(&task, read_pinned, ends[0], &attr), 0);
        io_until_waits(io_source(ends[0]), COS_READ_SIDE);
        ck_assert_int_eq(cosched_write(ends[1], "a", 1, COSCHED_NOW), 1);
        ck_assert_int_eq(io_await(task), 1);
    }
    io_close_pair(ends);
    return 0;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

static void *close_both(void *arg)
{
    io_close_pair(arg);
    return NULL;
}

static int64_t close_pinned(void *arg)
{
    io_close_pair(arg);
    return 0;
}

/* While MAIN's poll may be reporting them. */
IO_TEST(streams_are_closed_by_anybody)
{
    for (int i = 0; i < 100; i++) {
        cosched_stream *ends[2];
        char byte;
        io_pair(ends);
        ck_assert_int_eq(cosched_read(ends[0], &byte, 1, COSCHED_NOW), -ETIMEDOUT);
        cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
        io_until_waits(io_source(ends[0]), COS_READ_SIDE);
        ck_assert_int_eq(cosched_write(ends[1], "x", 1, IO_SOON), 1);
        ck_assert_int_eq(io_await(reader), 1);
        ck_assert_int_eq(cosched_write(ends[1], "x", 1, IO_SOON),
                         1); /* an event that finds it closed */
        if (i % 2 == 0) {
            pthread_t thread;
            ck_assert_int_eq(pthread_create(&thread, NULL, close_both, ends), 0);
            ck_assert_int_eq(pthread_join(thread, NULL), 0);
            continue;
        }
        cosched_task closes;
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = COSCHED_BLOCKING, .flags = COSCHED_PINNED};
        ck_assert_int_eq(cosched_spawn(&closes, close_pinned, ends, &attr), 0);
        ck_assert_int_eq(io_await(closes), 0);
    }
    return 0;
}

/* The epoll instance is shared with it. */
IO_TEST(a_forked_child_that_closes_takes_nothing_away)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    cosched_task other = io_spawn(COSCHED_WORKER, read_some, ends[1]);
    io_until_waits(io_source(ends[1]), COS_READ_SIDE);
    cosched_stream_shut(ends[1]);
    ck_assert_int_eq(io_await(other), -ECANCELED);
    pid_t pid = fork();
    if (pid == 0) {
        cosched_close(ends[1]);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(cosched_child_wait(pid, &status, IO_SOON), 0);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(send(cosched_stream_fileno(ends[1]), "x", 1, 0), 1);
    ck_assert_int_eq(io_await(reader), 1);
    io_close_pair(ends); /* finds both where they were: an assertion says so */
    return 0;
}

/* A close under a wait: the waiter is the last to use it. */
IO_TEST(a_close_ends_a_wait)
{
    for (int i = 0; i < 200; i++) {
        cosched_stream *ends[2];
        io_pair(ends);
        cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
        io_until_waits(io_source(ends[0]), COS_READ_SIDE);
        if (i % 2 == 0) {
            ck_assert_int_eq(cosched_write(ends[1], "x", 1, IO_SOON), 1);
        }
        cosched_close(ends[0]);
        int64_t rc = io_await(reader);
        ck_assert(rc == -ECANCELED || (i % 2 == 0 && rc == 1));
        cosched_close(ends[1]);
    }
    return 0;
}

/* A task whose peer is always faster never waits; the others of its thread have their turn nevertheless. */
static int64_t feed(void *arg)
{
    static const char zeroes[256];
    while (cosched_write(arg, zeroes, sizeof zeroes, IO_SOON) > 0) {
    }
    return 0;
}

static bool had_its_turn;

static int64_t take_a_turn(void *arg)
{
    (void)arg;
    had_its_turn = true;
    return 0;
}

IO_TEST(a_read_that_never_waits_lets_others_run)
{
    cosched_stream *ends[2];
    char byte;
    io_pair(ends);
    had_its_turn = false;
    cosched_task writer = io_spawn(COSCHED_MAIN, feed, ends[0]);
    io_until_waits(io_source(ends[0]), COS_WRITE_SIDE);
    cosched_task other = io_spawn(COSCHED_MAIN, take_a_turn, NULL);
    for (int i = 0; i < 10000 && !had_its_turn; i++) {
        ck_assert_int_eq(cosched_read(ends[1], &byte, 1, IO_SOON), 1);
    }
    ck_assert(had_its_turn);
    io_await(other);
    cosched_stream_shut(ends[0]);
    io_await(writer);
    io_close_pair(ends);
    return 0;
}

/* --- on a host's loop ------------------------------------------------------------------------------------------------ */

static cosched_stream *kept[2];
static cosched_signals *kept_signals;

static int64_t open_and_leave(void *arg)
{
    (void)arg;
    char byte;
    int usr1 = 10;
    io_pair(kept);
    ck_assert_int_eq(cosched_signals_open(&kept_signals, &usr1, 1), 0);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, kept[0]);
    io_until_waits(io_source(kept[0]), COS_READ_SIDE); /* its descriptor stays armed */
    ck_assert_int_eq(cosched_write(kept[1], "x", 1, IO_SOON), 1);
    ck_assert_int_eq(io_await(reader), 1);
    ck_assert_int_eq(cosched_read(kept[0], &byte, 1, COSCHED_NOW), -ETIMEDOUT);
    return 0;
}

static int64_t close_what_was_left(void *arg)
{
    (void)arg;
    io_close_pair(kept);
    cosched_signals_close(kept_signals);
    return 0;
}

static void note_closed(void *done)
{
    *(bool *)done = true;
}

START_TEST(open_objects_do_not_keep_a_hosts_loop_alive)
{
    cosched_config config = {.struct_size = sizeof config, .workers = IO_WORKERS(_i)};
    cosched_runtime *rt;
    uv_loop_t loop;
    bool closed = false;
    snprintf(io_path, sizeof io_path, "io-host.%d", (int)getpid());
    unlink(io_path);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(cosched_runtime_create(&rt, &config, &loop), 0);
    ck_assert_int_eq(cosched_runtime_post(rt, COSCHED_MAIN, open_and_leave, NULL, 0), 0);
    uv_run(&loop, UV_RUN_DEFAULT); /* returns though a stream is armed */
    ck_assert_int_eq(cosched_runtime_post(rt, COSCHED_WORKER, close_what_was_left, NULL, 0), 0);
    ck_assert_int_eq(cosched_runtime_stop(rt, COSCHED_NEVER), 0);
    cosched_runtime_close(rt, note_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(closed);
    ck_assert_int_eq(cosched_runtime_destroy(rt), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

END_TEST

START_TEST(nothing_outside_of_tasks)
{
    cosched_stream *s;
    ck_assert_int_eq(cosched_connect_unix(&s, "nowhere", COSCHED_NOW), -EPERM);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(cosched_poll(0, COSCHED_READABLE, COSCHED_NOW), -EPERM);
    cosched_close(NULL);
    cosched_listener_close(NULL);
    cosched_signals_close(NULL);
}

END_TEST

IO_MAIN("io_source", cancelled_waits_end_and_the_stream_is_usable,
        what_came_before_the_cancellation_wins, a_cancelled_task_may_only_close,
        shut_wakes_reader_and_writer, shut_races_with_a_read_that_begins, one_task_a_direction,
        pinned_tasks_wait_where_they_are, streams_are_closed_by_anybody,
        a_forked_child_that_closes_takes_nothing_away, a_close_ends_a_wait,
        a_read_that_never_waits_lets_others_run, open_objects_do_not_keep_a_hosts_loop_alive,
        nothing_outside_of_tasks)
