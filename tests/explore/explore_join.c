/* Every schedule of the end of a task against those that wait for it (sched/join.c, publish_end in sched/finish.c): one of them
 * takes the result, which it sees; a waiter that gives up meanwhile misses neither the end nor its own next wait. */
#include <errno.h>

#include "model.h"
#include "sched/finish.h"
#include "sched/join.h"
#include "sched/park.h"

enum { PARENT, ENDER, OTHER };

static struct cos_task *parent, *stranger, *kid;
static int result; /* plain: what the body left to whoever takes its result */
static int rc_parent, rc_other;
static unsigned consumed;
static bool recycled;
static cosched_event event;

static void setup(void)
{
    model_setup();
    parent = model_task_on(PARENT, 1, COSCHED_MAIN);
    stranger = model_task_on(OTHER, 2, COSCHED_WORKER);
    model_act_as(PARENT);
    kid = model_task(3, parent);
    model_act_as(EX_THREADS_MAX);
    rc_parent = rc_other = 1;
    consumed = 0;
    recycled = false;
    cosched_event_init(&event);
    ex_name(&kid->join, "join");
    ex_name(&parent->wait.word, "parent's wait");
    ex_name(&stranger->wait.word, "other's wait");
    ex_name(&parent->joining, "parent joins");
    ex_name(&stranger->joining, "other joins");
}

static int join_and_take(struct cos_task *self)
{
    int rc = cos_join_wait(self->fiber, kid, 7, COSCHED_NEVER, 0);
    if (rc == 0) {
        ex_data_read(&result);
        int64_t value = cos_atomic_load(&kid->result, relaxed);
        rc = cos_join_consume(cos_exec_current(), self, kid, 7);
        EX_CHECK(rc < 0 || value == 42);
        consumed += rc == 0;
    }
    return rc;
}

static void parent_joins(void)
{
    rc_parent = join_and_take(parent);
}

static void other_joins(void)
{
    rc_other = join_and_take(stranger);
}

/* A late wake-up of the first wait must not end the second. */
static void parent_joins_and_waits(void)
{
    parent_joins();
    cosched_event_wait_always(&event);
    EX_CHECK(*(uint64_t *)(void *)&event == 1);
}

static void ender(void)
{
    ex_data_write(&result);
    cos_task_complete(cos_exec_current(), kid, 42);
}

static void ender_then_setter(void)
{
    ender();
    uint64_t word = *(uint64_t *)(void *)&event;
    if (word > 1) { /* it waits for the event by now: nobody but us may end that */
        EX_CHECK(cos_wait_word_phase(parent->wait.word) != COS_WAIT_CLAIMED);
    }
    cosched_event_set(&event);
}

static void canceler(void)
{
    cos_scope_cancel(&parent->scope, 0);
}

/* Nothing but the cancellation ends this. */
static void parent_waits(void)
{
    rc_parent = cosched_event_wait(&event, COSCHED_NEVER);
}

static void check_cut_short(void)
{
    EX_CHECK(rc_parent == -ECANCELED);
}

static void detacher(void)
{
    cosched_task copy = model_handle(kid);
    cosched_detach(
        &copy); /* not its parent: until it has ended, or a waiter has it, it belongs to nobody */
}

static void check_one(void)
{
    EX_CHECK(rc_parent == 0 && consumed == 1 && parent->kids == 0);
}

static void check_canceled(void)
{
    EX_CHECK(rc_parent == 0 || rc_parent == -ECANCELED);
    EX_CHECK((rc_parent == 0) == (consumed == 1));
    EX_CHECK(cos_join_generation(kid->join) == 7U + consumed);
    EX_CHECK(consumed == 1 || cos_join_who(kid->join) == COS_JOIN_DONE);
}

static bool refused(int rc)
{
    return rc == -EBUSY || rc == -ESTALE;
}

static void check_two(void)
{
    EX_CHECK(consumed == 1);
    EX_CHECK((rc_parent == 0 && refused(rc_other)) || (rc_other == 0 && refused(rc_parent)));
    /* Taken by its parent it is free, by the other it is left for the parent to unlist. */
    EX_CHECK(cos_join_generation(kid->join) == 8);
    EX_CHECK((cos_join_who(kid->join) == COS_JOIN_ZOMBIE) == (rc_other == 0));
}

static void check_detached(void)
{
    EX_CHECK(rc_parent == 0 || rc_parent == -ESTALE);
    EX_CHECK(model_roots == 0);
    EX_CHECK(cos_join_generation(kid->join) == 8);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"join, end", 2, setup, {parent_joins, ender}, NULL, check_one, 3, 1},
        {"join, end, cancel", 3, setup, {parent_joins, ender, canceler}, NULL, check_canceled, 1, 1},
        {"wait, cancel", 2, setup, {parent_waits, canceler}, NULL, check_cut_short, 2, 1},
        {"join, end, late wake-up",
         3,
         setup,
         {parent_joins_and_waits, ender_then_setter, canceler},
         NULL,
         NULL,
         1,
         1},
        {"join, end, another joins", 3, setup, {parent_joins, ender, other_joins}, NULL, check_two, 1, 1},
        {"join, end, another detaches",
         3,
         setup,
         {parent_joins, ender, detacher},
         NULL,
         check_detached,
         2,
         1},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
