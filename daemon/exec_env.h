/* exec_env.h - what commands start with, from [exec] and the daemon's own user.
 *
 * Blocking (it looks for a program and a user): before the runtime.
 */
#ifndef DAEMON_EXEC_ENV_H
#define DAEMON_EXEC_ENV_H
#include "config.h"
#include "kind.h"

struct exec_env {
    struct exec_settings settings; /* points into the rest */
    char *helper;                  /* owned */
    char instance[48];
    char **vars; /* owned, NULL-terminated */
    size_t count;
};

/* 0; -ENOENT: cosched-exec was not found; another negative errno. */
int exec_env_init(struct exec_env *env, const struct config *config, int state_dir);
void exec_env_fini(struct exec_env *env); /* zeroed is fine */

#endif
