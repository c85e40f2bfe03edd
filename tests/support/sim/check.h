/* check.h for the sim build: the same words, so that a test's source is the same, but each test runs under the simulator,
 * once a seed, in a child process. A failure ends the run (sim_fail); only failures are counted. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "sim.h"

#define RUN_SIM 1

typedef struct TTest {
    const char *name;
    void (*fn)(int round);
} TTest;

typedef struct Suite Suite;
typedef struct TCase TCase;
typedef struct SRunner SRunner;

enum print_output { CK_ENV, CK_NORMAL };

Suite *suite_create(const char *name);
TCase *tcase_create(const char *name);
void tcase_set_timeout(TCase *tcase, double seconds);
void tcase_add_loop_test(TCase *tcase, const TTest *test, int from, int to);
void tcase_add_test(TCase *tcase, const TTest *test);
void suite_add_tcase(Suite *suite, TCase *tcase);
SRunner *srunner_create(Suite *suite);
void srunner_run_all(SRunner *runner, enum print_output mode);
int srunner_ntests_failed(SRunner *runner);
void srunner_free(SRunner *runner);

#define START_TEST(name_)                                    \
    static void name_##_fn(int _i);                          \
    static const TTest name_##_ttest = {#name_, name_##_fn}; \
    static const TTest *name_ = &name_##_ttest;              \
    static void name_##_fn(int _i __attribute__((unused)))
#define END_TEST

#define ck_abort_msg(...)     sim_fail(__VA_ARGS__)
#define ck_abort()            sim_fail("%s:%d: ck_abort", __FILE__, __LINE__)
#define ck_assert(x)          ((x) ? (void)0 : sim_fail("%s:%d: %s", __FILE__, __LINE__, #x))
#define ck_assert_msg(x, ...) ((x) ? (void)0 : sim_fail(__VA_ARGS__))
#define SIM_CK(a, op, b, type, format)                                                             \
    do {                                                                                           \
        type ck_a_ = (type)(a), ck_b_ = (type)(b);                                                 \
        if (!(ck_a_ op ck_b_)) {                                                                   \
            sim_fail("%s:%d: %s %s %s: %" format " and %" format, __FILE__, __LINE__, #a, #op, #b, \
                     ck_a_, ck_b_);                                                                \
        }                                                                                          \
    } while (0)
#define ck_assert_int_eq(a, b)   SIM_CK(a, ==, b, intmax_t, PRIdMAX)
#define ck_assert_int_ne(a, b)   SIM_CK(a, !=, b, intmax_t, PRIdMAX)
#define ck_assert_int_lt(a, b)   SIM_CK(a, <, b, intmax_t, PRIdMAX)
#define ck_assert_int_le(a, b)   SIM_CK(a, <=, b, intmax_t, PRIdMAX)
#define ck_assert_int_gt(a, b)   SIM_CK(a, >, b, intmax_t, PRIdMAX)
#define ck_assert_int_ge(a, b)   SIM_CK(a, >=, b, intmax_t, PRIdMAX)
#define ck_assert_uint_eq(a, b)  SIM_CK(a, ==, b, uintmax_t, PRIuMAX)
#define ck_assert_uint_ne(a, b)  SIM_CK(a, !=, b, uintmax_t, PRIuMAX)
#define ck_assert_uint_lt(a, b)  SIM_CK(a, <, b, uintmax_t, PRIuMAX)
#define ck_assert_uint_le(a, b)  SIM_CK(a, <=, b, uintmax_t, PRIuMAX)
#define ck_assert_uint_gt(a, b)  SIM_CK(a, >, b, uintmax_t, PRIuMAX)
#define ck_assert_uint_ge(a, b)  SIM_CK(a, >=, b, uintmax_t, PRIuMAX)
#define ck_assert_ptr_eq(a, b)   ck_assert((const void *)(a) == (const void *)(b))
#define ck_assert_ptr_ne(a, b)   ck_assert((const void *)(a) != (const void *)(b))
#define ck_assert_ptr_null(a)    ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a) ck_assert((a) != NULL)
#define ck_assert_str_eq(a, b)   ck_assert(strcmp(a, b) == 0)
#endif
