/* JSON values read from text. Strict: what this accepts is RFC 8259 and nothing else, and no key
 * occurs twice in an object. The values behind it are cJSON's, which json.c alone includes.
 *
 * Every reader takes NULL and a value of another type, and then says absent (NULL, 0, false): a
 * chain of json_get needs one check at its end. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64
/* Integers beyond are not exact in a double: nobody may rely on them. Larger values are strings. */
#define JSON_INT_MAX   INT64_C(9007199254740991)

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json; /* one value; owned by the root it was parsed with */

struct json_error {
    size_t offset;      /* of the byte that was refused */
    const char *reason; /* static text */
    bool out_of_memory; /* the text was not at fault */
};

/* len bytes of text, of any JSON type; NULL and *err (never NULL) if it is not strict JSON. */
struct json *json_parse(const char *text, size_t len, struct json_error *err);
void json_free(struct json *root);
/* A deep copy with a life of its own; NULL: out of memory. */
struct json *json_copy(const struct json *value);

enum json_type json_type(const struct json *value); /* NULL is JSON_NULL */
const char *json_type_name(enum json_type type);    /* "object", "string", … for messages */
bool json_is(const struct json *value, enum json_type type); /* false for NULL */

/* Member of an object by its exact name, or NULL. */
const struct json *json_get(const struct json *object, const char *key);
/* Members of an object or elements of an array. */
size_t json_count(const struct json *container);
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *element);
const char *json_key(const struct json *member); /* NULL for elements of an array */

const char *json_string(const struct json *value); /* NULL: not a string; has no NUL inside */
bool json_bool(const struct json *value);          /* true only for the value true */
double json_number(const struct json *value);      /* 0 for other types */
/* An integer (1, 1.0 and 1e2 are) with |x| < 2^53. False: another type, a fraction, too large. */
bool json_int(const struct json *value, int64_t *result);

/* The first member whose name is not in the NULL-terminated list, or NULL: unknown members are
 * refused by name everywhere. */
const struct json *json_unknown(const struct json *object, const char *const *names);

#endif
