/* The specification that run and submit send: options, the command, directory and environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "submission.h"
#include "wire/text.h"

#define STDIN_MAX 65536

static bool sendable(const char *text, size_t n)
{
    return text_is_utf8(text, n);
}

static void write_env_pair(struct writer *w, const char *pair)
{
    size_t n = pairs_key_length(pair);
    if (pair[n] != '=' || n == 0 || !sendable(pair, strlen(pair))) {
        return; /* JSON cannot carry it; a variable without a value is none */
    }
    char key[256];
    if (n >= sizeof key) {
        return;
    }
    memcpy(key, pair, n);
    key[n] = '\0';
    writer_member_string(w, key, pair + n + 1);
}

static bool in_environ_before(size_t i)
{
    size_t n = pairs_key_length(environ[i]);
    for (size_t k = 0; k < i; k++) {
        if (pairs_key_length(environ[k]) == n && memcmp(environ[k], environ[i], n) == 0) {
            return true;
        }
    }
    return false;
}

static bool in_pairs(const struct pairs *pairs, const char *pair)
{
    size_t n = pairs_key_length(pair);
    for (size_t i = 0; i < pairs->count; i++) {
        if (pairs_key_length(pairs->items[i]) == n && memcmp(pairs->items[i], pair, n) == 0) {
            return true;
        }
    }
    return false;
}

static void write_env(const struct submission *s, struct writer *w, bool with_env)
{
    if (!with_env && s->env.count == 0) {
        return;
    }
    writer_member_object(w, "env");
    for (size_t i = 0; with_env && environ && environ[i]; i++) {
        if (!in_environ_before(i) && !in_pairs(&s->env, environ[i])) {
            write_env_pair(w, environ[i]);
        }
    }
    for (size_t i = 0; i < s->env.count; i++) {
        if (!pairs_overridden(&s->env, i)) {
            write_env_pair(w, s->env.items[i]);
        }
    }
    writer_end_object(w);
}

static int write_stdin(struct ctl *ctl, const struct submission *s, struct writer *w)
{
    static char text[STDIN_MAX + 1];
    bool own = strcmp(s->stdin_file, "-") == 0;
    FILE *file = own ? stdin : fopen(s->stdin_file, "re");
    if (!file) {
        return ctl_fail(ctl, CTL_USAGE, s->stdin_file, "%s", strerror(errno));
    }
    size_t n = fread(text, 1, sizeof text, file);
    bool failed = ferror(file) != 0;
    if (!own) {
        (void)fclose(file);
    }
    if (failed) {
        return ctl_fail(ctl, CTL_USAGE, s->stdin_file, "cannot be read");
    }
    if (n > STDIN_MAX) {
        return ctl_fail(ctl, CTL_USAGE, s->stdin_file, "larger than 64 KiB");
    }
    if (!sendable(text, n)) {
        return ctl_fail(ctl, CTL_USAGE, s->stdin_file, "not UTF-8 text");
    }
    writer_key(w, "stdin");
    writer_string_n(w, text, n);
    return 0;
}

static int write_cwd(struct ctl *ctl, const struct submission *s, struct writer *w)
{
    char *present = s->cwd && *s->cwd == '/' ? NULL : get_current_dir_name();
    int status = 0;
    if (!present && !(s->cwd && *s->cwd == '/')) {
        return ctl_fail(ctl, CTL_USAGE, "cannot tell the working directory", "%s", strerror(errno));
    }
    struct buf path = BUF_INIT;
    if (present) {
        buf_puts(&path, present);
        if (s->cwd) {
            buf_putc(&path, '/');
        }
    }
    buf_puts(&path, s->cwd ? s->cwd : "");
    if (!sendable(buf_text(&path), path.len)) {
        status = ctl_fail(ctl, CTL_USAGE, "cannot send the working directory", "not UTF-8");
    }
    writer_member_string(w, "cwd", buf_text(&path));
    buf_free(&path);
    free(present);
    return status;
}

/* Arguments of a kind: JSON where the text is JSON, else a string. */
static void write_args(const struct submission *s, struct writer *w)
{
    for (size_t i = 0; i < s->args.count; i++) {
        struct json_error error;
        char *pair = s->args.items[i];
        size_t n = pairs_key_length(pair);
        if (pairs_overridden(&s->args, i)) {
            continue;
        }
        pair[n] = '\0';
        writer_key(w, pair);
        pair[n] = '=';
        const char *text = pair + n + 1;
        struct json *value = json_parse(text, strlen(text), &error);
        if (value) {
            writer_value(w, value);
        } else {
            writer_string(w, text);
        }
        json_free(value);
    }
}

static int write_command(struct ctl *ctl, const struct submission *s, struct writer *w,
                         bool with_env)
{
    if (s->argc > 0) {
        writer_member_array(w, "argv");
        for (int i = 0; i < s->argc; i++) {
            if (!sendable(s->argv[i], strlen(s->argv[i]))) {
                return ctl_fail(ctl, CTL_USAGE, "cannot send the command", "not UTF-8");
            }
            writer_string(w, s->argv[i]);
        }
        writer_end_array(w);
    }
    int status = write_cwd(ctl, s, w);
    if (status == 0 && s->stdin_file) {
        status = write_stdin(ctl, s, w);
    }
    if (status == 0) {
        write_env(s, w, with_env);
    }
    return status;
}

static void write_optional(struct writer *w, const char *key, const char *value)
{
    if (value) {
        writer_member_string(w, key, value);
    }
}

static void write_labels(const struct submission *s, struct writer *w)
{
    if (s->labels.count == 0) {
        return;
    }
    writer_member_object(w, "labels");
    for (size_t i = 0; i < s->labels.count; i++) {
        char *pair = s->labels.items[i];
        size_t n = pairs_key_length(pair);
        if (pairs_overridden(&s->labels, i)) {
            continue;
        }
        pair[n] = '\0';
        writer_member_string(w, pair, pair + n + 1);
        pair[n] = '=';
    }
    writer_end_object(w);
}

int submission_write(struct ctl *ctl, const struct submission *s, struct writer *w, bool with_env)
{
    int status = 0;
    bool exec = !s->kind || strcmp(s->kind, "exec") == 0;
    writer_object(w);
    writer_member_string(w, "kind", s->kind ? s->kind : "exec");
    writer_member_object(w, "args");
    write_args(s, w);
    if (exec) {
        status = write_command(ctl, s, w, with_env);
    }
    writer_end_object(w);
    write_optional(w, "name", s->name);
    write_optional(w, "queue", s->queue);
    if (s->priority) {
        writer_member_int(w, "priority", strtol(s->priority, NULL, 10));
    }
    write_optional(w, "delay", s->delay);
    write_optional(w, "at", s->at);
    if (s->after) {
        int64_t after;
        writer_member_array(w, "after");
        for (const char *text = s->after; *text && submission_next_id(&text, &after);) {
            writer_int(w, after);
        }
        writer_end_array(w);
    }
    write_optional(w, "timeout", s->timeout);
    write_optional(w, "deadline", s->deadline);
    if (s->retry) {
        writer_member_object(w, "retry");
        writer_member_int(w, "max", strtol(s->retry, NULL, 10));
        write_optional(w, "backoff", s->backoff);
        writer_end_object(w);
    }
    write_optional(w, "key", s->key);
    write_labels(s, w);
    writer_end_object(w);
    return status;
}

int submission_wants_env(struct ctl *ctl, const struct submission *s, bool *with_env)
{
    struct response answer;
    int64_t uid;
    *with_env = false;
    if (s->clean_env || (s->kind && strcmp(s->kind, "exec") != 0)) {
        return 0;
    }
    int status = ctl_call(ctl, "cannot greet the daemon", "hello", &answer);
    if (status != 0) {
        return status;
    }
    *with_env = json_int(json_get(answer.result, "uid"), &uid) && uid == (int64_t)geteuid();
    message_response_fini(&answer);
    return 0;
}
