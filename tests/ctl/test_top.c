/* The pure parts of top but for the layout and the keys: rates from snapshots, histories, the list of jobs, answers as
 * lines. */
#include "test_top.h"

#include "top_detail.h"

static struct top_model model;

static void near(double a, double b)
{
    ck_assert_double_eq_tol(a, b, 1e-6);
}

START_TEST(first_snapshot_has_rates_since_the_start)
{
    fixture_stats(&model, FIXTURE_FIRST, 5000000);
    near(model.rate[TOP_SUBMITTED], 10);
    near(model.rate[TOP_STARTED], 1);
    near(model.rate[TOP_ENDED], 7503 / 7500.0);
    near(model.rate[TOP_COMMITS], 2);
    near(model.main_idle_pct, 90); /* by the counter, not by loop_idle_pct */
    near(model.workers[0].busy_pct, 10);
    near(model.workers[2].busy_pct, 40); /* a daemon without the counter */
    ck_assert_uint_eq(model.queue_count, 2);
    ck_assert(model.queues[1].paused);
}

END_TEST

START_TEST(rates_are_differences_of_two_snapshots)
{
    fixture_stats(&model, FIXTURE_FIRST, 5000000);
    fixture_stats(&model, FIXTURE_SECOND, 7000000);
    near(model.rate[TOP_SUBMITTED], 125);
    near(model.rate[TOP_STARTED], 12);
    near(model.rate[TOP_ENDED], 12);
    near(model.rate[TOP_COMMITS], 310);
    near(model.rate[TOP_MAIN_SLICES], 15000);
    near(model.main_idle_pct, 30);
    near(model.workers[0].busy_pct, 70);
    near(model.workers[0].slices_s, 15000);
    near(model.workers[0].steals_s, 0);
    ck_assert_uint_eq(model.workers[0].busy.count, 2);
    near((double)model.workers[0].busy.value[1], 70);
}

END_TEST

START_TEST(another_daemon_begins_anew)
{
    fixture_stats(&model, FIXTURE_FIRST, 5000000);
    fixture_stats(&model, FIXTURE_SECOND, 7000000);
    fixture_stats(&model, FIXTURE_STATS("10", "124", "20", "10", "30", "100000", "50"), 9000000);
    near(model.rate[TOP_SUBMITTED], 2);
    ck_assert_uint_eq(model.started.count, 1);
    /* The same process number, and younger: another one, too. */
    fixture_stats(&model, FIXTURE_STATS("5", "124", "20", "10", "30", "100000", "50"), 11000000);
    near(model.rate[TOP_SUBMITTED], 4);
    /* A counter that began again without that: no negative rate. */
    fixture_stats(&model, FIXTURE_STATS("7", "124", "10", "10", "30", "100000", "50"), 13000000);
    near(model.rate[TOP_SUBMITTED], 0);
}

END_TEST

START_TEST(whatever_is_missing_is_nothing)
{
    fixture_stats(&model, "{}", 1);
    fixture_stats(&model, "{'scheduler':7,'queues':{'a':1},'jobs':[],'daemon':null}", 2);
    ck_assert_int_eq((int)model.worker_count, 0);
    near(model.rate[TOP_SUBMITTED], 0);
}

END_TEST

START_TEST(more_workers_and_queues_than_there_is_room)
{
    struct buf text = BUF_INIT;
    struct top_worker sum;
    buf_puts(&text, "{'scheduler':{'workers':[");
    for (int i = 0; i < TOP_WORKERS_MAX + 1; i++) {
        buf_printf(&text, "%s{'busy_pct':50}", i > 0 ? "," : "");
    }
    buf_puts(&text, "]},'queues':[");
    for (int i = 0; i < TOP_QUEUES_MAX + 1; i++) {
        buf_printf(&text, "%s{'name':'q'}", i > 0 ? "," : "");
    }
    buf_puts(&text, "]}");
    fixture_stats(&model, buf_text(&text), 1);
    buf_free(&text);
    ck_assert_uint_eq(model.worker_count, TOP_WORKERS_MAX + 1);
    ck_assert_uint_eq(top_model_workers(&model), TOP_WORKERS_MAX);
    ck_assert_uint_eq(model.queue_count, TOP_QUEUES_MAX);
    top_model_sum(&model, 0, &sum);
    near(sum.busy_pct, 50);
}

END_TEST

START_TEST(sum_is_aligned_at_the_newest_sample)
{
    struct top_worker sum;
    model.worker_count = 3;
    top_ring_add(&model.workers[1].busy, 10);
    top_ring_add(&model.workers[1].busy, 20);
    top_ring_add(&model.workers[2].busy, 40);
    top_model_sum(&model, 1, &sum);
    ck_assert_uint_eq(sum.busy.count, 2);
    near((double)sum.busy.value[0], 5);
    near((double)sum.busy.value[1], 30);
    top_model_sum(&model, 3, &sum);
    near(sum.busy_pct, 0);
}

END_TEST

static void spark_is(const struct top_ring *ring, size_t width, double full, bool utf8,
                     const char *expected)
{
    char out[TOP_SPARK_BYTES];
    ck_assert_uint_eq(top_spark(ring, width, full, utf8, out), strlen(expected));
    ck_assert_str_eq(out, expected);
}

START_TEST(sparklines)
{
    struct top_ring ring = {.count = 0};
    char out[TOP_SPARK_BYTES];
    spark_is(&ring, 3, 100, true, "   ");
    for (int i = 0; i <= 4; i++) {
        top_ring_add(&ring, 25.0 * i);
    }
    spark_is(&ring, 5, 100, true, " ▂▄▆█");
    spark_is(&ring, 5, 100, false, " .:+#");
    spark_is(&ring, 2, 100, true, "▆█");
    spark_is(&ring, 7, 100, true, "   ▂▄▆█");
    spark_is(&ring, 5, 50, true, " ▄███"); /* past the end of the scale */
    spark_is(&ring, 2, 0, true, "▆█");     /* of the largest that is shown */
    top_ring_add(&ring, 0.001);
    spark_is(&ring, 1, 100, true, "▁"); /* something is not nothing */
    for (int i = 0; i < 2 * TOP_HISTORY; i++) {
        top_ring_add(&ring, i);
    }
    ck_assert_uint_eq(ring.count, TOP_HISTORY);
    near((double)ring.value[0], TOP_HISTORY);
    ck_assert_uint_eq(top_spark(&ring, 1000, 1, true, out), 3 * TOP_HISTORY);
}

END_TEST

START_TEST(texts_are_harmless_and_cut_between_characters)
{
    char out[8];
    top_text(out, sizeof out, "a\x1b[1m");
    ck_assert_str_eq(out, "a\\x1b[1");
    top_text(out, sizeof out, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2");
    ck_assert_str_eq(out, "\xe6\xbc\xa2\xe6\xbc\xa2");
    top_text(out, sizeof out, NULL);
    ck_assert_str_eq(out, "");
}

END_TEST

START_TEST(running_first_and_each_once)
{
    list();
    shown_are("9 12 13 14 15");
    ck_assert_str_eq(jobs.shown[1]->name, "evil \\x1b[31mred\\n");
    ck_assert_str_eq(jobs.shown[0]->name, "exec");
    ck_assert(jobs.part_more[TOP_PART_WAITING]);
}

END_TEST

START_TEST(orders)
{
    list();
    static const char *const expected[TOP_SORTS] = {
        [TOP_SORT_STATE] = "9 12 13 14 15", [TOP_SORT_ID] = "9 12 13 14 15",
        [TOP_SORT_QUEUE] = "9 12 14 13 15", [TOP_SORT_TIME] = "15 12 13 9 14",
        [TOP_SORT_NAME] = "15 13 12 9 14",
    };
    for (size_t i = 0; i < TOP_SORTS; i++) {
        jobs.sort = (enum top_sort)i;
        top_jobs_arrange(&jobs);
        shown_are(expected[i]);
    }
    jobs.sort = TOP_SORT_ID;
    jobs.reverse = true;
    top_jobs_arrange(&jobs);
    shown_are("15 14 13 12 9");
}

END_TEST

static void filter(const char *text, const char *expected)
{
    top_text(jobs.filter, sizeof jobs.filter, text);
    top_jobs_arrange(&jobs);
    shown_are(expected);
}

START_TEST(every_word_of_the_filter_must_occur)
{
    list();
    filter("alpha", "13");
    filter("ALPHA", "13");
    filter("night", "13 15");
    filter("  night queued ", "13");
    filter("ann name", "15");
    filter("run", "9 12");
    filter("15", "15");
    filter("nothing of that", "");
    filter("queue:night", "9 12 13 14 15"); /* the daemon's part */
    filter("queue:night hash", "15");
    filter("", "9 12 13 14 15");
}

END_TEST

START_TEST(selection_stays_with_its_job)
{
    list();
    top_jobs_move(&jobs, 0);
    ck_assert_int_eq(jobs.selected, 9);
    top_jobs_move(&jobs, 3);
    ck_assert_int_eq(top_jobs_selected(&jobs)->id, 14);
    jobs.reverse = true;
    top_jobs_arrange(&jobs);
    ck_assert_int_eq(top_jobs_selected(&jobs)->id, 14);
    ck_assert_uint_eq(jobs.selected_row, 1);
    top_jobs_move(&jobs, 1000);
    ck_assert_int_eq(jobs.selected, 9);
    top_jobs_move(&jobs, -1000);
    ck_assert_int_eq(jobs.selected, 15);
    /* It is gone: who took its place is selected; without anybody, nobody. */
    jobs.reverse = false;
    top_jobs_arrange(&jobs);
    fixture_list(&jobs, TOP_PART_WAITING, "{'jobs':[],'more':false}");
    shown_are("9 12");
    ck_assert_int_eq(jobs.selected, 12);
    fixture_list(&jobs, TOP_PART_RUNNING, "{}");
    ck_assert_ptr_null(top_jobs_selected(&jobs));
    ck_assert_int_eq(jobs.selected, 0);
    top_jobs_move(&jobs, 1);
}

END_TEST

static void params_are(enum top_part part, const char *filter_text, const char *expected)
{
    struct buf out = BUF_INIT, wanted = BUF_INIT;
    struct writer w;
    (void)snprintf(jobs.filter, sizeof jobs.filter, "%s", filter_text);
    writer_init(&w, &out);
    top_jobs_params(&jobs, part, 7, &w);
    for (; *expected; expected++) {
        buf_putc(&wanted, *expected == '\'' ? '"' : *expected);
    }
    ck_assert_msg(strstr(buf_text(&out), buf_text(&wanted)) != NULL, "%s lacks %s", buf_text(&out),
                  buf_text(&wanted));
    struct json_error error;
    struct json *json = json_parse(out.data, out.len, &error);
    ck_assert_ptr_nonnull(json);
    json_free(json);
    buf_free(&out);
    buf_free(&wanted);
}

START_TEST(the_daemon_is_asked_for_what_it_can_tell_apart)
{
    params_are(TOP_PART_RUNNING, "", "{'state':['running'],'limit':7,'fields':['id',");
    params_are(TOP_PART_WAITING, "word", "{'state':['queued','delayed','blocked'],'limit':7,");
    params_are(TOP_PART_RUNNING, "x queue:a kind:b name:\"c\" label:k=v=w",
               "'queue':'a','kind':'b','name':'\\'c\\'','label':{'k':'v=w'},'limit'");
    params_are(TOP_PART_RUNNING, "queue:a queue:b label:k", "'queue':'b','label':{'k':''},'limit'");
    params_are(TOP_PART_RUNNING, "queue: kind", "['running'],'limit'"); /* plain words */
}

END_TEST

START_TEST(nameless_jobs_get_their_command)
{
    list();
    ck_assert_int_eq(top_jobs_nameless(&jobs, 10), 9);
    struct json *job =
        fixture_json("{'spec':{'kind':'exec','args':{'argv':['sh','-c','a\\u0007b']}}}");
    top_jobs_name(&jobs, 9, job);
    json_free(job);
    ck_assert_str_eq(jobs.shown[0]->name, "sh -c a\\x07b");
    ck_assert_int_eq(top_jobs_nameless(&jobs, 10), 0);
    list(); /* remembered */
    ck_assert_str_eq(jobs.shown[0]->name, "sh -c a\\x07b");
    ck_assert_int_eq(top_jobs_nameless(&jobs, 10), 0);
    /* Another page does not ask; an answer that tells nothing is not asked for again. */
    fixture_list(&jobs, TOP_PART_RUNNING, "{'jobs':[{'id':521,'kind':'sleep','state':'running'}]}");
    ck_assert_int_eq(top_jobs_nameless(&jobs, 1), 521);
    top_jobs_move(&jobs, 2);
    ck_assert_int_eq(top_jobs_nameless(&jobs, 1), 0);
    top_jobs_name(&jobs, 521, NULL);
    top_jobs_move(&jobs, -2);
    ck_assert_int_eq(top_jobs_nameless(&jobs, 1), 0);
    ck_assert_str_eq(jobs.shown[0]->name, "sleep");
}

END_TEST

START_TEST(answers_as_lines)
{
    static const char *const skip[] = {"id", NULL};
    struct buf out = BUF_INIT;
    struct json *json =
        fixture_json("{'id':7,'state':'queued','waits_for':[{'type':'queue_limit','running':2},"
                     "{'type':'time','until':'soon'}],'position':3,'none':null,'empty':[],"
                     "'deep':{'a':{'wait_us':1500,'x\\u001b':['one',2]}},'args':['a','b\\n']}");
    top_detail(&out, "Title", json, skip);
    ck_assert_str_eq(buf_text(&out), "Title\n"
                                     "  state        queued\n"
                                     "  waits for    \n"
                                     "    type queue_limit, running 2\n"
                                     "    type time, until soon\n"
                                     "  position     3\n"
                                     "  deep         \n"
                                     "    a            \n"
                                     "      wait         1.5ms\n"
                                     "      x\\x1b        one 2\n"
                                     "  args         a b\\n\n");
    json_free(json);
    buf_free(&out);
}

END_TEST

SUITE_MAIN("top", first_snapshot_has_rates_since_the_start, rates_are_differences_of_two_snapshots,
           another_daemon_begins_anew, whatever_is_missing_is_nothing,
           more_workers_and_queues_than_there_is_room, sum_is_aligned_at_the_newest_sample,
           sparklines, texts_are_harmless_and_cut_between_characters, running_first_and_each_once,
           orders, every_word_of_the_filter_must_occur, selection_stays_with_its_job,
           the_daemon_is_asked_for_what_it_can_tell_apart, nameless_jobs_get_their_command,
           answers_as_lines)
