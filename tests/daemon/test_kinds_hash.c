/* Hashing a file as a job: the digests, what is no file to hash, and being cancelled on the way. */
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "test_kinds.h"

static void hash(struct try *t, const char *path, const char *more)
{
    char args[1024];

    snprintf(args, sizeof args, "{\"path\":\"%s\"%s}", path, more);
    try_run(t, "hash", args);
}

static void write_file(const char *name, const char *data, size_t size)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    close(fd);
}

static int64_t hashes(void *arg)
{
    static char data[(256 << 10) * 3 + 1];
    static const size_t sizes[] = {0,          1, 1000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1,
                                   sizeof data};
    static struct try t;
    char expected[256];

    (void)arg;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)(i * 2654435761u >> 11);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file("data", data, sizes[i]);
        hash(&t, in_folder("data"), "");
        succeeded(&t);
        snprintf(expected, sizeof expected, "{\"digest\":\"%016llx\",\"bytes\":%zu}",
                 (unsigned long long)XXH3_64bits(data, sizes[i]), sizes[i]);
        ck_assert_str_eq(t.out.result, expected);
        try_fini(&t);

        struct sha256_ctx sha;
        uint8_t digest[SHA256_DIGEST_SIZE];
        char text[2 * sizeof digest + 1];
        sha256_init(&sha);
        sha256_update(&sha, sizes[i], (const uint8_t *)data);
        sha256_digest(&sha, sizeof digest, digest);
        for (size_t d = 0; d < sizeof digest; d++) {
            snprintf(text + 2 * d, 3, "%02x", digest[d]);
        }
        hash(&t, in_folder("data"), ",\"algo\":\"sha256\"");
        succeeded(&t);
        snprintf(expected, sizeof expected, "{\"digest\":\"%s\",\"bytes\":%zu}", text, sizes[i]);
        ck_assert_str_eq(t.out.result, expected);
        try_fini(&t);
    }
    write_file("data", "abc", 3); /* FIPS 180-2, B.1 */
    hash(&t, in_folder("data"), ",\"algo\":\"sha256\"");
    ck_assert_str_eq(t.out.result,
                     "{\"digest\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f"
                     "20015ad\",\"bytes\":3}");
    try_fini(&t);
    ck_assert_int_eq(symlink("data", in_folder("link")), 0);
    hash(&t, in_folder("link"), "");
    succeeded(&t);
    try_fini(&t);
    unlink(in_folder("link"));
    unlink(in_folder("data"));
    return 0;
}

static int64_t hash_refuses(void *arg)
{
    static struct try t;
    cosched_task task;
    const cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};

    (void)arg;
    hash(&t, in_folder("absent"), "");
    failed(&t, "not_found", JOB_CODE_NONE);
    ck_assert_ptr_nonnull(strstr(t.out.error_message, "absent"));
    try_fini(&t);
    hash(&t, "/etc/passwd/x", "");
    failed(&t, "not_found", JOB_CODE_NONE);
    try_fini(&t);
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    hash(&t, in_folder("fifo"), "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    unlink(in_folder("fifo"));
    hash(&t, "/dev/zero", "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    hash(&t, "/etc", "");
    failed(&t, "not_regular", JOB_CODE_NONE);
    try_fini(&t);
    ck_assert_int_eq(symlink("loop", in_folder("loop")), 0);
    hash(&t, in_folder("loop"), "");
    failed(&t, "io_error", JOB_CODE_NONE);
    try_fini(&t);
    unlink(in_folder("loop"));
    /* Cancelled before and in the middle of a large, empty file. */
    int fd = open(in_folder("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 36), 0);
    close(fd);
    for (int yields = 0; yields < 20; yields += 3) {
        char args[1024];
        snprintf(args, sizeof args, "{\"path\":\"%s\"}", in_folder("large"));
        try_init(&t, "hash", args);
        ck_assert_int_eq(cosched_spawn(&task, try_body, &t, &attr), 0);
        for (int i = 0; i < yields; i++) {
            cosched_yield();
        }
        cosched_cancel(task);
        ck_assert_int_eq(cosched_await(&task, NULL, COSCHED_NEVER), 0);
        ck_assert_int_eq(t.result, -ECANCELED);
        ck_assert_ptr_null(t.out.result);
        try_fini(&t);
    }
    unlink(in_folder("large"));
    return 0;
}

KINDS_MAIN("kinds_hash", KINDS_TEST(hashes), KINDS_TEST(hash_refuses))
