/* JSON values, read only. cJSON stands behind them and is included nowhere else; the strict scan
 * (scan.c) runs first, so that cJSON sees only what it reads correctly. MAIN in the daemon.
 *
 * A struct json is a cJSON under another name: never defined, never looked into, only cast. */
#include "wire/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <pthread.h>
#include <string.h>

#include "wire/arena.h"
#include "wire/scan.h"

/* A value lies in an arena of its own; cJSON's first piece is always the root. */
enum { BYTES_MIN = 512, BYTES_EACH = 12 /* of a value, for each byte of its text */ };

static void keep(void *piece)
{
    (void)piece; /* goes with its arena */
}

static void set_up(void)
{
    cJSON_Hooks hooks = {.malloc_fn = arena_alloc, .free_fn = keep};
    cJSON_InitHooks(&hooks);
}

static struct arena *begin(size_t bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up);
    return arena_begin(bytes);
}

/* NULL: out of memory, and nothing is left. */
static struct json *end(struct arena *arena, cJSON *root)
{
    arena_end(arena);
    if (!root) {
        arena_free(arena);
        return NULL;
    }
    assert(arena_of(root) == arena);
    return (struct json *)(void *)root;
}

static const cJSON *in(const struct json *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct json *out(const cJSON *value)
{
    return (const struct json *)(const void *)value;
}

struct json *json_parse(const char *text, size_t len, struct json_error *err)
{
    if (!scan_json(text, len, err)) {
        return NULL;
    }
    struct arena *arena = begin(BYTES_MIN + BYTES_EACH * len);
    struct json *root = arena ? end(arena, cJSON_ParseWithLengthOpts(text, len, NULL, 0)) : NULL;
    if (!root) {
        /* The scan accepts a subset of what cJSON does: only memory is left as a cause. */
        *err = (struct json_error){0, "out of memory", true};
    }
    return root;
}

void json_free(struct json *root)
{
    if (root) {
        arena_free(arena_of(root));
    }
}

struct json *json_copy(const struct json *value)
{
    struct arena *arena = begin(BYTES_MIN);
    return arena ? end(arena, cJSON_Duplicate(in(value), 1)) : NULL;
}

enum json_type json_type(const struct json *value)
{
    switch (value ? in(value)->type & 0xff : cJSON_NULL) {
    case cJSON_True:
    case cJSON_False: return JSON_BOOL;
    case cJSON_Number: return JSON_NUMBER;
    case cJSON_String: return JSON_STRING;
    case cJSON_Array: return JSON_ARRAY;
    case cJSON_Object: return JSON_OBJECT;
    default: return JSON_NULL;
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
    };
    return names[type];
}

bool json_is(const struct json *value, enum json_type type)
{
    return value && json_type(value) == type;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!json_is(object, JSON_OBJECT)) {
        return NULL;
    }
    const cJSON *member = in(object)->child;
    while (member && strcmp(member->string, key) != 0) {
        member = member->next;
    }
    return out(member);
}

size_t json_count(const struct json *container)
{
    size_t count = 0;
    for (const struct json *e = json_first(container); e; e = json_next(e)) {
        count++;
    }
    return count;
}

const struct json *json_first(const struct json *container)
{
    return container ? out(in(container)->child) : NULL;
}

const struct json *json_next(const struct json *element)
{
    return element ? out(in(element)->next) : NULL;
}

const char *json_key(const struct json *member)
{
    return member ? in(member)->string : NULL;
}

const char *json_string(const struct json *value)
{
    return json_is(value, JSON_STRING) ? in(value)->valuestring : NULL;
}

bool json_bool(const struct json *value)
{
    return value && (in(value)->type & 0xff) == cJSON_True;
}

double json_number(const struct json *value)
{
    return json_is(value, JSON_NUMBER) ? in(value)->valuedouble : 0;
}

bool json_int(const struct json *value, int64_t *result)
{
    if (!json_is(value, JSON_NUMBER)) {
        return false;
    }
    double number = in(value)->valuedouble;
    if (!(number >= -(double)JSON_INT_MAX && number <= (double)JSON_INT_MAX)) {
        return false;
    }
    int64_t integer = (int64_t)number;
    if ((double)integer < number || (double)integer > number) {
        return false; /* a fraction */
    }
    *result = integer;
    return true;
}

const struct json *json_unknown(const struct json *object, const char *const *names)
{
    for (const struct json *member = json_first(object); member; member = json_next(member)) {
        const char *const *name = names;
        while (*name && strcmp(*name, json_key(member)) != 0) {
            name++;
        }
        if (!*name) {
            return member;
        }
    }
    return NULL;
}
