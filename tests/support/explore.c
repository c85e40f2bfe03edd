/* The explorer's engine: depth-first search by re-execution, the stack of choices, the threads. Model and limits are in
 * explore.h, the memory in explore_memory.c. One OS thread; program threads are coroutines that switch by _longjmp (a
 * jump between stacks that were entered once by ucontext: ten times cheaper than swapcontext). */
#undef _FORTIFY_SOURCE /* its longjmp refuses to jump to another stack */
#include "explore.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "explore_engine.h"

struct ex_engine ex;

/* ---- choices, failure ---- */

_Noreturn void ex_fail(const char *why)
{
    ex.failure = why;
    ex.running = false;
    _longjmp(ex.engine, 2);
}

/* A programmer error of the code under test ends the execution, not the explorer. */
noreturn void cos_fatal(const char *file, int line, const char *function, const char *what)
{
    static char text[512];
    (void)snprintf(text, sizeof text, "%s:%d: %s: %s", file, line, function, what);
    ex_fail(text);
}

unsigned ex_choose(unsigned of)
{
    if (of <= 1) {
        return 0;
    }
    if (ex.choice_at == ex.choices) {
        if (ex.choices == CHOICES_MAX) {
            ex_fail("explorer: too many choices in one execution");
        }
        ex.choice[ex.choices].taken = 0;
        ex.choice[ex.choices].of = (uint16_t)of;
        ex.choices++;
    }
    if (ex.choice[ex.choice_at].of != of) {
        ex_fail("explorer: the program is not deterministic");
    }
    return ex.choice[ex.choice_at++].taken;
}

static bool advance(void)
{
    while (ex.choices > 0) {
        if (++ex.choice[ex.choices - 1].taken < ex.choice[ex.choices - 1].of) {
            return true;
        }
        ex.choices--;
    }
    return false;
}

void ex_record(const char *what, const struct location *l, uint64_t value, unsigned message)
{
    if (ex.events < EVENTS_MAX) {
        struct event *e = &ex.event[ex.events++];
        e->thread = ex.self;
        e->what = what;
        e->address = l != NULL ? l->address : 0;
        e->value = value;
        e->message = message;
        e->newest = l != NULL && l->count > 0 ? l->count - 1 : 0;
    }
}

static const char *name_of(uintptr_t address, char *text, size_t size)
{
    uintptr_t best = 0;
    const char *name = NULL;
    for (unsigned i = 0; i < ex.names; i++) {
        if (ex.name[i].address <= address && ex.name[i].address >= best &&
            address - ex.name[i].address < 256) {
            best = ex.name[i].address;
            name = ex.name[i].name;
        }
    }
    if (name == NULL) {
        (void)snprintf(text, size, "%#lx", (unsigned long)address);
    } else if (best == address) {
        (void)snprintf(text, size, "%s", name);
    } else {
        (void)snprintf(text, size, "%s+%lu", name, (unsigned long)(address - best));
    }
    return text;
}

static void print_failure(void)
{
    printf("%s: FAILED in execution %lu: %s\n", ex.program->name, (unsigned long)ex.executions,
           ex.failure);
    for (unsigned i = 0; i < ex.events; i++) {
        const struct event *e = &ex.event[i];
        char text[64];
        printf("  %4u  %*s%u: %-14s", i, (int)e->thread * 4, "", e->thread, e->what);
        if (e->address != 0) {
            printf(" %-16s = %lu", name_of(e->address, text, sizeof text), (unsigned long)e->value);
            if (e->message != e->newest) {
                printf("   (store %u of %u)", e->message, e->newest);
            }
        }
        printf("\n");
    }
}

/* ---- threads and steps ---- */

static bool runnable(const struct thread *t)
{
    switch (t->state) {
    case READY: return true;
    case ASLEEP: return t->timed;
    case LOCKED: return ex_location_find((const void *)t->wait_address)->holder < 0;
    case DONE: return false;
    }
    return false;
}

static void enter(unsigned id)
{
    struct thread *t = &ex.thread[id];
    if (t->state == ASLEEP) {
        t->timed_out = true;
    }
    t->state = READY;
    ex.self = id;
}

/* Leaves the running thread for `id`; returns when somebody enters it again. */
static void switch_to(unsigned id)
{
    struct thread *from = &ex.thread[ex.self];
    enter(id);
    if (_setjmp(from->at) == 0) {
        _longjmp(ex.thread[id].at, 1);
    }
}

void ex_give_up(void)
{
    unsigned able[EX_THREADS_MAX], n = 0;
    for (unsigned i = 0; i < ex.program->threads; i++) {
        if (i != ex.self && runnable(&ex.thread[i])) {
            able[n++] = i;
        }
    }
    /* Alone and asleep with a deadline: time passes. */
    if (n == 0 && runnable(&ex.thread[ex.self])) {
        enter(ex.self);
        return;
    }
    if (n == 0) {
        ex.running = false;
        _longjmp(ex.engine, 1);
    }
    switch_to(able[ex_choose(n)]);
}

void ex_step(void)
{
    if (++ex.steps > STEPS_MAX) {
        ex_fail("the program does not end");
    }
    unsigned able[EX_THREADS_MAX], n = 0;
    able[n++] = ex.self; /* first: going on costs nothing */
    if (ex.preemptions < ex.preemptions_max) {
        for (unsigned i = 0; i < ex.program->threads; i++) {
            if (i != ex.self && runnable(&ex.thread[i])) {
                able[n++] = i;
            }
        }
    }
    unsigned to = able[ex_choose(n)];
    if (to != ex.self) {
        ex.preemptions++;
        switch_to(to);
    }
}

void ex_yield(void)
{
    if (++ex.steps > STEPS_MAX) {
        ex_fail("the program does not end");
    }
    unsigned able[EX_THREADS_MAX], n = 0;
    for (unsigned i = 0; i < ex.program->threads; i++) {
        if (i != ex.self && runnable(&ex.thread[i])) {
            able[n++] = i;
        }
    }
    if (n == 0) {
        ex_fail("a thread spins for ever");
    }
    switch_to(able[ex_choose(n)]);
}

unsigned ex_self(void)
{
    return ex.self;
}

void ex_outcome(unsigned bit)
{
    ex.outcomes |= UINT64_C(1) << bit;
}

uint64_t ex_outcomes(void)
{
    return ex.outcomes;
}

/* ---- memory of the code under test: one arena, empty again for each execution ---- */

void *cos_alloc_aligned(size_t align, size_t bytes)
{
    size_t at = (ex.arena_used + sizeof bytes + align - 1) & ~(align - 1);
    if (at + bytes > ARENA_BYTES) {
        return NULL;
    }
    ex.arena_used = at + bytes;
    memcpy(ex.arena + at - sizeof bytes, &bytes, sizeof bytes); /* for cos_free */
    return memset(ex.arena + at, 0, bytes);
}

void *cos_alloc(size_t bytes)
{
    return cos_alloc_aligned(16, bytes);
}

void cos_free(void *ptr)
{
    if (ptr != NULL && ex.running) {
        size_t bytes;
        memcpy(&bytes, (char *)ptr - sizeof bytes, sizeof bytes);
        ex_dead(ptr, bytes);
    }
}

void cos_free_aligned(void *ptr)
{
    (void)ptr;
}

/* ---- executions ---- */

/* The end of a body: whoever can goes on, and nothing of this thread is saved. */
static _Noreturn void leave(void)
{
    unsigned able[EX_THREADS_MAX], n = 0;
    for (unsigned i = 0; i < ex.program->threads; i++) {
        if (runnable(&ex.thread[i])) {
            able[n++] = i;
        }
    }
    if (n == 0) {
        ex.running = false;
        _longjmp(ex.engine, 1);
    }
    enter(able[ex_choose(n)]);
    _longjmp(ex.thread[ex.self].at, 1);
}

static void thread_main(void)
{
    ex.thread[ex.self].primed = true;
    if (_setjmp(ex.thread[ex.self].at) == 0) {
        _longjmp(ex.engine, 1);
    }
    for (;;) {
        ex.thread[ex.self].primed = false;
        ex.program->body[ex.self]();
        ex_release_held();
        ex.thread[ex.self].state = DONE;
        ex.thread[ex.self].primed = true; /* the next execution enters here */
        if (_setjmp(ex.thread[ex.self].at) == 0) {
            leave();
        }
    }
}

/* Leads a coroutine to the top of its loop, on a new stack frame if an execution left it in the middle. */
static void prime(unsigned id)
{
    struct thread *t = &ex.thread[id];
    static ucontext_t context; /* static: makecontext's frame must survive the jump */
    if (t->primed) {
        return;
    }
    if (t->stack == NULL) {
        t->stack = malloc(STACK_BYTES);
        if (t->stack == NULL) {
            abort();
        }
    }
    ex.self = id;
    if (_setjmp(ex.engine) == 0) {
        (void)getcontext(&context);
        context.uc_stack.ss_sp = t->stack;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = NULL;
        makecontext(&context, thread_main, 0);
        (void)setcontext(&context);
    }
}

static void reset(void)
{
    ex.locations = 0;
    ex.pooled = 0;
    ex.stamp++;
    ex.preemptions = 0;
    ex.stale = 0;
    ex.steps = 0;
    ex.events = 0;
    ex.ranges = 0;
    ex.names = 0;
    ex.arena_used = 0;
    ex.choice_at = 0;
    memset(&ex.fences, 0, sizeof ex.fences);
    memset(&ex.seq_cst, 0, sizeof ex.seq_cst);
    for (unsigned i = 0; i < ex.program->threads; i++) {
        struct thread *t = &ex.thread[i];
        t->state = READY;
        t->timed = t->timed_out = t->fresh = false;
        t->held.set = false;
        memset(&t->now, 0, sizeof t->now);
        memset(&t->acquired, 0, sizeof t->acquired);
        memset(&t->released, 0, sizeof t->released);
    }
}

static void run_threads(void)
{
    ex.running = true;
    enter(ex_choose(ex.program->threads));
    _longjmp(ex.thread[ex.self].at, 1);
}

static void check_sleepers(void)
{
    unsigned sleepers = 0;
    for (unsigned i = 0; i < ex.program->threads; i++) {
        if (ex.thread[i].state == LOCKED) {
            ex_fail("deadlock on a lock");
        }
        sleepers |= ex.thread[i].state == ASLEEP ? 1u << i : 0;
    }
    if (sleepers != 0 && (ex.program->may_sleep == NULL || !ex.program->may_sleep(sleepers))) {
        ex_fail("lost wake-up: a thread sleeps for ever");
    }
}

static bool execute(void)
{
    for (unsigned i = 0; i < ex.program->threads; i++) {
        prime(i);
    }
    reset();
    switch (_setjmp(ex.engine)) {
    case 0:
        if (ex.program->setup != NULL) {
            ex.program->setup();
        }
        run_threads();
        break;
    case 1:
        check_sleepers();
        if (ex.program->check != NULL) {
            ex.program->check();
        }
        return true;
    default: break;
    }
    return false;
}

static double seconds(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* What a program's explorations add up to, as it ends. */
static unsigned long explorations, executions_total;
static unsigned deepest_total;

static void print_figures(void)
{
    printf("FIGURES %s: explorations %lu, executions %lu, at most %u steps\n",
           program_invocation_short_name, explorations, executions_total, deepest_total);
}

int ex_run(const struct ex_program *program)
{
    const char *only = getenv("COSCHED_EXPLORE_ONLY");
    if (only != NULL && strstr(program->name, only) == NULL) {
        return 0;
    }
    const char *bound = getenv("COSCHED_EXPLORE_PREEMPTIONS");
    ex.program = program;
    ex.preemptions_max = bound != NULL ? (unsigned)strtoul(bound, NULL, 10) : program->preemptions;
    ex.executions = 0;
    ex.outcomes = 0;
    ex.choices = 0;
    ex.deepest = 0;
    for (unsigned i = 0; i < EX_THREADS_MAX; i++) {
        ex.thread[i].primed = false; /* another program's coroutines run another body */
    }
    if (explorations++ == 0) {
        (void)atexit(print_figures);
    }
    double start = seconds();
    do {
        ex.executions++;
        if (!execute()) {
            print_failure();
            if (getenv("COSCHED_EXPLORE_FIRST") != NULL) {
                exit(1);
            }
            return 1;
        }
        ex.deepest = ex.steps > ex.deepest ? ex.steps : ex.deepest;
    } while (advance());
    printf("%-28s %9lu executions, %u preemptions, %u steps, %.2f s\n", program->name,
           (unsigned long)ex.executions, ex.preemptions_max, ex.deepest, seconds() - start);
    executions_total += ex.executions;
    deepest_total = ex.deepest > deepest_total ? ex.deepest : deepest_total;
    (void)fflush(stdout);
    return 0;
}
