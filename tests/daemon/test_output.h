/* The disk and the model of the tests of output files. The stream is a function of the offset, so that every byte read can
 * be checked without keeping what was written; the disk is our own pwrite, which can die or run full at any call. */
#ifndef TEST_OUTPUT_H
#define TEST_OUTPUT_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "output.h"
#include "suite.h"

/* --- the disk ------------------------------------------------------------------------------- */

enum disk { DISK_WELL, DISK_FULL, DISK_DEAD };

static enum disk disk_then; /* what it becomes … */
static long disk_left = -1; /* … after so many writes; -1: never */
static enum disk disk_now;
static uint64_t seed = 1;

static inline uint64_t rnd(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static inline void disk_set(enum disk now, enum disk then, long left)
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
        if (part > 0 && offset >= 64) {
            return syscall(SYS_pwrite64, fd, data, part, offset);
        }
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

static inline void setup(void)
{
    snprintf(folder, sizeof folder, "output-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int state = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = output_dir_open(state);
    ck_assert_int_ge(dir, 0);
    close(state);
    disk_set(DISK_WELL, DISK_WELL, -1);
}

static inline void teardown(void)
{
    char path[80];

    close(dir);
    snprintf(path, sizeof path, "%s/output", folder);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline void write_pattern(struct output *o, size_t size)
{
    static char data[200000];

    ck_assert_uint_le(size, sizeof data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)byte_at(o->layout.written + i);
    }
    output_write(o, data, size);
}

/* One assertion for all: each of check's costs a message to its parent. */
static inline void check_bytes(const unsigned char *data, const struct output_chunk *c)
{
    size_t i = 0;

    while (i < c->size && data[i] == byte_at(c->offset + i)) {
        i++;
    }
    ck_assert_msg(i == c->size, "byte %llu of %llu is wrong", (unsigned long long)(c->offset + i),
                  (unsigned long long)c->bytes);
}

struct seen {
    uint64_t bytes, kept, head,
        tail_from; /* head: bytes before the first gap; tail_from: after the last */
};

/* Reads everything in random pieces; gaps and bytes must join, and every byte must be the
 * stream's. */
static inline struct seen read_all(int64_t id, uint64_t from)
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
        if (!gap) {
            seen.head += c.size;
        }
        at = c.offset + c.size;
        if (c.size == 0) {
            break;
        }
    }
    ck_assert_uint_eq(at, seen.bytes < from ? from : seen.bytes);
    return seen;
}

/* Prints the seed; COSCHED_SEED repeats it. */
static inline void output_seed(void)
{
    const char *given = getenv("COSCHED_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)getpid() * 2654435761u + 1;
    printf("COSCHED_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
}

#define OUTPUT_MAIN(name, ...)                                                          \
    int main(void)                                                                      \
    {                                                                                   \
        const TTest *const tests[] = {__VA_ARGS__};                                     \
        output_seed();                                                                  \
        return suite_run(name, setup, teardown, tests, sizeof tests / sizeof tests[0]); \
    }

#endif
