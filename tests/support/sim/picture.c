/* Who waits for what, when a run fails; and the end of a failed run. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"
#include "sched/exec.h"
#include "sched/runtime.h"
#include "sched/task.h"
#include "world.h"

static const char *const states[] = {
    "free",           "runnable", "sleeps on a word", "waits for a mutex", "waits on a condition",
    "joins a thread", "polls",    "is busy",          "waits for the end", "has ended"};

static const char *const phases[] = {"running", "parking", "parked", "claimed"};
static const char *const affinities[] = {"INHERIT", "MAIN", "WORKER", "BLOCKING"};

struct text {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out->at, out->left, format, args);
    va_end(args);
    if (n > 0) {
        size_t used = (size_t)n < out->left ? (size_t)n : out->left - 1;
        out->at += used;
        out->left -= used;
    }
}

static void put_role(struct text *out, const struct sim_thread *t)
{
    const struct cos_exec *e = t == sim.self ? cos_exec_current() : t->current;
    if (e == NULL) {
        put(out, t->id == 0 ? "outside" : t->entry == cos_worker_main ? "worker" : "no executor");
    } else if (e->kind == COS_EXEC_MAIN) {
        put(out, "MAIN");
    } else {
        put(out, e->kind == COS_EXEC_WORKER ? "worker %u" : "own thread %u", e->id);
    }
    if (e != NULL && e->running != NULL) {
        put(out, ", in task %u", e->running->base->index);
    }
}

static void put_thread(struct text *out, const struct sim_thread *t)
{
    put(out, "  thread %u (", t->id);
    put_role(out, t);
    put(out, ") %s", states[t->state]);
    if (t->state > SIM_READY && t->state < SIM_DEAD) {
        if (t->deadline != SIM_NEVER) {
            put(out, " until +%.6f s", (double)(t->deadline - SIM_EPOCH_NS) / 1e9);
        } else {
            put(out, " without a limit");
        }
    }
    put(out, "; last at point %u, %s%s\n", t->points, t->where != NULL ? t->where : "its start",
        t == sim.self ? "; it runs" : "");
}

static void put_task(struct text *out, const struct cos_task *t)
{
    if (t->kind == COS_TASK_HOP) {
        put(out, "  task %u: a hop of task %u to %s\n", t->index, (uint32_t)(t->ticket >> 32),
            affinities[t->affinity & 3]);
        return;
    }
    if (t->kind != COS_TASK_BODY) {
        return;
    }
    uint64_t word = atomic_load(&t->wait.word);
    put(out, "  task %u%s%s: ", t->index, t->name != NULL ? " " : "",
        t->name != NULL ? t->name : "");
    if (t->fiber == NULL) {
        put(out, "not started, for %s", affinities[t->affinity & 3]);
    } else {
        put(out, "%s, on %s", phases[cos_wait_word_phase(word) & 3],
            affinities[t->fiber->affinity & 3]);
        uint64_t joining = atomic_load(&t->joining);
        if (joining != 0 && joining != COS_JOINING_ANY) {
            put(out, ", awaits task %u", (uint32_t)(joining & UINT32_MAX));
        }
    }
    uint32_t who = cos_join_who(atomic_load(&t->join));
    put(out, "; join word %s\n",
        who == COS_JOIN_NONE     ? "open"
        : who == COS_JOIN_DONE   ? "done"
        : who > COS_JOIN_ZOMBIE  ? "detached"
        : who == COS_JOIN_ZOMBIE ? "zombie"
                                 : "awaited");
}

void sim_picture(char *text, size_t size)
{
    struct text out = {text, size};
    put(&out, "after %llu steps, +%.6f s:\n", (unsigned long long)sim.steps,
        (double)(sim.now - SIM_EPOCH_NS) / 1e9);
    for (uint32_t i = 0; i < sim.threads; i++) {
        if (sim.thread[i].state != SIM_DEAD) {
            put_thread(&out, &sim.thread[i]);
        }
    }
    const struct cos_task *t;
    for (uint32_t i = 1; (t = cos_task_lookup((cosched_task){i, 0})) != NULL && out.left > 1; i++) {
        put_task(&out, t);
    }
}

void sim_fail(const char *format, ...)
{
    sim.active = false;
    sim_fine = false;
    if (sim_outcome->verdict != SIM_FAILED) {
        va_list args;
        va_start(args, format);
        vsnprintf(sim_outcome->message, sizeof sim_outcome->message, format, args);
        va_end(args);
        sim_outcome->verdict = SIM_FAILED;
        sim_outcome->steps = sim.steps;
        sim_outcome->hash = sim.hash;
        sim_picture(sim_outcome->picture, sizeof sim_outcome->picture);
        sim_trace_end();
    }
    _exit(1);
}
