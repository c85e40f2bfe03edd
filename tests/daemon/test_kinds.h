/* Kinds at work, inside a runtime, for the tests of each: one attempt and everything they watch. Every test runs with 0, 1
 * and 3 workers. A command says on its stdout how far it is; nothing here waits for time to pass. */
#ifndef TEST_KINDS_H
#define TEST_KINDS_H
#include <cosched/cosched.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instance.h"
#include "kind.h"
#include "process.h"

static const char *const base_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "KEPT=yes", "GONE=no",
                                       NULL};
static struct exec_settings settings = {.instance = test_instance,
                                        .env = base_env,
                                        .grace_ns = INT64_C(60000000000),
                                        .output_max_bytes = 1 << 20,
                                        .umask = 022};
static char folder[64];
static int out_dir = -1;

static inline const char *in_folder(const char *name)
{
    static char path[512];
    static char cwd[256];

    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    snprintf(path, sizeof path, "%s/%s/%s", cwd, folder, name);
    return path;
}

/* One attempt and everything the tests watch. */
struct
try {
    const char *kind;
    char args[2048];
    struct job_run run;
    struct job_outcome out;
    struct json *parsed;
    int result;
    int answer; /* of on_process */
    pid_t pid;
    cosched_event ready; /* the first output */
    bool was_ready;
};

static inline int on_process(struct job_run *run, pid_t pid, uint64_t start_time)
{
    struct try *t = run->context;
    uint64_t now = 0;

    ck_assert_int_eq(process_start_time(pid, &now), 0);
    ck_assert_uint_eq(now, start_time);
    ck_assert_int_eq(t->pid, 0);
    t->pid = pid;
    return t->answer;
}

static inline void on_output(struct job_run *run, enum output_stream stream, uint64_t bytes)
{
    struct try *t = run->context;

    (void)stream;
    ck_assert_uint_gt(bytes, 0);
    if (!t->was_ready) {
        cosched_event_set(&t->ready);
    }
    t->was_ready = true;
}

static inline void try_init(struct try *t, const char *kind, const char *args)
{
    static int64_t next_id = 1;
    struct json_error wrong;

    memset(t, 0, sizeof *t);
    t->kind = kind;
    snprintf(t->args, sizeof t->args, "%s", args);
    t->parsed = json_parse(t->args, strlen(t->args), &wrong);
    ck_assert_msg(t->parsed != NULL, "%s: %s", args, wrong.reason);
    t->run = (struct job_run){.id = next_id++,
                              .attempt = 1,
                              .args = t->parsed,
                              .out_dir = out_dir,
                              .exec = &settings,
                              .on_process = on_process,
                              .on_output = on_output,
                              .context = t};
    job_outcome_init(&t->out);
    cosched_event_init(&t->ready);
}

static inline void try_fini(struct try *t)
{
    job_outcome_fini(&t->out);
    json_free(t->parsed);
    output_remove(out_dir, t->run.id);
}

static inline int64_t try_body(void *arg)
{
    struct try *t = arg;

    t->result = kind_find(t->kind)->run(&t->run, &t->out);
    ck_assert_int_eq(cosched_where(), COSCHED_MAIN);
    if (!t->was_ready) { /* whoever waits for output that never came */
        cosched_event_set(&t->ready);
    }
    t->was_ready = true;
    return 0;
}

static inline void try_run(struct try *t, const char *kind, const char *args)
{
    try_init(t, kind, args);
    try_body(t);
}

static inline void shell(struct try *t, const char *script, const char *more)
{
    char args[2048];

    snprintf(args, sizeof args, "{\"argv\":[\"sh\",\"-c\",\"%s\"]%s}", script, more);
    try_run(t, "exec", args);
}

/* Runs until the command has said something, then cancels, then waits. */
static inline void shell_canceled(struct try *t, const char *script, const char *more)
{
    char args[2048];
    cosched_task task;
    const cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};

    snprintf(args, sizeof args, "{\"argv\":[\"sh\",\"-c\",\"%s\"]%s}", script, more);
    try_init(t, "exec", args);
    ck_assert_int_eq(cosched_spawn(&task, try_body, t, &attr), 0);
    ck_assert_int_eq(cosched_event_wait(&t->ready, COSCHED_NEVER), 0);
    cosched_cancel(task);
    ck_assert_int_eq(cosched_await(&task, NULL, COSCHED_NEVER), 0);
}

static inline const char *text_of(const struct try *t, enum output_stream stream)
{
    static char text[2][4096];
    struct output_chunk chunk;

    ck_assert_int_eq(output_read(t->run.out_dir, t->run.id, 1, stream, 0, text[stream],
                                 sizeof text[stream] - 1, &chunk),
                     0);
    text[stream][chunk.size] = '\0';
    return text[stream];
}

static inline void succeeded(const struct try *t)
{
    ck_assert_msg(t->result == 0 && t->out.kind == JOB_OUTCOME_SUCCEEDED, "%s: %d, kind %d, %s: %s",
                  t->args, t->result, (int)t->out.kind, t->out.error_name, t->out.error_message);
}

static inline void failed(const struct try *t, const char *name, int exit_code)
{
    ck_assert_int_eq(t->result, 0);
    ck_assert_int_eq(t->out.kind, JOB_OUTCOME_FAILED);
    ck_assert_str_eq(t->out.error_name, name);
    ck_assert_int_eq(t->out.exit_code, exit_code);
}

/* --- frame ---------------------------------------------------------------------------------- */

static inline void setup(void)
{
    snprintf(folder, sizeof folder, "kinds-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int state = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    out_dir = output_dir_open(state);
    ck_assert_int_ge(out_dir, 0);
    close(state);
    ck_assert_int_eq(process_init(), 0);
}

static inline void teardown(void)
{
    char path[128];

    close(out_dir);
    snprintf(path, sizeof path, "%s/output", folder);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(rmdir(folder), 0);
}

struct kinds_test {
    const char *name;
    cosched_fn body;
};

static const struct kinds_test *bodies;
static int body_count;

START_TEST(in_a_runtime)
{
    static const int32_t counts[] = {0, 1, 3};

    const struct kinds_test *test = &bodies[_i % body_count];
    const cosched_config config = {.struct_size = sizeof config, .workers = counts[_i / body_count]};
    int64_t result = cosched_run(&config, test->body, NULL);
    ck_assert_msg(result == 0, "%s with %d workers: %lld", test->name, (int)config.workers,
                  (long long)result);
    process_reap_orphans();
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) < 0, "%s left a process", test->name);
}

END_TEST

static inline int kinds_run(const char *name, const struct kinds_test *tests, int count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    bodies = tests;
    body_count = count;
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, in_a_runtime, 0, 3 * count);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int bad = srunner_ntests_failed(runner);
    srunner_free(runner);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define KINDS_TEST(name) \
    {                    \
#name, name      \
    }
#define KINDS_MAIN(name, ...)                                                 \
    int main(void)                                                            \
    {                                                                         \
        static const struct kinds_test tests[] = {__VA_ARGS__};               \
        return kinds_run(name, tests, (int)(sizeof tests / sizeof tests[0])); \
    }

#endif
