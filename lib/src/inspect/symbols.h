/* Names of functions, remembered: the dynamic linker takes microseconds for each, and a look at all tasks asks for the same
 * few again and again. */
#ifndef COS_INSPECT_SYMBOLS_H
#define COS_INSPECT_SYMBOLS_H
#include <stdbool.h>
#include <stddef.h>

/* What was loaded may be gone, and something else at its place: before a look at all tasks. Any thread, like the other. */
void cos_symbols_forget(void);
/* A function of the library, and not one that programs call, as far as can be told. */
bool cos_symbol_is_ours(const void *address);
#endif
