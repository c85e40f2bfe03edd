/* What every public call answers outside a task: on MAIN's thread, on a foreign one, and inside cosched_blocking. The lint
 * "outside" finds a function of the headers that is not named here or in test_outside_io.c. */
#include "test_outside.h"

#include <signal.h>

#include "base/clock.h"
#include "dies.h"

static atomic_int ran;

static int64_t count_run(void *arg)
{
    atomic_fetch_add(&ran, 1);
    return run_return(arg);
}

/* --- the table: cosched.h ----------------------------------------------------------------------------------- */

static void words_and_time(void)
{
    ANSWERS(COSCHED_VERSION, cosched_version());
    EXPECT(cosched_strerror(-EPERM) != NULL);
    EXPECT(cosched_cpus() >= 1);
    int64_t now = cosched_now();
    EXPECT(cosched_in_ms(1) > now && cosched_in_ns(1) > now);
}

/* cosched_runtime_stop, cosched_runtime_close and cosched_runtime_destroy end what the table needs: see the test below it. */
static void runtime(struct world *w)
{
    cosched_runtime *second = (cosched_runtime *)w;
    bool host = w->place == HOST;
    ANSWERS(-EBUSY, cosched_run(NULL, count_run, NULL));
    ANSWERS(-EBUSY, cosched_runtime_create(&second, NULL, NULL));
    EXPECT(second == NULL && cosched_runtime_self() == NULL);
    if (!host) {
        ANSWERS(-EBUSY, cosched_runtime_loop(w->rt));
        ANSWERS(-EBUSY, cosched_runtime_run_expired(w->rt, 1000));
    } else {
        EXPECT(cosched_runtime_run_expired(w->rt, 1000) >= 0);
    }
    int before = ran;
    int64_t result = 0;
    ANSWERS(0, cosched_runtime_post(w->rt, COSCHED_WORKER, count_run, NULL, 0));
    ANSWERS(-EINVAL, cosched_runtime_post(w->rt, COSCHED_BLOCKING, count_run, NULL, 0));
    ANSWERS(host ? -EDEADLK : 0,
            cosched_runtime_call(w->rt, COSCHED_WORKER, count_run, (void *)3, &result));
    ANSWERS(host ? 0 : 3, result);
    if (!host) {
        UNTIL_SPIN(ran == before + 2);
    }
    cosched_stats s = {.struct_size = sizeof s};
    cosched_stack_mark mark;
    ANSWERS(0, cosched_stats_get(w->rt, &s));
    ANSWERS(-EINVAL, cosched_stack_marks(w->rt, &mark, 1)); /* it does not measure */
    ANSWERS(0, cosched_runtime_destroy(NULL));
}

static void tasks(void)
{
    cosched_task t = {1, 1}, before = t;
    cosched_blocking_class one = {.name = "one", .limit = 1};
    ANSWERS(-EPERM, cosched_call(NULL, COSCHED_MAIN, count_run, NULL, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_call(NULL, COSCHED_INHERIT, count_run, NULL, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_call_all(NULL, COSCHED_MAIN, count_run, NULL, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_call_all(NULL, COSCHED_INHERIT, count_run, NULL, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_invoke(&(cosched_branch){.fn = count_run}, 1));
    ANSWERS(-EPERM, cosched_spawn(&t, count_run, NULL, NULL));
    ANSWERS(-EPERM, cosched_spawn(NULL, count_run, NULL, NULL));
    ANSWERS(-EPERM, cosched_await(&t, NULL, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_await(&t, NULL, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_await_any(&t, 1, NULL, COSCHED_NEVER));
    cosched_detach(&t);
    EXPECT(memcmp(&t, &before, sizeof t) == 0);
    cosched_cancel((cosched_task){0, 0});
    cosched_yield();
    ANSWERS(COSCHED_INHERIT, cosched_hop(COSCHED_MAIN));
    ANSWERS(COSCHED_INHERIT, cosched_hop(COSCHED_WORKER));
    ANSWERS(-EPERM, cosched_sleep_until(COSCHED_NOW));
    ANSWERS(-EPERM, cosched_blocking(NULL, count_run, NULL));
    ANSWERS(-EPERM, cosched_blocking_in(&one, NULL, count_run, NULL, COSCHED_NEVER));
    ANSWERS(8, cosched_tail(run_return, (void *)8)); /* a plain call */
    EXPECT(!cosched_cancelled());
    ANSWERS(0, cosched_self().index);
    ANSWERS(COSCHED_INHERIT, cosched_where());
    ANSWERS(0, cosched_stack_left());
}

static void clean_up(void *arg)
{
    (void)count_run(arg);
}

/* cosched_panic: see the deaths. */
static void clean_ups_and_locals(void)
{
    static const char key;
    int value = 1;
    ANSWERS(-EPERM, cosched_defer(clean_up, NULL));
    ANSWERS(-EPERM, cosched_defer(NULL, NULL));
    ANSWERS(-EPERM, cosched_local_set(&key, &value));
    ANSWERS(-EPERM, cosched_local_set(&key, NULL));
    EXPECT(cosched_local_get(&key) == NULL);
    EXPECT(cosched_local_get(NULL) == NULL);
}

static int64_t no_body(cosched_group *g, void *arg)
{
    (void)g;
    return count_run(arg);
}

/* cosched_scope_end, cosched_group_join: see the deaths. */
static void scopes_tokens_groups(struct world *w)
{
    cosched_scope scope;
    cosched_token t = {7, 7};
    cosched_group g = {{0}};
    ANSWERS(-EPERM, cosched_scope_begin(&scope, COSCHED_NEVER, 0));
    ANSWERS(-EPERM, cosched_after(&t, 1, count_run, NULL, NULL));
    ANSWERS(-EPERM, cosched_at(&t, 1, count_run, NULL, NULL));
    ANSWERS(-EPERM, cosched_every(&t, 1, COSCHED_SKIP, count_run, NULL, NULL));
    EXPECT(t.index == 7 && t.generation == 7);
    EXPECT(!cosched_token_cancel(&t));
    EXPECT(!cosched_token_valid(&t));
    EXPECT(!cosched_token_drop(&t));
    t = w->token;
    EXPECT(cosched_token_valid(&t));
    EXPECT(cosched_token_cancel(&t));
    EXPECT(!cosched_token_cancel(&t));
    EXPECT_EQ(cosched_token_move(&t).index, w->token.index);
    ANSWERS(0, t.index);
    ANSWERS(-EPERM, cosched_group_init(&g, NULL));
    ANSWERS(-EPERM, cosched_group_spawn(w->group, count_run, NULL, NULL));
    ANSWERS(-EPERM, cosched_group_run(NULL, no_body, NULL));
    cosched_group_cancel(w->group);
}

static void channels(void)
{
    cosched_chan *ch = NULL;
    int64_t v = 5;
    ANSWERS(0, cosched_chan_create(&ch, sizeof v, 1));
    EXPECT(cosched_chan_ref(ch) == ch);
    cosched_chan_unref(ch);
    ANSWERS(-EPERM, cosched_chan_send(ch, &v, COSCHED_NEVER));
    ANSWERS(0, cosched_chan_send(ch, &v, COSCHED_NOW));
    ANSWERS(-ETIMEDOUT, cosched_chan_send(ch, &v, COSCHED_NOW));
    ANSWERS(1, cosched_chan_count(ch));
    ANSWERS(-EPERM, cosched_chan_recv(ch, &v, cosched_in_ms(1)));
    ANSWERS(0, cosched_chan_recv(ch, &v, COSCHED_NOW));
    cosched_case c = {.ch = ch, .recv_into = &v};
    ANSWERS(-EPERM, cosched_select(&c, 1, COSCHED_NEVER));
    ANSWERS(-ETIMEDOUT, cosched_select(&c, 1, COSCHED_NOW));
    cosched_chan_close(ch);
    ANSWERS(0, cosched_select(&c, 1, COSCHED_NOW));
    ANSWERS(-EPIPE, c.result);
    cosched_chan_unref(ch);
}

/* cosched_mutex_unlock, cosched_rwlock_read_unlock, cosched_rwlock_write_unlock, cosched_event_wait_always: see the deaths. */
static void locks_and_events(void)
{
    cosched_mutex m = {{0}};
    cosched_cond c = {{0}};
    cosched_sem s;
    cosched_rwlock l = {{0}};
    cosched_barrier b;
    cosched_once o = {{0}};
    cosched_wait_group g = {{0}};
    cosched_event e;
    ANSWERS(-EPERM, cosched_mutex_lock(&m, COSCHED_NOW));
    EXPECT(!cosched_mutex_try(&m));
    ANSWERS(-EPERM, cosched_cond_wait(&c, &m, COSCHED_NEVER));
    cosched_cond_signal(&c);
    cosched_cond_broadcast(&c);
    cosched_sem_init(&s, 1);
    ANSWERS(-EPERM, cosched_sem_acquire(&s, COSCHED_NOW));
    EXPECT(cosched_sem_try(&s));
    EXPECT(!cosched_sem_try(&s));
    cosched_sem_release(&s, 2);
    ANSWERS(-EPERM, cosched_rwlock_read_lock(&l, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_rwlock_write_lock(&l, COSCHED_NOW));
    EXPECT(!cosched_rwlock_read_try(&l));
    EXPECT(!cosched_rwlock_write_try(&l));
    ANSWERS(0, cosched_barrier_init(&b, 1));
    ANSWERS(-EPERM, cosched_barrier_wait(&b, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_once_run(&o, NULL, count_run, NULL, COSCHED_NEVER));
    cosched_wait_group_add(&g, 1);
    cosched_wait_group_done(&g);
    ANSWERS(-EPERM, cosched_wait_group_wait(&g, COSCHED_NEVER));
    cosched_event_init(&e);
    ANSWERS(-EPERM, cosched_event_wait(&e, COSCHED_NEVER));
    cosched_event_set(&e);
    ANSWERS(-EPERM, cosched_event_wait(&e, COSCHED_NOW));
}

/* --- what ends the process: the library cannot answer ------------------------------------------------------------ */

static int64_t end_scope(void *arg)
{
    cosched_scope s = {{arg}};
    cosched_scope_end(&s);
    return 0;
}

static int64_t join_group(void *arg)
{
    return cosched_group_join(((struct world *)arg)->group, COSCHED_NEVER);
}

static int64_t unlock_mutex(void *arg)
{
    cosched_mutex m = {{0}};
    cosched_mutex_unlock(&m);
    return (int64_t)(intptr_t)arg;
}

static int64_t unlock_reader(void *arg)
{
    cosched_rwlock l = {{0}};
    cosched_rwlock_read_unlock(&l);
    return (int64_t)(intptr_t)arg;
}

static int64_t unlock_writer(void *arg)
{
    cosched_rwlock l = {{0}};
    cosched_rwlock_write_unlock(&l);
    return (int64_t)(intptr_t)arg;
}

static int64_t wait_always(void *arg)
{
    cosched_event e;
    cosched_event_init(&e);
    cosched_event_wait_always(&e);
    return (int64_t)(intptr_t)arg;
}

static int64_t panic(void *arg)
{
    cosched_panic("a panic outside, with %d", arg != NULL ? 7 : 0);
}

static int64_t close_signals(void *arg)
{
    cosched_signals_close(((struct world *)arg)->signals);
    return 0;
}

static int64_t close_process(void *arg)
{
    cosched_process_close(((struct world *)arg)->process);
    return 0;
}

static void deaths(struct world *w)
{
    static const struct {
        cosched_fn fn;
        const char *says;
    } table[] = {
        {end_scope, "scopes end in reverse order, on the task that began them"},
        {join_group, "a group is joined by the task that opened it"},
        {unlock_mutex, "a mutex is unlocked by the task that holds it"},
        {unlock_reader, "a reader unlocks what it has locked"},
        {unlock_writer, "a writer unlocks what it has locked"},
        {wait_always, "event_wait_always"},
        {panic, "a panic outside, with 7"},
        {close_signals, "signals are closed by tasks that can reach MAIN, or on MAIN"},
        {close_process, "processes are closed by tasks"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        EXPECT(dies_saying(table[i].fn, w, table[i].says));
    }
}

static int64_t every_call(void *arg)
{
    struct world *w = arg;
    int before = ran;
    words_and_time();
    tasks();
    clean_ups_and_locals();
    scopes_tokens_groups(w);
    channels();
    locks_and_events();
    outside_io(w);
    EXPECT_EQ(ran, before); /* what was refused has not run */
    runtime(w);
    deaths(w);
    return 0;
}

/* --- the world it is asked in -------------------------------------------------------------------------------------- */

static int64_t open_all(void *arg)
{
    struct world *w = *(struct world **)arg;
    int number = SIGUSR2;
    EXPECT_EQ(cosched_listen_unix(&w->listener, w->path, 0600, 4), 0);
    EXPECT_EQ(cosched_connect_unix(&w->stream, w->path, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_accept(w->listener, &w->peer, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_udp_open(&w->udp, "127.0.0.1", 0), 0);
    EXPECT_EQ(cosched_signals_open(&w->signals, &number, 1), 0);
    EXPECT_EQ(cosched_changes_open(&w->changes), 0);
    const char *const argv[] = {"sleep", "3600", NULL};
    cosched_process_attr sleeper = {.struct_size = sizeof sleeper, .argv = argv};
    EXPECT_EQ(cosched_process_spawn(&w->process, NULL, &sleeper, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_after(&w->token, 3600 * COS_NS_PER_S, count_run, NULL, NULL), 0);
    return 0;
}

static int64_t close_all(void *arg)
{
    struct world *w = *(struct world **)arg;
    cosched_listener_close(w->listener);
    cosched_close(w->stream);
    cosched_close(w->peer);
    cosched_udp_close(w->udp);
    cosched_signals_close(w->signals);
    cosched_changes_close(w->changes);
    cosched_process_close(w->process);
    return 0;
}

/* A group that is open meanwhile, on a task that waits. */
static int64_t hold_group(void *arg)
{
    struct world *w = *(struct world **)arg;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_spawn(&g, run_until_canceled, NULL, NULL), 0);
    w->group = &g;
    cosched_event_set(&w->group_is_open);
    cosched_event_wait_always(&w->end_group);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -ECANCELED); /* somebody has cancelled it */
    return 0;
}

/* Opening a process suspends: the group is there when all else is. */
static int64_t open_and_hold(void *arg)
{
    open_all(arg);
    return hold_group(arg);
}

static int64_t ask_in_blocking(void *arg)
{
    struct world *w = *(struct world **)arg;
    int64_t result = -1;
    EXPECT_EQ(cosched_blocking(&result, every_call, w), 0);
    EXPECT_EQ(result, 0);
    cosched_event_set(&w->end_group);
    return 0;
}

static void *ask_on_thread(void *arg)
{
    struct world *w = arg;
    every_call(w);
    cosched_event_set(&w->end_group);
    return NULL;
}

static void post(struct world *w, cosched_fn fn)
{
    EXPECT_EQ(cosched_runtime_post(w->rt, COSCHED_MAIN, fn, &w, sizeof w), 0);
}

static atomic_bool group_open;

static int64_t wait_for_group(void *arg)
{
    struct world *w = *(struct world **)arg;
    EXPECT_EQ(cosched_event_wait(&w->group_is_open, COSCHED_NEVER), 0);
    group_open = true;
    return 0;
}

static void ask(struct world *w, enum place place)
{
    pthread_t thread;
    w->place = place;
    group_open = false;
    cosched_event_init(&w->group_is_open);
    cosched_event_init(&w->end_group);
    post(w, open_and_hold);
    post(w, wait_for_group);
    while (!group_open) {
        EXPECT(cosched_runtime_run_expired(w->rt, 1000000) >= 0);
    }
    switch (place) {
    case HOST:
        every_call(w);
        cosched_event_set(&w->end_group);
        break;
    case FOREIGN: EXPECT_EQ(pthread_create(&thread, NULL, ask_on_thread, w), 0); break;
    case BLOCKING: post(w, ask_in_blocking); break;
    }
    EXPECT_EQ(cosched_runtime_loop(w->rt), 0); /* until no task lives */
    if (place == FOREIGN) {
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    }
    post(w, close_all);
    EXPECT_EQ(cosched_runtime_loop(w->rt), 0);
    EXPECT_EQ(unlink(w->path), 0);
}

START_TEST(every_call_outside_tasks_answers_as_documented)
{
    struct world w = {.dir = "outside-XXXXXX"};
    cosched_config config = {.struct_size = sizeof config, .workers = run_workers[_i]};
    ck_assert_ptr_nonnull(mkdtemp(w.dir));
    snprintf(w.path, sizeof w.path, "%s/s", w.dir);
    EXPECT_EQ(cosched_runtime_create(&w.rt, &config, NULL), 0);
    ask(&w, HOST);
    ask(&w, FOREIGN);
    ask(&w, BLOCKING);
    EXPECT_EQ(rmdir(w.dir), 0);
    EXPECT_EQ(cosched_runtime_stop(w.rt, COSCHED_NOW), 0);
    ANSWERS(-ESHUTDOWN, cosched_runtime_post(w.rt, COSCHED_MAIN, count_run, NULL, 0));
    ANSWERS(-ESHUTDOWN, cosched_runtime_call(w.rt, COSCHED_MAIN, count_run, NULL, NULL) == -EDEADLK
                            ? -ESHUTDOWN /* this is MAIN */
                            : 0);
    cosched_runtime_close(w.rt, NULL, NULL);
    EXPECT_EQ(cosched_runtime_destroy(w.rt), 0);
    run_left_nothing();
}

END_TEST

/* Where no runtime is, or ever was. */
START_TEST(without_a_runtime)
{
    cosched_stats s = {.struct_size = sizeof s};
    for (int i = 0; i < 2; i++) {
        words_and_time();
        tasks();
        clean_ups_and_locals();
        channels();
        locks_and_events();
        EXPECT(!cosched_token_cancel(&(cosched_token){3, 77}));
        cosched_cancel((cosched_task){3, 77});
        EXPECT(cosched_runtime_self() == NULL);
        ANSWERS(-EINVAL, cosched_stats_get(NULL, &s));
        ANSWERS(-EINVAL, cosched_stack_marks(NULL, NULL, 0));
        ANSWERS(-EINVAL, cosched_runtime_post(NULL, COSCHED_MAIN, count_run, NULL, 0));
        ANSWERS(-EINVAL, cosched_runtime_call(NULL, COSCHED_MAIN, count_run, NULL, NULL));
        run_on(1, run_return);
    }
}

END_TEST

RUN_MAIN("outside", EACH(every_call_outside_tasks_answers_as_documented), ONCE(without_a_runtime))
