/* config_private.h - between the files of config: what a value is, and where a section is read. */
#ifndef DAEMON_CONFIG_PRIVATE_H
#define DAEMON_CONFIG_PRIVATE_H
#include "config.h"

/* What the text of a setting has to be. */
enum config_type { BOOL, INT, WORKERS, LEVEL, HELP, DURATION, SIZE, TEXT, UNSUPPORTED };

/* Puts the reason into why, of 256 bytes. -EINVAL, so that a check can end with it. */
int config_refuse(char *why, const char *text);
/* Of any type but TEXT and UNSUPPORTED; bounds are the caller's. 0, or -EINVAL with the reason. */
int config_parse_number(enum config_type type, const char *value, int64_t *out, char *why);

/* One setting of [queue NAME], which is made when it is not there. 0, or -EINVAL with the reason. */
int config_set_queue(struct config *config, const char *name, const char *key, const char *value,
                     char *why);
/* There afterwards; NULL: there are too many. */
struct config_queue *config_queue_named(struct config *config, const char *name);

#endif
