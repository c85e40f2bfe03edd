/* config.c - the table of settings: one row a key, with its type, bounds and place in struct config. A key that the
 * contract knows and this version does not act on is refused by name ("not supported yet"), never ignored.
 *
 * Values are read in config_values.c, sections [queue NAME] in config_queue.c, the files in config_file.c, the command
 * line and the paths in config_args.c.
 */
#include "config.h"

#include <cosched/cosched.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

enum { RELOADS = 1 };

struct key {
    const char *section, *name;
    enum config_type type;
    size_t offset;
    int64_t min, max;
    int flags;
};

#define SECOND     INT64_C(1000000000)
#define DAY        (86400 * SECOND)
#define AT(member) offsetof(struct config, member)

/* clang-format off */
static const struct key keys[] = {
    {"daemon", "allow_root",     BOOL,     AT(allow_root),       0, 1, 0},
    {"daemon", "workers",        WORKERS,  AT(workers),          0, 64, 0},
    {"daemon", "log_level",      LEVEL,    AT(log_level),        0, 0, RELOADS},
    {"daemon", "admin_group",    TEXT,     AT(admin_group),      0, 64, RELOADS},
    {"daemon", "drain_timeout",  DURATION, AT(drain_timeout_ns), 0, 30 * DAY, RELOADS},
    {"daemon", "main_help",      HELP,     AT(main_help),        0, 0, 0},
    {"daemon", "slice_main",     DURATION, AT(slice_main_ns),    0, DAY, 0},
    {"daemon", "slice_worker",   DURATION, AT(slice_worker_ns),  0, DAY, 0},
    {"store",  "keep",           DURATION, AT(keep_ns),          0, 3650 * DAY, RELOADS},
    {"store",  "keep_count",     INT,      AT(keep_count),       0, 100000000, RELOADS},
    {"store",  "keep_bytes",     SIZE,     AT(keep_bytes),       0, INT64_C(1) << 50, RELOADS},
    {"exec",   "path",           TEXT,     AT(exec_path),        1, 4096, 0},
    {"exec",   "env",            TEXT,     AT(exec_env),         0, 4096, 0},
    {"exec",   "grace",          DURATION, AT(exec_grace_ns),    0, DAY, 0},
    {"exec",   "output_max",     SIZE,     AT(exec_output_max),  4096, INT64_C(1) << 40, 0},
    {"exec",   "nice",           INT,      AT(exec_nice),        0, 19, 0},
    {"resources", "*",           UNSUPPORTED, 0, 0, 0, 0},
    {"limits", "connections",          INT,  AT(connections),          1, 100000, RELOADS},
    {"limits", "connections_per_user", INT,  AT(connections_per_user), 1, 100000, RELOADS},
    {"limits", "jobs_waiting",         INT,  AT(jobs_waiting),         1, 100000000, RELOADS},
    {"limits", "jobs_per_user",        INT,  AT(jobs_per_user),        1, 100000000, RELOADS},
    {"limits", "waits",                INT,  AT(waits),                1, 10000, RELOADS},
    {"limits", "answer_bytes",         SIZE, AT(answer_bytes),         65536, 1 << 30, RELOADS},
    {"limits", "subscriptions",        INT,  AT(subscriptions),        1, 1000, RELOADS},
    {"schedule", "time_zone",    UNSUPPORTED, 0, 0, 0, 0},
};
/* clang-format on */

#define KEY_COUNT (sizeof keys / sizeof *keys)

static char *text_at(const struct config *config, const struct key *key)
{
    char *text;
    memcpy(&text, (const char *)config + key->offset, sizeof text);
    return text;
}

static int64_t number_at(const struct config *config, const struct key *key)
{
    const char *place = (const char *)config + key->offset;
    int64_t number;
    if (key->type == BOOL) {
        return *(const bool *)place;
    }
    memcpy(&number, place, sizeof number);
    return number;
}

static void number_put(struct config *config, const struct key *key, int64_t number)
{
    char *place = (char *)config + key->offset;
    if (key->type == BOOL) {
        *(bool *)place = number != 0;
    } else {
        memcpy(place, &number, sizeof number);
    }
}

static int text_put(struct config *config, const struct key *key, const char *value)
{
    char *copy = strdup(value);
    if (!copy) {
        return -ENOMEM;
    }
    free(text_at(config, key));
    memcpy((char *)config + key->offset, &copy, sizeof copy);
    return 0;
}

/* --- one setting ---------------------------------------------------------------------------------------- */

static int set_number(struct config *config, const struct key *key, const char *value, char *why)
{
    int64_t number = 0;
    int rc = config_parse_number(key->type, value, &number, why);
    if (rc < 0) {
        return rc;
    }
    bool by_word = (key->type == WORKERS && strcmp(value, "auto") == 0) || key->type == LEVEL ||
                   key->type == HELP;
    if (!by_word && (number < key->min || number > key->max)) {
        if (key->type == DURATION) {
            snprintf(why, 256, "must be at most %lld days", (long long)(key->max / DAY));
        } else {
            snprintf(why, 256, "must be between %lld and %lld", (long long)key->min,
                     (long long)key->max);
        }
        return -EINVAL;
    }
    number_put(config, key, number);
    return 0;
}

static bool words_are_settings(const char *words)
{
    for (const char *p = words + strspn(words, " "); *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " "), name = strcspn(p, "= ");
        if (name == 0 || name == length) {
            return false;
        }
        p += length;
    }
    return true;
}

static int set_text(struct config *config, const struct key *key, const char *value, char *why)
{
    size_t length = strlen(value);
    if (length < (size_t)key->min) {
        return config_refuse(why, "must not be empty");
    }
    if (length > (size_t)key->max) {
        snprintf(why, 256, "must be at most %lld bytes", (long long)key->max);
        return -EINVAL;
    }
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            return config_refuse(why, "must not contain control characters");
        }
    }
    if (key->offset == AT(exec_env) && !words_are_settings(value)) {
        return config_refuse(why, "must be NAME=VALUE words separated by blanks");
    }
    return text_put(config, key, value);
}

/* --- all of it --------------------------------------------------------------------------------------- */

bool config_section_known(const char *section)
{
    if (strncmp(section, "queue ", 6) == 0) {
        return config_queue_name_valid(section + 6);
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

int config_set(struct config *config, const char *section, const char *key, const char *value,
               char why[static 256])
{
    if (strncmp(section, "queue ", 6) == 0) {
        return config_set_queue(config, section + 6, key, value, why);
    }
    if (!config_section_known(section)) {
        return config_refuse(why, "unknown section");
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *k = &keys[i];
        if (strcmp(k->section, section) != 0 ||
            (strcmp(k->name, key) != 0 && strcmp(k->name, "*") != 0)) {
            continue;
        }
        if (k->type == UNSUPPORTED) {
            return config_refuse(why, "not supported yet");
        }
        return k->type == TEXT ? set_text(config, k, value, why) : set_number(config, k, value, why);
    }
    return config_refuse(why, "unknown key");
}

int config_init(struct config *config)
{
    /* A constant to copy: a literal in here would take 5 KiB of the caller's stack. */
    static const struct config built_in = {
        .workers = -1,
        .main_help = COSCHED_HELP_IDLE,
        .log_level = LOG_LEVEL_INFO,
        .drain_timeout_ns = 25 * SECOND,
        .slice_main_ns = SECOND / 100,
        .slice_worker_ns = SECOND / 10,
        .keep_ns = 7 * DAY,
        .keep_count = 100000,
        .keep_bytes = INT64_C(1) << 30,
        .exec_grace_ns = 5 * SECOND,
        .exec_output_max = 10 << 20,
        .exec_nice = 5,
        .connections = 1024,
        .connections_per_user = 512,
        .jobs_waiting = 1000000,
        .jobs_per_user = 1000000,
        .waits = 64,
        .subscriptions = 16,
        .answer_bytes = 1 << 20,
    };
    memcpy(config, &built_in, sizeof *config);
    config->admin_group = strdup("");
    config->exec_path = strdup("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    config->exec_env = strdup("LANG=C.UTF-8");
    config_queue_named(config, "default");
    return config->admin_group && config->exec_path && config->exec_env ? 0 : -ENOMEM;
}

void config_fini(struct config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].type == TEXT) {
            free(text_at(config, &keys[i]));
        }
    }
    free(config->config_path);
    free(config->socket_path);
    free(config->state_dir);
    memset(config, 0, sizeof *config);
}

/* --- reload ------------------------------------------------------------------------------------------ */

static bool same(const struct config *a, const struct config *b, const struct key *key)
{
    if (key->type == UNSUPPORTED) {
        return true;
    }
    if (key->type == TEXT) {
        return strcmp(text_at(a, key), text_at(b, key)) == 0;
    }
    return number_at(a, key) == number_at(b, key);
}

int config_needs_restart(const struct config *now, const struct config *next, char *out, size_t size)
{
    int count = 0;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((keys[i].flags & RELOADS) || same(now, next, &keys[i])) {
            continue;
        }
        int n = snprintf(out + used, size - used, "%s%s.%s", count ? "," : "", keys[i].section,
                         keys[i].name);
        used = n > 0 && used + (size_t)n < size ? used + (size_t)n : used;
        count++;
    }
    return count;
}

int config_take_over(struct config *now, const struct config *next)
{
    char *group = strdup(next->admin_group);
    if (!group) {
        return -ENOMEM;
    }
    free(now->admin_group);
    now->admin_group = group;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((keys[i].flags & RELOADS) && keys[i].type != TEXT) {
            number_put(now, &keys[i], number_at(next, &keys[i]));
        }
    }
    memcpy(now->queues, next->queues, sizeof now->queues);
    now->queue_count = next->queue_count;
    return 0;
}
