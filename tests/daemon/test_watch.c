/* Watching: news reaches those who asked for it, once or many at a time, and nobody after they left. */
#include <check.h>
#include <stdlib.h>

#include "watch.h"

#define MANY 1000

static struct watch watch;
static struct bell bell;

static bool rings(void)
{
    return bell_wait(&bell, COSCHED_NOW) == 0;
}

static int64_t scenario(void *arg)
{
    static struct watch_node nodes[MANY];
    struct watch_node one, other;
    (void)arg;
    watch_init(&watch);
    ck_assert_int_eq(bell_init(&bell), 0);
    watch_publish(&watch, 1, WATCH_ENDED, JOB_FAILED); /* nobody there */
    ck_assert_int_eq(watch_add(&watch, &one, 1, WATCH_ENDED, &bell), 0);
    ck_assert_int_eq(watch_add(&watch, &other, 1, WATCH_OUTPUT | WATCH_ENDED, &bell), 0);
    watch_publish(&watch, 1, WATCH_OUTPUT, JOB_RUNNING);
    ck_assert(rings() && !rings());
    ck_assert_uint_eq(one.seen, 0);
    ck_assert_uint_eq(other.seen, WATCH_OUTPUT);
    watch_publish(&watch, 2, WATCH_ENDED, JOB_FAILED);
    ck_assert(!rings());
    watch_publish(&watch, 1, WATCH_ENDED, JOB_FAILED);
    ck_assert(rings());
    ck_assert_int_eq((int)one.state, JOB_FAILED);
    ck_assert_int_eq((int)other.state, JOB_FAILED);
    watch_remove(&watch, &one);
    watch_remove(&watch, &one); /* twice is fine */
    watch_remove(&watch, &other);
    watch_publish(&watch, 1, WATCH_ENDED, JOB_FAILED);
    ck_assert(!rings());
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(watch_add(&watch, &nodes[i], i % 10, WATCH_ENDED, &bell), 0);
    }
    for (int i = 0; i < MANY; i += 2) {
        watch_remove(&watch, &nodes[i]);
    }
    watch_publish(&watch, 3, WATCH_ENDED, JOB_SUCCEEDED);
    for (int i = 0; i < MANY; i++) {
        ck_assert_uint_eq(nodes[i].seen, i % 10 == 3 ? WATCH_ENDED : 0U);
    }
    for (int i = 0; i < MANY; i++) {
        watch_remove(&watch, &nodes[i]);
    }
    ck_assert_uint_eq(watch.count, 0);
    bell_fini(&bell);
    watch_fini(&watch);
    watch_fini(&watch);
    return 0;
}

START_TEST(news_reaches_who_asked)
{
    ck_assert_int_eq(cosched_run(NULL, scenario, NULL), 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tc = tcase_create("watch");
    tcase_add_test(tc, news_reaches_who_asked);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
