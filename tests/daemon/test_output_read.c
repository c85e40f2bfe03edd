/* Reading output files: from where, what is not ours, and beside the writer. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "test_output.h"

START_TEST(negative_offsets_count_from_the_end)
{
    struct output o;
    struct output_chunk c;
    unsigned char data[100];

    output_open(&o, dir, 1234567, 3, OUTPUT_STDERR, 1000);
    write_pattern(&o, 600);

    const struct {
        int64_t offset;
        uint64_t from;
    } table[] = {{-1, 599}, {-50, 550}, {-600, 0}, {-601, 0}, {INT64_MIN, 0}, {0, 0}, {599, 599}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(
            output_read(dir, 1234567, 3, OUTPUT_STDERR, table[i].offset, data, sizeof data, &c), 0);
        ck_assert_uint_eq(c.offset, table[i].from);
        ck_assert_uint_gt(c.size, 0);
        ck_assert_uint_eq(data[0], byte_at(c.offset));
    }
    ck_assert_int_eq(output_read(dir, 1234567, 3, OUTPUT_STDERR, 700, data, sizeof data, &c), 0);
    ck_assert_uint_eq(c.offset, 700);
    ck_assert_uint_eq(c.size, 0);
    ck_assert_uint_eq(c.bytes, 600);
    struct stat st;
    ck_assert_int_eq(fstatat(dir, "1234/1234567/3.stderr", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(fstatat(dir, "1234/1234567", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    output_close(&o, NULL);
    ck_assert_int_eq(output_remove(dir, 1234567), 0);
    ck_assert_int_eq(faccessat(dir, "1234", F_OK, 0), -1);
}

END_TEST

START_TEST(foreign_files_are_refused)
{
    char data[200];
    struct output_chunk c;
    struct output_counts counts;

    mkdirat(dir, "0", 0700);
    mkdirat(dir, "0/9", 0700);
    int fd = openat(dir, "0/9/1.stdout", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    memset(data, 'x', sizeof data);
    ck_assert_int_eq(write(fd, data, 30), 30);
    /* Shorter than a header: killed while it was made. */
    ck_assert_int_eq(output_read(dir, 9, 1, OUTPUT_STDOUT, 0, data, sizeof data, &c), 0);
    ck_assert_int_eq(write(fd, data, sizeof data), (int)sizeof data);
    ck_assert_int_eq(output_read(dir, 9, 1, OUTPUT_STDOUT, 0, data, sizeof data, &c), -EBADMSG);
    ck_assert_int_eq(output_stat(dir, 9, 1, OUTPUT_STDOUT, &counts), -EBADMSG);
    /* Our magic and wild numbers. */
    ck_assert_int_eq(syscall(SYS_pwrite64, fd, "cosout1\n", 8, 0L), 8);
    ck_assert_int_eq(output_read(dir, 9, 1, OUTPUT_STDOUT, 0, data, sizeof data, &c), -EBADMSG);
    close(fd);
    ck_assert_int_eq(output_remove(dir, 9), 0);
}

END_TEST

static struct output *lapped;
static size_t lap;

static void write_a_lap(void)
{
    write_pattern(lapped, lap);
}

START_TEST(the_ring_comes_round_in_the_middle_of_a_read)
{
    struct output o;
    struct output_chunk c;
    unsigned char data[1000];

    output_open(&o, dir, 4, 1, OUTPUT_STDOUT, 1000);
    write_pattern(&o, 1700); /* kept: 0 to 500 and 1200 to 1700 */
    lapped = &o;
    for (lap = 1; lap < 700; lap += 13) {
        uint64_t end = o.layout.written;
        before_read = write_a_lap;
        ck_assert_int_eq(output_read(dir, 4, 1, OUTPUT_STDOUT, -300, data, sizeof data, &c), 0);
        check_bytes(data, &c);
        ck_assert(before_read == NULL);
        ck_assert_uint_gt(c.size, 0);
        ck_assert_uint_eq(c.offset, lap <= 200 ? end - 300 : end + lap - 500);
        ck_assert_uint_eq(c.gap_to - c.gap_from, lap <= 200 ? 0 : lap - 200);
    }
    output_close(&o, NULL);
    output_remove(dir, 4);
}

END_TEST

static atomic_bool enough;

static void *writer(void *arg)
{
    struct output *o = arg;

    while (!atomic_load_explicit(&enough, memory_order_relaxed)) { /* relaxed: nothing hangs on it */
        write_pattern(o, 1 + o->layout.written % 3001);
    }
    return NULL;
}

START_TEST(a_reader_beside_the_writer_sees_no_torn_byte)
{
    struct output o;
    struct output_chunk c;
    static unsigned char data[9000];
    pthread_t thread;
    uint64_t reads = 0, last = 0;

    output_open(&o, dir, 3, 1, OUTPUT_STDOUT, 20000);
    ck_assert_int_eq(pthread_create(&thread, NULL, writer, &o), 0);
    while (reads < 3000 ||
           last < 200000) { /* the ring came round, however few turns the writer got */
        int64_t from = rnd(4) ? -1 - (int64_t)rnd(12000) : (int64_t)rnd(11000);
        ck_assert_int_eq(output_read(dir, 3, 1, OUTPUT_STDOUT, from, data, sizeof data, &c), 0);
        ck_assert_uint_ge(c.bytes, last);
        last = c.bytes;
        check_bytes(data, &c);
        reads += c.size > 0;
    }
    atomic_store_explicit(&enough, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(read_all(3, 0).kept, 20000);
    output_close(&o, NULL);
    output_remove(dir, 3);
}

END_TEST

OUTPUT_MAIN("output_read", negative_offsets_count_from_the_end, foreign_files_are_refused,
            the_ring_comes_round_in_the_middle_of_a_read,
            a_reader_beside_the_writer_sees_no_torn_byte)
