/* Each run happens in a fork of its own: every one begins from the same state of the process, so a seed means the same
 * whether it runs alone or after a thousand others, and a crash ends a run, not the search. */
#include "runner.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "world.h"

#if COS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#define CPU_SECONDS 20 /* a run without choice points for so long hangs: COSCHED_SIM_CPU */

#ifndef SIM_SEEDS
#define SIM_SEEDS 20
#endif

struct sim_figures sim_figures;
static int output = -1; /* memory file: what the last child wrote */

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void on_crash(int number)
{
    sim.active = false;
    if (sim_outcome->picture[0] == '\0') {
        sim_outcome->picture[0] = '\n'; /* drawing it may crash again */
        sim_outcome->steps = sim.steps;
        sim_picture(sim_outcome->picture, sizeof sim_outcome->picture);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_crashes(void)
{
    static char stack[64 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_ONSTACK | (int)SA_RESETHAND | SA_NODEFER};
    action.sa_handler = on_crash;
    sigaltstack(&alternate, NULL);
    sigaction(SIGABRT, &action, NULL);
#if !COS_ASAN
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
#endif
    sigaction(SIGXCPU, &action, NULL);
    rlim_t seconds = number("COSCHED_SIM_CPU", CPU_SECONDS);
    struct rlimit cpu = {seconds, seconds + 5}, core = {0, 0};
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
}

static void run_here(const struct sim_case *c, const struct sim_plan *plan)
{
    sim_plan = plan;
    sim_begin(plan->seed);
    c->fn(c->round);
    sim_end();
    sim_outcome->steps = sim.steps;
    sim_outcome->hash = sim.hash;
    sim_outcome->virtual_ns = sim.now - SIM_EPOCH_NS;
    sim_outcome->verdict = SIM_PASSED;
#if COS_ASAN
    if (plan->strategy == SIM_STRAIGHT && __lsan_do_recoverable_leak_check() != 0) {
        sim_outcome->verdict = SIM_FAILED;
    }
#endif
}

static void prepare(void)
{
    if (sim_outcome == NULL) {
        sim_outcome = mmap(NULL, sizeof *sim_outcome, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        COS_ASSERT(sim_outcome != MAP_FAILED);
        output = memfd_create("output", MFD_CLOEXEC);
        COS_ASSERT(output >= 0);
    }
    memset(sim_outcome, 0, offsetof(struct sim_outcome, turn));
    int rc = ftruncate(output, 0);
    COS_ASSERT(rc == 0 && lseek(output, 0, SEEK_SET) == 0);
}

/* What the child said last becomes the message, unless it left one itself. */
static void explain(int status)
{
    struct sim_outcome *o = sim_outcome;
    if (o->message[0] != '\0') {
        return;
    }
    char said[400];
    ssize_t n = pread(output, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    char *line = said + strspn(said, "=\n"); /* a sanitizer rules a line first */
    line[strcspn(line, "\n")] = '\0';
    if (WIFSIGNALED(status)) {
        snprintf(o->message, sizeof o->message, "%s (%s)", line, strsignal(WTERMSIG(status)));
    } else {
        snprintf(o->message, sizeof o->message, "%s (exit %d)", line, WEXITSTATUS(status));
    }
}

bool sim_run_child(const struct sim_case *c, const struct sim_plan *plan, bool show)
{
    prepare();
    if (getenv("COSCHED_SIM_NOFORK") != NULL) { /* for a debugger, with a replay */
        run_here(c, plan);
        return true;
    }
    fflush(NULL);
    pid_t child = fork();
    COS_ASSERT(child >= 0);
    if (child == 0) {
        if (!show) {
            dup2(output, STDOUT_FILENO);
            dup2(output, STDERR_FILENO);
        }
        watch_for_crashes();
        run_here(c, plan);
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) != child) {
    }
    struct sim_outcome *o = sim_outcome;
    sim_figures.runs++;
    sim_figures.choices += o->choices;
    sim_figures.switches += o->switches;
    sim_figures.steps += o->steps;
    sim_figures.virtual_ns += o->virtual_ns;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && o->verdict == SIM_PASSED) {
        return true;
    }
    explain(status);
    return false;
}

/* --- seeds --------------------------------------------------------------------------------------------- */

/* Of five seeds, three walk and two have priorities. */
struct sim_plan sim_plan_of(uint64_t seed, uint64_t length)
{
    static const uint32_t spreads[] = {1, 4, 16, 64, 400};
    struct sim_plan p = {.strategy = SIM_STRAIGHT, .seed = seed};
    if (seed == 0) {
        return p;
    }
    const char *only = getenv("COSCHED_SIM_STRATEGY");
    uint64_t kind = only == NULL ? seed % 5 : strcmp(only, "pct") == 0 ? 4 : 0;
    p.strategy = kind < 3 ? SIM_WALK : SIM_PCT;
    p.fine = seed / 5 % 2 == 1;
    p.spread = spreads[seed / 3 % 5];
    p.depth = 2 + (uint32_t)(seed / 7 % 4);
    p.length = length > 0 ? length : 1;
    return p;
}

static bool run_seeds(const struct sim_case *c)
{
    uint64_t first = number("COSCHED_SIM_SEED", UINT64_MAX);
    uint64_t n = first != UINT64_MAX ? 1 : number("COSCHED_SIM_SEEDS", SIM_SEEDS);
    struct sim_plan straight = sim_plan_of(0, 0);
    bool passed = sim_run_child(c, &straight, false);
    if (!passed) {
        sim_report(c, &straight);
        return false;
    }
    uint64_t length = sim_outcome->steps;
    for (uint64_t i = 0; i < n; i++) {
        struct sim_plan p = sim_plan_of(first != UINT64_MAX ? first : 1 + i, length);
        if (!sim_run_child(c, &p, false)) {
            sim_report(c, &p);
            return false;
        }
    }
    return true;
}

static bool run_replay(const struct sim_case *c, const char *text)
{
    static struct sim_turn turns[SIM_TURNS_MAX];
    struct sim_plan p;
    if (!sim_parse_replay(text, c, &p, turns, SIM_TURNS_MAX)) {
        return true;
    }
    bool passed = sim_run_child(c, &p, true);
    printf("%s: %s, %" PRIu64 " steps, trace %016" PRIx64 "\n%s\n%s", c->name,
           passed ? "passed" : "FAILED", sim_outcome->steps, sim_outcome->hash,
           sim_outcome->message, sim_outcome->picture);
    return passed;
}

int sim_run_cases(const struct sim_case *cases, int n)
{
    const char *text = getenv("COSCHED_SIM_REPLAY");
    const char *strategy = getenv("COSCHED_SIM_STRATEGY");
    bool bounded = strategy != NULL && strcmp(strategy, "bounded") == 0;
    for (int i = 0; i < n; i++) {
        const struct sim_case *c = &cases[i];
        bool passed;
        if (text != NULL) {
            passed = run_replay(c, text);
        } else if (bounded) {
            passed = sim_run_bounded(c, (uint32_t)number("COSCHED_SIM_DELAYS", 2),
                                     number("COSCHED_SIM_RUNS", 400));
        } else {
            passed = run_seeds(c);
        }
        sim_figures.cases++;
        sim_figures.failed += passed ? 0 : 1;
        fflush(stdout);
        if (!passed && getenv("COSCHED_SIM_FIRST") != NULL) {
            break;
        }
    }
    struct sim_figures *f = &sim_figures;
    printf("FIGURES sim_%s: %" PRIu64 " cases, %" PRIu64 " failed, %" PRIu64 " runs, %" PRIu64
           " choices, %" PRIu64 " switches, %" PRIu64 " steps, %.1f virtual s\n",
           n > 0 ? cases[0].suite : "-", f->cases, f->failed, f->runs, f->choices, f->switches,
           f->steps, (double)f->virtual_ns / 1e9);
    return (int)f->failed;
}
