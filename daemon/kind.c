/* kind.c - the registry of kinds: a table, in order of name, const for the daemon's life. Pure. */
#include "kind.h"

#include <string.h>

#include "spec.h"

static const struct kind *const kinds[] = {&kind_exec, &kind_hash, &kind_sleep};

size_t kind_count(void)
{
    return sizeof kinds / sizeof kinds[0];
}

const struct kind *kind_at(size_t index)
{
    return index < kind_count() ? kinds[index] : NULL;
}

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < kind_count(); i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

int kind_check(void *ctx, const char *name, const struct json *args, bool *unknown,
               struct spec_error *error)
{
    const struct kind *kind = kind_find(name);

    (void)ctx;
    *unknown = kind == NULL;
    if (!kind) {
        return spec_refuse(error, "kind", "there is no kind \"%s\"", name);
    }
    return kind->check(args, error);
}

int kind_check_object(const struct json *args, const char *const *known, struct spec_error *error)
{
    if (!args) {
        return SPEC_OK;
    }
    if (!json_is(args, JSON_OBJECT)) {
        return spec_refuse(error, "", "must be an object");
    }
    const struct json *unknown = json_unknown(args, known);
    if (unknown) {
        return spec_refuse(error, json_key(unknown), "is not known");
    }
    return SPEC_OK;
}
