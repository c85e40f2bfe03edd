/* The driver. For every scenario and every fault: the first call fails, then the second, and so on until there are no more.
 * A run may succeed all the same, or report the error by its name; it must not crash, hang, or leave anything behind.
 *
 * Runs go on in one process, which shows that one leaves nothing that harms the next; should it die, the parent says what
 * was being done and goes on behind it. */
#include "torture.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_SECONDS  20U /* a run takes milliseconds; this is for hangs */
/* Calls of one kind that are failed, of one scenario: loops of polls and waits go on as long as they like, and each slot of a
 * slab gets its guard. A share of a full run does for every push. */
#define AT_MAX_SHARE 8U
#define AT_MAX_FULL  200U

char torture_dir[64];

struct place {
    size_t fault;
    unsigned at;
};

static struct shared {
    struct place now;
    unsigned calls[F_COUNT][CALLERS]; /* of a run without faults: what is not called need not be tried */
    const char *phase;                /* before the faults; NULL: a fault */
    bool finished;
    uint64_t points, runs, reported, absorbed, failures;
    bool function_hit[F_COUNT];
} * shared;

static const int workers_of[] = {0, 2};

struct set {
    const struct torture_scenario *at;
    const size_t *count;
};

static const struct set sets[] = {
    {torture_core, &torture_core_count}, {torture_task, &torture_task_count},
    {torture_sync, &torture_sync_count}, {torture_io, &torture_io_count},
    {torture_net, &torture_net_count},   {torture_system, &torture_system_count}};

static const char *only_scenario, *only_function;
static long only_error;
static unsigned at_max = AT_MAX_SHARE;

/* --- one run -------------------------------------------------------------------------------------------------- */

static const char *caller_name(enum torture_caller who)
{
    return who == BY_LIB ? "" : who == BY_UV ? " of libuv" : " of others";
}

static void complain(const struct torture_scenario *s, int workers, const struct torture_fault *f,
                     unsigned at, const char *what)
{
    if (f == NULL) {
        const char *phase = shared->phase != NULL ? shared->phase : "no fault";
        printf("torture: %s, %d workers, %s: %s\n", s->name, workers, phase, what);
    } else {
        printf("torture: %s, %d workers, %s%s call %u fails with %d (%s): %s\n", s->name, workers,
               torture_names[f->function], caller_name(f->caller), at, f->error,
               strerrorname_np(f->error) != NULL ? strerrorname_np(f->error) : "?", what);
    }
    fflush(stdout);
    shared->failures++;
}

static bool dir_empty(void)
{
    DIR *dir = opendir(torture_dir);
    const struct dirent *d;
    bool empty = true;
    while (dir != NULL && (d = readdir(dir)) != NULL) {
        if (d->d_name[0] != '.') {
            char path[sizeof torture_dir + sizeof d->d_name + 1];
            snprintf(path, sizeof path, "%s/%s", torture_dir, d->d_name);
            unlink(path);
            empty = false;
        }
    }
    closedir(dir);
    return empty;
}

/* False: the fault was not met. */
static bool run_once(const struct torture_scenario *s, int workers, const struct torture_fault *f,
                     unsigned at, bool storm)
{
    bool once_only =
        f != NULL && (s->flags & TORTURE_FRESH) != 0; /* what each process has once may stay */
    alarm(RUN_SECONDS);
    torture_begin(f, at, storm);
    s->run(workers);
    const char *left = torture_end();
    alarm(0);
    char text[128];
    int64_t noted = torture_noted();
    bool met = f != NULL && torture_fired();
    if (left != NULL && !once_only) {
        complain(s, workers, f, at, left);
    }
    if (!dir_empty()) {
        complain(s, workers, f, at, "a file");
    }
    if (noted < 0 && (!met || (noted != -f->error && (f->also == 0 || noted != -f->also)))) {
        snprintf(text, sizeof text, "reported as %" PRId64 " (%s)", noted, cosched_strerror(noted));
        complain(s, workers, f, at, text);
    }
    shared->runs++;
    if (met) {
        shared->points++;
        *(noted < 0 ? &shared->reported : &shared->absorbed) += 1;
        shared->function_hit[f->function] = true;
    }
    return met;
}

/* --- all runs of a scenario ---------------------------------------------------------------------------------------- */

static bool wanted(const struct torture_scenario *s, const struct torture_fault *f)
{
    if ((s->flags & TORTURE_FRESH) != 0 && f->caller == BY_UV && f->function == F_pipe2) {
        return false; /* see shim_table.c */
    }
    return shared->calls[f->function][f->caller] > 0 &&
           (only_function == NULL || strcmp(only_function, torture_names[f->function]) == 0) &&
           (only_error == 0 || only_error == f->error);
}

static void count_calls(void)
{
    for (int i = 0; i < F_COUNT; i++) {
        for (int k = 0; k < CALLERS; k++) {
            shared->calls[i][k] += torture_calls((enum torture_function)i, (enum torture_caller)k);
        }
    }
}

/* Without faults: it must be clean, and its calls are counted. */
static void try_out(const struct torture_scenario *s, int workers)
{
    shared->phase = "the first time";
    if ((s->flags & TORTURE_FRESH) != 0) {
        torture_begin(NULL, 0, false);
    }
    s->run(workers); /* libc and libuv keep some things for ever */
    (void)torture_end();
    count_calls();
    shared->phase = "again";
    run_once(s, workers, NULL, 0, false);
    count_calls();
    shared->phase = "interrupted everywhere";
    run_once(s, workers, NULL, 0, true);
    count_calls();
}

/* From the place that is noted on; true: that was the last. */
static bool try_faults(const struct torture_scenario *s, int workers, bool one_only)
{
    struct place *now = &shared->now;
    for (; now->fault < torture_faults_count; now->fault++, now->at = 1) {
        const struct torture_fault *f = &torture_faults[now->fault];
        if (!wanted(s, f)) {
            continue;
        }
        bool met = true;
        while (now->at <= at_max && (met || now->at <= shared->calls[f->function][f->caller])) {
            met = run_once(s, workers, f, now->at, false);
            now->at++;
            if (one_only && met) {
                return false;
            }
        }
    }
    return true;
}

static noreturn void in_child(const struct torture_scenario *s, int workers)
{
    bool fresh = (s->flags & TORTURE_FRESH) != 0;
    torture_init();
    if (shared->phase != NULL) {
        try_out(s, workers);
        shared->phase = NULL;
        if (fresh) {
            exit(EXIT_SUCCESS);
        }
    } else if (!fresh) { /* behind one that died */
        s->run(workers);
    }
    shared->finished = try_faults(s, workers, fresh);
    if (fresh) { /* after a fault as if nothing had been */
        s->run(workers);
        run_once(s, workers, NULL, 0, false);
    }
    exit(EXIT_SUCCESS); /* a leak checker has the last word */
}

static void run_scenario(const struct torture_scenario *s, int workers)
{
    shared->now = (struct place){.fault = 0, .at = 1};
    shared->phase = "at its beginning";
    memset(shared->calls, 0, sizeof shared->calls);
    shared->finished = false;
    while (!shared->finished) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            in_child(s, workers);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
            continue;
        }
        char text[64];
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
            snprintf(text, sizeof text, "it hangs");
        } else {
            snprintf(text, sizeof text, "it dies with status 0x%x", (unsigned)status);
        }
        bool over =
            shared->finished || shared->phase != NULL || shared->now.fault >= torture_faults_count;
        complain(s, workers, over ? NULL : &torture_faults[shared->now.fault], shared->now.at, text);
        dir_empty();
        shared->finished = over;
        shared->now.at++;
    }
}

static void list_functions(void)
{
    for (size_t i = 0; i < F_COUNT; i++) {
        puts(torture_names[i]);
    }
}

static int run_all(void)
{
    uint64_t scenarios = 0;
    for (size_t k = 0; k < sizeof sets / sizeof sets[0]; k++) {
        for (size_t i = 0; i < *sets[k].count; i++) {
            const struct torture_scenario *s = &sets[k].at[i];
            if (only_scenario != NULL && strcmp(only_scenario, s->name) != 0) {
                continue;
            }
            for (size_t w = 0; w < sizeof workers_of / sizeof workers_of[0]; w++) {
                uint64_t before = shared->points;
                run_scenario(s, workers_of[w]);
                printf("  %-20s %d workers: %6" PRIu64 " points\n", s->name, workers_of[w],
                       shared->points - before);
                scenarios++;
            }
        }
    }
    unsigned functions = 0;
    for (size_t i = 0; i < F_COUNT; i++) {
        functions += shared->function_hit[i] ? 1 : 0;
        if (!shared->function_hit[i] && only_scenario == NULL && only_function == NULL) {
            printf("  never failed: %s\n", torture_names[i]);
        }
    }
    printf("FIGURES torture: scenarios=%" PRIu64 " functions=%u points=%" PRIu64 " runs=%" PRIu64
           " reported=%" PRIu64 " absorbed=%" PRIu64 " failures=%" PRIu64 "\n",
           scenarios, functions, shared->points, shared->runs, shared->reported, shared->absorbed,
           shared->failures);
    return shared->failures == 0 && shared->points > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--functions") == 0) {
        list_functions();
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--full") == 0) {
        at_max = AT_MAX_FULL;
        argc = 1;
    }
    only_scenario =
        argc > 1 ? argv[1] : NULL; /* one scenario, one function, one error: for a debugger */
    only_function = argc > 2 ? argv[2] : NULL;
    only_error = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    strcpy(torture_dir, "/tmp/torture-XXXXXX");
    if (mkdtemp(torture_dir) == NULL) {
        return EXIT_FAILURE;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc = shared != MAP_FAILED ? run_all() : EXIT_FAILURE;
    rmdir(torture_dir);
    return rc;
}
