/* hash - the digest of a file: {"digest","bytes"}.
 *
 * A disk may block, hashing costs time: the file is read in slices on blocking threads and hashed
 * in slices on the workers, so MAIN does neither. A file that fits into one slice is one of each.
 * Only regular files are read, and nothing else is even opened for good: opening some devices has
 * effects, and a FIFO would wait for its writer. The file is whatever it is while being read; one
 * that grows for ever is read until the attempt ends.
 */
#include <cosched/cosched.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "kind.h"
#include "spec.h"

enum { SLICE = 256 << 10, DIGEST_MAX = SHA256_DIGEST_SIZE };

struct hash {
    const char *path; /* borrowed from the arguments */
    int fd;           /* owned; -1 before the first slice and after the last */
    bool opened, end;
    const char *error_name; /* of a failure; static */
    char *slice;            /* owned */
    size_t size;            /* bytes in the slice */
    uint64_t bytes;         /* in all slices so far */
    XXH3_state_t *xxh3;     /* owned; NULL: sha256 */
    struct sha256_ctx sha256;
};

static bool is_sha256(const char *algo)
{
    return algo && strcmp(algo, "sha256") == 0;
}

static int hash_check(const struct json *args, struct spec_error *error)
{
    static const char *const known[] = {"path", "algo", NULL};
    int result = kind_check_object(args, known, error);

    if (result != SPEC_OK) {
        return result;
    }
    const struct json *path = json_get(args, "path"), *algo = json_get(args, "algo");
    if (!path) {
        return spec_refuse(error, "path", "is required");
    }
    if (!json_string(path) || json_string(path)[0] != '/') {
        return spec_refuse(error, "path", "must be an absolute path");
    }
    if (strlen(json_string(path)) >= PATH_MAX) {
        return spec_refuse(error, "path", "is too long for a path");
    }
    const char *name = json_string(algo);
    if (algo && !is_sha256(name) && (!name || strcmp(name, "xxh3") != 0)) {
        return spec_refuse(error, "algo", "must be \"xxh3\" or \"sha256\"");
    }
    return SPEC_OK;
}

/* --- on a blocking thread ------------------------------------------------------------------- */

static int hash_refuse(struct hash *h, const char *name, int error)
{
    h->error_name = name;
    return -error;
}

static int hash_open(struct hash *h)
{
    struct stat st;

    h->opened = true;
    /* Before the open, so that no device and no FIFO is touched; after it, because names change. */
    int result = stat(h->path, &st);
    if (result == 0 && S_ISREG(st.st_mode)) {
        h->fd = open(h->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        result = h->fd < 0 ? -1 : fstat(h->fd, &st);
    }
    if (result < 0) {
        int error = errno;
        const char *name = error == ENOENT || error == ENOTDIR ? "not_found"
                           : error == EACCES || error == EPERM ? "not_permitted"
                                                               : "io_error";
        return hash_refuse(h, name, error);
    }
    return S_ISREG(st.st_mode) ? 0 : hash_refuse(h, "not_regular", EINVAL);
}

/* The next slice; short only at the end of the file, which then is closed here, where it may
 * block. */
static int64_t hash_read(void *arg)
{
    struct hash *h = arg;
    int result = h->opened ? 0 : hash_open(h);

    h->size = 0;
    while (result == 0 && h->size < SLICE) {
        ssize_t n = read(h->fd, h->slice + h->size, SLICE - h->size);
        if (n > 0) {
            h->size += (size_t)n;
        } else if (n == 0) {
            break;
        } else if (errno != EINTR) {
            result = hash_refuse(h, "io_error", errno);
        }
    }
    h->end = h->size < SLICE;
    if (h->end && h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
    }
    return result;
}

/* --- on a worker ---------------------------------------------------------------------------- */

static int64_t hash_update(void *arg)
{
    struct hash *h = arg;

    if (h->xxh3) {
        XXH3_64bits_update(h->xxh3, h->slice, h->size);
    } else {
        sha256_update(&h->sha256, h->size, (const uint8_t *)h->slice);
    }
    h->bytes += h->size;
    return 0;
}

/* --- on MAIN -------------------------------------------------------------------------------- */

static int hash_result(struct hash *h, struct job_outcome *out)
{
    unsigned char digest[DIGEST_MAX];
    char text[2 * DIGEST_MAX + 1];
    size_t size = SHA256_DIGEST_SIZE;

    if (h->xxh3) {
        XXH64_canonical_t canonical;
        XXH64_canonicalFromHash(&canonical, XXH3_64bits_digest(h->xxh3));
        size = sizeof canonical;
        memcpy(digest, &canonical, size);
    } else {
        sha256_digest(&h->sha256, SHA256_DIGEST_SIZE, digest);
    }
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    char *result;
    if (asprintf(&result, "{\"digest\":\"%s\",\"bytes\":%llu}", text,
                 (unsigned long long)h->bytes) < 0) {
        return -ENOMEM;
    }
    out->result = result;
    return 0;
}

/* 0, -ECANCELED, or another negative errno. */
static int hash_file(struct hash *h)
{
    while (!h->end) {
        int64_t result = 0;
        int ran = cosched_blocking(&result, hash_read, h);
        if (ran == 0 && result == 0 && h->size > 0) {
            ran = cosched_call(NULL, COSCHED_WORKER, hash_update, h, COSCHED_NEVER);
        }
        if (ran < 0 || result < 0) {
            return ran < 0 ? ran : (int)result;
        }
    }
    return 0;
}

/* Frees, and closes what a cancellation left open: read-only, so nothing is written back. */
static void hash_free(struct hash *h)
{
    if (h->fd >= 0) {
        close(h->fd);
    }
    free(h->slice);
    if (h->xxh3) {
        XXH3_freeState(h->xxh3);
    }
    free(h);
}

static struct hash *hash_new(const struct job_run *run)
{
    struct hash *h = calloc(1, sizeof *h);

    if (!h) {
        return NULL;
    }
    h->fd = -1;
    h->path = json_string(json_get(run->args, "path"));
    h->slice = malloc(SLICE);
    bool sha256 = is_sha256(json_string(json_get(run->args, "algo")));
    if (sha256) {
        sha256_init(&h->sha256);
    } else {
        h->xxh3 = XXH3_createState();
    }
    if (!h->slice || (!sha256 && !h->xxh3)) {
        hash_free(h);
        return NULL;
    }
    if (h->xxh3) {
        XXH3_64bits_reset(h->xxh3);
    }
    return h;
}

static int hash_run(struct job_run *run, struct job_outcome *out)
{
    struct hash *h = hash_new(run);
    int result = h ? hash_file(h) : -ENOMEM;

    if (result == 0) {
        result = hash_result(h, out);
    }
    if (result == 0) {
        job_outcome_cause(out, JOB_OUTCOME_SUCCEEDED);
    } else if (result != -ECANCELED && job_outcome_cause(out, JOB_OUTCOME_FAILED)) {
        const char *name = h && h->error_name ? h->error_name : "no_resources";
        if (strcmp(name, "not_regular") == 0) {
            job_outcome_error(out, name, "%s is not a regular file", h->path);
        } else {
            job_outcome_error(out, name, "%s: %s", h ? h->path : "hash", cosched_strerror(result));
        }
    }
    if (h) {
        hash_free(h);
    }
    return result == -ECANCELED ? -ECANCELED : 0;
}

const struct kind kind_hash = {
    .name = "hash",
    .repeatable = true,
    .check = hash_check,
    .schema =
        "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"description\":"
        "\"absolute path of a regular file\",\"pattern\":\"^/\"},\"algo\":{\"enum\":[\"xxh3\","
        "\"sha256\"],\"default\":\"xxh3\"}},\"required\":[\"path\"],"
        "\"additionalProperties\":false}",
    .run = hash_run,
};
