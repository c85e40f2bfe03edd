/* The page for Prometheus, read by a parser of its own: every series has one HELP and one TYPE before it, histograms
 * are cumulative and add up, and the numbers are those that were counted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "prometheus.h"

static struct metrics metrics;
static cosched_stats scheduler;
static const cosched_latency hop = {.count = 3,
                                    .sum_ns = 7000,
                                    .max_ns = 4200,
                                    .p50_ns = 1500,
                                    .within = {[1] = 2, [2] = 2, [3] = 3}};
static struct buf page;

static void write_page(void)
{
    static const struct metrics_queue queues[] = {
        {.name = "default", .depth = 3, .running = 2, .parallel = 4, .oldest_s = 1.5},
        {.name = "night", .paused = true}};
    const struct metrics_view view = {.version = "1.2.3",
                                      .boot_id = "b",
                                      .running = 2,
                                      .queued = 3,
                                      .queues = queues,
                                      .queue_count = 2,
                                      .store_commits = 7,
                                      .store_requests = 11,
                                      .commit_us = &metrics.commit_us,
                                      .scheduler = &scheduler,
                                      .hop = hop};
    buf_reset(&page);
    prometheus_write(&metrics, &page, &view);
    ck_assert(!page.failed);
}

static void setup(void)
{
    metrics_init(&metrics);
    scheduler = (cosched_stats){.workers = 2, .stack_guard = "canary", .hops_to_worker = 9};
    scheduler.worker[0].steals = 3;
    scheduler.worker[1].steals = 4;
}

static void teardown(void)
{
    metrics_fini(&metrics);
    buf_free(&page);
}

/* The text behind `series` and a blank, at the start of a line. */
static const char *value_of(const char *series)
{
    size_t n = strlen(series);
    for (const char *line = page.data; line && *line;) {
        if (strncmp(line, series, n) == 0 && line[n] == ' ') {
            return line + n + 1;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    ck_abort_msg("no series %s in\n%s", series, page.data);
    return "";
}

static double number(const char *series)
{
    return strtod(value_of(series), NULL);
}

/* The family that a line belongs to: its name without labels and without what a histogram appends. */
static void family_of(const char *line, const char *type, char *out, size_t size)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    snprintf(out, size, "%.*s", (int)strcspn(line, "{ "), line);
    for (size_t i = 0; strcmp(type, "histogram") == 0 && i < 3; i++) {
        size_t have = strlen(out), part = strlen(parts[i]);
        if (have > part && strcmp(out + have - part, parts[i]) == 0) {
            out[have - part] = '\0';
            return;
        }
    }
}

START_TEST(every_family_is_announced_once_and_stands_together)
{
    char helped[128] = "", typed[128] = "", type[32] = "", family[256], seen[16384] = "";
    write_page();
    for (char *save = NULL, *line = strtok_r(page.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char text[8];
        if (sscanf(line, "# HELP %127s %7s", helped, text) == 2) {
            char word[140];
            snprintf(word, sizeof word, " %s ", helped);
            ck_assert_msg(strstr(seen, word) == NULL, "%s is announced twice", helped);
            ck_assert_uint_lt(strlen(seen) + strlen(word), sizeof seen);
            strcat(seen, word);
        } else if (sscanf(line, "# TYPE %127s %31s", typed, type) == 2) {
            ck_assert_str_eq(typed, helped);
            bool total = strlen(typed) > 6 && strcmp(typed + strlen(typed) - 6, "_total") == 0;
            ck_assert_msg(total == (strcmp(type, "counter") == 0), "%s is a %s", typed, type);
        } else {
            family_of(line, type, family, sizeof family);
            ck_assert_msg(strcmp(family, typed) == 0, "%s stands under %s", line, typed);
        }
    }
    ck_assert_msg(strstr(seen, " cosched_run_seconds ") != NULL, "%s", seen);
}

END_TEST

START_TEST(only_kind_queue_and_state_are_labels)
{
    write_page();
    for (const char *p = page.data; (p = strchr(p, '{')) != NULL; p++) {
        ck_assert_msg(strncmp(p, "{kind=", 6) == 0 || strncmp(p, "{queue=", 7) == 0 ||
                          strncmp(p, "{state=", 7) == 0 || strncmp(p, "{le=", 4) == 0,
                      "%.60s", p);
    }
}

END_TEST

START_TEST(buckets_are_cumulative_and_add_up)
{
    static const uint64_t values[] = {0, 1, 2, 15, 16, 1000, 1024, 5000000, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        histogram_record(&metrics.run_us, values[i]);
    }
    write_page();
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.000001\"}"), 1);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.000002\"}"), 2);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.000016\"}"), 4);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.000032\"}"), 5);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.001024\"}"), 6);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"0.002048\"}"), 7);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"8.388608\"}"), 8);
    ck_assert_double_eq(number("cosched_run_seconds_bucket{le=\"+Inf\"}"), 9);
    ck_assert_double_eq(number("cosched_run_seconds_count"), 9);
    double last = 0, edge = 0;
    for (const char *p = page.data; (p = strstr(p, "\ncosched_run_seconds_bucket{le=\"")); p++) {
        double le = strtod(p + 32, NULL), count = strtod(strchr(p + 1, ' '), NULL);
        ck_assert(le > edge && count >= last);
        edge = le;
        last = count;
    }
    ck_assert_double_eq(last, 9);
}

END_TEST

START_TEST(what_was_counted_is_shown)
{
    metrics_ended(&metrics, JOB_SKIPPED);
    metrics_ended(&metrics, JOB_SKIPPED);
    metrics_started(&metrics, "sleep");
    metrics_started(&metrics, "sleep");
    metrics_started(&metrics, "exec");
    metrics_commit(&metrics, 5000000);
    write_page();
    ck_assert_double_eq(number("cosched_jobs_ended_total{state=\"skipped\"}"), 2);
    ck_assert_double_eq(number("cosched_attempts_started_total{kind=\"sleep\"}"), 2);
    ck_assert_double_eq(number("cosched_attempts_started_total{kind=\"exec\"}"), 1);
    ck_assert_double_eq(number("cosched_attempts_started_total{kind=\"hash\"}"), 0);
    ck_assert_double_eq(number("cosched_jobs{state=\"queued\"}"), 3);
    ck_assert_double_eq(number("cosched_queue_depth{queue=\"default\"}"), 3);
    ck_assert_double_eq(number("cosched_queue_oldest_seconds{queue=\"default\"}"), 1.5);
    ck_assert_double_eq(number("cosched_queue_paused{queue=\"night\"}"), 1);
    ck_assert_double_eq(number("cosched_worker_steals_total"), 7);
    ck_assert_double_eq(number("cosched_hops_main_to_worker_total"), 9);
    ck_assert_double_eq(number("cosched_hop_seconds_bucket{le=\"0.000002\"}"), 2);
    ck_assert_double_eq(number("cosched_hop_seconds_sum"), 0.000007);
    ck_assert_double_eq(number("cosched_commit_seconds_sum"), 0.005);
    ck_assert_double_eq(number("cosched_store_requests_total"), 11);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("prometheus");
    TCase *tc = tcase_create("prometheus");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_family_is_announced_once_and_stands_together);
    tcase_add_test(tc, only_kind_queue_and_state_are_labels);
    tcase_add_test(tc, buckets_are_cumulative_and_add_up);
    tcase_add_test(tc, what_was_counted_is_shown);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
