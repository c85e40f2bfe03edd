/* The write-ahead log's file, with fewer calls. SQLite writes a commit page by page, each behind its
 * header: two system calls a page. Here they are gathered, since they lie one behind the other, and
 * reach the kernel as one write, before the sync that the commit waits for (or whatever else looks at
 * the file). What is on disk, and when, stays as it is. */
#ifndef SQL_WAL_H
#define SQL_WAL_H

/* For sqlite3_open_v2: the default VFS but for that. NULL (the default itself): there is none. Any thread, after sql.c has set SQLite up. */
const char *sql_wal_vfs(void);
#endif
