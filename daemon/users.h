/* users.h - names of users and groups, asked of the system on a blocking thread (it may ask a network), kept a while.
 *
 * On MAIN, in tasks: every function may suspend.
 */
#ifndef DAEMON_USERS_H
#define DAEMON_USERS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USERS_NAME_MAX 64
#define USERS_KEPT     64

struct users {
    struct {
        bool known;
        uint32_t uid;
        int64_t until_ns;
        char name[USERS_NAME_MAX + 1];
    } kept[USERS_KEPT];
};

/* The name of a user, or "" when there is none; copied. */
void users_name(struct users *users, uint32_t uid, char out[USERS_NAME_MAX + 1]);
/* 0 and the uid, or -ENOENT. */
int users_find(const char *name, uint32_t *uid);
/* 0 and the gid, or -ENOENT. */
int users_group(const char *name, uint32_t *gid);

#endif
