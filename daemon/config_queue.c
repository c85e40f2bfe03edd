/* config_queue.c - sections [queue NAME]: a queue's settings, their bounds, and what a queue is that nobody configured.
 */
#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_private.h"

void config_queue_default(struct config_queue *queue, const char *name)
{
    int cpus = cosched_cpus();
    *queue = (struct config_queue){.parallel = cpus < 2 ? 2 : cpus, .weight = 1};
    snprintf(queue->name, sizeof queue->name, "%s", name);
}

struct config_queue *config_queue_named(struct config *config, const char *name)
{
    for (size_t i = 0; i < config->queue_count; i++) {
        if (strcmp(config->queues[i].name, name) == 0) {
            return &config->queues[i];
        }
    }
    if (config->queue_count == CONFIG_QUEUES_MAX) {
        return NULL;
    }
    struct config_queue *queue = &config->queues[config->queue_count++];
    config_queue_default(queue, name);
    return queue;
}

bool config_queue_name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > CONFIG_NAME_MAX) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
           length;
}

/* Digits and at most one point: no exponent, no sign, no locale. */
static int parse_rate(const char *value, double *out)
{
    size_t whole = strspn(value, "0123456789");
    size_t rest = value[whole] == '.' ? 1 + strspn(value + whole + 1, "0123456789") : 0;
    if (whole == 0 || whole > 9 || rest == 1 || rest > 10 || value[whole + rest] != '\0') {
        return -EINVAL;
    }
    double scale = 1;
    *out = 0;
    for (const char *p = value; *p; p++) {
        if (*p == '.') {
            continue;
        }
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
        (rate > 0 && rate < CONFIG_RATE_MIN)) {
        return config_refuse(why, "must be 0, or starts per second from 0.001 to 1000000");
    }
    queue->rate = rate;
    return 0;
}

static int set_queue_number(struct config_queue *queue, const char *key, const char *value,
                            char *why)
{
    static const struct {
        const char *key;
        enum config_type type;
        int64_t min, max;
    } numbers[] = {{"parallel", INT, 0, CONFIG_PARALLEL_MAX},
                   {"weight", INT, 1, CONFIG_WEIGHT_MAX},
                   {"paused", BOOL, 0, 1}};

    int64_t number = 0;
    size_t i = 0;
    while (i < sizeof numbers / sizeof *numbers && strcmp(numbers[i].key, key) != 0) {
        i++;
    }
    if (i == sizeof numbers / sizeof *numbers) {
        return config_refuse(why, "unknown key");
    }
    int rc = config_parse_number(numbers[i].type, value, &number, why);
    if (rc < 0) {
        return rc;
    }
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

int config_set_queue(struct config *config, const char *name, const char *key, const char *value,
                     char *why)
{
    if (!config_queue_name_valid(name)) {
        return config_refuse(why, "a queue's name is 1 to 64 letters, digits, '_', '.' or '-'");
    }
    struct config_queue next, *queue = NULL;
    config_queue_default(&next, name); /* a faulty value makes no queue */
    int rc = strcmp(key, "rate") == 0 ? set_rate(&next, value, why)
                                      : set_queue_number(&next, key, value, why);
    if (rc < 0) {
        return rc;
    }
    queue = config_queue_named(config, name);
    if (!queue) {
        return config_refuse(why, "too many queues (64)");
    }
    return strcmp(key, "rate") == 0 ? set_rate(queue, value, why)
                                    : set_queue_number(queue, key, value, why);
}
