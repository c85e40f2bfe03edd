/* The answer of `stats` has every member of the contract, and what is recorded shows up in it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "wire/json.h"

static struct metrics metrics;
static cosched_stats scheduler;
static const cosched_latency hop = {.count = 3,
                                    .sum_ns = 7000,
                                    .max_ns = 4200,
                                    .p50_ns = 1500,
                                    .within = {[1] = 2, [2] = 2, [3] = 3}};

static struct json *written(bool names)
{
    static const struct metrics_queue queues[] = {
        {.name = "default", .depth = 3, .running = 2, .parallel = 4, .oldest_s = 1.5}};
    const struct metrics_view view = {.version = "1.2.3",
                                      .boot_id = "b",
                                      .names = names,
                                      .running = 2,
                                      .queued = 3,
                                      .queues = queues,
                                      .queue_count = 1,
                                      .store_commits = 7,
                                      .store_batch_avg = 2.5,
                                      .commit_us = &metrics.commit_us,
                                      .scheduler = &scheduler,
                                      .hop = hop};
    struct buf out = BUF_INIT;
    struct writer w;
    struct json_error error;
    writer_init(&w, &out);
    metrics_write(&metrics, &w, &view);
    struct json *json = json_parse(out.data, out.len, &error);
    ck_assert_msg(json != NULL, "%s at %zu in %s", error.reason, error.offset, out.data);
    buf_free(&out);
    return json;
}

/* "a.b.c" */
static const struct json *at(const struct json *json, const char *path)
{
    char part[64];
    while (*path) {
        size_t n = strcspn(path, ".");
        memcpy(part, path, n);
        part[n] = '\0';
        json = json_get(json, part);
        path += n + (path[n] == '.');
    }
    return json;
}

static void setup(void)
{
    metrics_init(&metrics);
    scheduler = (cosched_stats){.workers = 2, .stack_guard = "canary", .hops_to_worker = 9};
}

static void teardown(void)
{
    metrics_fini(&metrics);
}

static void all_are_in(const struct json *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(json_get(object, names[i]) != NULL, "%s is missing", names[i]);
    }
}

START_TEST(every_member_of_the_contract)
{
    static const char *const paths[] = {"daemon.version",
                                        "daemon.uptime_s",
                                        "daemon.pid",
                                        "daemon.rss_bytes",
                                        "daemon.connections",
                                        "daemon.boot_id",
                                        "jobs.submitted",
                                        "jobs.started",
                                        "jobs.succeeded",
                                        "jobs.failed",
                                        "jobs.timed_out",
                                        "jobs.canceled",
                                        "jobs.skipped",
                                        "jobs.interrupted",
                                        "jobs.retried",
                                        "jobs.running",
                                        "jobs.queued",
                                        "jobs.delayed",
                                        "jobs.blocked",
                                        "latency.submit_us.p50",
                                        "latency.queue_wait_us.p90",
                                        "latency.run_us.p99",
                                        "latency.commit_us.max",
                                        "scheduler.main.ready",
                                        "scheduler.main.inbox",
                                        "scheduler.main.slices",
                                        "scheduler.main.helped",
                                        "scheduler.main.poll_gap_us.p50",
                                        "scheduler.main.busy_us",
                                        "scheduler.main.loop_idle_pct",
                                        "scheduler.injector.depth",
                                        "scheduler.injector.pushed",
                                        "scheduler.injector.popped",
                                        "scheduler.injector.overflowed",
                                        "scheduler.hops.main_to_worker",
                                        "scheduler.hops.worker_to_main",
                                        "scheduler.hops.latency_us.max",
                                        "scheduler.tasks.live",
                                        "scheduler.tasks.peak",
                                        "scheduler.tasks.spawned",
                                        "scheduler.tasks.completed",
                                        "scheduler.stacks.in_use",
                                        "scheduler.stacks.cached",
                                        "scheduler.stacks.bytes",
                                        "scheduler.stacks.guard",
                                        "scheduler.timers",
                                        "scheduler.blocking.threads",
                                        "scheduler.blocking.queued",
                                        "store.commits",
                                        "store.batch_avg",
                                        "store.wal_bytes",
                                        "store.db_bytes"};
    static const char *const of_a_queue[] = {"name", "depth",  "running", "parallel",
                                             "rate", "paused", "oldest_s"};
    static const char *const of_a_worker[] = {"id",    "deque", "slices",   "steals", "stolen_from",
                                              "parks", "wakes", "busy_pct", "busy_us"};
    struct json *json = written(true);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ck_assert_msg(at(json, paths[i]) != NULL, "%s is missing", paths[i]);
    }
    all_are_in(json_first(json_get(json, "queues")), of_a_queue,
               sizeof of_a_queue / sizeof *of_a_queue);
    const struct json *workers = at(json, "scheduler.workers");
    ck_assert_uint_eq(json_count(workers), 2);
    all_are_in(json_first(workers), of_a_worker, sizeof of_a_worker / sizeof *of_a_worker);
    json_free(json);
}

END_TEST

START_TEST(names_are_for_those_who_may_see_them)
{
    struct json *json = written(false);
    ck_assert_ptr_null(json_get(json_first(json_get(json, "queues")), "name"));
    json_free(json);
}

END_TEST

START_TEST(what_was_counted_is_shown)
{
    int64_t value = 0;
    metrics_ended(&metrics, JOB_SUCCEEDED);
    metrics_ended(&metrics, JOB_SKIPPED);
    metrics_ended(&metrics, JOB_SKIPPED);
    metrics_commit(&metrics, 5000000);
    struct json *json = written(true);
    ck_assert(json_int(at(json, "jobs.succeeded"), &value) && value == 1);
    ck_assert(json_int(at(json, "jobs.skipped"), &value) && value == 2);
    ck_assert(json_int(at(json, "latency.commit_us.max"), &value) && value == 5000);
    ck_assert(json_int(at(json, "scheduler.hops.main_to_worker"), &value) && value == 9);
    ck_assert(json_int(at(json, "scheduler.hops.latency_us.p50"), &value) && value == 2);
    ck_assert(json_int(at(json, "scheduler.hops.latency_us.max"), &value) && value == 5);
    json_free(json);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("metrics");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_member_of_the_contract);
    tcase_add_test(tc, names_are_for_those_who_may_see_them);
    tcase_add_test(tc, what_was_counted_is_shown);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
