/* exec_env.c - see exec_env.h. A command's environment is small and fixed: PATH and what [exec] env gives, and who it runs
 * as. Nothing of the daemon's own environment leaks into it.
 */
#include "exec_env.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "wire/buf.h"

static_assert(sizeof((struct exec_env *)NULL)->instance >= PROCESS_INSTANCE_SIZE,
              "an instance's name fits");

static int add(struct exec_env *env, const char *name, size_t name_size, const char *value)
{
    char **grown = realloc(env->vars, (env->count + 2) * sizeof *grown);
    if (!grown) {
        return -ENOMEM;
    }
    env->vars = grown;
    struct buf text = BUF_INIT;
    buf_append(&text, name, name_size);
    buf_putc(&text, '=');
    buf_puts(&text, value);
    grown[env->count] = buf_take(&text);
    grown[env->count + 1] = NULL;
    if (!grown[env->count]) {
        return -ENOMEM;
    }
    env->count++;
    return 0;
}

/* A later value of the same name takes the place of the former. */
static int put(struct exec_env *env, const char *name, size_t name_size, const char *value)
{
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->vars[i], name, name_size) == 0 && env->vars[i][name_size] == '=') {
            free(env->vars[i]);
            env->vars[i] = env->vars[--env->count];
            env->vars[env->count] = NULL;
            break;
        }
    }
    return add(env, name, name_size, value);
}

static int put_user(struct exec_env *env)
{
    const struct passwd *user = getpwuid(geteuid());
    int rc = put(env, "HOME", 4, user && *user->pw_dir ? user->pw_dir : "/");
    if (rc == 0 && user) {
        rc = put(env, "USER", 4, user->pw_name);
    }
    if (rc == 0 && user) {
        rc = put(env, "LOGNAME", 7, user->pw_name);
    }
    if (rc == 0) {
        rc = put(env, "SHELL", 5, user && *user->pw_shell ? user->pw_shell : "/bin/sh");
    }
    return rc;
}

/* NAME=VALUE words; a word without '=' is passed over, config.c refuses it. */
static int put_words(struct exec_env *env, const char *words)
{
    char *copy = strdup(words), *rest = copy;
    int rc = copy ? 0 : -ENOMEM;
    for (char *word; rc == 0 && (word = strsep(&rest, " \t"));) {
        char *equals = strchr(word, '=');
        if (equals && equals != word) {
            rc = put(env, word, (size_t)(equals - word), equals + 1);
        }
    }
    free(copy);
    return rc;
}

int exec_env_init(struct exec_env *env, const struct config *config, int state_dir)
{
    *env = (struct exec_env){.helper = NULL};
    int rc = process_find_helper(&env->helper);
    if (rc == 0) {
        rc = process_instance(state_dir, env->instance);
    }
    if (rc == 0) {
        rc = put(env, "PATH", 4, config->exec_path);
    }
    if (rc == 0) {
        rc = put_user(env);
    }
    if (rc == 0) {
        rc = put_words(env, config->exec_env);
    }
    env->settings = (struct exec_settings){
        .helper = env->helper,
        .instance = env->instance,
        .env = (const char *const *)env->vars,
        .grace_ns = config->exec_grace_ns,
        .output_max_bytes = (uint64_t)config->exec_output_max,
        .nice = (int)config->exec_nice,
        .umask =
            022, /* the daemon's own is strict: its state is nobody's business, a job's files are the user's */
    };
    return rc;
}

void exec_env_fini(struct exec_env *env)
{
    for (size_t i = 0; i < env->count; i++) {
        free(env->vars[i]);
    }
    free(env->vars);
    free(env->helper);
    *env = (struct exec_env){.helper = NULL};
}
