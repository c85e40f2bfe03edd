/* One test case in one suite, run and counted: the main of a test file. Fixtures, if there are any, stand around each test. */
#ifndef SUPPORT_SUITE_H
#define SUPPORT_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

static inline int suite_run(const char *name, SFun set_up, SFun tear_down,
                            const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 300);
    if (set_up != NULL) {
        tcase_add_checked_fixture(tcase, set_up, tear_down);
    }
    const char *only = getenv("COSCHED_TEST"); /* one test by name, as in run.h */
    for (size_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, tests[i]->name) == 0) {
            tcase_add_test(tcase, tests[i]);
        }
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define SUITE_MAIN(name, ...) SUITE_MAIN_WITH(name, NULL, NULL, __VA_ARGS__)

#define SUITE_MAIN_WITH(name, set_up, tear_down, ...)                                     \
    int main(void)                                                                        \
    {                                                                                     \
        const TTest *const tests[] = {__VA_ARGS__};                                       \
        return suite_run(name, set_up, tear_down, tests, sizeof tests / sizeof tests[0]); \
    }

#endif
