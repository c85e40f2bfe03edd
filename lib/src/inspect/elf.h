/* Names that the dynamic linker does not know: static and hidden functions, by the symbol table of the file, where it was not
 * stripped. The file is mapped for the length of one question and no memory is allocated. */
#ifndef COS_INSPECT_ELF_H
#define COS_INSPECT_ELF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The function that offset bytes behind the load address of the file lie in: its name, cut off to fit, and how far into it. */
bool cos_elf_name(const char *path, uintptr_t base, uintptr_t address, char *name, size_t size,
                  uintptr_t *into);
#endif
