/* See sql_wal.h. A failed write is told late, by the sync or by the next call: SQLite takes it for
 * the commit's failure either way, since nothing is committed before the sync has returned. */
#include "sql_wal.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_MAX (128 << 10) /* some thirty pages */

struct wal_file {
    sqlite3_file base; /* first: SQLite knows this part */
    char *bytes;       /* owned; GATHER_MAX; NULL: nothing was written yet */
    int used;
    sqlite3_int64 at;   /* where in the file they go */
    sqlite3_file *file; /* the true one, in the same piece of memory */
};

static sqlite3_vfs *below; /* set once, before the VFS is known */

static struct wal_file *wal_of(sqlite3_file *base)
{
    return (struct wal_file *)(void *)base;
}

/* What cannot be written is forgotten: the commit that it belongs to fails. */
static int flush(struct wal_file *wal)
{
    int size = wal->used;
    wal->used = 0;
    return size > 0 ? wal->file->pMethods->xWrite(wal->file, wal->bytes, size, wal->at) : SQLITE_OK;
}

static int wal_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct wal_file *wal = wal_of(base);
    if (wal->bytes == NULL) {
        wal->bytes = malloc(GATHER_MAX);
    }
    int code = SQLITE_OK;
    if (wal->used > 0 && (at != wal->at + wal->used || size > GATHER_MAX - wal->used)) {
        code = flush(wal);
    }
    if (code != SQLITE_OK) {
        return code;
    }
    if (wal->bytes == NULL || size > GATHER_MAX) {
        return wal->file->pMethods->xWrite(wal->file, data, size, at);
    }
    if (wal->used == 0) {
        wal->at = at;
    }
    memcpy(wal->bytes + wal->used, data, (size_t)size);
    wal->used += size;
    return SQLITE_OK;
}

static int wal_read(sqlite3_file *base, void *data, int size, sqlite3_int64 at)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal);
    return code != SQLITE_OK ? code : wal->file->pMethods->xRead(wal->file, data, size, at);
}

static int wal_sync(sqlite3_file *base, int flags)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal);
    return code != SQLITE_OK ? code : wal->file->pMethods->xSync(wal->file, flags);
}

static int wal_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal);
    return code != SQLITE_OK ? code : wal->file->pMethods->xTruncate(wal->file, size);
}

static int wal_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal);
    return code != SQLITE_OK ? code : wal->file->pMethods->xFileSize(wal->file, size);
}

static int wal_control(sqlite3_file *base, int what, void *argument)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal);
    return code != SQLITE_OK ? code : wal->file->pMethods->xFileControl(wal->file, what, argument);
}

static int wal_close(sqlite3_file *base)
{
    struct wal_file *wal = wal_of(base);
    int code = flush(wal), closed = wal->file->pMethods->xClose(wal->file);
    free(wal->bytes);
    return code != SQLITE_OK ? code : closed;
}

static int wal_lock(sqlite3_file *base, int level)
{
    struct wal_file *wal = wal_of(base);
    return wal->file->pMethods->xLock(wal->file, level);
}

static int wal_unlock(sqlite3_file *base, int level)
{
    struct wal_file *wal = wal_of(base);
    return wal->file->pMethods->xUnlock(wal->file, level);
}

static int wal_is_reserved(sqlite3_file *base, int *reserved)
{
    struct wal_file *wal = wal_of(base);
    return wal->file->pMethods->xCheckReservedLock(wal->file, reserved);
}

static int wal_sector_size(sqlite3_file *base)
{
    struct wal_file *wal = wal_of(base);
    return wal->file->pMethods->xSectorSize(wal->file);
}

static int wal_device(sqlite3_file *base)
{
    struct wal_file *wal = wal_of(base);
    return wal->file->pMethods->xDeviceCharacteristics(wal->file);
}

/* Version 1: nobody shares or maps a log. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_is_reserved,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device,
};

/* Files that are no log are the true ones. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return below->xOpen(below, name, base, flags, out);
    }
    struct wal_file *wal = wal_of(base);
    *wal = (struct wal_file){.file = (sqlite3_file *)(void *)(wal + 1)};
    int code = below->xOpen(below, name, wal->file, flags, out);
    /* With methods a file is closed also when it could not be opened. */
    if (wal->file->pMethods != NULL) {
        wal->base.pMethods = &methods;
    }
    return code;
}

static void make(void)
{
    /* Its other methods find what is theirs by pAppData, which goes along. */
    static sqlite3_vfs vfs;
    below = sqlite3_vfs_find(NULL);
    if (below == NULL) {
        return;
    }
    vfs = *below;
    vfs.zName = "gathering";
    vfs.szOsFile = (int)sizeof(struct wal_file) + below->szOsFile;
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
        below = NULL;
    }
}

const char *sql_wal_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make);
    return below != NULL ? "gathering" : NULL;
}
