/* config.c - the table of settings: one row a key, with its type, bounds and place in struct config. A key that the
 * contract knows and this version does not act on is refused by name ("not supported yet"), never ignored.
 *
 * The files are read in config_file.c, the command line and the paths in config_args.c.
 */
#include "config.h"

#include <cosched/cosched.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/units.h"

enum type { BOOL, INT, WORKERS, LEVEL, HELP, DURATION, SIZE, TEXT, UNSUPPORTED };

enum { RELOADS = 1 };

struct key {
    const char *section, *name;
    enum type type;
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
    if (key->type == BOOL)
        return *(const bool *)place;
    memcpy(&number, place, sizeof number);
    return number;
}

static void number_put(struct config *config, const struct key *key, int64_t number)
{
    char *place = (char *)config + key->offset;
    if (key->type == BOOL)
        *(bool *)place = number != 0;
    else
        memcpy(place, &number, sizeof number);
}

static int text_put(struct config *config, const struct key *key, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(text_at(config, key));
    memcpy((char *)config + key->offset, &copy, sizeof copy);
    return 0;
}

/* --- values ---------------------------------------------------------------------------------------- */

static int refuse(char *why, const char *text)
{
    snprintf(why, 256, "%s", text);
    return -EINVAL;
}

static int parse_bool(const char *value, int64_t *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *out = strcmp(value, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_help(const char *value, int64_t *out)
{
    static const char *const words[] = {
        [COSCHED_HELP_IDLE] = "idle", [COSCHED_HELP_OFF] = "off", [COSCHED_HELP_ALWAYS] = "always"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i]) == 0) {
            *out = (int64_t)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_int(const char *value, int64_t *out)
{
    char *end = NULL;
    if (*value != '-' && (*value < '0' || *value > '9'))
        return -EINVAL; /* strtoll would take blanks and a plus sign */
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0')
        return -EINVAL;
    *out = number;
    return 0;
}

static int parse_number(enum type type, const char *value, int64_t *out, char *why)
{
    uint64_t size = 0;
    int level;
    switch (type) {
    case BOOL: return parse_bool(value, out) < 0 ? refuse(why, "must be yes or no") : 0;
    case INT: return parse_int(value, out) < 0 ? refuse(why, "must be a whole number") : 0;
    case WORKERS:
        if (strcmp(value, "auto") == 0) {
            *out = -1;
            return 0;
        }
        return parse_int(value, out) < 0 ? refuse(why, "must be a whole number, or auto") : 0;
    case LEVEL:
        level = log_level_parse(value);
        *out = level;
        return level < 0 ? refuse(why, "must be error, warning, info or debug") : 0;
    case HELP: return parse_help(value, out) < 0 ? refuse(why, "must be idle, off or always") : 0;
    case DURATION:
        return units_parse_duration(value, out) < 0
                   ? refuse(why, "must be a duration such as 250ms, 5s, 1h30m")
                   : 0;
    case SIZE:
        if (units_parse_size(value, &size) < 0 || size > INT64_MAX)
            return refuse(why, "must be a size such as 64K, 10M, 1G");
        *out = (int64_t)size;
        return 0;
    case TEXT:
    case UNSUPPORTED: break;
    }
    abort();
}

static int set_number(struct config *config, const struct key *key, const char *value, char *why)
{
    int64_t number = 0;
    int rc = parse_number(key->type, value, &number, why);
    if (rc < 0)
        return rc;
    bool by_word = (key->type == WORKERS && strcmp(value, "auto") == 0) || key->type == LEVEL ||
                   key->type == HELP;
    if (!by_word && (number < key->min || number > key->max)) {
        if (key->type == DURATION)
            snprintf(why, 256, "must be at most %lld days", (long long)(key->max / DAY));
        else
            snprintf(why, 256, "must be between %lld and %lld", (long long)key->min,
                     (long long)key->max);
        return -EINVAL;
    }
    number_put(config, key, number);
    return 0;
}

static bool words_are_settings(const char *words)
{
    for (const char *p = words + strspn(words, " "); *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " "), name = strcspn(p, "= ");
        if (name == 0 || name == length)
            return false;
        p += length;
    }
    return true;
}

static int set_text(struct config *config, const struct key *key, const char *value, char *why)
{
    size_t length = strlen(value);
    if (length < (size_t)key->min)
        return refuse(why, "must not be empty");
    if (length > (size_t)key->max) {
        snprintf(why, 256, "must be at most %lld bytes", (long long)key->max);
        return -EINVAL;
    }
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return refuse(why, "must not contain control characters");
    if (key->offset == AT(exec_env) && !words_are_settings(value))
        return refuse(why, "must be NAME=VALUE words separated by blanks");
    return text_put(config, key, value);
}

/* --- [queue NAME] ------------------------------------------------------------------------------------ */

void config_queue_default(struct config_queue *queue, const char *name)
{
    int cpus = cosched_cpus();
    *queue = (struct config_queue){.parallel = cpus < 2 ? 2 : cpus, .weight = 1};
    snprintf(queue->name, sizeof queue->name, "%s", name);
}

static struct config_queue *queue_named(struct config *config, const char *name)
{
    for (size_t i = 0; i < config->queue_count; i++)
        if (strcmp(config->queues[i].name, name) == 0)
            return &config->queues[i];
    if (config->queue_count == CONFIG_QUEUES_MAX)
        return NULL;
    struct config_queue *queue = &config->queues[config->queue_count++];
    config_queue_default(queue, name);
    return queue;
}

bool config_queue_name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > CONFIG_NAME_MAX)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
           length;
}

/* Digits and at most one point: no exponent, no sign, no locale. */
static int parse_rate(const char *value, double *out)
{
    size_t whole = strspn(value, "0123456789");
    size_t rest = value[whole] == '.' ? 1 + strspn(value + whole + 1, "0123456789") : 0;
    if (whole == 0 || whole > 9 || rest == 1 || rest > 10 || value[whole + rest] != '\0')
        return -EINVAL;
    double scale = 1;
    *out = 0;
    for (const char *p = value; *p; p++) {
        if (*p == '.')
            continue;
        scale *= p > value + whole ? 10 : 1;
        *out = *out * 10 + (*p - '0');
    }
    *out /= scale;
    return 0;
}

static int set_rate(struct config_queue *queue, const char *value, char *why)
{
    double rate = 0;
    if (parse_rate(value, &rate) < 0 || rate > CONFIG_RATE_MAX ||
        (rate > 0 && rate < CONFIG_RATE_MIN))
        return refuse(why, "must be 0, or starts per second from 0.001 to 1000000");
    queue->rate = rate;
    return 0;
}

static int set_queue_number(struct config_queue *queue, const char *key, const char *value,
                            char *why)
{
    static const struct {
        const char *key;
        enum type type;
        int64_t min, max;
    } numbers[] = {{"parallel", INT, 0, CONFIG_PARALLEL_MAX},
                   {"weight", INT, 1, CONFIG_WEIGHT_MAX},
                   {"paused", BOOL, 0, 1}};

    int64_t number = 0;
    size_t i = 0;
    while (i < sizeof numbers / sizeof *numbers && strcmp(numbers[i].key, key) != 0)
        i++;
    if (i == sizeof numbers / sizeof *numbers)
        return refuse(why, "unknown key");
    int rc = parse_number(numbers[i].type, value, &number, why);
    if (rc < 0)
        return rc;
    if (number < numbers[i].min || number > numbers[i].max) {
        snprintf(why, 256, "must be between %lld and %lld", (long long)numbers[i].min,
                 (long long)numbers[i].max);
        return -EINVAL;
    }
    switch (i) {
    case 0: queue->parallel = number; break;
    case 1: queue->weight = number; break;
    default: queue->paused = number != 0; break;
    }
    return 0;
}

static int set_queue(struct config *config, const char *name, const char *key, const char *value,
                     char *why)
{
    if (!config_queue_name_valid(name))
        return refuse(why, "a queue's name is 1 to 64 letters, digits, '_', '.' or '-'");
    struct config_queue next, *queue = NULL;
    config_queue_default(&next, name); /* a faulty value makes no queue */
    int rc = strcmp(key, "rate") == 0 ? set_rate(&next, value, why)
                                      : set_queue_number(&next, key, value, why);
    if (rc < 0)
        return rc;
    queue = queue_named(config, name);
    if (!queue)
        return refuse(why, "too many queues (64)");
    return strcmp(key, "rate") == 0 ? set_rate(queue, value, why)
                                    : set_queue_number(queue, key, value, why);
}

/* --- all of it --------------------------------------------------------------------------------------- */

bool config_section_known(const char *section)
{
    if (strncmp(section, "queue ", 6) == 0)
        return config_queue_name_valid(section + 6);
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].section, section) == 0)
            return true;
    return false;
}

int config_set(struct config *config, const char *section, const char *key, const char *value,
               char why[static 256])
{
    if (strncmp(section, "queue ", 6) == 0)
        return set_queue(config, section + 6, key, value, why);
    if (!config_section_known(section))
        return refuse(why, "unknown section");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *k = &keys[i];
        if (strcmp(k->section, section) != 0 ||
            (strcmp(k->name, key) != 0 && strcmp(k->name, "*") != 0))
            continue;
        if (k->type == UNSUPPORTED)
            return refuse(why, "not supported yet");
        return k->type == TEXT ? set_text(config, k, value, why) : set_number(config, k, value, why);
    }
    return refuse(why, "unknown key");
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
    queue_named(config, "default");
    return config->admin_group && config->exec_path && config->exec_env ? 0 : -ENOMEM;
}

void config_fini(struct config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].type == TEXT)
            free(text_at(config, &keys[i]));
    free(config->config_path);
    free(config->socket_path);
    free(config->state_dir);
    memset(config, 0, sizeof *config);
}

/* --- reload ------------------------------------------------------------------------------------------ */

static bool same(const struct config *a, const struct config *b, const struct key *key)
{
    if (key->type == UNSUPPORTED)
        return true;
    if (key->type == TEXT)
        return strcmp(text_at(a, key), text_at(b, key)) == 0;
    return number_at(a, key) == number_at(b, key);
}

int config_needs_restart(const struct config *now, const struct config *next, char *out, size_t size)
{
    int count = 0;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((keys[i].flags & RELOADS) || same(now, next, &keys[i]))
            continue;
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
    if (!group)
        return -ENOMEM;
    free(now->admin_group);
    now->admin_group = group;
    for (size_t i = 0; i < KEY_COUNT; i++)
        if ((keys[i].flags & RELOADS) && keys[i].type != TEXT)
            number_put(now, &keys[i], number_at(next, &keys[i]));
    memcpy(now->queues, next->queues, sizeof now->queues);
    now->queue_count = next->queue_count;
    return 0;
}
