/* The simulator under test: that a seed decides everything, that it finds what is wrong and says so, and that what it prints
 * repeats the failure. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"
#include "runner.h"

static int problems;

#define SAY(cond)                                                     \
    do {                                                              \
        if (!(cond)) {                                                \
            printf("%s:%d: FAILED: %s\n", __FILE__, __LINE__, #cond); \
            problems++;                                               \
        }                                                             \
    } while (0)

static const char suite[] = "engine";

static struct sim_plan walk(uint64_t seed)
{
    return (struct sim_plan){.strategy = SIM_WALK, .seed = seed, .fine = seed % 2 == 0, .spread = 3};
}

/* --- cases ----------------------------------------------------------------------------------------------- */

static int64_t little_of_everything(void *arg)
{
    cosched_chan *ch = arg;
    int64_t v = (int64_t)sim_below(100);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns((int64_t)sim_below(3000000))), 0);
    EXPECT_EQ(cosched_chan_send(ch, &v, COSCHED_NEVER), 0);
    cosched_hop(COSCHED_MAIN);
    return cosched_blocking(NULL, run_return, NULL);
}

static int64_t mixed_task(void *arg)
{
    cosched_chan *ch;
    cosched_task t[4];
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), 1), 0);
    for (int i = 0; i < 4; i++) {
        t[i] = run_spawn(little_of_everything, ch, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 4; i++) {
        int64_t v;
        EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NEVER), 0);
        sim_note("received", v);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    cosched_chan_unref(ch);
    return run_return(arg);
}

static void mixed(int round)
{
    run_on(round, mixed_task);
}

static int64_t nobody_sets_it(void *arg)
{
    cosched_event e;
    cosched_event_init(&e);
    (void)arg;
    return cosched_event_wait(&e, COSCHED_NEVER);
}

static int64_t wait_for_ever(void *arg)
{
    return run_join(run_spawn(nobody_sets_it, arg, COSCHED_WORKER));
}

static void deadlock(int round)
{
    run_on(round, wait_for_ever);
}

static int64_t never_done(void *arg)
{
    while (!cosched_cancelled()) {
        cosched_yield();
    }
    return run_return(arg);
}

static void livelock(int round)
{
    run_on(round, never_done);
}

static int64_t crash_here(void *arg)
{
    (void)arg;
    abort();
}

static void crash(int round)
{
    run_on(round, crash_here);
}

/* The oldest bug: both read before either writes. It needs one turn at the right place. */
static volatile int balance;

static int64_t deposit(void *arg)
{
    int before = balance;
    sim_point(SIM_LOAD, __func__);
    balance = before + 1;
    return run_return(arg);
}

static int64_t deposit_twice(void *arg)
{
    balance = 0;
    cosched_task a = run_spawn(deposit, NULL, COSCHED_WORKER);
    deposit(arg);
    EXPECT_EQ(run_join(a), 0);
    EXPECT_EQ(balance, 2);
    return 0;
}

static void lost_update(int round)
{
    run_on(round, deposit_twice);
}

static int64_t sleep_two(void *arg)
{
    return cosched_sleep_until(cosched_in_ms((intptr_t)arg));
}

/* A year, in an instant. */
static int64_t long_sleep(void *arg)
{
    (void)arg;
    int64_t ms = INT64_C(365) * 24 * 3600 * 1000;
    int64_t t0 = cosched_now();
    cosched_task t = run_spawn(sleep_two, (void *)ms, COSCHED_WORKER);
    EXPECT_EQ(run_join(t), 0);
    EXPECT(cosched_now() - t0 >= ms * 1000000);
    return 0;
}

static void year(int round)
{
    run_on(round, long_sleep);
}

/* --- checks ----------------------------------------------------------------------------------------------- */

static void same_seed_same_trace(void)
{
    const char *text = getenv("COSCHED_SIM_SAME");
    long times = text != NULL ? strtol(text, NULL, 10) : 50;
    struct sim_case c = {suite, "mixed", 2, mixed};
    uint64_t hashes[8];
    int distinct = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sim_plan p = walk(seed);
        SAY(sim_run_child(&c, &p, false));
        hashes[seed - 1] = sim_outcome->hash;
        bool fresh = true;
        for (uint64_t other = 1; other < seed; other++) {
            fresh = fresh && hashes[other - 1] != hashes[seed - 1];
        }
        distinct += fresh;
        for (long i = 1; i < (seed == 1 ? times : 5); i++) {
            SAY(sim_run_child(&c, &p, false));
            SAY(sim_outcome->hash == hashes[seed - 1]);
        }
    }
    SAY(distinct == 8);
    printf("trace of seed 1 %016" PRIx64 ", %ld times\n", hashes[0], times);
}

static char *slurp(const char *path, size_t *size)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    char *text = NULL;
    *size = 0;
    if (f != NULL && fstat(fileno(f), &st) == 0 && (text = malloc((size_t)st.st_size + 1)) != NULL) {
        *size = fread(text, 1, (size_t)st.st_size, f);
        text[*size] = '\0';
    }
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

static void written_traces_are_equal_and_name_no_address(void)
{
    char path[2][64];
    char *text[2];
    size_t size[2];
    struct sim_case c = {suite, "mixed", 4, mixed};
    struct sim_plan p = walk(7);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "sim_engine.%d.%ld.trace", i, (long)getpid());
        setenv("COSCHED_SIM_TRACE", path[i], 1);
        SAY(sim_run_child(&c, &p, false));
        text[i] = slurp(path[i], &size[i]);
        unlink(path[i]);
    }
    unsetenv("COSCHED_SIM_TRACE");
    SAY(text[0] != NULL && text[1] != NULL && size[0] > 10000 && size[0] == size[1]);
    SAY(text[0] != NULL && text[1] != NULL && memcmp(text[0], text[1], size[0]) == 0);
    SAY(text[0] != NULL && strstr(text[0], "0x") == NULL);
    free(text[0]);
    free(text[1]);
}

static void failures_say_what_they_are(void)
{
    struct sim_plan p = walk(3);
    struct sim_case c = {suite, "deadlock", 2, deadlock};
    SAY(!sim_run_child(&c, &p, false));
    SAY(strstr(sim_outcome->message, "deadlock") != NULL);
    SAY(strstr(sim_outcome->picture, "parked, on WORKER") != NULL);
    SAY(strstr(sim_outcome->picture, "awaits task") != NULL);
    SAY(strstr(sim_outcome->picture, "MAIN) polls without a limit") != NULL);
    c = (struct sim_case){suite, "livelock", 1, livelock};
    SAY(!sim_run_child(&c, &p, false));
    SAY(strstr(sim_outcome->message, "livelock") != NULL);
    c = (struct sim_case){suite, "crash", 1, crash};
    SAY(!sim_run_child(&c, &p, false));
    SAY(strstr(sim_outcome->message, "Aborted") != NULL);
    SAY(strstr(sim_outcome->picture, "MAIN, in task") != NULL);
}

/* Found by seeds, repeated by its own turns, with the same trace. */
static void a_race_is_found_and_replayed(void)
{
    struct sim_case c = {suite, "lost_update", 2, lost_update};
    uint64_t seed = 1;
    static struct sim_turn turns[SIM_TURNS_MAX];
    struct sim_plan p;
    for (;; seed++) {
        p = sim_plan_of(seed, 1000);
        if (seed > 2000 || !sim_run_child(&c, &p, false)) {
            break;
        }
    }
    SAY(seed <= 2000);
    uint64_t hash = sim_outcome->hash;
    uint32_t n = sim_outcome->turns;
    memcpy(turns, sim_outcome->turn, n * sizeof *turns);
    p.strategy = SIM_REPLAY;
    p.turns = n;
    p.turn = turns;
    SAY(!sim_run_child(&c, &p, false) && sim_outcome->hash == hash);
    printf("as expected:\n");
    uint32_t shortest = sim_report(&c, &p);
    SAY(shortest <= 4);
    printf("lost update: seed %" PRIu64 ", %u turns, %u needed\n", seed, n, shortest);
}

static void bounded_search_finds_it_too(void)
{
    struct sim_case c = {suite, "lost_update", 1, lost_update};
    uint64_t before = sim_figures.runs;
    printf("as expected:\n");
    SAY(!sim_run_bounded(&c, 2, 3000));
    struct sim_case fine = {suite, "year", 1, year};
    SAY(sim_run_bounded(&fine, 1, 200));
    printf("bounded search: %" PRIu64 " runs\n", sim_figures.runs - before);
}

static void replay_strings_are_read(void)
{
    struct sim_case c = {suite, "a_case", 3, mixed};
    struct sim_turn turns[4];
    struct sim_plan p;
    SAY(sim_parse_replay("a_case:3:77:1:0.12>2,3.400>1", &c, &p, turns, 4));
    SAY(p.seed == 77 && p.fine && p.turns == 2);
    SAY(turns[0].thread == 0 && turns[0].point == 12 && turns[0].to == 2);
    SAY(turns[1].thread == 3 && turns[1].point == 400 && turns[1].to == 1);
    SAY(sim_parse_replay("a_case:3:77:0:", &c, &p, turns, 4) && p.turns == 0 && !p.fine);
    SAY(!sim_parse_replay("a_case:2:77:1:", &c, &p, turns, 4));
    SAY(!sim_parse_replay("a_cas:3:77:1:", &c, &p, turns, 4));
    SAY(!sim_parse_replay("", &c, &p, turns, 4));
}

static void time_is_virtual(void)
{
    struct sim_case c = {suite, "year", 4, year};
    struct sim_plan p = walk(5);
    SAY(sim_run_child(&c, &p, false));
    SAY(sim_outcome->virtual_ns > INT64_C(31536000) * 1000000000);
}

/* Help is learned by function, and functions are told apart by their addresses. */
static uint64_t hash_and_place(void)
{
    struct sim_case c = {suite, "mixed", 4, mixed};
    struct sim_plan p = walk(8);
    SAY(sim_run_child(&c, &p, false));
    return sim_outcome->hash ^ (uint64_t)(uintptr_t)mixed_task;
}

static void other_processes_see_the_same(void)
{
    char self[256], command[300], text[64] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    SAY(n > 0);
    self[n > 0 ? n : 0] = '\0';
    snprintf(command, sizeof command, "'%s' hash", self);
    for (int i = 0; i < 3; i++) {
        FILE *other = popen(command, "re");
        SAY(other != NULL && fgets(text, sizeof text, other) != NULL);
        SAY(other != NULL && pclose(other) == 0);
        SAY(strtoull(text, NULL, 16) == hash_and_place());
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "hash") == 0) {
        printf("%" PRIx64 "\n", hash_and_place());
        return problems;
    }
    setenv("COSCHED_SIM_LIMIT", "300000", 0);
    unsetenv("COSCHED_SIM_NOSHRINK");
    same_seed_same_trace();
    other_processes_see_the_same();
    written_traces_are_equal_and_name_no_address();
    failures_say_what_they_are();
    a_race_is_found_and_replayed();
    bounded_search_finds_it_too();
    replay_strings_are_read();
    time_is_virtual();
    printf("FIGURES sim_engine: %" PRIu64 " runs, %" PRIu64 " choices, %" PRIu64
           " steps, %d problems\n",
           sim_figures.runs, sim_figures.choices, sim_figures.steps, problems);
    return problems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
