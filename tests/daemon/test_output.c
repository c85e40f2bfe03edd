/* Output files against a model: what is kept, whatever the disk does. */
#include "test_output.h"

static size_t random_size(uint64_t cap)
{
    return (size_t)rnd(rnd(4) == 0 ? 2 * cap + 2 : cap / 3 + 2);
}

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
            if (total > cap) {
                ck_assert_uint_eq(seen.tail_from, total - (cap - cap / 2));
            }
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
        if (disk_now == DISK_WELL) {
            sure = total;
        }
        if (o.fd >= 0) {
            close(o.fd); /* nothing else of the writer survives */
        }
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
            if (rnd(3) == 0) {
                disk_set(DISK_WELL, DISK_FULL, (long)rnd(4));
            } else if (rnd(2) == 0) {
                disk_set(DISK_WELL, DISK_WELL, -1);
            }
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

OUTPUT_MAIN("output", head_and_tail_of_random_streams, death_at_any_write_leaves_a_readable_file,
            full_disk_drops_and_says_so, a_refusal_is_answered_and_the_next_write_goes_on,
            silence_leaves_no_file, neighbours_survive_a_removal)
