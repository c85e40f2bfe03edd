/* See symbols.h. A table of fixed size: what falls on the same place drives the former out. */
#include "inspect/symbols.h"

#include <cosched/inspect.h>

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "arch/lock.h"
#include "base/text.h"
#include "inspect/elf.h"

#define PLACES     1024u
#define TEXT_BYTES 112

struct place {
    const void *address; /* NULL: empty */
    uint32_t epoch;
    bool ours;
    char text[TEXT_BYTES];
};

static struct {
    struct cos_lock lock; /* guards the rest */
    uint32_t epoch;       /* how often something was loaded or unloaded */
    struct place place[PLACES];
} table;

static struct place *place_of(const void *address)
{
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &table.place[hash >> 54];
}

/* Where the program itself was loaded: its headers are at the beginning, and the kernel tells where they are. */
static bool is_program(const void *base)
{
    Dl_info program;
    const void *headers = (const void *)getauxval(AT_PHDR);
    return headers != NULL && dladdr(headers, &program) != 0 && program.dli_fbase == base;
}

/* By its name; or it lies in a shared library, and that has no public name for it. */
static bool is_ours(const void *address, const char *name)
{
    Dl_info there, here;
    if (strncmp(name, "cos_", 4) == 0) {
        return true;
    }
    return dladdr(address, &there) != 0 && there.dli_sname == NULL &&
           dladdr((const void *)(uintptr_t)cosched_symbol, &here) != 0 &&
           there.dli_fbase == here.dli_fbase && !is_program(here.dli_fbase);
}

/* By the file, if the dynamic linker knows no name. */
static bool add_static(struct cos_text *text, const void *address)
{
    Dl_info there;
    char name[TEXT_BYTES];
    uintptr_t into;
    if (dladdr(address, &there) == 0 || there.dli_sname != NULL || there.dli_fname == NULL) {
        return false;
    }
    /* The program is named as it was called, which need not be a path from here. */
    const char *path = is_program(there.dli_fbase) ? "/proc/self/exe" : there.dli_fname;
    if (!cos_elf_name(path, (uintptr_t)there.dli_fbase, (uintptr_t)address, name, sizeof name,
                      &into)) {
        return false;
    }
    cos_text_add(text, name);
    if (into != 0) {
        cos_text_add(text, "+");
        cos_text_hex(text, into);
    }
    return true;
}

static void make(struct place *out, const void *address)
{
    struct cos_text text;
    out->address = address;
    cos_text_init(&text, out->text, sizeof out->text);
    if (!add_static(&text, address)) {
        cos_text_symbol(&text, address);
    }
    out->ours = is_ours(address, out->text);
}

/* By value: the place may be another's at any moment. */
static struct place look_up(const void *address)
{
    struct place *at = place_of(address), found;
    cos_lock_acquire(&table.lock);
    uint32_t epoch = table.epoch;
    bool known = at->address == address && at->epoch == epoch;
    if (known) {
        found = *at;
    }
    cos_lock_release(&table.lock);
    if (!known) {
        make(&found, address); /* without the lock: the linker has one of its own */
        found.epoch = epoch;
        cos_lock_acquire(&table.lock);
        *at = found;
        cos_lock_release(&table.lock);
    }
    return found;
}

static int count_loads(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(unsigned long long *)arg = info->dlpi_adds + info->dlpi_subs;
    return 1; /* every entry says the same */
}

void cos_symbols_forget(void)
{
    unsigned long long loads = 0;
    (void)dl_iterate_phdr(count_loads, &loads);
    cos_lock_acquire(&table.lock);
    table.epoch = (uint32_t)loads;
    cos_lock_release(&table.lock);
}

bool cos_symbol_is_ours(const void *address)
{
    return look_up(address).ours;
}

void cosched_symbol(char *out, size_t size, const void *address)
{
    if (size == 0) {
        return;
    }
    struct place found = look_up(address);
    size_t n = strlen(found.text);
    n = n < size - 1 ? n : size - 1;
    memcpy(out, found.text, n);
    out[n] = '\0';
}
