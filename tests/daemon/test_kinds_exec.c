/* Commands with all their ends: what they are given, what they leave, how they are ended from outside. */
#include <dirent.h>
#include <signal.h>

#include "test_kinds.h"

/* --- exec: ends of its own ------------------------------------------------------------------ */

static int64_t exec_ends(void *arg)
{
    static struct try t;

    (void)arg;
    shell(&t, "echo out; echo err >&2", "");
    succeeded(&t);
    ck_assert_int_eq(t.out.exit_code, 0);
    ck_assert_int_eq(t.out.signal, 0);
    ck_assert_int_eq(t.out.output.bytes, 4);
    ck_assert_int_eq(t.out.errors.kept, 4);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), "out\n");
    ck_assert_str_eq(text_of(&t, OUTPUT_STDERR), "err\n");
    try_fini(&t);

    shell(&t, "exit 3", "");
    failed(&t, "", 3);
    ck_assert_int_eq(t.out.output.bytes, 0);
    try_fini(&t);

    shell(&t, "kill -KILL $$", "");
    failed(&t, "", JOB_CODE_NONE);
    ck_assert_int_eq(t.out.signal, SIGKILL);
    try_fini(&t);

    /* A cause recorded before stays. */
    try_init(&t, "exec", "{\"argv\":[\"true\"]}");
    job_outcome_cause(&t.out, JOB_OUTCOME_TIMED_OUT);
    try_body(&t);
    ck_assert_int_eq(t.out.kind, JOB_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(t.out.exit_code, 0);
    try_fini(&t);
    return 0;
}

static int64_t exec_cannot_start(void *arg)
{
    static struct try t;

    (void)arg;
    try_run(&t, "exec", "{\"argv\":[\"no-such-command\"]}");
    failed(&t, "exec_failed", 127);
    ck_assert_ptr_nonnull(strstr(t.out.error_message, "no-such-command"));
    try_fini(&t);
    try_run(&t, "exec", "{\"argv\":[\"/etc/passwd\"]}");
    failed(&t, "exec_failed", 126);
    try_fini(&t);
    try_run(&t, "exec", "{\"argv\":[\"true\"],\"cwd\":\"/no/such/folder\"}");
    failed(&t, "exec_failed", 126);
    ck_assert_ptr_nonnull(strstr(t.out.error_message, "/no/such/folder"));
    try_fini(&t);
    settings.helper = "/no/such/helper";
    try_run(&t, "exec", "{\"argv\":[\"true\"]}");
    settings.helper = COSCHED_EXEC_PATH;
    failed(&t, "exec_failed", 126);
    try_fini(&t);
    try_run(&t, "exec", "{\"argv\":[\"no-such-command\"]}");
    settings.helper = NULL;
    failed(&t, "exec_failed", 127);
    try_fini(&t);
    return 0;
}

static int64_t exec_settings_arrive(void *arg)
{
    static struct try t;
    char expected[256];

    (void)arg;
    shell(&t,
          "echo $KEPT.$GONE.$NEW.$COSCHED_JOB_ID.$COSCHED_ATTEMPT.$COSCHED_INSTANCE."
          "$COSCHED_DEADLINE",
          ",\"env\":{\"GONE\":null,\"NEW\":\"1\",\"COSCHED_JOB_ID\":\"0\",\"COSCHED_DEADLINE\":"
          "\"x\"}");
    succeeded(&t);
    snprintf(expected, sizeof expected, "yes..1.%lld.1.%s.\n", (long long)t.run.id, test_instance);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), expected);
    try_fini(&t);

    try_init(&t, "exec", "{\"argv\":[\"env\"],\"clear_env\":true,\"env\":{\"A\":\"b\"}}");
    t.run.ends_us = INT64_C(1700000000123456);
    try_body(&t);
    succeeded(&t);
    snprintf(expected, sizeof expected,
             "COSCHED_JOB_ID=%lld\nCOSCHED_ATTEMPT=1\nCOSCHED_INSTANCE=%s\n"
             "COSCHED_DEADLINE=2023-11-14T22:13:20.123456Z\nA=b\n",
             (long long)t.run.id, test_instance);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), expected);
    try_fini(&t);

    shell(&t, "cat; umask; ulimit -n; pwd",
          ",\"stdin\":\"text\\n\",\"umask\":\"027\",\"limits\":{\"nofile\":77},\"cwd\":\"/usr\"");
    succeeded(&t);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), "text\n0027\n77\n/usr\n");
    try_fini(&t);

    shell(&t, "ulimit -f; ulimit -t; umask; pwd",
          ",\"limits\":{\"file_size\":\"1M\",\"cpu_time\":\"1500ms\"}");
    succeeded(&t);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), "2048\n2\n0022\n/\n");
    try_fini(&t);
    return 0;
}

static int64_t exec_output_is_capped(void *arg)
{
    static struct try t;
    struct output_chunk chunk;
    char data[16];

    (void)arg;
    shell(&t, "head -c 5000000 /dev/zero; printf end", ",\"output_max\":\"64K\"");
    succeeded(&t);
    ck_assert_int_eq(t.out.output.bytes, 5000003);
    ck_assert_int_eq(t.out.output.kept, 65536);
    ck_assert_int_eq(
        output_read(out_dir, t.run.id, 1, OUTPUT_STDOUT, -3, data, sizeof data, &chunk), 0);
    ck_assert_mem_eq(data, "end", 3);
    try_fini(&t);
    /* Nobody gets more than the settings give. */
    shell(&t, "head -c 3000000 /dev/zero >&2", ",\"output_max\":\"64M\"");
    ck_assert_int_eq(t.out.errors.bytes, 3000000);
    ck_assert_int_eq(t.out.errors.kept, 1 << 20);
    try_fini(&t);
    /* A disk that takes nothing costs the output, not the job. */
    try_init(&t, "exec", "{\"argv\":[\"echo\",\"hello\"]}");
    t.run.out_dir = -1;
    try_body(&t);
    succeeded(&t);
    ck_assert_int_eq(t.out.output.bytes, 6);
    ck_assert_int_eq(t.out.output.kept, 0);
    try_fini(&t);
    return 0;
}

static bool gone(const char *pid)
{
    return kill((pid_t)strtol(pid, NULL, 10), 0) < 0 && errno == ESRCH;
}

static int64_t exec_leaves_no_process(void *arg)
{
    static struct try t;

    (void)arg;
    /* They hold the pipes open and nobody waits for that. */
    shell(&t, "sleep 1000 & echo $!", "");
    succeeded(&t);
    ck_assert(gone(text_of(&t, OUTPUT_STDOUT)));
    try_fini(&t);
    static char more[600];
    snprintf(more, sizeof more, ",\"cwd\":\"%s\"", in_folder("."));
    shell(
        &t,
        "mkfifo gate; setsid sh -c 'echo $$; echo >gate; exec sleep 1000' & read x <gate; rm gate",
        more);
    succeeded(&t);
    ck_assert(gone(text_of(&t, OUTPUT_STDOUT)));
    try_fini(&t);
    return 0;
}

/* --- exec: ended from outside --------------------------------------------------------------- */

/* On a busy machine a process may take its time to die: not what is asked here. */
#define PATIENT ",\"grace\":\"1h\""

static int64_t exec_is_canceled(void *arg)
{
    static struct try t;

    (void)arg;
    /* Its last words are read, its own exit code is told, its end is not its own. */
    shell_canceled(&t, "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done",
                   PATIENT);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.kind, JOB_OUTCOME_NONE);
    ck_assert_int_eq(t.out.exit_code, 5);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), "ready\nbye\n");
    ck_assert_int_eq(t.out.output.bytes, 10);
    try_fini(&t);

    shell_canceled(&t, "trap '' TERM; echo ready; while :; do sleep 0.01; done",
                   ",\"grace\":\"30ms\"");
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.signal, SIGKILL);
    try_fini(&t);

    shell_canceled(&t, "echo ready; kill -STOP $$", PATIENT);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.signal, SIGTERM);
    try_fini(&t);

    /* The shell dies at once; its worker has the grace too. */
    shell_canceled(
        &t,
        "(trap 'sleep 0.05; echo cleaned; exit' TERM; echo ready; while :; do sleep 0.01; "
        "done) & wait",
        PATIENT);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_str_eq(text_of(&t, OUTPUT_STDOUT), "ready\ncleaned\n");
    try_fini(&t);

    /* More than a pipe holds, written after the TERM. */
    shell_canceled(
        &t,
        "trap 'head -c 300000 /dev/zero; exit 0' TERM; echo ready; while :; do sleep 0.01; "
        "done",
        PATIENT);
    ck_assert_int_eq(t.out.output.bytes, 300006);
    ck_assert_int_eq(t.out.exit_code, 0);
    try_fini(&t);
    return 0;
}

static int64_t exec_is_canceled_early(void *arg)
{
    static struct try t;
    cosched_task task;
    cosched_scope scope;
    const cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};

    (void)arg;
    /* Before it ran: no process ever existed. */
    try_init(&t, "exec", "{\"argv\":[\"sleep\",\"1000\"]" PATIENT "}");
    ck_assert_int_eq(cosched_spawn(&task, try_body, &t, &attr), 0);
    cosched_cancel(task);
    ck_assert_int_eq(cosched_await(&task, NULL, COSCHED_NEVER), 0);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.pid, 0);
    try_fini(&t);
    /* At every moment after: yield a little more each time. */
    for (int yields = 0; yields < 40; yields++) {
        try_init(&t, "exec", "{\"argv\":[\"sleep\",\"1000\"]" PATIENT "}");
        ck_assert_int_eq(cosched_spawn(&task, try_body, &t, &attr), 0);
        for (int i = 0; i < yields; i++) {
            cosched_yield();
        }
        cosched_cancel(task);
        ck_assert_int_eq(cosched_await(&task, NULL, COSCHED_NEVER), 0);
        ck_assert_int_eq(t.result, -ECANCELED);
        ck_assert(t.pid == 0 || t.out.signal == SIGTERM);
        try_fini(&t);
    }
    /* A deadline that has passed. */
    try_init(&t, "exec", "{\"argv\":[\"sleep\",\"1000\"]" PATIENT "}");
    ck_assert_int_eq(cosched_scope_begin(&scope, cosched_in_ms(20), 0), 0);
    try_body(&t);
    ck_assert(cosched_scope_end(&scope));
    ck_assert_int_eq(t.result, -ECANCELED);
    try_fini(&t);
    return 0;
}

static int64_t exec_is_not_recorded(void *arg)
{
    static struct try t;

    (void)arg;
    try_init(&t, "exec", "{\"argv\":[\"sleep\",\"1000\"]" PATIENT "}");
    t.answer = -EIO;
    try_body(&t);
    failed(&t, "storage", JOB_CODE_NONE);
    ck_assert_int_eq(t.out.signal, SIGKILL);
    try_fini(&t);
    try_init(&t, "exec", "{\"argv\":[\"sleep\",\"1000\"]" PATIENT "}");
    t.answer = -ECANCELED;
    try_body(&t);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.signal, SIGTERM);
    try_fini(&t);
    return 0;
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *folder_fd = opendir("/proc/self/fd");

    while (readdir(folder_fd)) {
        count++;
    }
    closedir(folder_fd);
    return count;
}

enum { MANY = 40 };

static int64_t many_at_once(void *arg)
{
    struct try *all = calloc(MANY, sizeof *all);
    cosched_group group;
    const cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};

    (void)arg;
    for (int round = 0; round < 3; round++) {
        size_t before = count_descriptors();
        ck_assert_int_eq(cosched_group_init(&group, NULL), 0);
        for (int i = 0; i < MANY; i++) {
            char args[128];
            snprintf(args, sizeof args, "{\"argv\":[\"sh\",\"-c\",\"echo %d; %s\"]}", i,
                     i % 3 ? "true" : "sleep 1000 &");
            try_init(&all[i], "exec", args);
            ck_assert_int_eq(cosched_group_spawn(&group, try_body, &all[i], &attr), 0);
        }
        ck_assert_int_eq(cosched_group_join(&group, COSCHED_NEVER), 0);
        for (int i = 0; i < MANY; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "%d\n", i);
            succeeded(&all[i]);
            ck_assert_str_eq(text_of(&all[i], OUTPUT_STDOUT), expected);
            try_fini(&all[i]);
        }
        if (round > 0) { /* the first one opened what the runtime keeps */
            ck_assert_uint_eq(count_descriptors(), before);
        }
    }
    free(all);
    return 0;
}

KINDS_MAIN("kinds_exec", KINDS_TEST(exec_ends), KINDS_TEST(exec_cannot_start),
           KINDS_TEST(exec_settings_arrive), KINDS_TEST(exec_output_is_capped),
           KINDS_TEST(exec_leaves_no_process), KINDS_TEST(exec_is_canceled),
           KINDS_TEST(exec_is_canceled_early), KINDS_TEST(exec_is_not_recorded),
           KINDS_TEST(many_at_once))
