/* What a job is asked to be: a specification out of JSON, checked whole before it is accepted.
 *
 * Every member is checked by type and range; a member that is not known, or that this version does
 * not act on yet, is refused by name and never ignored. Pure but for memory: kinds and queues are
 * asked through the context. */
#ifndef SPEC_H
#define SPEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.h"
#include "wire/buf.h"
#include "wire/json.h"
#include "wire/writer.h"

#define SPEC_NAME_MAX        128 /* bytes of name, key, queue */
#define SPEC_KIND_MAX        64  /* bytes */
#define SPEC_LABELS_MAX      16
#define SPEC_LABEL_NAME_MAX  63  /* bytes */
#define SPEC_LABEL_VALUE_MAX 256 /* bytes */
#define SPEC_AFTER_MAX       256
#define SPEC_MANY_MAX        10000 /* specifications of one submit_many */
#define SPEC_PRIORITY_MAX    100
#define SPEC_ID_MAX          ((INT64_C(1) << 52) - 1)
#define SPEC_QUEUE_DEFAULT   "default"

/* Positive answers of this module; negative ones are errnos (-ENOMEM). */
enum spec_outcome {
    SPEC_OK = 0,
    SPEC_INVALID = 1,      /* invalid params: path and reason */
    SPEC_NOT_PERMITTED = 2 /* a priority above 0 without being admin */
};

/* Why and where; both are always terminated, over-long text is cut. */
struct spec_error {
    char path[160];   /* "params.retry.max" */
    char reason[192]; /* "must be an integer" */
};

/* Fills *error; returns SPEC_INVALID, so that a check can end with `return spec_refuse(…)`. */
int spec_refuse(struct spec_error *error, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the surface knows and a specification alone does not. Zero and NULL are strict defaults. */
struct spec_context {
    const char *path; /* where the object stands: "params" (NULL too), "params.jobs[3]" */
    bool admin;       /* priorities above 0 are allowed */
    bool many;        /* of a submit_many: after may say "#k" … */
    uint32_t index;   /* … with k below this one's own number */
    void *ctx;        /* handed to both callbacks */
    /* SPEC_OK, SPEC_INVALID with the path relative to args ("argv[0]", "" for args itself), or a
     * negative errno. A kind that does not exist is refused with the path "kind" and `unknown` set.
     * NULL: every kind is accepted. */
    int (*check_kind)(void *ctx, const char *kind, const struct json *args, bool *unknown,
                      struct spec_error *error);
    bool (*queue_exists)(void *ctx, const char *queue); /* NULL: every queue exists */
};

struct spec_label {
    char *name, *value; /* owned */
};

struct spec_after {
    int64_t id;    /* of a job, or … */
    int32_t index; /* … ≥ 0: the index-th of the same submit_many; -1: none */
};

/* A checked specification. Owns everything; spec_free ends it. */
struct spec {
    char *kind;
    char *args; /* canonical JSON text, "{}" at least */
    size_t args_len;
    char *name;  /* NULL: none */
    char *queue; /* SPEC_QUEUE_DEFAULT when not given */
    char *key;   /* NULL: none */
    int priority;
    int64_t delay_ns;       /* from acceptance; 0: none */
    int64_t at_us;          /* wall clock; 0: none */
    int64_t timeout_ns;     /* of one attempt; 0: none */
    int64_t deadline_ns;    /* of the whole job, from acceptance; 0: none */
    int64_t deadline_at_us; /* or on the wall clock; 0: none */
    int64_t keep_ns;        /* -1: the daemon's; 0: not at all */
    bool has_retry;
    struct job_retry retry;    /* defaults (max 0) without has_retry */
    struct spec_label *labels; /* sorted by name, distinct */
    size_t label_count;
    struct spec_after *after;
    size_t after_count;
    bool after_any;           /* after_policy `any`: how they ended does not matter */
    struct json *parsed_args; /* spec_args keeps it here */
};

/* *out is NULL unless SPEC_OK. `object` is borrowed for the call. */
int spec_parse(const struct json *object, const struct spec_context *context, struct spec **out,
               struct spec_error *error);
/* Reads back what spec_write wrote (the store's `spec` column). 0, -ENOMEM, -EINVAL (not ours). */
int spec_load(const char *text, size_t len, struct spec **out);
void spec_free(struct spec *spec); /* NULL is fine */

/* Which parts an edit named. */
enum {
    SPEC_EDIT_QUEUE = 1,
    SPEC_EDIT_PRIORITY = 2,
    SPEC_EDIT_AFTER = 4,
    SPEC_EDIT_TIME = 8, /* delay or at: either takes the place of both */
    SPEC_EDIT_TIMEOUT = 16,
    SPEC_EDIT_DEADLINE = 32,
    SPEC_EDIT_LABELS = 64,
    SPEC_EDIT_NAME = 128
};

/* Changes an accepted specification by the members of `set` ({queue, priority, after, at, delay,
 * timeout, deadline, labels, name}; null clears), each checked as at its submission. SPEC_OK,
 * SPEC_INVALID, SPEC_NOT_PERMITTED or -ENOMEM; after anything but SPEC_OK the specification is good
 * for spec_free only. */
int spec_edit(struct spec *spec, const struct json *set, const struct spec_context *context,
              unsigned *changed, struct spec_error *error);

/* The arguments as a value, parsed at first use; valid as long as the specification. NULL: out of
 * memory. */
const struct json *spec_args(struct spec *spec);

/* The whole specification as one JSON object in one form: members in fixed order, defaults left
 * out, durations and times in their shortest form, so that equal specifications are equal texts.
 * This is what the store keeps, what an idempotency key compares, and what `get` shows. */
enum {
    SPEC_WRITE_HIDE_ENV = 1 /* values in args.env read "***": every output does this */
};

void spec_write(struct writer *w, const struct spec *spec, unsigned flags);
/* The same from stored text; 0, -ENOMEM, -EINVAL. */
int spec_write_stored(struct writer *w, const char *text, size_t len, unsigned flags);
/* XXH3-128 over that text: the body an idempotency key stands for. Two bodies of one owner under
 * one key are told apart by it, also after an edit has changed the stored text. */
#define SPEC_HASH_SIZE 16
void spec_hash(const char *text, size_t len, unsigned char out[SPEC_HASH_SIZE]);

/* Relative times become wall-clock ones at the moment of acceptance. 0 in either: none. */
void spec_resolve(const struct spec *spec, int64_t now_us, int64_t *run_at_us, int64_t *deadline_us);
#endif
