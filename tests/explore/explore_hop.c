/* Every schedule of a hop that may be withdrawn (sched/hop.c), against the executor it travels to, a cancellation and a
 * timer: the task goes on exactly once, where it should, and knows which; its block is given back once; what is left of a
 * withdrawn hop in the queue harms no later wait of the task. */
#include <errno.h>

#include "model.h"
#include "sched/hop.h"
#include "sched/park.h"

enum { FIBER, THERE, CANCELER, TIMER };

static struct cos_task *traveler;
static int rc;
static unsigned arrivals;
static bool ended;
static cosched_event event;

static void setup(void)
{
    model_setup();
    traveler = model_task_on(FIBER, 1, COSCHED_MAIN);
    traveler->name = "traveler";
    /* Blocks for hops. */
    for (uint32_t i = 3; i >= 2; i--) {
        cos_task_at(i)->link = model_exec[FIBER].tasks.head;
        model_exec[FIBER].tasks.head = i;
        model_exec[FIBER].tasks.count++;
    }
    rc = 1;
    arrivals = 0;
    ended = false;
    cosched_event_init(&event);
    ex_name(&traveler->wait.word, "wait");
    ex_name(&traveler->scope.flags, "flags");
    ex_name(&traveler->scope.ticket, "ticket");
}

static void hops(int64_t deadline)
{
    rc = cos_hop_until(COSCHED_WORKER, deadline);
    struct cos_fiber *f = traveler->fiber;
    EX_CHECK(f->affinity == (rc == 0 ? COSCHED_WORKER : COSCHED_MAIN));
    EX_CHECK(f->hop == NULL && (f->hop_spare != NULL) == (rc == 0));
    cos_hop_home(f);
    ended = true;
}

static void fiber_hops(void)
{
    hops(INT64_MAX);
}

static void fiber_hops_in_time(void)
{
    hops(MODEL_NOW + 1);
}

/* What was withdrawn may still be in the queue: it must not end this wait, nor take the task away. */
static void fiber_hops_and_waits(void)
{
    hops(INT64_MAX);
    if (rc < 0) {
        cosched_event_wait_always(&event);
        EX_CHECK(traveler->fiber->affinity == COSCHED_MAIN);
    }
}

static void there(void)
{
    struct cos_fiber *f = cos_hop_arrive(cos_exec_current(), model_take());
    if (f != NULL) {
        arrivals++;
        model_resume(f);
    }
}

static void canceler(void)
{
    cos_scope_cancel(&traveler->scope, 0);
}

static void timer(void)
{
    (void)cos_timers_fire(&model_exec[FIBER].timers, MODEL_NOW + 2 * COS_WHEEL_TICK_NS);
}

static void setter(void)
{
    cosched_event_set(&event);
}

/* Blocks that lie in a cache: both of them, wherever they went, unless the executor never came to its entry. */
static unsigned free_blocks(void)
{
    return model_exec[FIBER].tasks.count + model_exec[THERE].tasks.count;
}

static void check(void)
{
    EX_CHECK(ended && (rc == 0) == (arrivals == 1) && (rc == 0 || rc == -ECANCELED));
    EX_CHECK(free_blocks() == 2);
    EX_CHECK(cos_wait_word_phase(traveler->wait.word) == COS_WAIT_RUNNING);
}

static void check_timed(void)
{
    EX_CHECK(ended && (rc == 0) == (arrivals == 1));
    EX_CHECK(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    EX_CHECK(!traveler->timer.armed && free_blocks() == 2);
}

/* The executor waits for ever when the hop ended before it left. */
static bool may_sleep(unsigned sleepers)
{
    return sleepers == 1U << THERE && ended;
}

int main(void)
{
    static const struct ex_program program[] = {
        {"hop, cancel", 3, setup, {fiber_hops, there, canceler}, may_sleep, check, 2, 1},
        {"hop, cancel, timer",
         4,
         setup,
         {fiber_hops_in_time, there, canceler, timer},
         may_sleep,
         check_timed,
         1,
         1},
        {"hop withdrawn, next wait",
         4,
         setup,
         {fiber_hops_and_waits, there, canceler, setter},
         may_sleep,
         check,
         1,
         1},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
