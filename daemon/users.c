/* users.c - see users.h. getpwuid_r and its like may read files or talk to a directory service for seconds: never on MAIN.
 * Answers are kept for five minutes, in a table indexed by uid.
 */
#include "users.h"

#include <cosched/cosched.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_NS INT64_C(300000000000)
#define BUFFER  16384

struct question {
    uint32_t uid, gid;
    const char *text;
    char name[USERS_NAME_MAX + 1];
};

/* The three below run on a blocking thread. */

static int64_t ask_name(void *arg)
{
    struct question *q = arg;
    struct passwd entry, *found = NULL;
    char *buffer = malloc(BUFFER);
    q->name[0] = '\0';
    if (buffer && getpwuid_r((uid_t)q->uid, &entry, buffer, BUFFER, &found) == 0 && found) {
        snprintf(q->name, sizeof q->name, "%s", entry.pw_name);
    }
    free(buffer);
    return 0;
}

static int64_t ask_uid(void *arg)
{
    struct question *q = arg;
    struct passwd entry, *found = NULL;
    char *buffer = malloc(BUFFER);
    if (buffer && getpwnam_r(q->text, &entry, buffer, BUFFER, &found) == 0 && found) {
        q->uid = entry.pw_uid;
    }
    free(buffer);
    return found ? 0 : -ENOENT;
}

static int64_t ask_gid(void *arg)
{
    struct question *q = arg;
    struct group entry, *found = NULL;
    char *buffer = malloc(BUFFER);
    if (buffer && getgrnam_r(q->text, &entry, buffer, BUFFER, &found) == 0 && found) {
        q->gid = entry.gr_gid;
    }
    free(buffer);
    return found ? 0 : -ENOENT;
}

void users_name(struct users *users, uint32_t uid, char out[USERS_NAME_MAX + 1])
{
    size_t slot = uid % USERS_KEPT;
    if (!users->kept[slot].known || users->kept[slot].uid != uid ||
        cosched_now() >= users->kept[slot].until_ns) {
        struct question q = {.uid = uid};
        if (cosched_blocking(NULL, ask_name, &q) < 0) {
            q.name[0] = '\0';
        }
        users->kept[slot].known = true;
        users->kept[slot].uid = uid;
        users->kept[slot].until_ns = cosched_in_ns(KEEP_NS);
        memcpy(users->kept[slot].name, q.name, sizeof q.name);
    }
    memcpy(out, users->kept[slot].name, USERS_NAME_MAX + 1);
}

int users_find(const char *name, uint32_t *uid)
{
    struct question q = {.text = name};
    int64_t result = 0;
    int rc = cosched_blocking(&result, ask_uid, &q);
    if (rc < 0 || result < 0) {
        return rc < 0 ? rc : (int)result;
    }
    *uid = q.uid;
    return 0;
}

int users_group(const char *name, uint32_t *gid)
{
    struct question q = {.text = name};
    int64_t result = 0;
    int rc = cosched_blocking(&result, ask_gid, &q);
    if (rc < 0 || result < 0) {
        return rc < 0 ? rc : (int)result;
    }
    *gid = q.gid;
    return 0;
}
