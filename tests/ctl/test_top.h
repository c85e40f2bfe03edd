/* The list of jobs that the tests of top look at. */
#ifndef TEST_TOP_H
#define TEST_TOP_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "top_fixture.h"
#include "top_jobs.h"

static struct top_jobs jobs;

/* The ids that are shown, in their order. */
static inline void shown_are(const char *expected)
{
    struct buf ids = BUF_INIT;
    for (size_t i = 0; i < jobs.shown_count; i++) {
        buf_printf(&ids, "%s%lld", i > 0 ? " " : "", (long long)jobs.shown[i]->id);
    }
    ck_assert_str_eq(buf_text(&ids), expected);
    buf_free(&ids);
}

static inline void list(void)
{
    fixture_list(&jobs, TOP_PART_RUNNING, FIXTURE_RUNNING);
    fixture_list(&jobs, TOP_PART_WAITING, FIXTURE_WAITING);
}

#endif
