/* See check.h: the list of a suite's tests, and its run. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "runner.h"

enum { CASES_MAX = 1024 };

struct Suite {
    const char *name;
    struct sim_case cases[CASES_MAX];
    int n, failed;
};

/* One suite a program: its test case and its runner are itself. */
static Suite suite;

/* Written by CMake: names, between commas, of tests that need real time, real processes or too many steps. */
extern const char sim_skip[];

static bool is_in(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; (p = strstr(p, name)) != NULL; p += n) {
        if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

Suite *suite_create(const char *name)
{
    suite.name = name;
    return &suite;
}

TCase *tcase_create(const char *name)
{
    (void)name;
    return (TCase *)&suite;
}

void tcase_set_timeout(TCase *tcase, double seconds)
{
    (void)tcase;
    (void)seconds;
}

void tcase_add_loop_test(TCase *tcase, const TTest *test, int from, int to)
{
    (void)tcase;
    const char *only = getenv("COSCHED_TEST");
    if (is_in(sim_skip, test->name) || (only != NULL && strcmp(only, test->name) != 0)) {
        return;
    }
    for (int round = from; round < to; round++) {
        COS_ASSERT(suite.n < CASES_MAX);
        suite.cases[suite.n++] = (struct sim_case){suite.name, test->name, round, test->fn};
    }
}

void tcase_add_test(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, 1);
}

void suite_add_tcase(Suite *s, TCase *tcase)
{
    (void)s;
    (void)tcase;
}

SRunner *srunner_create(Suite *s)
{
    return (SRunner *)s;
}

void srunner_run_all(SRunner *runner, enum print_output mode)
{
    (void)runner;
    (void)mode;
    suite.failed = sim_run_cases(suite.cases, suite.n);
}

int srunner_ntests_failed(SRunner *runner)
{
    (void)runner;
    return suite.failed;
}

void srunner_free(SRunner *runner)
{
    (void)runner;
}
