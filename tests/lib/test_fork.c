/* A fork while a runtime lives: the child is outside, wherever its parent was. */
#include "dies.h"
#include "run.h"

enum { CHILD_WENT_WELL = 42 };

static void expect_well(int status)
{
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), CHILD_WENT_WELL);
}

/* In the child. check's words go to a pipe that the parent reads, too: so it answers with the line that went wrong. */
#define CHILD_EXPECT(cond)         \
    do {                           \
        if (!(cond)) {             \
            return __LINE__ % 199; \
        }                          \
    } while (0)

static int64_t refused(void *arg)
{
    cosched_runtime *rt = arg, *other;
    cosched_task t = {1, 1};
    cosched_stats s = {.struct_size = sizeof s};
    CHILD_EXPECT(cosched_where() == COSCHED_INHERIT && cosched_self().index == 0);
    CHILD_EXPECT(cosched_runtime_self() == NULL && cosched_stack_left() == 0);
    CHILD_EXPECT(cosched_spawn(&t, run_return, NULL, NULL) == -EPERM);
    CHILD_EXPECT(cosched_await(&t, NULL, COSCHED_NEVER) == -EPERM);
    CHILD_EXPECT(cosched_call(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER) == -EPERM);
    CHILD_EXPECT(cosched_sleep_until(COSCHED_NEVER) == -EPERM);
    CHILD_EXPECT(cosched_blocking(NULL, run_return, NULL) == -EPERM);
    cosched_yield();
    CHILD_EXPECT(cosched_hop(COSCHED_WORKER) == COSCHED_INHERIT);
    CHILD_EXPECT(cosched_runtime_post(rt, COSCHED_MAIN, run_return, NULL, 0) == -EPERM);
    CHILD_EXPECT(cosched_runtime_call(rt, COSCHED_WORKER, run_return, NULL, NULL) == -EPERM);
    CHILD_EXPECT(cosched_runtime_loop(rt) == -EPERM);
    CHILD_EXPECT(cosched_runtime_run_expired(rt, 1000) == -EPERM);
    CHILD_EXPECT(cosched_runtime_stop(rt, COSCHED_NOW) == -EPERM);
    cosched_runtime_close(rt, NULL, NULL);
    CHILD_EXPECT(cosched_runtime_destroy(rt) == -EPERM);
    CHILD_EXPECT(cosched_stats_get(rt, &s) == -EPERM);
    CHILD_EXPECT(cosched_runtime_create(&other, NULL, NULL) == -EBUSY);
    CHILD_EXPECT(cosched_run(NULL, run_return, NULL) == -EBUSY);
    return CHILD_WENT_WELL;
}

static int64_t fork_here(void *arg)
{
    expect_well(dies_status(refused, arg, NULL, 0));
    return 0;
}

static void *fork_on_thread(void *arg)
{
    fork_here(arg);
    return NULL;
}

SCENARIO(in_a_child_everything_that_needs_the_runtime_refuses)
{
    cosched_runtime *rt = cosched_runtime_self();
    EXPECT_EQ(fork_here(rt), 0);
    EXPECT_EQ(run_join(run_spawn(fork_here, rt, COSCHED_WORKER)), 0);
    EXPECT_EQ(run_join(run_spawn(fork_here, rt, COSCHED_BLOCKING)), 0);
    EXPECT_EQ(cosched_blocking(NULL, fork_here, rt), 0);
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, fork_on_thread, rt), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    cosched_yield(); /* the parent goes on as before */
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)4, COSCHED_WORKER)), 4);
}

static int64_t exec_true(void *arg)
{
    (void)arg;
    execl("/bin/sh", "sh", "-c", "exit 42", (char *)NULL);
    return 1;
}

static atomic_bool end;

static int64_t be_busy(void *arg)
{
    (void)arg;
    int64_t n = 0;
    while (!end) {
        cosched_task t = run_spawn(run_return, (void *)1, COSCHED_INHERIT);
        n += run_join(t);
        cosched_yield();
    }
    return n;
}

/* Whatever the other threads hold just then. */
SCENARIO(forks_and_execs_in_the_midst_of_work)
{
    cosched_task t[4];
    end = false;
    for (int i = 0; i < 4; i++) {
        t[i] = run_spawn(be_busy, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < RUN_SIZE(40, 10, 5); i++) {
        expect_well(dies_status(exec_true, NULL, NULL, 0));
        EXPECT_EQ(fork_here(cosched_runtime_self()), 0);
        cosched_yield();
    }
    end = true;
    for (int i = 0; i < 4; i++) {
        EXPECT(run_join(t[i]) > 0);
    }
}

/* --- a child that does not end ------------------------------------------------------------------------------------ */

static int64_t fork_and_return(void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        return 1; /* into a runtime that is not there */
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    (void)arg;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 7 : -EIO;
}

static int64_t returns_from_task(void *arg)
{
    (void)arg;
    cosched_config config = {.struct_size = sizeof config, .workers = 1};
    return cosched_run(&config, fork_and_return, NULL);
}

static int64_t returns_from_blocking_task(void *arg)
{
    int64_t result = -1;
    (void)arg;
    EXPECT_EQ(cosched_blocking(&result, fork_and_return, NULL), 0);
    return result;
}

static int64_t returns_from_blocking(void *arg)
{
    (void)arg;
    cosched_config config = {.struct_size = sizeof config, .workers = 1};
    return cosched_run(&config, returns_from_blocking_task, NULL);
}

START_TEST(a_child_that_returns_from_its_body_is_ended)
{
    char said[4096];
    const char *word = "a forked child ends by exec or _exit";
    const cosched_fn table[] = {returns_from_task, returns_from_blocking};
    for (int i = 0; i < 2; i++) {
        int status = dies_status(table[i], NULL, said, sizeof said);
        EXPECT(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 7);
        EXPECT(strstr(said, word) != NULL);
    }
}

END_TEST

/* --- no runtime at the time ----------------------------------------------------------------------------------------- */

static int64_t own_runtime(void *arg)
{
    (void)arg;
    cosched_config config = {.struct_size = sizeof config, .workers = 2};
    return cosched_run(&config, run_return, (void *)CHILD_WENT_WELL);
}

START_TEST(a_child_of_a_process_whose_runtime_is_gone_makes_its_own)
{
    if (RUN_TSAN) {
        return; /* which refuses threads in the child of a process that has had several */
    }
    for (int i = 0; i < 3; i++) {
        expect_well(dies_status(own_runtime, NULL, NULL, 0));
        EXPECT_EQ(own_runtime(NULL), CHILD_WENT_WELL);
    }
}

END_TEST

RUN_MAIN("fork", EACH(in_a_child_everything_that_needs_the_runtime_refuses),
         EACH(forks_and_execs_in_the_midst_of_work),
         ONCE(a_child_that_returns_from_its_body_is_ended),
         ONCE(a_child_of_a_process_whose_runtime_is_gone_makes_its_own))
