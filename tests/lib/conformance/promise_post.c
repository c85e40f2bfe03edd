/* Plain functions posted from any thread, and arguments that live until they are used. */
#define RUN_HELP COSCHED_HELP_OFF
#include "promise.h"

enum { THREADS = 6, POSTS = 400 };

static cosched_runtime *rt;
static pthread_t main_thread;
static atomic_int ran[THREADS], misplaced;

struct letter {
    int32_t from, number;
    int32_t sum[6];
};

_Static_assert(sizeof(struct letter) == COSCHED_ARG_MAX, "as much as can be copied");

static struct letter letter_make(int from, int number)
{
    struct letter l = {from, number, {0}};
    for (int i = 0; i < 6; i++) {
        l.sum[i] = from * 1000 + number * 7 + i;
    }
    return l;
}

static int64_t read_letter(void *arg)
{
    const struct letter *l = arg;
    struct letter whole = letter_make(l->from, l->number);
    EXPECT_EQ(memcmp(l, &whole, sizeof whole), 0);
    cosched_affinity to = promise_place(l->number);
    bool on_main = pthread_equal(run_thread(), main_thread) != 0;
    atomic_fetch_add(&misplaced, cosched_where() != to ||
                                     on_main != (to == COSCHED_MAIN || run_stats().workers == 0));
    cosched_yield();
    EXPECT_EQ(memcmp(l, &whole, sizeof whole), 0); /* its own copy for as long as it runs */
    atomic_fetch_add(&ran[l->from], 1);
    return 0;
}

static void post_all(int me)
{
    for (int i = 0; i < POSTS; i++) {
        struct letter l = letter_make(me, i);
        EXPECT_EQ(cosched_runtime_post(rt, promise_place(i), read_letter, &l, sizeof l), 0);
        memset(&l, 0xa5, sizeof l);
    }
}

static void *on_foreign_thread(void *arg)
{
    post_all((int)(intptr_t)arg);
    return NULL;
}

static int64_t in_task(void *arg)
{
    post_all((int)(intptr_t)arg);
    return 0;
}

/* Three foreign threads, MAIN, WORKER and the thread of a blocking call. */
PROMISE(posts_from_any_thread_run_where_they_should_with_a_copy_of_their_argument)
{
    pthread_t thread[3];
    rt = cosched_runtime_self();
    main_thread = run_thread();
    misplaced = 0;
    for (intptr_t i = 0; i < THREADS; i++) {
        ran[i] = 0;
        if (i < 3) {
            EXPECT_EQ(pthread_create(&thread[i], NULL, on_foreign_thread, (void *)i), 0);
        }
    }
    cosched_task t = run_spawn(in_task, (void *)4, COSCHED_WORKER);
    post_all(3);
    EXPECT_EQ(cosched_blocking(NULL, in_task, (void *)5), 0);
    EXPECT_EQ(run_join(t), 0);
    for (int i = 0; i < THREADS; i++) {
        UNTIL(ran[i] == POSTS);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    }
    EXPECT_EQ(misplaced, 0);
    promise_alone();
}

static atomic_int late_runs;

static int64_t reads_late(void *arg)
{
    const struct letter *l = arg;
    struct letter whole = letter_make(l->from, l->number);
    EXPECT_EQ(memcmp(l, &whole, sizeof whole), 0);
    atomic_fetch_add(&late_runs, 1);
    return 0;
}

static int64_t arms_and_goes(void *arg)
{
    struct letter *l = malloc(sizeof *l);
    EXPECT(l != NULL);
    for (int i = 0; i < 20; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = promise_place(i), .arg_size = sizeof *l};
        *l = letter_make((int)(intptr_t)arg, i);
        EXPECT_EQ(cosched_after(NULL, (i % 4) * MS / 2, reads_late, l, &attr), 0);
        EXPECT_EQ(cosched_at(NULL, i, reads_late, l, &attr), 0); /* long past */
        memset(l, 0x5a, sizeof *l);
    }
    free(l);
    return 0; /* the stack and the heap that the arguments lay in are gone */
}

PROMISE(arguments_of_delayed_calls_live_until_they_have_run)
{
    late_runs = 0;
    for (intptr_t i = 0; i < 4; i++) {
        EXPECT_EQ(run_join(run_spawn(arms_and_goes, (void *)i, promise_place(i))), 0);
    }
    UNTIL(late_runs == 160);
    promise_alone();
}

static int64_t fails(void *arg)
{
    (void)arg;
    ck_abort_msg("it was refused");
}

START_TEST(what_cannot_be_taken_is_refused_at_once)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    char large[COSCHED_ARG_MAX + 1] = {0};
    cosched_runtime *own;
    EXPECT_EQ(cosched_runtime_create(&own, &c, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(own, COSCHED_MAIN, fails, large, sizeof large), -EINVAL);
    EXPECT_EQ(cosched_runtime_post(own, COSCHED_BLOCKING, fails, NULL, 0), -EINVAL);
    EXPECT_EQ(cosched_runtime_post(own, COSCHED_INHERIT, fails, NULL, 0), -EINVAL);
    EXPECT_EQ(cosched_runtime_stop(own, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_runtime_post(own, COSCHED_MAIN, fails, NULL, 0), -ESHUTDOWN);
    EXPECT_EQ(cosched_runtime_post(own, COSCHED_WORKER, fails, NULL, 0), -ESHUTDOWN);
    EXPECT_EQ(cosched_runtime_destroy(own), 0);
    run_left_nothing();
}

END_TEST

PROMISE_MAIN("promise_post",
             ALL(posts_from_any_thread_run_where_they_should_with_a_copy_of_their_argument),
             ALL(arguments_of_delayed_calls_live_until_they_have_run),
             ALL(what_cannot_be_taken_is_refused_at_once))
