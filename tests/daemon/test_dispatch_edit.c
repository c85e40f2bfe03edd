/* Edits in dispatch: while one is on its way the job cannot start, a refused one puts it back where it stood, times and
 * deadlines go on. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_world.h"

struct asked {
    struct world *w;
    int64_t id;
    const char *set;
    bool refuse;
    int calls;
};

static int change(void *ctx, struct spec *spec, unsigned *changed)
{
    struct asked *asked = ctx;
    struct json_error json_error;
    struct spec_error error;
    const struct spec_context context = {.admin = true};
    const struct row *row = dispatch_find(asked->w->dispatch, asked->id);
    asked->calls++;
    if (row) {                                /* else it was canceled this moment */
        ck_assert(row->flags & ROW_STARTING); /* nothing starts it by what it was */
        ck_assert_uint_eq(row->at[ROW_IN_LINE], ROW_NOWHERE);
    }
    struct json *set = json_parse(asked->set, strlen(asked->set), &json_error);
    ck_assert_int_eq(spec_edit(spec, set, &context, changed, &error), SPEC_OK);
    json_free(set);
    return asked->refuse ? SPEC_INVALID : SPEC_OK;
}

static int edit(struct world *w, int64_t id, const char *set, bool refuse)
{
    struct asked asked = {.w = w, .id = id, .set = set, .refuse = refuse};
    struct dispatch_edit edit = {.change = change, .ctx = &asked};
    return dispatch_edit(w->dispatch, id, &edit);
}

static void places(struct world *w)
{
    struct dispatch_why why;
    int64_t ids[3], hog = submit(w, LONG, JOB_RUNNING);
    for (int i = 0; i < 3; i++) {
        ids[i] = submit(w, SHORT, JOB_QUEUED);
    }
    ck_assert_int_eq(edit(w, ids[1], "{\"name\":\"x\"}", true), DISPATCH_EDIT_INVALID);
    ck_assert_int_eq(edit(w, ids[0], "{\"name\":\"x\"}", false), STORE_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dispatch_why(w->dispatch, ids[i], &why), STORE_OK);
        ck_assert_int_eq(why.position, i + 1);
        ck_assert_uint_eq(why.waits, 1U << DISPATCH_WAIT_QUEUE_LIMIT);
    }
    ck_assert_int_eq(edit(w, hog, "{\"name\":\"x\"}", false), STORE_REFUSED);
    ck_assert_int_eq(edit(w, 12345, "{\"name\":\"x\"}", false), STORE_REFUSED);
    ck_assert_int_eq(dispatch_cancel(w->dispatch, hog), STORE_OK);
    for (int i = 0; i < 3; i++) {
        until(w, ids[i], JOB_SUCCEEDED);
    }
    ck_assert_int_eq(edit(w, ids[0], "{\"name\":\"x\"}", false), STORE_REFUSED);
}

START_TEST(a_place_in_line_is_kept)
{
    play(places, 1);
}

END_TEST

static void times(struct world *w)
{
    static const char day[] =
        "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"delay\":\"1d\",\"deadline\":\"2d\"}";
    int64_t soon = submit(w, day, JOB_DELAYED), over = submit(w, day, JOB_DELAYED);
    int64_t kept = submit(w, day, JOB_DELAYED);
    struct store_job *before = get(w, kept);
    ck_assert_int_eq(edit(w, soon, "{\"delay\":\"5ms\"}", false), STORE_OK);
    ck_assert_int_eq(edit(w, over, "{\"deadline\":\"5ms\"}", false), STORE_OK);
    ck_assert_int_eq(edit(w, kept, "{\"priority\":4}", false), STORE_OK);
    until(w, soon, JOB_SUCCEEDED);
    until(w, over, JOB_TIMED_OUT);
    struct store_job *after = get(w, kept);
    ck_assert_int_eq(after->scheduled_us, before->scheduled_us); /* not counted from the edit */
    ck_assert_int_eq(after->deadline_us, before->deadline_us);
    ck_assert_int_eq(after->priority, 4);
    store_job_free(before);
    store_job_free(after);
    ck_assert_int_eq(edit(w, kept, "{\"delay\":null,\"deadline\":null}", false), STORE_OK);
    until(w, kept, JOB_SUCCEEDED);
}

START_TEST(times_change_only_when_named)
{
    play(times, 1);
}

END_TEST

/* Side by side: a start, a cancel and an edit of the same job. */
static int64_t cancel_it(void *arg)
{
    struct asked *asked = arg;
    return dispatch_cancel(asked->w->dispatch, asked->id);
}

static void racing(struct world *w)
{
    for (int i = 0; i < 50; i++) {
        cosched_task task;
        struct asked asked = {.w = w,
                              .id = submit(w,
                                           "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},"
                                           "\"delay\":\"1h\"}",
                                           JOB_DELAYED)};
        ck_assert_int_eq(cosched_spawn(&task, cancel_it, &asked, NULL), 0);
        if (i % 2) {
            cosched_yield();
        }
        int rc = edit(w, asked.id, "{\"queue\":\"other\"}", false);
        ck_assert(rc == STORE_OK || rc == STORE_REFUSED);
        int64_t canceled = 0;
        ck_assert_int_eq(cosched_await(&task, &canceled, COSCHED_NEVER), 0);
        ck_assert_int_eq(canceled, STORE_OK);
        ck_assert_int_eq((int)state_of(w, asked.id), JOB_CANCELED);
        ck_assert_ptr_null(dispatch_find(w->dispatch, asked.id));
    }
    for (size_t i = 0; i < w->dispatch->queue_count; i++) {
        ck_assert_uint_eq(w->dispatch->queues[i].jobs, 0);
        ck_assert_uint_eq(w->dispatch->queues[i].line.count, 0);
    }
    ck_assert_uint_eq(w->dispatch->delayed.count, 0);
}

START_TEST(a_cancel_beside_an_edit_wins)
{
    play(racing, 2);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch_edit");
    TCase *tc = tcase_create("dispatch_edit");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_place_in_line_is_kept);
    tcase_add_test(tc, times_change_only_when_named);
    tcase_add_test(tc, a_cancel_beside_an_edit_wins);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
