/* The page below a stack that must not be written: which way this system can make one. */
#ifndef COS_ARCH_STACK_GUARD_H
#define COS_ARCH_STACK_GUARD_H
#include <stdbool.h>
#include <stddef.h>

#include "arch/stack.h"

/* Tries them in the order of the enum on a scratch page. Any thread; a few system calls. */
enum cos_stack_guard cos_stack_guard_probe(void);

/* Makes [page, page + bytes) the guard of the stack above it. 0 or negative errno. */
int cos_stack_guard_install(enum cos_stack_guard guard, char *page, size_t bytes);

/* The pattern lies in the words just below lo, inside the page that faults elsewhere. */
void cos_stack_canary_write(char *lo);
bool cos_stack_canary_read(const char *lo);
#endif
