/* Virtual threads: starting, switching, waiting, ending; and virtual time. */
#include "world.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/lock.h"
#include "base/assert.h"
#include "plan.h"
#include "sched/current.h"

#if COS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

struct sim_world sim;
bool sim_fine;

/* What a point costs in virtual time. A pause instruction costs more than the load it waits for. */
static const int64_t cost_ns[SIM_KINDS] = {10, 10, 20, 20, 250, 300};

#define PAUSE_NS            3000
#define LOOK_AT_POLLS_EVERY 4096U

uint64_t sim_steps(void)
{
    return sim.steps;
}

uint64_t sim_random(void)
{
    sim.random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = sim.random;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t sim_below(uint64_t n)
{
    return sim_random() % n;
}

/* --- who is runnable ---------------------------------------------------------------------------------- */

bool sim_is_ready(const struct sim_thread *t)
{
    return (sim.ready[t->id / 64] >> t->id % 64 & 1) != 0;
}

static void set_ready(struct sim_thread *t, bool ready)
{
    if (sim_is_ready(t) != ready) {
        sim.ready[t->id / 64] ^= UINT64_C(1) << t->id % 64;
        sim.ready_count += ready ? 1 : UINT32_MAX;
    }
}

static void end_wait(struct sim_thread *t, bool woken)
{
    t->state = SIM_READY;
    t->woken = woken;
    set_ready(t, true);
    sim_plan_stirred();
}

void sim_wake(struct sim_thread *t)
{
    COS_ASSERT(t->state > SIM_READY && t->state < SIM_DEAD);
    end_wait(t, true);
}

struct sim_thread *sim_waiter(enum sim_state state, const void *object)
{
    struct sim_thread *first = NULL;
    for (uint32_t i = 0; i < sim.threads; i++) {
        struct sim_thread *t = &sim.thread[i];
        if (t->state == state && t->object == object &&
            (first == NULL || t->waits_from < first->waits_from)) {
            first = t;
        }
    }
    return first;
}

/* --- time --------------------------------------------------------------------------------------------- */

int64_t sim_earliest(void)
{
    int64_t first = SIM_NEVER;
    for (uint32_t i = 0; i < sim.threads; i++) {
        const struct sim_thread *t = &sim.thread[i];
        if (t->state > SIM_READY && t->state < SIM_DEAD && t->deadline < first) {
            first = t->deadline;
        }
    }
    return first;
}

void sim_advance(int64_t to)
{
    sim.now = to > sim.now ? to : sim.now;
    if (sim.now < sim.next_deadline) {
        return;
    }
    for (uint32_t i = 0; i < sim.threads; i++) {
        struct sim_thread *t = &sim.thread[i];
        if (t->state > SIM_READY && t->state < SIM_DEAD && t->deadline <= sim.now) {
            end_wait(t, false);
        }
    }
    sim.next_deadline = sim_earliest();
}

/* --- switching ---------------------------------------------------------------------------------------- */

static void arrived(struct sim_thread *came, void *fake_stack)
{
#if COS_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, &came->standing, &came->standing_bytes);
#else
    (void)came;
    (void)fake_stack;
#endif
    cos_exec_set_current(sim.self->current);
    cos_lock_count(sim.self->held);
    errno = sim.self->error;
}

static void switch_to(struct sim_thread *to)
{
    struct sim_thread *from = sim.self;
    from->current = cos_exec_current();
    from->held = cos_lock_held();
    cos_lock_count(-from->held);
    from->error = errno;
    from->streak = 0;
    sim.self = to;
    void *fake_stack = NULL;
#if COS_ASAN
    __sanitizer_start_switch_fiber(from->state == SIM_DEAD ? NULL : &fake_stack, to->standing,
                                   to->standing_bytes);
#endif
    struct sim_thread *came = cos_arch_switch(&from->ctx, &to->ctx, from);
    arrived(came, fake_stack);
}

/* Nothing is runnable: descriptors first, then time. */
static void idle(void)
{
    while (sim.ready_count == 0 && !sim_look_at_polls()) {
        struct sim_thread *t = &sim.thread[0];
        if (t->state == SIM_DRAIN) {
            sim_wake(t);
            return;
        }
        sim.next_deadline = sim_earliest();
        if (sim.next_deadline == SIM_NEVER) {
            sim_fail("deadlock: no thread is runnable, and no time will wake one");
        }
        if (sim.within_ns != 0 && sim.next_deadline > SIM_EPOCH_NS + sim.within_ns) {
            sim_fail("late: nobody is runnable before +%.6f s",
                     (double)(sim.next_deadline - SIM_EPOCH_NS) / 1e9);
        }
        sim_advance(sim.next_deadline);
    }
}

static void reschedule(bool forced)
{
    if (sim.ready_count == 0) {
        idle();
    }
    struct sim_thread *to = sim_choose(forced);
    if (to != sim.self) {
        sim_trace("goes on", to->id, to->where);
        switch_to(to);
    }
}

void sim_point(enum sim_kind kind, const char *where)
{
    struct sim_thread *t = sim.self;
    if (!sim.active) {
        return;
    }
    t->where = where;
    t->points++;
    t->cpu_ns += cost_ns[kind];
    sim.steps++;
    sim_trace("point", (int64_t)kind, where);
    sim_advance(sim.now + cost_ns[kind]);
    if (sim.steps >= sim_plan_limit()) {
        sim_fail("livelock: %llu steps, and no end", (unsigned long long)sim.steps);
    }
    if (sim.steps % LOOK_AT_POLLS_EVERY == 0) {
        sim_look_at_polls();
    }
    if (sim.ready_count > 1) {
        bool forced = kind == SIM_RELAX || ++t->streak >= SIM_SLICE_POINTS;
        if (forced) {
            t->streak = 0;
        }
        reschedule(forced);
    }
}

bool sim_wait(enum sim_state state, const void *object, int64_t deadline)
{
    struct sim_thread *t = sim.self;
    t->points++;
    t->state = state;
    t->object = object;
    t->deadline = deadline;
    t->waits_from = sim.waits++;
    set_ready(t, false);
    sim_trace("waits", (int64_t)state, t->where);
    if (deadline < sim.next_deadline) {
        sim.next_deadline = deadline;
        sim_advance(sim.now);
    }
    reschedule(true);
    t->object = NULL;
    return t->woken;
}

/* --- life ---------------------------------------------------------------------------------------------- */

static struct sim_thread *add_thread(void)
{
    for (uint32_t i = 0; i < SIM_THREADS_MAX; i++) {
        struct sim_thread *t = &sim.thread[i];
        if (t->state == SIM_FREE || (t->state == SIM_DEAD && t->detached && t != sim.self)) {
            char *stack = t->stack;
            size_t bytes = t->stack_bytes;
            uint32_t points = t->points; /* a schedule names threads by number: their points go on */
            uint32_t cursor = t->cursor;
            *t = (struct sim_thread){
                .id = i, .state = SIM_READY, .stack = stack, .stack_bytes = bytes};
            t->points = points;
            t->cursor = cursor;
            t->deadline = SIM_NEVER;
            sim.threads = sim.threads > i ? sim.threads : i + 1;
            return t;
        }
    }
    sim_fail("more than %d virtual threads", SIM_THREADS_MAX);
}

static void thread_main(void *message)
{
    struct sim_thread *t = sim.self;
    arrived(message, NULL);
    t->result = t->entry(t->arg);
    t->state = SIM_DEAD;
    set_ready(t, false);
    struct sim_thread *joiner = sim_waiter(SIM_JOIN, t);
    if (joiner != NULL) {
        sim_wake(joiner);
    }
    t->points++;
    reschedule(true);
    COS_PANIC("a dead virtual thread was chosen");
}

struct sim_thread *sim_start(void *(*entry)(void *), void *arg, size_t stack_bytes, bool detached)
{
    struct sim_thread *t = add_thread();
    if (t->stack != NULL && t->stack_bytes < stack_bytes) {
        munmap(t->stack, t->stack_bytes);
        t->stack = NULL;
    }
    if (t->stack == NULL) {
        t->stack_bytes = stack_bytes;
        t->stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        COS_ASSERT(t->stack != MAP_FAILED);
    }
    cos_context_make(&t->ctx, t->stack, t->stack + t->stack_bytes, thread_main);
#if COS_ASAN
    /* The entry of contexts under AddressSanitizer ends the announced switch itself; thread_main must, to learn where the
     * other flow stood. */
    void (*entry_of_flow)(void *) = thread_main;
    memcpy(&t->ctx.bp, &entry_of_flow, sizeof entry_of_flow);
#endif
    t->standing = t->stack;
    t->standing_bytes = t->stack_bytes;
    t->entry = entry;
    t->arg = arg;
    t->detached = detached;
    sim_choose_start(t);
    set_ready(t, true);
    sim_plan_stirred();
    sim_point(SIM_SYSTEM, __func__);
    return t;
}

void sim_begin(uint64_t seed)
{
    sim = (struct sim_world){.now = SIM_EPOCH_NS, .next_deadline = SIM_NEVER};
    sim.random = seed * UINT64_C(0xD1342543DE82EF95) + 1;
    sim_trace_begin();
    sim.self = add_thread();
    sim_choose_begin();
    sim_choose_start(sim.self);
    set_ready(sim.self, true);
    sim.active = true;
}

void sim_end(void)
{
    sim_wait(SIM_DRAIN, NULL, SIM_NEVER);
    for (uint32_t i = 1; i < sim.threads; i++) {
        if (sim.thread[i].state != SIM_DEAD) {
            sim_fail("virtual thread %u is still there at the end", i);
        }
    }
    sim.active = false;
    sim_trace_end();
}

void sim_busy(int64_t ns)
{
    sim.self->cpu_ns += ns;
    sim_wait(SIM_BUSY, NULL, sim.now + ns);
}

void sim_pause(void)
{
    if (sim.active) {
        sim_busy(PAUSE_NS);
    }
}

void sim_within(int64_t ns)
{
    sim.within_ns = ns;
}

void sim_stalls(int64_t horizon_ns)
{
    sim.stall_ns = horizon_ns;
}
