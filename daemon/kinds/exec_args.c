/* exec_args.c - the arguments of kind "exec".
 *
 * The environment of a command: what the daemon's settings give (nothing with clear_env), changed
 * by the job's env (null removes), and our own four, which nobody overrides. Only names of the
 * settings can clash with names of the job, because a JSON object has each name once, so no sorting
 * and no hash is needed.
 */
#include "kinds/exec_args.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"
#include "wire/units.h"

#define STDIN_MAX       65536
#define GRACE_NS_MAX    (INT64_C(3600) * 1000000000)
#define NS_PER_S        INT64_C(1000000000)
#define LIMIT_MAX       (UINT64_C(1) << 53) /* of numbers that JSON carries exactly */
#define CPU_SECONDS_MAX UINT64_C(1000000000)

/* --- single members ------------------------------------------------------------------------- */

/* Bytes as a number or as text with a unit. */
static bool read_size(const struct json *value, uint64_t *bytes)
{
    int64_t number;

    if (json_int(value, &number)) {
        *bytes = number > 0 ? (uint64_t)number : 0;
        return number >= 0;
    }
    const char *text = json_string(value);
    return text && units_parse_size(text, bytes) == 0 && *bytes < LIMIT_MAX;
}

static bool read_count(const struct json *value, uint64_t *count)
{
    int64_t number;

    *count = 0;
    if (!json_int(value, &number) || number < 0) {
        return false;
    }
    *count = (uint64_t)number;
    return true;
}

static bool read_duration(const struct json *value, int64_t *ns)
{
    const char *text = json_string(value);
    return text && units_parse_duration(text, ns) == 0 && *ns >= 0;
}

/* Octal digits, as everybody writes one, or the number itself. */
static bool read_umask(const struct json *value, unsigned *mask)
{
    int64_t number;
    const char *text = json_string(value);

    if (text) {
        size_t length = strlen(text);
        if (length == 0 || length > 4 || strspn(text, "01234567") != length) {
            return false;
        }
        number = strtol(text, NULL, 8);
    } else if (!json_int(value, &number)) {
        return false;
    }
    *mask = (unsigned)number;
    return number >= 0 && number <= 0777;
}

static bool read_seconds(const struct json *value, uint64_t *seconds)
{
    int64_t ns;

    *seconds = 0;
    if (!read_duration(value, &ns)) {
        return false;
    }
    *seconds = (uint64_t)(ns / NS_PER_S + (ns % NS_PER_S > 0)); /* the kernel counts whole ones */
    return true;
}

/* --- checking ------------------------------------------------------------------------------- */

static int check_argv(const struct json *argv, struct spec_error *error)
{
    char path[32];
    size_t index = 0;

    if (!argv) {
        return spec_refuse(error, "argv", "is required");
    }
    if (!json_is(argv, JSON_ARRAY)) {
        return spec_refuse(error, "argv", "must be an array of strings");
    }
    if (json_count(argv) == 0) {
        return spec_refuse(error, "argv", "must not be empty");
    }
    for (const struct json *e = json_first(argv); e; e = json_next(e), index++) {
        const char *text = json_string(e);
        if (text && (index > 0 || text[0])) {
            continue;
        }
        snprintf(path, sizeof path, "argv[%zu]", index);
        return spec_refuse(error, path, text ? "must name a command" : "must be a string");
    }
    return SPEC_OK;
}

static int check_env(const struct json *env, struct spec_error *error)
{
    char path[128];

    if (!env) {
        return SPEC_OK;
    }
    if (!json_is(env, JSON_OBJECT)) {
        return spec_refuse(error, "env", "must be an object of strings and nulls");
    }
    for (const struct json *e = json_first(env); e; e = json_next(e)) {
        const char *name = json_key(e);
        snprintf(path, sizeof path, "env.%s", name);
        if (!*name || strchr(name, '=')) {
            return spec_refuse(error, path, "is no name of an environment variable");
        }
        if (!json_string(e) && !json_is(e, JSON_NULL)) {
            return spec_refuse(error, path, "must be a string, or null to remove it");
        }
    }
    return SPEC_OK;
}

static int check_limits(const struct json *limits, struct spec_error *error)
{
    static const char *const known[] = {"nofile",    "memory",    "cpu_time",
                                        "file_size", "processes", NULL};
    uint64_t value;

    if (!limits) {
        return SPEC_OK;
    }
    if (!json_is(limits, JSON_OBJECT)) {
        return spec_refuse(error, "limits", "must be an object");
    }
    const struct json *unknown = json_unknown(limits, known);
    if (unknown) {
        char path[128];
        snprintf(path, sizeof path, "limits.%s", json_key(unknown));
        return spec_refuse(error, path, "is not known");
    }
    const struct json *nofile = json_get(limits, "nofile"), *memory = json_get(limits, "memory"),
                      *cpu = json_get(limits, "cpu_time"), *file = json_get(limits, "file_size"),
                      *processes = json_get(limits, "processes");
    if (nofile && (!read_count(nofile, &value) || value < 3 || value > INT_MAX)) {
        return spec_refuse(error, "limits.nofile", "must be an integer from 3 on");
    }
    if (memory && (!read_size(memory, &value) || value == 0)) {
        return spec_refuse(error, "limits.memory", "must be a size such as \"512M\"");
    }
    if (cpu && (!read_seconds(cpu, &value) || value == 0 || value > CPU_SECONDS_MAX)) {
        return spec_refuse(error, "limits.cpu_time", "must be a duration such as \"30s\"");
    }
    if (file && !read_size(file, &value)) {
        return spec_refuse(error, "limits.file_size", "must be a size such as \"1G\"");
    }
    if (processes && (!read_count(processes, &value) || value == 0 || value > INT_MAX)) {
        return spec_refuse(error, "limits.processes", "must be a positive integer");
    }
    return SPEC_OK;
}

/* The members that stand alone. */
static int check_plain(const struct json *args, struct spec_error *error)
{
    const struct json *cwd = json_get(args, "cwd"), *clear = json_get(args, "clear_env"),
                      *text = json_get(args, "stdin"), *mask = json_get(args, "umask"),
                      *grace = json_get(args, "grace"), *output = json_get(args, "output_max");
    unsigned bits;
    int64_t ns;
    uint64_t bytes;

    if (cwd && (!json_string(cwd) || json_string(cwd)[0] != '/')) {
        return spec_refuse(error, "cwd", "must be an absolute path");
    }
    if (cwd && strlen(json_string(cwd)) >= PATH_MAX) {
        return spec_refuse(error, "cwd", "is too long for a path");
    }
    if (clear && !json_is(clear, JSON_BOOL)) {
        return spec_refuse(error, "clear_env", "must be true or false");
    }
    if (text && !json_string(text)) {
        return spec_refuse(error, "stdin", "must be a string");
    }
    if (text && strlen(json_string(text)) > STDIN_MAX) {
        return spec_refuse(error, "stdin", "must not be longer than 64 KiB");
    }
    if (mask && !read_umask(mask, &bits)) {
        return spec_refuse(error, "umask", "must be octal digits such as \"022\"");
    }
    if (grace && (!read_duration(grace, &ns) || ns > GRACE_NS_MAX)) {
        return spec_refuse(error, "grace", "must be a duration of at most 1h");
    }
    if (output && !read_size(output, &bytes)) {
        return spec_refuse(error, "output_max", "must be a size such as \"1M\"");
    }
    return SPEC_OK;
}

int exec_args_check(const struct json *args, struct spec_error *error)
{
    static const char *const known[] = {"argv",  "cwd",    "env",   "clear_env",  "stdin",
                                        "umask", "limits", "grace", "output_max", NULL};
    int result = kind_check_object(args, known, error);

    if (result == SPEC_OK) {
        result = check_argv(json_get(args, "argv"), error);
    }
    if (result == SPEC_OK) {
        result = check_env(json_get(args, "env"), error);
    }
    if (result == SPEC_OK) {
        result = check_limits(json_get(args, "limits"), error);
    }
    if (result == SPEC_OK) {
        result = check_plain(args, error);
    }
    return result;
}

/* --- using ---------------------------------------------------------------------------------- */

int64_t exec_args_grace_ns(const struct job_run *run)
{
    int64_t ns;

    if (read_duration(json_get(run->args, "grace"), &ns) && ns <= GRACE_NS_MAX) {
        return ns;
    }
    return run->exec->grace_ns < GRACE_NS_MAX ? run->exec->grace_ns : GRACE_NS_MAX;
}

uint64_t exec_args_output_max(const struct job_run *run)
{
    uint64_t bytes;

    if (read_size(json_get(run->args, "output_max"), &bytes) && bytes < run->exec->output_max_bytes) {
        return bytes;
    }
    return run->exec->output_max_bytes;
}

static bool is_ours(const char *name, size_t length)
{
    static const char *const ours[] = {"COSCHED_JOB_ID", "COSCHED_ATTEMPT", "COSCHED_DEADLINE",
                                       "COSCHED_INSTANCE"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strlen(ours[i]) == length && memcmp(ours[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool env_has(const struct json *env, const char *name, size_t length)
{
    for (const struct json *e = json_first(env); e; e = json_next(e)) {
        if (strlen(json_key(e)) == length && memcmp(json_key(e), name, length) == 0) {
            return true;
        }
    }
    return false;
}

enum { OURS_SIZE = 256, OURS_COUNT = 4 };

static char *ours_write(char *text, char **list, size_t *count, const struct job_run *run)
{
    char deadline[UNITS_TIME_SIZE];
    char *end = text + OURS_SIZE;

    list[(*count)++] = text;
    text += 1 + snprintf(text, (size_t)(end - text), "COSCHED_JOB_ID=%lld", (long long)run->id);
    list[(*count)++] = text;
    text += 1 + snprintf(text, (size_t)(end - text), "COSCHED_ATTEMPT=%u", run->attempt);
    list[(*count)++] = text;
    text += 1 + snprintf(text, (size_t)(end - text), "COSCHED_INSTANCE=%.64s", run->exec->instance);
    if (run->ends_us) {
        units_format_time(run->ends_us, deadline);
        list[(*count)++] = text;
        text += 1 + snprintf(text, (size_t)(end - text), "COSCHED_DEADLINE=%s", deadline);
    }
    return text;
}

static int environment_build(struct exec_command *c, const struct job_run *run)
{
    const struct json *env = json_get(run->args, "env");
    const char *const *base = run->exec->env;
    size_t base_count = 0, size = OURS_SIZE, count = 0;

    if (json_bool(json_get(run->args, "clear_env"))) {
        base = NULL;
    }
    while (base && base[base_count]) {
        base_count++;
    }
    for (const struct json *e = json_first(env); e; e = json_next(e)) {
        if (json_string(e)) {
            size += strlen(json_key(e)) + strlen(json_string(e)) + 2;
        }
    }
    c->envp = calloc(OURS_COUNT + base_count + json_count(env) + 1, sizeof *c->envp);
    c->text = malloc(size);
    if (!c->envp || !c->text) {
        return -ENOMEM;
    }
    char *text = ours_write(c->text, c->envp, &count, run);
    for (size_t i = 0; i < base_count; i++) {
        size_t length = strcspn(base[i], "=");
        if (!is_ours(base[i], length) && !env_has(env, base[i], length)) {
            c->envp[count++] = (char *)(uintptr_t)base[i]; /* posix_spawn does not write */
        }
    }
    for (const struct json *e = json_first(env); e; e = json_next(e)) {
        const char *name = json_key(e), *value = json_string(e);
        if (!value || is_ours(name, strlen(name))) {
            continue;
        }
        c->envp[count++] = text;
        text = stpcpy(stpcpy(stpcpy(text, name), "="), value) + 1;
    }
    return 0;
}

static int argv_build(struct exec_command *c, const struct json *argv)
{
    size_t count = 0;

    c->argv = calloc(json_count(argv) + 1, sizeof *c->argv);
    if (!c->argv) {
        return -ENOMEM;
    }
    for (const struct json *e = json_first(argv); e; e = json_next(e)) {
        if (!json_string(e)) {
            return -EINVAL;
        }
        c->argv[count++] = (char *)(uintptr_t)json_string(e);
    }
    return count > 0 ? 0 : -EINVAL;
}

static void limits_read(const struct json *limits, struct process_limits *l)
{
    uint64_t value;

    if (read_count(json_get(limits, "nofile"), &value)) {
        l->nofile = value;
    }
    if (read_size(json_get(limits, "memory"), &value)) {
        l->memory_bytes = value;
    }
    if (read_seconds(json_get(limits, "cpu_time"), &value)) {
        l->cpu_seconds = value;
    }
    if (read_size(json_get(limits, "file_size"), &value)) {
        l->file_bytes = value;
    }
    if (read_count(json_get(limits, "processes"), &value)) {
        l->processes = value;
    }
}

int exec_command_init(struct exec_command *c, const struct job_run *run)
{
    unsigned mask;
    const char *text = json_string(json_get(run->args, "stdin"));

    *c = (struct exec_command){.command = {.limits = PROCESS_LIMITS_NONE}};
    int result = argv_build(c, json_get(run->args, "argv"));
    if (result == 0) {
        result = environment_build(c, run);
    }
    if (result < 0) {
        return result;
    }
    c->command.helper = run->exec->helper;
    c->command.argv = c->argv;
    c->command.envp = c->envp;
    c->command.cwd = json_string(json_get(run->args, "cwd"));
    c->command.stdin_data = text;
    c->command.stdin_size = text ? strlen(text) : 0;
    c->command.umask = read_umask(json_get(run->args, "umask"), &mask) ? mask : run->exec->umask;
    c->command.nice = run->exec->nice;
    limits_read(json_get(run->args, "limits"), &c->command.limits);
    return 0;
}

void exec_command_fini(struct exec_command *c)
{
    free(c->argv);
    free(c->envp);
    free(c->text);
    *c = (struct exec_command){.argv = NULL};
}
