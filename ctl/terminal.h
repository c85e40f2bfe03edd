/* Text of jobs on a terminal: nothing a job says may move the cursor, change colours or hide. */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "wire/buf.h"

/* Appends text on one line: control characters, direction marks and bytes that are not UTF-8
 * appear as \n, \x1b, \u202e. For tables and messages, always. */
void terminal_clean(struct buf *out, const char *text, size_t n);
/* The same for output of a command: line ends, tabs and carriage returns pass. */
void terminal_clean_output(struct buf *out, const char *text, size_t n);

/* Colour is wanted: `file` is a terminal, NO_COLOR is not set and --no-color was not given. */
bool terminal_colored(FILE *file, bool no_color);

#endif
