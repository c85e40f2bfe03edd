/* The rings of the trace and their readers: copies taken while they are written, what is lost, what is open. What the text says is
 * read by test_trace.py. */
#define RUN_HELP COSCHED_HELP_OFF
#include <cosched/inspect.h>

#include "base/rng.h"
#include "inspect/spans.h"
#include "run.h"
#include "sched/trace.h"

/* --- a ring ------------------------------------------------------------------------------------------------ */

static struct cos_trace_ring ring;
static const uint64_t enough = RUN_SIZE(2000000, 400000, 200000);

static void *write_ring(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < enough; i++) {
        cos_trace_put(&ring, i, 2 * i, 3 * i, 4 * i);
    }
    return NULL;
}

START_TEST(a_copy_has_whole_records_only_and_counts_the_others)
{
    (void)_i;
    static struct cos_trace_copy copy[COS_TRACE_RECORDS];
    uint64_t next = 0, lost = 0, seen = 0;
    pthread_t writer;
    EXPECT_EQ(cos_trace_ring_init(&ring), 0);
    EXPECT_EQ(pthread_create(&writer, NULL, write_ring, NULL), 0);
    while (next < enough) {
        uint64_t lost_before = lost;
        size_t n =
            cos_trace_copy(&ring, &next, &lost, copy, seen % 3 == 0 ? 100 : COS_TRACE_RECORDS);
        EXPECT(n > 0 || lost > lost_before || next < enough);
        for (size_t i = 0; i < n; i++) {
            uint64_t at = next - n + i;
            EXPECT(copy[i].at == at && copy[i].what == 2 * at && copy[i].task == 3 * at &&
                   copy[i].value == 4 * at);
        }
        seen += n;
        EXPECT_EQ(seen + lost, next);
    }
    EXPECT_EQ(pthread_join(writer, NULL), 0);
    EXPECT_EQ(next, enough);
    cos_trace_ring_fini(&ring);
}

END_TEST

START_TEST(a_ring_keeps_the_last_ones)
{
    (void)_i;
    static struct cos_trace_copy copy[COS_TRACE_RECORDS + 1];
    uint64_t next = 0, lost = 0;
    EXPECT_EQ(cos_trace_ring_init(&ring), 0);
    EXPECT_EQ(cos_trace_copy(&ring, &next, &lost, copy, 10), 0);
    for (uint64_t i = 0; i < COS_TRACE_RECORDS; i++) {
        cos_trace_put(&ring, i, 0, 0, 0);
    }
    /* The first may be about to be overwritten, for all that a reader knows. */
    EXPECT_EQ(cos_trace_copy(&ring, &next, &lost, copy, COS_TRACE_RECORDS + 1),
              COS_TRACE_RECORDS - 1);
    EXPECT_EQ(lost, 1);
    EXPECT_EQ(copy[0].at, 1);
    for (uint64_t i = 0; i < 3 * COS_TRACE_RECORDS; i++) {
        cos_trace_put(&ring, i, 0, 0, 0);
    }
    EXPECT_EQ(cos_trace_copy(&ring, &next, &lost, copy, 5), 4);
    EXPECT_EQ(lost, 1 + 2 * COS_TRACE_RECORDS + 1);
    EXPECT_EQ(copy[0].at, 2 * COS_TRACE_RECORDS + 1);
    cos_trace_ring_fini(&ring);
    cos_trace_ring_fini(&ring);
}

END_TEST

/* --- spans --------------------------------------------------------------------------------------------------- */

START_TEST(spans_are_found_until_they_are_dropped)
{
    (void)_i;

    enum { IDS = 500 };

    static uint32_t model[2][IDS]; /* generation; 0: none */
    struct cos_spans s = {.slot = NULL};
    uint64_t rng = run_seed();
    memset(model, 0, sizeof model);
    for (int i = 0; i < 100000; i++) {
        uint64_t id = cos_rng_below(&rng, IDS), kind = cos_rng_below(&rng, 2);
        struct cos_span *one = cos_spans_find(&s, id + 1, kind * 4096);
        EXPECT(one != NULL ? one->generation == model[kind][id] : model[kind][id] == 0);
        if (cos_rng_below(&rng, 2) == 0 && one != NULL) {
            cos_spans_drop(&s, one);
            model[kind][id] = 0;
        } else {
            one = cos_spans_get(&s, id + 1, kind * 4096);
            EXPECT(one != NULL && one->id == id + 1 && one->kind == kind * 4096);
            model[kind][id] = one->generation = (uint32_t)i + 1;
        }
    }
    cos_spans_fini(&s);
    EXPECT(cos_spans_find(&s, 1, 0) == NULL);
    cos_spans_fini(&s);
}

END_TEST

/* --- readers --------------------------------------------------------------------------------------------------- */

struct seen {
    int begins, ends, spans, lost, marks;
};

static void count(void *data, const char *json, size_t n)
{
    struct seen *s = data;
    EXPECT_EQ(strlen(json), n);
    s->begins += strncmp(json, "{\"ph\":\"B\"", 9) == 0;
    s->ends += strncmp(json, "{\"ph\":\"E\"", 9) == 0;
    s->spans += strncmp(json, "{\"ph\":\"b\"", 9) == 0;
    s->lost += strstr(json, "\"lost records\"") != NULL;
    s->marks += strstr(json, "\"my mark\"") != NULL;
}

static cosched_trace_counts counts_of(const cosched_trace *t)
{
    cosched_trace_counts c = {.struct_size = sizeof c};
    EXPECT_EQ(cosched_trace_count(t, &c), 0);
    return c;
}

static cosched_trace *reader(int64_t since)
{
    cosched_trace *t = NULL;
    EXPECT_EQ(cosched_trace_open(&t, cosched_runtime_self(), since), 0);
    return t;
}

SCENARIO(what_was_before_is_not_there)
{
    struct seen all = {0}, later = {0};
    cosched_trace_mark("my mark", 1, COSCHED_TRACE_INSTANT);
    cosched_sleep_until(cosched_in_ms(2));
    cosched_trace *from_here = reader(cosched_now());
    cosched_sleep_until(cosched_in_ms(2));
    cosched_trace_mark("my mark", 2, COSCHED_TRACE_INSTANT);
    cosched_trace *everything = reader(COSCHED_NOW);
    EXPECT_EQ(cosched_trace_read(everything, count, &all), 0);
    EXPECT_EQ(cosched_trace_read(from_here, count, &later), 0);
    EXPECT_EQ(all.marks, 2);
    EXPECT_EQ(later.marks, 1);
    EXPECT_EQ(counts_of(everything).lost, 0);
    EXPECT_EQ(counts_of(from_here).lost, 0);
    EXPECT(counts_of(everything).records >= 4 && counts_of(everything).events >= 4);
    cosched_trace_close(everything, count, &all);
    EXPECT_EQ(all.begins, all.ends);
    cosched_trace_close(from_here, NULL, NULL);
}

SCENARIO(a_second_read_goes_on_where_the_first_one_ended)
{
    struct seen s = {0};
    cosched_trace *t = reader(cosched_now());
    for (int i = 0; i < 20; i++) {
        cosched_trace_mark("my mark", i, COSCHED_TRACE_INSTANT);
        cosched_sleep_until(cosched_in_ms(1));
        EXPECT_EQ(cosched_trace_read(t, count, &s), 0);
        EXPECT_EQ(s.marks, i + 1);
        EXPECT(s.begins == s.ends || s.begins == s.ends + 1 ||
               run_stats().workers > 0); /* this task's slice is open */
    }
    cosched_trace_close(t, count, &s);
    EXPECT_EQ(s.begins, s.ends);
}

static int64_t mark_and_rest(void *arg)
{
    for (int i = 0; i < 3 * (int)COS_TRACE_RECORDS; i++) {
        cosched_trace_mark("my mark", i, COSCHED_TRACE_INSTANT);
    }
    return run_return(arg);
}

SCENARIO(a_reader_that_is_slow_is_told_what_it_lost)
{
    struct seen s = {0};
    cosched_trace *t = reader(cosched_now());
    EXPECT_EQ(cosched_trace_read(t, count, &s), 0);
    EXPECT_EQ(counts_of(t).lost, 0);
    (void)mark_and_rest(NULL);
    cosched_sleep_until(cosched_in_ms(1));
    EXPECT_EQ(cosched_trace_read(t, count, &s), 0);
    EXPECT_EQ(s.lost, 1);
    cosched_trace_counts c = counts_of(t);
    EXPECT(c.lost >= 2 * COS_TRACE_RECORDS && c.lost <= 2 * COS_TRACE_RECORDS + 100);
    EXPECT(s.marks >= (int)COS_TRACE_RECORDS - 100 && s.marks < (int)COS_TRACE_RECORDS);
    cosched_trace_close(t, count, &s);
    EXPECT_EQ(s.begins, s.ends);
}

/* Marks that begin and end, and some that only end: each begins once in the text. */
SCENARIO(a_span_begins_once_and_what_was_under_way_began_with_the_trace)
{
    struct seen s = {0};
    cosched_trace_mark("my mark", 1, COSCHED_TRACE_BEGIN);
    cosched_sleep_until(cosched_in_ms(2));
    cosched_trace *t = reader(cosched_now());
    cosched_trace_mark("my mark", 2, COSCHED_TRACE_BEGIN);
    cosched_trace_mark("my mark", 2, COSCHED_TRACE_BEGIN);
    cosched_trace_mark("my mark", 3, COSCHED_TRACE_BEGIN);
    cosched_trace_mark("my mark", 1, COSCHED_TRACE_END);
    cosched_trace_mark("my mark", 2, COSCHED_TRACE_END);
    cosched_sleep_until(cosched_in_ms(1));
    EXPECT_EQ(cosched_trace_read(t, count, &s), 0);
    EXPECT_EQ(s.marks, 5); /* b2, b3, b1 and e1, e2 */
    cosched_trace_close(t, count, &s);
    EXPECT_EQ(s.marks, 6); /* e3 */
}

SCENARIO(what_is_asked_wrongly_is_refused)
{
    cosched_trace *t = NULL;
    EXPECT_EQ(cosched_trace_open(&t, NULL, 0), -EINVAL);
    EXPECT_EQ(cosched_trace_open(&t, cosched_runtime_self(), -1), -EINVAL);
    EXPECT(t == NULL);
    EXPECT_EQ(cosched_trace_write(NULL, 0, 1), -EINVAL);
    EXPECT_EQ(cosched_trace_write(cosched_runtime_self(), COSCHED_NEVER, -1), -EBADF);
    t = reader(COSCHED_NEVER);
    cosched_trace_counts c = {.struct_size = 0};
    EXPECT_EQ(cosched_trace_count(t, &c), -EINVAL);
    c.struct_size = sizeof c + 1;
    EXPECT_EQ(cosched_trace_count(t, &c), -EINVAL);
    cosched_trace_close(t, NULL, NULL);
    cosched_trace_close(NULL, NULL, NULL);
}

RUN_MAIN("trace", ONCE(a_copy_has_whole_records_only_and_counts_the_others),
         ONCE(a_ring_keeps_the_last_ones), ONCE(spans_are_found_until_they_are_dropped),
         EACH(what_was_before_is_not_there), EACH(a_second_read_goes_on_where_the_first_one_ended),
         EACH(a_reader_that_is_slow_is_told_what_it_lost),
         EACH(a_span_begins_once_and_what_was_under_way_began_with_the_trace),
         EACH(what_is_asked_wrongly_is_refused))
