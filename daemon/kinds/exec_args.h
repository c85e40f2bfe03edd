/* exec_args.h - the arguments of kind "exec": checked before acceptance, made into a command at run
 * time. */
#ifndef COSCHEDD_EXEC_ARGS_H
#define COSCHEDD_EXEC_ARGS_H
#include "kind.h"
#include "process.h"

int exec_args_check(const struct json *args, struct spec_error *error);

/* What an attempt needs to know on MAIN; the rest is built beside the spawn. */
int64_t exec_args_grace_ns(const struct job_run *run);
uint64_t exec_args_output_max(const struct job_run *run);

/* A command and the memory behind it. The texts are the arguments' and live as long as they do. */
struct exec_command {
    struct process_command command;
    char **argv; /* owned */
    char **envp; /* owned */
    char *text;  /* owned: the entries of envp */
};

/* Linear in the size of arguments and environment. 0, -ENOMEM, or -EINVAL when the arguments are
 * not what exec_args_check lets through. Call exec_command_fini in every case. */
int exec_command_init(struct exec_command *command, const struct job_run *run);
void exec_command_fini(struct exec_command *command);

#endif
