/* Zones: the load this scheduler was made for. A world of zones with a hundred entities in each; every 400 ms each entity goes
 * through a chain of steps, on MAIN where the world's data is at home, and on WORKER where it costs time: path-finding takes
 * 5 ms of CPU. An entity is a coroutine of five steps, of six if it meets others: three zones make 1,980 coroutines a tick.
 *
 * usage: example_12_zones [--quick | MICROSECONDS-OF-PATH-FINDING]
 *
 * prints how many ticks were kept, and how long a tick took, with eight workers and with none. What a machine can carry is
 * arithmetic: three zones want 1.5 s of CPU a tick, so four CPUs are needed to keep them, and twenty zones need 25. Hence the
 * second half of the table, with paths of 0.1 ms: what is left is the scheduling. */
#include <cosched/cosched.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICKS_MAX = 20 };

struct load {
    int zones, entities, workers, ticks, path_us;
    int64_t interval_ns;
};

struct world {
    struct load load;
    struct entity *entity; /* owned: zones * entities */
    cosched_token heart;
    cosched_event over;
    int64_t t0, last_begin, took_ns[TICKS_MAX];
    int64_t coroutines; /* MAIN's, like all but what a step on WORKER is given */
    int ticks, failed;
};

struct entity {
    struct world *world;
    uint64_t seed;
    int64_t goal, path, place;
    int64_t told; /* by whoever met it; MAIN's alone, as others write it */
    int ticks;
    bool meets_others; /* six in ten do */
};

/* --- the work ---------------------------------------------------------------------------------------------- */

static double rounds_per_us;

static uint64_t compute(double us, uint64_t seed)
{
    for (int64_t i = (int64_t)(us * rounds_per_us); i > 0; i--) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    }
    return seed;
}

/* In CPU time: what others take from this machine is not counted as work. */
static void calibrate(void)
{
    struct timespec begin, end;
    volatile uint64_t sink;
    rounds_per_us = 1000;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    sink = compute(20000, 1);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    (void)sink;
    double us =
        (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
    rounds_per_us *= 20000 / (us > 1 ? us : 1);
}

/* --- an entity's steps ---------------------------------------------------------------------------------------- */

static int64_t look(void *arg)
{
    struct entity *e = arg;
    e->goal = (int64_t)((e->seed + (uint64_t)e->told) % 1000);
    return 0;
}

static int64_t find_path(void *arg)
{
    struct entity *e = arg;
    e->seed = compute(e->world->load.path_us, e->seed);
    e->path = 1 + (int64_t)(e->seed % 3);
    return 0;
}

static int64_t walk(void *arg)
{
    struct entity *e = arg;
    e->place += e->path;
    return 0;
}

static int64_t plan(void *arg)
{
    struct entity *e = arg;
    e->seed = compute(2, e->seed ^ (uint64_t)e->goal);
    return 0;
}

static int64_t act(void *arg)
{
    struct entity *e = arg;
    e->ticks++;
    return 0;
}

static int64_t meet(void *arg)
{
    struct entity *e = arg;
    struct entity *other = &e->world->entity[e->seed % (unsigned)e->world->load.entities];
    other->told = e->goal; /* no lock: it belongs to MAIN, and so does this step */
    return 0;
}

static const struct {
    cosched_affinity where;
    cosched_fn step;
} chain[] = {{COSCHED_MAIN, look},   {COSCHED_WORKER, find_path}, {COSCHED_MAIN, walk},
             {COSCHED_WORKER, plan}, {COSCHED_MAIN, act},         {COSCHED_MAIN, meet}};

enum { STEPS = sizeof chain / sizeof chain[0] };

static int64_t live(void *arg)
{
    struct entity *e = arg;
    e->world->coroutines++;
    for (int i = 0; i < STEPS - !e->meets_others; i++) {
        int rc = cosched_call(NULL, chain[i].where, chain[i].step, e, COSCHED_NEVER);
        if (rc < 0) {
            return rc;
        }
        e->world->coroutines++;
    }
    return 0;
}

/* --- zones and ticks -------------------------------------------------------------------------------------------- */

static int64_t zone(void *arg)
{
    struct entity *first = arg;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "entity", .affinity = COSCHED_MAIN};
    cosched_group entities;
    int rc = cosched_group_init(&entities, NULL);
    for (int i = 0; rc == 0 && i < first->world->load.entities; i++) {
        rc = cosched_group_spawn(&entities, live, first + i, &attr);
    }
    return cosched_group_join(&entities, COSCHED_NEVER);
}

static int64_t tick(void *arg)
{
    struct world *w = arg;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "zone", .affinity = COSCHED_MAIN};
    cosched_group zones;
    w->last_begin = cosched_now();
    int rc = cosched_group_init(&zones, NULL);
    for (int i = 0; rc == 0 && i < w->load.zones; i++) {
        rc = cosched_group_spawn(&zones, zone, &w->entity[i * w->load.entities], &attr);
    }
    w->failed += cosched_group_join(&zones, COSCHED_NEVER) < 0;
    w->took_ns[w->ticks++] = cosched_now() - w->last_begin;
    if (w->ticks == w->load.ticks) {
        cosched_token_cancel(&w->heart);
        cosched_event_set(&w->over);
    }
    return 0;
}

static int64_t run(void *arg)
{
    struct world *w = arg;
    cosched_event_init(&w->over);
    w->t0 = cosched_now();
    int rc = cosched_every(&w->heart, w->load.interval_ns, COSCHED_SKIP, tick, w, NULL);
    return rc < 0 ? rc : cosched_event_wait(&w->over, COSCHED_NEVER);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_row(struct world *w)
{
    const struct load *l = &w->load;
    int64_t due = (w->last_begin - w->t0) / l->interval_ns + 1;
    qsort(w->took_ns, (size_t)w->ticks, sizeof w->took_ns[0], by_size);
    printf("%5d %8d %10" PRId64 " %8.2f ms %7d %5d %5" PRId64 " %% %8.1f ms %8.1f ms\n", l->zones,
           l->entities, w->coroutines / w->ticks, l->path_us / 1e3, l->workers, w->ticks,
           100 * w->ticks / due, (double)w->took_ns[w->ticks / 2] / 1e6,
           (double)w->took_ns[w->ticks * 99 / 100] / 1e6);
    fflush(stdout);
}

/* True: every entity advanced in every tick. */
static bool measure(const struct load *l)
{
    struct world w = {.load = *l};
    cosched_config config = {.struct_size = sizeof config, .workers = l->workers};
    int n = l->zones * l->entities;
    w.entity = calloc((size_t)n, sizeof *w.entity);
    for (int i = 0; w.entity != NULL && i < n; i++) {
        w.entity[i] = (struct entity){.world = &w,
                                      .seed = (uint64_t)i + 1,
                                      .meets_others = i % l->entities < l->entities * 6 / 10};
    }
    bool good = w.entity != NULL && cosched_run(&config, run, &w) == 0 && w.failed == 0 &&
                w.coroutines == (int64_t)l->ticks * n * 66 / 10;
    for (int i = 0; good && i < n; i++) {
        good = w.entity[i].ticks == l->ticks && w.entity[i].place >= l->ticks;
    }
    if (good) {
        print_row(&w);
    }
    free(w.entity);
    return good;
}

int main(int argc, char **argv)
{
    static const int zones[] = {3, 20, 100};
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0, good = true;
    int given_us = quick ? 20 : argc > 1 ? atoi(argv[1]) : 0;
    calibrate();
    printf("%d CPUs\nzones entities coroutines path-finding workers ticks    kept    tick p50      "
           "   p99\n",
           cosched_cpus());
    for (int path_us = given_us > 0 ? given_us : 5000; good && path_us > 0;
         path_us = path_us == 5000 && given_us == 0 ? 100 : 0) {
        for (int i = 0; good && i < 6; i++) {
            struct load l = {zones[i / 2], 100, i % 2 ? 0 : 8, 10, path_us, 400000000};
            if (path_us * l.zones > 20000) { /* takes seconds a tick */
                l.ticks = l.zones > 20 ? 1 : 3;
            }
            if (quick) {
                l = (struct load){1 + i / 2, 20, i % 2 ? 0 : 2, 3, path_us, 5000000};
            }
            good = measure(&l);
        }
    }
    return good ? 0 : 1;
}
