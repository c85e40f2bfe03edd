/* Streams: reading and writing, the end, deadlines. What they share with other sources is in test_io_source.c. */
#include <sys/socket.h>

#include "arch/sanitizer.h"
#include "test_io.h"

/* --- conversations -------------------------------------------------------------------------------------------- */

static int64_t echo(void *arg)
{
    cosched_stream *s = arg;
    char buffer[512];
    int64_t n;
    while ((n = cosched_read(s, buffer, sizeof buffer, IO_SOON)) > 0) {
        ck_assert_int_eq(cosched_write(s, buffer, (size_t)n, IO_SOON), n);
    }
    cosched_close(s);
    return n;
}

static int64_t serve(void *arg)
{
    int64_t served = 0;
    cosched_stream *s;
    while (cosched_accept(arg, &s, COSCHED_NEVER) == 0) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = served % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER};
        ck_assert_int_eq(cosched_spawn(NULL, echo, s, &attr), 0);
        served++;
    }
    return served;
}

static int64_t talk(void *arg)
{
    (void)arg;
    cosched_affinity where = cosched_where();
    cosched_stream *s;
    char out[1000], in[1000];
    int rc = cosched_connect_unix(&s, io_path, IO_SOON);
    ck_assert_int_eq(rc, 0);
    for (size_t round = 1; round <= 50; round++) {
        size_t size = round * 20, got = 0;
        memset(out, (int)round, size);
        ck_assert_int_eq(cosched_write(s, out, size, IO_SOON), (int64_t)size);
        while (got < size) {
            int64_t n = cosched_read(s, in + got, size - got, IO_SOON);
            ck_assert_int_gt(n, 0);
            got += (size_t)n;
        }
        ck_assert_mem_eq(in, out, size);
        ck_assert_int_eq(cosched_where(), where); /* it has come back each time */
    }
    cosched_close(s);
    return 0;
}

IO_TEST(echo_from_main_and_workers)
{
    enum { CLIENTS = 12 };

    cosched_listener *l = io_listen(4);
    cosched_task server = io_spawn(COSCHED_WORKER, serve, l), clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = io_spawn(i % 3 == 0 ? COSCHED_MAIN : COSCHED_WORKER, talk, NULL);
    }
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(io_await(clients[i]), 0);
    }
    cosched_cancel(server);
    ck_assert_int_eq(io_await(server), CLIENTS);
    cosched_listener_close(l);
    return 0;
}

enum { BULK = COS_SANITIZED ? 1 << 20 : 8 << 20 };

static int64_t write_bulk(void *arg)
{
    char *bulk = malloc(BULK);
    for (size_t i = 0; i < BULK; i++) {
        bulk[i] = (char)(i * 7 + i / 4093);
    }
    int64_t rc = cosched_write(arg, bulk, BULK, IO_SOON);
    free(bulk);
    return rc;
}

IO_TEST(a_big_write_meets_a_slow_reader)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_task writer = io_spawn(COSCHED_WORKER, write_bulk, ends[0]);
    char part[4096];
    uint32_t seed = 1;
    size_t at = 0;
    while (at < BULK) {
        int64_t n = cosched_read(ends[1], part, 1 + io_random(&seed) % sizeof part, IO_SOON);
        ck_assert_int_gt(n, 0);
        bool same = true;
        for (int64_t i = 0; i < n; i++, at++) {
            same = same && part[i] == (char)(at * 7 + at / 4093);
        }
        ck_assert(same);
        if (io_random(&seed) % 8 == 0) {
            cosched_yield();
        }
    }
    ck_assert_int_eq(io_await(writer), BULK);
    io_close_pair(ends);
    return 0;
}

IO_TEST(the_end_comes_after_the_rest_and_is_one_way)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    ck_assert_int_eq(cosched_write(ends[0], "abc", 3, COSCHED_NOW), 3);
    ck_assert_int_eq(shutdown(cosched_stream_fileno(ends[0]), SHUT_WR), 0);
    ck_assert_int_eq(cosched_read(ends[1], buffer, 2, IO_SOON), 2);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 1);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 0);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 0);
    ck_assert_int_eq(cosched_write(ends[1], "de", 2, COSCHED_NOW), 2); /* the other way is open */
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, IO_SOON), 2);
    io_close_pair(ends);
    return 0;
}

static int64_t read_some(void *arg)
{
    char buffer[8];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

IO_TEST(a_peer_that_goes_wakes_the_reader_and_breaks_the_writer)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    cosched_close(ends[1]);
    ck_assert_int_eq(io_await(reader), 0);
    ck_assert_int_eq(cosched_write(ends[0], "x", 1, IO_SOON), -EPIPE); /* and no SIGPIPE */
    cosched_close(ends[0]);
    return 0;
}

/* --- deadlines ------------------------------------------------------------------------------------------------- */

IO_TEST(a_stream_is_as_good_as_new_after_a_read_timed_out)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, 1), -ETIMEDOUT); /* long past */
    ck_assert_int_eq(cosched_write(ends[0], "hello", 5, COSCHED_NOW), 5);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, COSCHED_NOW), 5);
    ck_assert_mem_eq(buffer, "hello", 5);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(cosched_write(ends[0], "again", 5, COSCHED_NOW), 5);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 5);
    io_close_pair(ends);
    return 0;
}

static int64_t write_too_much(void *arg)
{
    static const char zeroes[1 << 20];
    return cosched_write(arg, zeroes, sizeof zeroes, IO_MOMENT);
}

IO_TEST(a_write_without_a_reader_times_out)
{
    cosched_stream *ends[2];
    char buffer[8];
    io_pair(ends);
    ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, write_too_much, ends[0])), -ETIMEDOUT);
    ck_assert_int_eq(cosched_write(ends[0], "x", 1, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, COSCHED_NOW),
                     8); /* a part had left */
    ck_assert_int_eq(cosched_write(ends[0], buffer, 0, COSCHED_NOW), 0);
    ck_assert_int_eq(cosched_read(ends[0], buffer, 0, COSCHED_NOW), -EINVAL);
    io_close_pair(ends);
    return 0;
}

IO_MAIN("io_stream", echo_from_main_and_workers, a_big_write_meets_a_slow_reader,
        the_end_comes_after_the_rest_and_is_one_way,
        a_peer_that_goes_wakes_the_reader_and_breaks_the_writer,
        a_stream_is_as_good_as_new_after_a_read_timed_out, a_write_without_a_reader_times_out)
