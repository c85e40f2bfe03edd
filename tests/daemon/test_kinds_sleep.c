/* Sleeping as a job: as long as was asked for, or until it is cancelled. */
#include "test_kinds.h"

static int64_t sleeps(void *arg)
{
    static struct try t;
    cosched_scope scope;

    (void)arg;
    try_run(&t, "sleep", "{\"for\":\"0s\"}");
    succeeded(&t);
    try_fini(&t);
    int64_t before = cosched_now();
    try_run(&t, "sleep", "{\"for\":\"20ms\"}");
    succeeded(&t);
    ck_assert_int_ge(cosched_now() - before, 20000000);
    ck_assert_int_eq(t.out.exit_code, JOB_CODE_NONE);
    ck_assert_int_eq(t.out.output.bytes, JOB_CODE_NONE);
    try_fini(&t);
    try_init(&t, "sleep", "{\"for\":\"300d\"}");
    ck_assert_int_eq(cosched_scope_begin(&scope, cosched_in_ms(5), 0), 0);
    try_body(&t);
    cosched_scope_end(&scope);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.kind, JOB_OUTCOME_NONE);
    try_fini(&t);
    return 0;
}

KINDS_MAIN("kinds_sleep", KINDS_TEST(sleeps))
