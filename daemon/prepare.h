/* prepare.h - what must be so before the first thread exists. Each answers 0, or the exit code after saying why. */
#ifndef DAEMON_PREPARE_H
#define DAEMON_PREPARE_H
#include "config.h"
#include "exec_env.h"

/* Nobody runs this as root by mistake. */
int prepare_user(const struct config *config);
/* *state_dir is the caller's to close, when it is not as it was, and *exec its to exec_env_fini, in any case. */
int prepare_process(const struct config *config, int *state_dir, struct exec_env *exec);

#endif
