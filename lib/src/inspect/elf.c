/* See elf.h. Whatever the file holds: nothing outside its mapping is read. */
#include "inspect/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    const char *at;
    size_t bytes;
};

static bool map(struct file *f, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        f->bytes = (size_t)st.st_size;
        at = mmap(NULL, f->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    f->at = at;
    return at != MAP_FAILED;
}

/* NULL: it is not all there, or not aligned as it must be. */
static const void *part(const struct file *f, uint64_t offset, uint64_t count, size_t size)
{
    bool there = offset <= f->bytes && count <= (f->bytes - offset) / size && offset % 8 == 0;
    return there ? f->at + offset : NULL;
}

struct table {
    const Elf64_Sym *symbol;
    size_t count;
    const char *text; /* its last byte is zero */
    size_t text_bytes;
    bool moves; /* its addresses count from the base */
};

static bool read_table(struct table *t, const struct file *f)
{
    const Elf64_Ehdr *head = part(f, 0, 1, sizeof *head);
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shentsize != sizeof(Elf64_Shdr)) {
        return false;
    }
    const Elf64_Shdr *section = part(f, head->e_shoff, head->e_shnum, sizeof *section);
    for (unsigned i = 0; section != NULL && i < head->e_shnum; i++) {
        const Elf64_Shdr *s = &section[i];
        if (s->sh_type != SHT_SYMTAB || s->sh_link >= head->e_shnum) {
            continue;
        }
        const Elf64_Shdr *text = &section[s->sh_link];
        t->count = s->sh_size / sizeof(Elf64_Sym);
        t->symbol = part(f, s->sh_offset, t->count, sizeof(Elf64_Sym));
        bool there = text->sh_offset <= f->bytes && text->sh_size <= f->bytes - text->sh_offset;
        t->text = f->at + text->sh_offset;
        t->text_bytes = text->sh_size;
        t->moves = head->e_type == ET_DYN;
        return t->symbol != NULL && there && t->text_bytes > 0 && t->text[t->text_bytes - 1] == '\0';
    }
    return false;
}

bool cos_elf_name(const char *path, uintptr_t base, uintptr_t address, char *name, size_t size,
                  uintptr_t *into)
{
    struct file f;
    struct table t;
    bool found = false;
    if (!map(&f, path)) {
        return false;
    }
    if (read_table(&t, &f)) {
        uintptr_t wanted = t.moves ? address - base : address;
        for (size_t i = 0; i < t.count && !found; i++) {
            const Elf64_Sym *s = &t.symbol[i];
            if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && wanted >= s->st_value &&
                wanted - s->st_value < s->st_size && s->st_name < t.text_bytes) {
                size_t n = strnlen(t.text + s->st_name, size - 1);
                memcpy(name, t.text + s->st_name, n);
                name[n] = '\0';
                *into = wanted - s->st_value;
                found = true;
            }
        }
    }
    (void)munmap((void *)(uintptr_t)f.at, f.bytes);
    return found;
}
