/* Every schedule of a fork whose second branch is offered (sched/branch.h) against a thief: the branch runs once, the forker has what
 * it left, and no end of it reaches a frame that is gone. The same when the forker panics. */
#include <errno.h>
#include <string.h>

#include "model.h"
#include "sched/branch.h"
#include "sched/finish.h"

enum { FORKER, THIEF, BLOCK };

static struct cos_task *forker;
static int left; /* plain: what the second branch leaves */
static unsigned runs;
static uint32_t stolen;
static struct cos_forks forks; /* what would lie on the forker's stack */
static struct cos_branch record[2];

static int64_t second(void *arg)
{
    (void)arg;
    ex_data_write(&left);
    runs++;
    return 2;
}

static void setup(void)
{
    model_setup();
    forker = model_task_on(FORKER, 1, COSCHED_MAIN);
    model_act_as(FORKER);
    if (cos_deque_init(&model_exec[FORKER].deque, 2) < 0) {
        ex_fail("setup");
    }
    memset(record, 0, sizeof record);
    memset(&forks, 0, sizeof forks);
    forks.first = forks.at = record;
    forks.end = record + 2;
    forks.scope = &forker->scope;
    forks.home = COSCHED_MAIN;
    cos_atomic_init(&forks.open, COS_FORKS_OPEN);
    record[1].fn = second;
    record[1].forks = &forks;
    cos_atomic_init(&record[1].offer, cos_offer(0, BLOCK, COS_MARK_OFFERED));
    cos_task_at(BLOCK)->kind = COS_TASK_BRANCH;
    cos_task_at(BLOCK)->branch = &record[1];
    (void)cos_deque_push_owner(&model_exec[FORKER].deque, BLOCK);
    model_act_as(EX_THREADS_MAX);
    runs = 0;
    stolen = 0;
    ex_name(&cos_task_at(BLOCK)->join, "join");
    ex_name(&cos_task_at(BLOCK)->scope.flags, "flags");
    ex_name(&forker->wait.word, "forker's wait");
}

/* As cosched_invoke does once it has called the first. */
static void join(void)
{
    if (cos_offer_take_back(cos_exec_current(), &record[1])) {
        (void)second(NULL);
    } else {
        cos_forks_lost(&forks);
        cos_forks_join(&forks);
        EX_CHECK(record[1].result == 2);
    }
    ex_data_read(&left);
    ex_dead(&forks, sizeof forks);
}

static void panic(void)
{
    cos_forks_undo(&forks);
    ex_data_read(&left); /* whoever wrote it has ended */
    ex_dead(&forks, sizeof forks);
}

/* What an executor does with an entry, without a stack. */
static void thief(void)
{
    if (cos_deque_steal(&model_exec[FORKER].deque, &stolen) == COS_STEAL_TAKEN) {
        struct cos_exec *e = cos_exec_current();
        struct cos_task *t = cos_task_at(stolen);
        EX_CHECK(t->kind == COS_TASK_BRANCH);
        cos_branch_start(e, t);
        bool canceled = (cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_CANCELED) != 0;
        cos_task_complete(e, t, canceled ? -ECANCELED : second(NULL));
    }
}

/* The block is back with who took it: as it was with the forker, with a new generation with the thief. */
static void check_blocks(void)
{
    const struct cos_task *t = cos_task_at(BLOCK);
    EX_CHECK(model_exec[FORKER].tasks.head == (stolen != 0 ? 0 : BLOCK));
    EX_CHECK(cos_join_generation(t->join) == (stolen != 0 ? 8 : 7));
    EX_CHECK(cos_deque_size(&model_exec[FORKER].deque) == 0);
}

static void check_once(void)
{
    EX_CHECK(runs == 1);
    check_blocks();
}

static void check_at_most_once(void)
{
    EX_CHECK(runs <= (stolen != 0 ? 1 : 0));
    check_blocks();
}

int main(void)
{
    static const struct ex_program program[] = {
        {"invoke, a thief", 2, setup, {join, thief}, NULL, check_once, 2, 1},
        {"invoke, a thief and a panic", 2, setup, {panic, thief}, NULL, check_at_most_once, 2, 1},
    };
    int failed = 0;
    model_deques = true;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
