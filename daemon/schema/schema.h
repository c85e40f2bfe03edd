/* The database's migrations, embedded at build time: number k (from 1) takes a database from
 * version k - 1 to k. Never edit one that was released; add the next. */
#ifndef SCHEMA_H
#define SCHEMA_H

extern const char *const *const schema_migrations[]; /* [k - 1]: its statements, then NULL */
extern const int schema_version; /* how many, and what PRAGMA user_version says after the last */
#endif
