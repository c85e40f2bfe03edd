/* What a task may have of its own: hooks of its host, clean-ups, locals, a panic, a priority, an executor, a class. */
#include "torture.h"

static _Atomic int failures_seen, survivors_seen;

static void *take(void *data, size_t bytes)
{
    (void)data;
    return calloc(1, bytes);
}

static void *take_more(void *data, void *block, size_t bytes)
{
    (void)data;
    return realloc(block, bytes);
}

static void give(void *data, void *block)
{
    (void)data;
    free(block);
}

static void say_nothing(void *data, cosched_log_level level, const char *text)
{
    (void)data;
    (void)level;
    (void)text;
}

static void on_failure(void *data, const cosched_failure *failure)
{
    (void)data;
    (void)failure;
    failures_seen++;
}

static void on_survivor(void *data, const cosched_survivor *survivor)
{
    (void)data;
    (void)survivor;
    survivors_seen++;
}

static const cosched_hooks hooks = {.struct_size = sizeof hooks,
                                    .alloc = take,
                                    .realloc = take_more,
                                    .free = give,
                                    .log = say_nothing,
                                    .task_failed = on_failure,
                                    .survivor = on_survivor};

static void run_with(int workers, uint32_t flags, cosched_help help, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config,
                             .workers = workers,
                             .flags = flags,
                             .main_help = help,
                             .hooks = &hooks};
    failures_seen = survivors_seen = 0;
    NOTE(cosched_run(&config, fn, NULL));
}

/* --- the end of a task ------------------------------------------------------------------------------------------ */

static const char key_one, key_two;

static void count_one(void *arg)
{
    ++*(_Atomic int *)arg;
}

static int64_t with_clean_ups(void *arg)
{
    int64_t rc = NOTE(cosched_defer(count_one, arg));
    if (rc < 0) {
        count_one(arg);
    }
    if (NOTE(cosched_local_set(&key_one, arg)) == 0 && cosched_local_get(&key_one) != arg) {
        NOTE(-EPROTO);
    }
    NOTE(cosched_local_set(&key_two, arg));
    NOTE(cosched_local_set(&key_one, NULL));
    return 0;
}

/* Panics with all that has to be ended for it: a scope, a group, a child, a clean-up, a call elsewhere. */
static int64_t give_up(void *arg)
{
    (void)arg;
    cosched_panic("nothing %s", "left");
}

static int64_t until_canceled(void *arg)
{
    (void)arg;
    cosched_sleep_until(COSCHED_NEVER);
    return 0;
}

static int64_t panic_amid(void *arg)
{
    cosched_scope scope;
    cosched_group g;
    if (NOTE(cosched_defer(count_one, arg)) < 0) {
        count_one(arg);
    }
    NOTE(cosched_scope_begin(&scope, cosched_in_ms(60000), 0));
    if (NOTE(cosched_group_init(&g, NULL)) == 0) {
        NOTE(cosched_group_spawn(&g, until_canceled, NULL, NULL));
    }
    (void)torture_spawn(until_canceled, NULL, COSCHED_WORKER);
    int64_t result = 0;
    cosched_affinity away = cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
    NOTE(cosched_call(&result, away, give_up, NULL, COSCHED_NEVER));
    give_up(arg); /* the call could not be made */
    return 0;
}

static int64_t fail_softly(void *arg)
{
    (void)arg;
    return -EPROTO;
}

static int64_t end_in_all_ways(void *arg)
{
    (void)arg;
    _Atomic int ends = 0;
    for (int i = 0; i < 2; i++) {
        cosched_affinity where = i == 0 ? COSCHED_WORKER : COSCHED_MAIN;
        cosched_task t = torture_spawn(with_clean_ups, &ends, where);
        torture_join(&t);
        t = torture_spawn(panic_amid, &ends, where);
        int64_t result = 0;
        if (t.index != 0 && NOTE(cosched_await(&t, &result, COSCHED_NEVER)) == 0 &&
            result != -ENOTRECOVERABLE) {
            NOTE(result < 0 ? result : -EPROTO);
        }
    }
    NOTE(cosched_spawn(NULL, fail_softly, NULL, torture_at(COSCHED_WORKER)));
    if (ends != 4 && !torture_fired()) {
        NOTE(-EPROTO);
    }
    return 0;
}

static void ends(int workers)
{
    run_with(workers, 0, COSCHED_HELP_IDLE, end_in_all_ways);
    if (failures_seen != 3 && !torture_fired()) {
        NOTE(-EPROTO);
    }
}

/* --- where and when a task runs ------------------------------------------------------------------------------------ */

static int64_t short_work(void *arg)
{
    (void)arg;
    cosched_yield();
    return 0;
}

static int64_t spawn_below(void *arg)
{
    cosched_task t = torture_spawn(short_work, arg, COSCHED_WORKER);
    torture_join(&t);
    return 0;
}

static int64_t in_all_manners(void *arg)
{
    (void)arg;

    static const struct {
        int8_t priority;
        uint32_t flags;
    } kinds[] = {{1, 0},
                 {-1, 0},
                 {0, COSCHED_FPENV},
                 {0, COSCHED_ONE_EXECUTOR},
                 {1, COSCHED_NO_HELP},
                 {0, COSCHED_PINNED}};

    enum { KINDS = sizeof kinds / sizeof kinds[0] };

    cosched_task t[2 * KINDS] = {{0, 0}};
    for (int i = 0; i < 2 * KINDS; i++) {
        cosched_attr a = {.struct_size = sizeof a,
                          .affinity = i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN,
                          .priority = kinds[i / 2].priority,
                          .flags = kinds[i / 2].flags};
        NOTE(cosched_spawn(&t[i], spawn_below, NULL, &a));
    }
    for (int i = 0; i < 2 * KINDS; i++) {
        torture_join(&t[i]);
    }
    int64_t result = 0;
    NOTE(cosched_call_all(&result, COSCHED_WORKER, spawn_below, NULL, COSCHED_NEVER));
    return 0;
}

static void manners(int workers)
{
    run_with(workers, 0, COSCHED_HELP_ALWAYS, in_all_manners);
}

static void always_own(int workers)
{
    run_with(workers, COSCHED_ALWAYS_OWN, COSCHED_HELP_OFF, in_all_manners);
}

static int64_t measure(void *arg)
{
    in_all_manners(arg);
    cosched_stack_mark marks[8];
    NOTE(cosched_stack_marks(cosched_runtime_self(), marks, 8));
    return 0;
}

static void stack_marks(int workers)
{
    run_with(workers, COSCHED_MEASURE_STACKS, COSCHED_HELP_IDLE, measure);
}

/* --- classes of blocking work --------------------------------------------------------------------------------------- */

static cosched_blocking_class one_at_a_time = {.name = "one", .limit = 1};
static cosched_blocking_class two_at_a_time = {.name = "two", .limit = 2};

static int64_t in_class(void *arg)
{
    int64_t result = 0;
    int rc = cosched_blocking_in(arg, &result, torture_nothing, NULL, cosched_in_ms(60000));
    return NOTE(rc < 0 ? rc : result);
}

static int64_t use_classes(void *arg)
{
    (void)arg;
    cosched_task t[6];
    for (int i = 0; i < 6; i++) {
        cosched_blocking_class *c = i % 2 == 0 ? &one_at_a_time : &two_at_a_time;
        t[i] = torture_spawn(in_class, c, i < 3 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 6; i++) {
        torture_join(&t[i]);
    }
    return 0;
}

static void classes(int workers)
{
    run_with(workers, 0, COSCHED_HELP_IDLE, use_classes);
}

/* --- tokens that have an owner ---------------------------------------------------------------------------------------- */

static int64_t own_tokens(void *arg)
{
    (void)arg;
    COSCHED_TOKEN_SCOPED cosched_token a = {0, 0};
    cosched_token b = {0, 0};
    cosched_attr at = {.struct_size = sizeof at, .affinity = COSCHED_WORKER, .priority = 1};
    int rc = (int)NOTE(cosched_after(&a, INT64_C(60000000000), short_work, NULL, &at));
    if (rc == 0 && !cosched_token_valid(&a)) {
        NOTE(-EPROTO);
    }
    NOTE(cosched_every(&b, 100000, COSCHED_DELAY, short_work, NULL, &at));
    NOTE(cosched_sleep_until(cosched_in_ns(300000)));
    cosched_token c = cosched_token_move(&b);
    (void)cosched_token_drop(&c);
    return 0;
}

static void owned_tokens(int workers)
{
    run_with(workers, 0, COSCHED_HELP_IDLE, own_tokens);
}

/* --- a shutdown that meets survivors ------------------------------------------------------------------------------------ */

static void survivors(int workers)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .hooks = &hooks};
    cosched_runtime *rt = NULL;
    if (NOTE(cosched_runtime_create(&rt, &config, NULL)) < 0) {
        return;
    }
    NOTE(cosched_runtime_post(rt, COSCHED_MAIN, until_canceled, NULL, 0));
    NOTE(cosched_runtime_post(rt, COSCHED_WORKER, until_canceled, NULL, 0));
    NOTE(cosched_runtime_stop(rt, cosched_in_ns(300000)));
    NOTE(cosched_runtime_destroy(rt));
}

const struct torture_scenario torture_task[] = {
    {"ends", ends, 0},
    {"manners", manners, 0},
    {"always_own", always_own, 0},
    {"stack_marks", stack_marks, 0},
    {"classes", classes, 0},
    {"owned_tokens", owned_tokens, 0},
    {"survivors", survivors, 0},
};
const size_t torture_task_count = sizeof torture_task / sizeof torture_task[0];
