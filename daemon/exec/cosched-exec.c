/* cosched-exec - become.h as a program of its own.
 *
 *     cosched-exec SETTINGS CWD COMMAND [ARG…]
 *
 * coschedd starts commands itself, unless COSCHED_EXEC in its environment names a program that is to
 * stand between: this one, or one that changes the user and then runs this one. It does what become.h
 * says and becomes the command; the command is looked up in the PATH that it finds in its environment,
 * to which it adds nothing.
 *
 * SETTINGS is "name=value,…", numbers in decimal, umask in octal: report (a descriptor), umask,
 * nice, files_soft, nofile, memory, cpu_time, file_size, processes. CWD "" stays where it is. The
 * instructions are arguments because that costs no system call and no parser of files, and because
 * whatever does not fit beside them would not fit into the command's own exec either.
 *
 * A step that fails is written to `report` as "STEP ERRNO" before the exit: 127 when the command
 * was not found, 126 for everything else. `report` closes itself on success, so that its reader
 * sees an end of file and nothing else.
 *
 * Linked statically where the C library allows: half of a small command's start-up is the dynamic
 * loader.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "become.h"

enum { EXIT_USAGE = 64, REPORT_FD = 3 };

static uint64_t *setting_field(struct become *how, const char *name, size_t length)
{
    const struct {
        const char *name;
        uint64_t *field;
    } table[] = {
        {"umask", &how->umask},           {"nice", &how->nice},
        {"files_soft", &how->files_soft}, {"nofile", &how->nofile},
        {"memory", &how->memory},         {"cpu_time", &how->cpu_time},
        {"file_size", &how->file_size},   {"processes", &how->processes},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) {
            return table[i].field;
        }
    }
    return NULL;
}

static bool settings_parse(const char *text, struct become *how, int *report)
{
    while (*text) {
        size_t length = strcspn(text, "=");
        const char *value = text + length + 1;
        bool is_report = length == 6 && memcmp(text, "report", length) == 0;
        uint64_t *field = setting_field(how, text, length);
        if (text[length] != '=' || (!is_report && !field) || *value < '0' || *value > '9') {
            return false;
        }

        char *end;
        errno = 0;
        uint64_t number = strtoull(value, &end, field == &how->umask ? 8 : 10);
        if (errno || (*end && *end != ',') || number == BECOME_UNSET ||
            (is_report && number > INT_MAX)) {
            return false;
        }
        if (is_report) {
            *report = (int)number;
        } else {
            *field = number;
        }
        text = *end ? end + 1 : end;
    }
    return true;
}

static int report(int fd, const struct become_failure *failure)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%s %d\n", failure->step, failure->error);

    /* Nobody is left to tell if this write fails; the exit code speaks as well. */
    if (fd >= 0 && write(fd, text, (size_t)length) != length) {
        return BECOME_CANNOT;
    }
    return become_exit_code(failure);
}

int main(int argc, char **argv)
{
    static char candidate[PATH_MAX];
    struct become how = BECOME_INIT;
    int report_fd = -1;

    if (argc < 4 || !settings_parse(argv[1], &how, &report_fd)) {
        static const char usage[] = "usage: cosched-exec SETTINGS CWD COMMAND [ARG…]\n"
                                    "coschedd runs it; see daemon/exec/cosched-exec.c\n";
        return write(2, usage, sizeof usage - 1) < 0 ? BECOME_CANNOT : EXIT_USAGE;
    }
    struct become_failure failure = {"descriptors", 0};
    if (report_fd >= 0) {
        if ((report_fd != REPORT_FD && dup2(report_fd, REPORT_FD) < 0) ||
            fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) < 0) {
            failure.error = errno;
            return report(report_fd, &failure);
        }
        report_fd = REPORT_FD;
        how.first_closed = REPORT_FD + 1;
    }
    how.cwd = argv[2];
    how.argv = argv + 3;
    how.envp = environ;
    how.candidate = candidate;
    failure = become(&how);
    return report(report_fd, &failure);
}
