/* Output files against a model. The stream is a function of the offset, so that every byte read can
 * be checked without keeping what was written; the disk is our own pwrite, which can die or run
 * full at any call. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "output.h"

/* --- the disk ------------------------------------------------------------------------------- */

enum disk { DISK_WELL, DISK_FULL, DISK_DEAD };

static enum disk disk_then; /* what it becomes … */
static long disk_left = -1; /* … after so many writes; -1: never */
static enum disk disk_now;
static uint64_t seed = 1;

static uint64_t rnd(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void disk_set(enum disk now, enum disk then, long left)
{
    disk_now = now;
    disk_then = then;
    disk_left = left;
}

/* Stands before the C library's. The write at which the disk fails goes in by a random part. */
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (disk_left >= 0 && disk_left-- == 0) {
        disk_now = disk_then;
        size_t part = (size_t)rnd(size + 1);
        if (part > 0 && offset >= 64)
            return syscall(SYS_pwrite64, fd, data, part, offset);
    }
    if (disk_now != DISK_WELL) {
        errno = disk_now == DISK_FULL ? ENOSPC : EIO;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

static void (*before_read)(void); /* called once, between a reader's look at the header and the data */

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    void (*hook)(void) = before_read;

    if (hook && offset >= 64) {
        before_read = NULL;
        hook();
    }
    return syscall(SYS_pread64, fd, data, size, offset);
}

/* --- the model ------------------------------------------------------------------------------ */

static unsigned char byte_at(uint64_t o)
{
    return (unsigned char)((o * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static char folder[64];
static int dir;

static void setup(void)
{
    snprintf(folder, sizeof folder, "output-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int state = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = output_dir_open(state);
    ck_assert_int_ge(dir, 0);
    close(state);
    disk_set(DISK_WELL, DISK_WELL, -1);
}

static void teardown(void)
{
    char path[80];

    close(dir);
    snprintf(path, sizeof path, "%s/output", folder);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_pattern(struct output *o, size_t size)
{
    static char data[200000];

    ck_assert_uint_le(size, sizeof data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)byte_at(o->layout.written + i);
    output_write(o, data, size);
}

/* One assertion for all: each of check's costs a message to its parent. */
static void check_bytes(const unsigned char *data, const struct output_chunk *c)
{
    size_t i = 0;

    while (i < c->size && data[i] == byte_at(c->offset + i))
        i++;
    ck_assert_msg(i == c->size, "byte %llu of %llu is wrong", (unsigned long long)(c->offset + i),
                  (unsigned long long)c->bytes);
}

struct seen {
    uint64_t bytes, kept, head,
        tail_from; /* head: bytes before the first gap; tail_from: after the last */
};

/* Reads everything in random pieces; gaps and bytes must join, and every byte must be the
 * stream's. */
static struct seen read_all(int64_t id, uint64_t from)
{
    static unsigned char data[70000];
    struct seen seen = {0, 0, 0, from};
    uint64_t at = from;
    bool gap = false;

    for (;;) {
        struct output_chunk c;
        size_t want = 1 + (size_t)rnd(sizeof data);
        int result = output_read(dir, id, 1, OUTPUT_STDOUT, (int64_t)at, data, want, &c);
        ck_assert_int_eq(result, 0);
        seen.bytes = c.bytes;
        if (c.gap_to > c.gap_from) {
            ck_assert_uint_eq(c.gap_from, at);
            ck_assert_uint_eq(c.gap_to, c.offset);
            seen.tail_from = c.gap_to;
            gap = true;
        } else {
            ck_assert_uint_eq(c.offset, at);
        }
        check_bytes(data, &c);
        seen.kept += c.size;
        if (!gap)
            seen.head += c.size;
        at = c.offset + c.size;
        if (c.size == 0)
            break;
    }
    ck_assert_uint_eq(at, seen.bytes < from ? from : seen.bytes);
    return seen;
}

static size_t random_size(uint64_t cap)
{
    return (size_t)rnd(rnd(4) == 0 ? 2 * cap + 2 : cap / 3 + 2);
}

/* --- tests ---------------------------------------------------------------------------------- */

START_TEST(head_and_tail_of_random_streams)
{
    for (int round = 1; round <= 200; round++) {
        uint64_t cap = rnd(round % 3 ? 300 : 60000), total = 0;
        struct output o;
        struct output_counts closed, stat;
        output_open(&o, dir, round, 1, OUTPUT_STDOUT, cap);
        for (uint64_t writes = rnd(12); writes > 0; writes--) {
            size_t size = random_size(cap);
            write_pattern(&o, size);
            total += size;
            struct seen seen = read_all(round, 0);
            ck_assert_uint_eq(seen.bytes, total);
            ck_assert_uint_eq(seen.kept, total < cap ? total : cap);
            ck_assert_uint_eq(seen.head, total <= cap ? total : cap / 2);
            if (total > cap)
                ck_assert_uint_eq(seen.tail_from, total - (cap - cap / 2));
        }
        output_close(&o, &closed);
        ck_assert_int_eq(output_stat(dir, round, 1, OUTPUT_STDOUT, &stat), 0);
        ck_assert_mem_eq(&closed, &stat, sizeof stat);
        ck_assert_uint_eq(stat.bytes, total);
        ck_assert_uint_eq(stat.kept, total < cap ? total : cap);
        ck_assert_uint_eq(stat.lost, 0);
        ck_assert_int_eq(output_remove(dir, round), 0);
    }
}

END_TEST

/* kill -9 at any system call: what is read afterwards is a prefix of the stream, capped, and no
 * wrong byte. */
START_TEST(death_at_any_write_leaves_a_readable_file)
{
    for (int round = 1; round <= 500; round++) {
        uint64_t cap = rnd(round % 5 ? 300 : 9000), sure = 0, total = 0;
        struct output o;
        disk_set(DISK_WELL, DISK_DEAD, (long)rnd(24));
        output_open(&o, dir, round, 1, OUTPUT_STDOUT, cap);
        while (disk_now == DISK_WELL && total < 40 * cap + 100) {
            sure = total;
            size_t size = random_size(cap);
            write_pattern(&o, size);
            total += size;
        }
        if (disk_now == DISK_WELL)
            sure = total;
        if (o.fd >= 0)
            close(o.fd); /* nothing else of the writer survives */
        disk_set(DISK_WELL, DISK_WELL, -1);

        struct seen seen = read_all(round, 0);
        struct output_counts stat;
        ck_assert_uint_ge(seen.bytes, sure);
        ck_assert_uint_le(seen.bytes, total);
        ck_assert_uint_ge(seen.head, seen.bytes < cap / 2 ? seen.bytes : cap / 2);
        ck_assert_int_eq(output_stat(dir, round, 1, OUTPUT_STDOUT, &stat), 0);
        ck_assert_uint_eq(stat.bytes, seen.bytes);
        ck_assert_uint_eq(stat.kept, seen.kept);
        ck_assert_int_eq(output_remove(dir, round), 0);
    }
}

END_TEST

START_TEST(full_disk_drops_and_says_so)
{
    for (int round = 1; round <= 500; round++) {
        uint64_t cap = rnd(round % 5 ? 300 : 9000), total = 0;
        struct output o;
        struct output_counts closed, stat;
        output_open(&o, dir, round, 1, OUTPUT_STDOUT, cap);
        for (uint64_t writes = 1 + rnd(20); writes > 0; writes--) {
            if (rnd(3) == 0)
                disk_set(DISK_WELL, DISK_FULL, (long)rnd(4));
            else if (rnd(2) == 0)
                disk_set(DISK_WELL, DISK_WELL, -1);
            size_t size = 1 + random_size(cap);
            write_pattern(&o, size);
            total += size;
        }
        disk_set(DISK_WELL, DISK_WELL, -1);
        bool made = o.fd >= 0;
        output_close(&o, &closed);
        ck_assert_uint_eq(closed.bytes, total);
        ck_assert_uint_le(closed.kept, cap);
        if (made) {
            struct seen seen = read_all(round, 0);
            ck_assert_uint_eq(seen.bytes, total);
            ck_assert_uint_eq(seen.kept, closed.kept);
            ck_assert_int_eq(output_stat(dir, round, 1, OUTPUT_STDOUT, &stat), 0);
            ck_assert_mem_eq(&stat, &closed, sizeof stat);
        } else {
            ck_assert_uint_eq(closed.kept, 0);
        }
        ck_assert_int_eq(output_remove(dir, round), 0);
    }
}

END_TEST

START_TEST(a_refusal_is_answered_and_the_next_write_goes_on)
{
    struct output o;
    struct output_chunk c;
    char data[64];

    output_open(&o, dir, 7, 1, OUTPUT_STDOUT, 1000);
    write_pattern(&o, 100);
    disk_set(DISK_FULL, DISK_FULL, -1);
    ck_assert_int_eq(output_write(&o, "0123456789", 10), -ENOSPC);
    disk_set(DISK_WELL, DISK_WELL, -1);
    write_pattern(&o, 50);
    ck_assert_int_eq(output_read(dir, 7, 1, OUTPUT_STDOUT, 100, data, sizeof data, &c), 0);
    ck_assert_uint_eq(c.gap_from, 100);
    ck_assert_uint_eq(c.gap_to, 110);
    ck_assert(c.gap_disk);
    ck_assert_uint_eq(c.offset, 110);
    ck_assert_uint_eq(c.size, 50);
    ck_assert_uint_eq(c.bytes, 160);
    output_close(&o, NULL);
    output_close(&o, NULL); /* twice is fine */
    output_remove(dir, 7);
}

END_TEST

START_TEST(silence_leaves_no_file)
{
    struct output o;
    struct output_counts counts;
    struct output_chunk c;
    char data[8];

    output_open(&o, dir, 5, 1, OUTPUT_STDERR, OUTPUT_CAP_DEFAULT);
    ck_assert_int_eq(output_write(&o, "", 0), 0);
    output_close(&o, &counts);
    ck_assert_uint_eq(counts.bytes, 0);
    ck_assert_int_eq(faccessat(dir, "0", F_OK, 0), -1);
    ck_assert_int_eq(output_read(dir, 5, 1, OUTPUT_STDERR, 0, data, sizeof data, &c), 0);
    ck_assert_uint_eq(c.size, 0);
    ck_assert_uint_eq(c.bytes, 0);
    ck_assert_int_eq(output_stat(dir, 5, 1, OUTPUT_STDERR, &counts), 0);
    ck_assert_int_eq(output_remove(dir, 5), 0);
}

END_TEST

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

START_TEST(neighbours_survive_a_removal)
{
    struct output a, b;

    output_open(&a, dir, 41, 1, OUTPUT_STDOUT, 100);
    output_open(&b, dir, 42, 1, OUTPUT_STDOUT, 100);
    write_pattern(&a, 10);
    write_pattern(&b, 10);
    ck_assert_int_eq(output_remove(dir, 41), 0);
    ck_assert_uint_eq(read_all(42, 0).kept, 10);
    ck_assert_uint_eq(read_all(41, 0).kept, 0);
    output_close(&a, NULL);
    output_close(&b, NULL);
    ck_assert_int_eq(output_remove(dir, 42), 0);
    ck_assert_int_eq(output_remove(dir, 42), 0);
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

    while (!atomic_load_explicit(&enough, memory_order_relaxed)) /* relaxed: nothing hangs on it */
        write_pattern(o, 1 + o->layout.written % 3001);
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

int main(void)
{
    const char *given = getenv("COSCHED_SEED");
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");
    const TTest *const tests[] = {head_and_tail_of_random_streams,
                                  death_at_any_write_leaves_a_readable_file,
                                  full_disk_drops_and_says_so,
                                  a_refusal_is_answered_and_the_next_write_goes_on,
                                  silence_leaves_no_file,
                                  negative_offsets_count_from_the_end,
                                  neighbours_survive_a_removal,
                                  foreign_files_are_refused,
                                  the_ring_comes_round_in_the_middle_of_a_read,
                                  a_reader_beside_the_writer_sees_no_torn_byte};

    seed = given ? strtoull(given, NULL, 0) : (uint64_t)getpid() * 2654435761u + 1;
    printf("COSCHED_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
