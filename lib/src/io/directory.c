/* cosched_scandir: the whole directory in one request to the blocking pool, into one block. */
#include <cosched/io.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "io/pool.h"

/* One name, as it is read; how many there are is known at the end only. */
struct name {
    struct name *next; /* owned */
    enum cosched_entry_kind kind;
    char text[];
};

struct scan {
    const char *path;
    size_t entries_max, count, bytes; /* bytes: of all names with their ends */
    struct name *first, **last;       /* owned, in the order of reading */
    struct cosched_entries *found;    /* owned */
};

static enum cosched_entry_kind kind_of(const struct dirent *d)
{
    switch (d->d_type) {
    case DT_REG: return COSCHED_ENTRY_FILE;
    case DT_DIR: return COSCHED_ENTRY_DIRECTORY;
    case DT_LNK: return COSCHED_ENTRY_LINK;
    case DT_UNKNOWN: return COSCHED_ENTRY_UNKNOWN;
    default: return COSCHED_ENTRY_OTHER;
    }
}

static int add(struct scan *s, const struct dirent *d)
{
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
        return 0;
    }
    if (s->count == s->entries_max) {
        return -EOVERFLOW;
    }
    size_t size = strlen(d->d_name) + 1;
    struct name *n = cos_alloc(sizeof *n + size);
    if (n == NULL) {
        return -ENOMEM;
    }
    n->kind = kind_of(d);
    memcpy(n->text, d->d_name, size);
    *s->last = n;
    s->last = &n->next;
    s->count++;
    s->bytes += size;
    return 0;
}

static int read_all(struct scan *s)
{
    DIR *dir = opendir(s->path);
    if (dir == NULL) {
        return -errno;
    }
    int rc = 0;
    const struct dirent *d;
    do {
        errno = 0;
        d = readdir(dir);
        rc = d != NULL ? add(s, d) : -errno;
    } while (d != NULL && rc == 0);
    closedir(dir);
    return rc;
}

static int pack(struct scan *s)
{
    struct cosched_entries *e = cos_alloc(sizeof *e + s->count * sizeof e->at[0] + s->bytes);
    if (e == NULL) {
        return -ENOMEM;
    }
    e->at = (struct cosched_entry *)(void *)(e + 1);
    char *text = (char *)(e->at + s->count);
    for (const struct name *n = s->first; n != NULL; n = n->next) {
        size_t size = strlen(n->text) + 1;
        e->at[e->count++] =
            (struct cosched_entry){.name = memcpy(text, n->text, size), .kind = n->kind};
        text += size;
    }
    s->found = e;
    return 0;
}

static int64_t do_scan(void *arg)
{
    struct scan *s = arg;
    s->last = &s->first;
    int rc = read_all(s);
    rc = rc == 0 ? pack(s) : rc;
    for (struct name *n = s->first, *next; n != NULL; n = next) {
        next = n->next;
        cos_free(n);
    }
    return rc;
}

int cosched_scandir(const char *path, size_t entries_max, int64_t deadline,
                    struct cosched_entries **out)
{
    struct scan s = {.path = path, .entries_max = entries_max};
    int rc = (int)cos_pool_run(do_scan, &s, deadline);
    *out = s.found;
    return rc;
}

void cosched_entries_free(struct cosched_entries *entries)
{
    cos_free(entries);
}
