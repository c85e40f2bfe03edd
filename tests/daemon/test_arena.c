/* The memory of one JSON value. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "suite.h"
#include "wire/arena.h"

START_TEST(pieces_are_aligned_apart_and_found_by_the_first)
{
    static const size_t guesses[] = {0, 1, 100, 1 << 20};
    for (size_t g = 0; g < sizeof guesses / sizeof guesses[0]; g++) {
        struct arena *arena = arena_begin(guesses[g]);
        ck_assert_ptr_nonnull(arena);
        char *pieces[2000];
        for (size_t i = 0; i < 2000; i++) {
            size_t size = i % 97;
            pieces[i] = arena_alloc(size);
            ck_assert(pieces[i] != NULL && (uintptr_t)pieces[i] % 16 == 0);
            memset(pieces[i], (int)(i & 0x7f), size);
        }
        arena_end(arena);
        char expected[97];
        for (size_t i = 0; i < 2000; i++) {
            memset(expected, (int)(i & 0x7f), sizeof expected);
            ck_assert_int_eq(memcmp(pieces[i], expected, i % 97), 0);
        }
        ck_assert_ptr_eq(arena_of(pieces[0]), arena);
        arena_free(arena);
    }
    arena_free(NULL);
}

END_TEST

START_TEST(one_piece_may_be_large_and_none_may_be_absurd)
{
    struct arena *arena = arena_begin(16);
    ck_assert_ptr_null(arena_alloc(SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(SIZE_MAX / 2));
    char *first = arena_alloc(8), *large = arena_alloc((size_t)3 << 20);
    ck_assert_ptr_nonnull(first);
    memset(large, 1, (size_t)3 << 20);
    ck_assert_ptr_nonnull(arena_alloc(8));
    arena_end(arena);
    ck_assert_ptr_eq(arena_of(first), arena);
    arena_free(arena);
}

END_TEST

SUITE_MAIN("arena", pieces_are_aligned_apart_and_found_by_the_first,
           one_piece_may_be_large_and_none_may_be_absurd)
