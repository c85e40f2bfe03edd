/* See symbols.h. A table of fixed size: what falls on the same place drives the former out. */
#include "inspect/symbols.h"

#include <cosched/inspect.h>

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "arch/lock.h"
#include "base/text.h"

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
    uint32_t epoch;
    struct place place[PLACES];
} table;

static struct place *place_of(const void *address)
{
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &table.place[hash >> 54];
}

/* In a shared library whose other functions it does not show. */
static bool is_ours(const void *address)
{
    Dl_info there, here, program;
    return dladdr(address, &there) != 0 && there.dli_sname == NULL &&
           dladdr((const void *)(uintptr_t)cosched_symbol, &here) != 0 &&
           there.dli_fbase == here.dli_fbase && here.dli_sname != NULL &&
           (dladdr(dlsym(RTLD_DEFAULT, "_start"), &program) == 0 ||
            program.dli_fbase != here.dli_fbase);
}

static void make(struct place *out, const void *address)
{
    struct cos_text text;
    out->address = address;
    out->ours = is_ours(address);
    cos_text_init(&text, out->text, sizeof out->text);
    cos_text_symbol(&text, address);
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

void cos_symbols_forget(void)
{
    cos_lock_acquire(&table.lock);
    table.epoch++;
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
