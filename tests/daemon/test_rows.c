/* Rows: the hash against a model under random adds and removes, and the heaps' order with removals from the middle. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

static struct rows rows;
static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static void setup(void)
{
    const char *given = getenv("COSCHED_SEED");
    seed = given ? strtoull(given, NULL, 10) : 42;
    printf("COSCHED_SEED=%llu\n", (unsigned long long)seed);
    rows_init(&rows);
}

static void teardown(void)
{
    rows_fini(&rows);
}

START_TEST(found_and_gone_as_in_a_plain_table)
{
    static bool there[5000];
    size_t count = 0;
    for (int step = 0; step < 200000; step++) {
        int64_t id = 1 + (int64_t)rnd(5000);
        struct row *row = rows_find(&rows, id);
        ck_assert(there[id - 1] == (row != NULL));
        if (!row) {
            row = rows_add(&rows, id);
            ck_assert_ptr_nonnull(row);
            row->seq = id * 3;
            there[id - 1] = true;
            count++;
        } else {
            ck_assert_int_eq(row->id, id);
            ck_assert_int_eq(row->seq, id * 3);
            rows_remove(&rows, row);
            there[id - 1] = false;
            count--;
        }
        ck_assert_uint_eq(rows.count, count);
    }
}

END_TEST

static void count_one(void *ctx, struct row *row)
{
    (void)row;
    ++*(size_t *)ctx;
}

START_TEST(each_sees_every_row_once_and_rows_stay_where_they_are)
{
    size_t seen = 0;
    struct row *first = rows_add(&rows, 1);
    for (int64_t id = 2; id <= 100000; id++) {
        ck_assert_ptr_nonnull(rows_add(&rows, id));
    }
    rows_each(&rows, count_one, &seen);
    ck_assert_uint_eq(seen, 100000);
    ck_assert_ptr_eq(rows_find(&rows, 1), first);
}

END_TEST

static bool by_priority(const struct row *a, const struct row *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->order < b->order;
}

START_TEST(heap_gives_them_in_order_whatever_left_in_between)
{
    struct row_heap heap;
    row_heap_init(&heap, ROW_IN_LINE, by_priority);
    for (int64_t id = 1; id <= 2000; id++) {
        struct row *row = rows_add(&rows, id);
        row->priority = (int8_t)(rnd(5) - 2);
        row->order = id;
        ck_assert_int_eq(row_heap_push(&heap, row), 0);
    }
    for (int i = 0; i < 700; i++) {
        row_heap_remove(&heap, rows_find(&rows, 1 + (int64_t)rnd(2000)));
    }
    for (uint32_t i = 0; i < heap.count; i++) {
        if (heap.rows[i]->id % 7 == 0) {
            heap.rows[i]->priority = 9;
        }
    }
    row_heap_rebuild(&heap);
    struct row last = {.priority = 100};
    while (row_heap_first(&heap)) {
        struct row *row = row_heap_first(&heap);
        ck_assert(!by_priority(row, &last));
        last = *row;
        row_heap_remove(&heap, row);
        row_heap_remove(&heap, row); /* twice is fine */
    }
    row_heap_fini(&heap);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("rows");
    TCase *tc = tcase_create("rows");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, found_and_gone_as_in_a_plain_table);
    tcase_add_test(tc, each_sees_every_row_once_and_rows_stay_where_they_are);
    tcase_add_test(tc, heap_gives_them_in_order_whatever_left_in_between);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
