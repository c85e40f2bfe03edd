/* Between the files of spec: the state of one parse, and the checks that several members share. */
#ifndef SPEC_PRIVATE_H
#define SPEC_PRIVATE_H
#include "spec.h"

struct spec_parser {
    const struct spec_context *context; /* borrowed */
    struct spec *spec;                  /* owned until it is handed out */
    struct spec_error *error;           /* borrowed */
    const char *base;                   /* path of the object being read */
    const struct json *args, *argv;     /* members put aside until the kind is known; borrowed */
};

/* A member's own check: SPEC_OK, SPEC_INVALID, SPEC_NOT_PERMITTED or -ENOMEM. */
struct spec_member {
    const char *name;
    int (*parse)(struct spec_parser *parser, const char *path, const struct json *value);
};

/* Every member of object against the table; unknown ones are refused by name. */
int spec_members(struct spec_parser *parser, const char *base, const struct json *object,
                 const struct spec_member *table, size_t count);
/* The members of a whole specification. */
int spec_members_all(struct spec_parser *parser, const struct json *object);
/* A member of a specification by its name; NULL: there is none. */
const struct spec_member *spec_member_find(const char *name);
/* SPEC_INVALID: says what was wanted and what came. */
int spec_refuse_type(struct spec_parser *parser, const char *path, const struct json *value,
                     const char *wanted);
/* A string of `min` to `max` bytes, copied. */
int spec_string(struct spec_parser *parser, const char *path, const struct json *value, size_t min,
                size_t max, char **out);
int spec_duration(struct spec_parser *parser, const char *path, const struct json *value,
                  int64_t *ns);
/* The same, and longer than nothing. */
int spec_positive_duration(struct spec_parser *parser, const char *path, const struct json *value,
                           int64_t *ns);
int spec_integer(struct spec_parser *parser, const char *path, const struct json *value,
                 int64_t min, int64_t max, int64_t *out);
/* The member `retry`. */
int spec_parse_retry(struct spec_parser *parser, const char *path, const struct json *value);
void spec_write_retry(struct writer *w, const struct job_retry *retry);
#endif
