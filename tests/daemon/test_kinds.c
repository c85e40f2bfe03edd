/* Kinds at work, inside a runtime: commands with all their ends, sleeps, hashes. Every test runs
 * with 0, 1 and 3 workers. A command says on its stdout how far it is; nothing here waits for time
 * to pass. */
#include <cosched/cosched.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

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
static int32_t workers;

static const char *in_folder(const char *name)
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

static int on_process(struct job_run *run, pid_t pid, uint64_t start_time)
{
    struct try *t = run->context;
    uint64_t now = 0;

    ck_assert_int_eq(process_start_time(pid, &now), 0);
    ck_assert_uint_eq(now, start_time);
    ck_assert_int_eq(t->pid, 0);
    t->pid = pid;
    return t->answer;
}

static void on_output(struct job_run *run, enum output_stream stream, uint64_t bytes)
{
    struct try *t = run->context;

    (void)stream;
    ck_assert_uint_gt(bytes, 0);
    if (!t->was_ready)
        cosched_event_set(&t->ready);
    t->was_ready = true;
}

static void try_init(struct try *t, const char *kind, const char *args)
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

static void try_fini(struct try *t)
{
    job_outcome_fini(&t->out);
    json_free(t->parsed);
    output_remove(out_dir, t->run.id);
}

static int64_t try_body(void *arg)
{
    struct try *t = arg;

    t->result = kind_find(t->kind)->run(&t->run, &t->out);
    ck_assert_int_eq(cosched_where(), COSCHED_MAIN);
    if (!t->was_ready) /* whoever waits for output that never came */
        cosched_event_set(&t->ready);
    t->was_ready = true;
    return 0;
}

static void try_run(struct try *t, const char *kind, const char *args)
{
    try_init(t, kind, args);
    try_body(t);
}

static void shell(struct try *t, const char *script, const char *more)
{
    char args[2048];

    snprintf(args, sizeof args, "{\"argv\":[\"sh\",\"-c\",\"%s\"]%s}", script, more);
    try_run(t, "exec", args);
}

/* Runs until the command has said something, then cancels, then waits. */
static void shell_canceled(struct try *t, const char *script, const char *more)
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

static const char *text_of(const struct try *t, enum output_stream stream)
{
    static char text[2][4096];
    struct output_chunk chunk;

    ck_assert_int_eq(output_read(t->run.out_dir, t->run.id, 1, stream, 0, text[stream],
                                 sizeof text[stream] - 1, &chunk),
                     0);
    text[stream][chunk.size] = '\0';
    return text[stream];
}

static void succeeded(const struct try *t)
{
    ck_assert_msg(t->result == 0 && t->out.kind == JOB_OUTCOME_SUCCEEDED, "%s: %d, kind %d, %s: %s",
                  t->args, t->result, (int)t->out.kind, t->out.error_name, t->out.error_message);
}

static void failed(const struct try *t, const char *name, int exit_code)
{
    ck_assert_int_eq(t->result, 0);
    ck_assert_int_eq(t->out.kind, JOB_OUTCOME_FAILED);
    ck_assert_str_eq(t->out.error_name, name);
    ck_assert_int_eq(t->out.exit_code, exit_code);
}

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
        for (int i = 0; i < yields; i++)
            cosched_yield();
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

    while (readdir(folder_fd))
        count++;
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
        if (round > 0) /* the first one opened what the runtime keeps */
            ck_assert_uint_eq(count_descriptors(), before);
    }
    free(all);
    return 0;
}

/* --- sleep ---------------------------------------------------------------------------------- */

static int64_t sleeps(void *arg)
{
    static struct try t;
    cosched_scope scope;

    (void)arg;
    try_run(&t, "sleep", "{\"for\":\"0s\"}");
    succeeded(&t);
    try_fini(&t);
    int64_t before = cosched_now();
    try_run(&t, "sleep", "{\"for\":\"20ms\"}");
    succeeded(&t);
    ck_assert_int_ge(cosched_now() - before, 20000000);
    ck_assert_int_eq(t.out.exit_code, JOB_CODE_NONE);
    ck_assert_int_eq(t.out.output.bytes, JOB_CODE_NONE);
    try_fini(&t);
    try_init(&t, "sleep", "{\"for\":\"300d\"}");
    ck_assert_int_eq(cosched_scope_begin(&scope, cosched_in_ms(5), 0), 0);
    try_body(&t);
    cosched_scope_end(&scope);
    ck_assert_int_eq(t.result, -ECANCELED);
    ck_assert_int_eq(t.out.kind, JOB_OUTCOME_NONE);
    try_fini(&t);
    return 0;
}

/* --- hash ----------------------------------------------------------------------------------- */

static void hash(struct try *t, const char *path, const char *more)
{
    char args[1024];

    snprintf(args, sizeof args, "{\"path\":\"%s\"%s}", path, more);
    try_run(t, "hash", args);
}

static void write_file(const char *name, const char *data, size_t size)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    close(fd);
}

static int64_t hashes(void *arg)
{
    static char data[(256 << 10) * 3 + 1];
    static const size_t sizes[] = {0,          1, 1000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1,
                                   sizeof data};
    static struct try t;
    char expected[256];

    (void)arg;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 2654435761u >> 11);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file("data", data, sizes[i]);
        hash(&t, in_folder("data"), "");
        succeeded(&t);
        snprintf(expected, sizeof expected, "{\"digest\":\"%016llx\",\"bytes\":%zu}",
                 (unsigned long long)XXH3_64bits(data, sizes[i]), sizes[i]);
        ck_assert_str_eq(t.out.result, expected);
        try_fini(&t);

        struct sha256_ctx sha;
        uint8_t digest[SHA256_DIGEST_SIZE];
        char text[2 * sizeof digest + 1];
        sha256_init(&sha);
        sha256_update(&sha, sizes[i], (const uint8_t *)data);
        sha256_digest(&sha, sizeof digest, digest);
        for (size_t d = 0; d < sizeof digest; d++)
            snprintf(text + 2 * d, 3, "%02x", digest[d]);
        hash(&t, in_folder("data"), ",\"algo\":\"sha256\"");
        succeeded(&t);
        snprintf(expected, sizeof expected, "{\"digest\":\"%s\",\"bytes\":%zu}", text, sizes[i]);
        ck_assert_str_eq(t.out.result, expected);
        try_fini(&t);
    }
    write_file("data", "abc", 3); /* FIPS 180-2, B.1 */
    hash(&t, in_folder("data"), ",\"algo\":\"sha256\"");
    ck_assert_str_eq(t.out.result,
                     "{\"digest\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f"
                     "20015ad\",\"bytes\":3}");
    try_fini(&t);
    ck_assert_int_eq(symlink("data", in_folder("link")), 0);
    hash(&t, in_folder("link"), "");
    succeeded(&t);
    try_fini(&t);
    unlink(in_folder("link"));
    unlink(in_folder("data"));
    return 0;
}

static int64_t hash_refuses(void *arg)
{
    static struct try t;
    cosched_task task;
    const cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};

    (void)arg;
    hash(&t, in_folder("absent"), "");
    failed(&t, "not_found", JOB_CODE_NONE);
    ck_assert_ptr_nonnull(strstr(t.out.error_message, "absent"));
    try_fini(&t);
    hash(&t, "/etc/passwd/x", "");
    failed(&t, "not_found", JOB_CODE_NONE);
    try_fini(&t);
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    hash(&t, in_folder("fifo"), "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    unlink(in_folder("fifo"));
    hash(&t, "/dev/zero", "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    hash(&t, "/etc", "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    ck_assert_int_eq(symlink("loop", in_folder("loop")), 0);
    hash(&t, in_folder("loop"), "");
    failed(&t, "io_error", JOB_CODE_NONE);
    try_fini(&t);
    unlink(in_folder("loop"));
    /* Cancelled before and in the middle of a large, empty file. */
    int fd = open(in_folder("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 36), 0);
    close(fd);
    for (int yields = 0; yields < 20; yields += 3) {
        char args[1024];
        snprintf(args, sizeof args, "{\"path\":\"%s\"}", in_folder("large"));
        try_init(&t, "hash", args);
        ck_assert_int_eq(cosched_spawn(&task, try_body, &t, &attr), 0);
        for (int i = 0; i < yields; i++)
            cosched_yield();
        cosched_cancel(task);
        ck_assert_int_eq(cosched_await(&task, NULL, COSCHED_NEVER), 0);
        ck_assert_int_eq(t.result, -ECANCELED);
        ck_assert_ptr_null(t.out.result);
        try_fini(&t);
    }
    unlink(in_folder("large"));
    return 0;
}

/* --- frame ---------------------------------------------------------------------------------- */

static void setup(void)
{
    snprintf(folder, sizeof folder, "kinds-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int state = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    out_dir = output_dir_open(state);
    ck_assert_int_ge(out_dir, 0);
    close(state);
    ck_assert_int_eq(process_init(), 0);
}

static void teardown(void)
{
    char path[128];

    close(out_dir);
    snprintf(path, sizeof path, "%s/output", folder);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(rmdir(folder), 0);
}

static const struct {
    const char *name;
    cosched_fn body;
} bodies[] = {
    {"exec_ends", exec_ends},
    {"exec_cannot_start", exec_cannot_start},
    {"exec_settings_arrive", exec_settings_arrive},
    {"exec_output_is_capped", exec_output_is_capped},
    {"exec_leaves_no_process", exec_leaves_no_process},
    {"exec_is_canceled", exec_is_canceled},
    {"exec_is_canceled_early", exec_is_canceled_early},
    {"exec_is_not_recorded", exec_is_not_recorded},
    {"many_at_once", many_at_once},
    {"sleeps", sleeps},
    {"hashes", hashes},
    {"hash_refuses", hash_refuses},
};

enum { BODIES = (int)(sizeof bodies / sizeof bodies[0]) };

START_TEST(in_a_runtime)
{
    static const int32_t counts[] = {0, 1, 3};

    workers = counts[_i / BODIES];
    const cosched_config config = {.struct_size = sizeof config, .workers = workers};
    int64_t result = cosched_run(&config, bodies[_i % BODIES].body, NULL);
    ck_assert_msg(result == 0, "%s with %d workers: %lld", bodies[_i % BODIES].name, (int)workers,
                  (long long)result);
    process_reap_orphans();
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) < 0, "%s left a process", bodies[_i % BODIES].name);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("kinds");
    TCase *tcase = tcase_create("kinds");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, in_a_runtime, 0, 3 * BODIES);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int bad = srunner_ntests_failed(runner);
    srunner_free(runner);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
