/* File changes. */
#include <fcntl.h>
#include <sys/inotify.h>

#include "arch/futex.h"
#include "base/alloc.h"
#include "io/pool.h"
#include "test_io.h"

static void make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* The directory of the test, and a name in it. */
static cosched_changes *open_on_dir(uint32_t what, int *id, char dir[32], char file[48])
{
    cosched_changes *c;
    snprintf(dir, 32, "%s", io_path);
    *strrchr(dir, '/') = '\0';
    snprintf(file, 48, "%s/file", dir);
    ck_assert_int_eq(cosched_changes_open(&c), 0);
    *id = cosched_changes_add(c, dir, what, IO_SOON);
    ck_assert_int_ge(*id, 0);
    return c;
}

IO_TEST(files_come_and_go)
{
    int id;
    char dir[32], file[48];
    struct cosched_change change;
    cosched_changes *c = open_on_dir(IN_CREATE | IN_DELETE, &id, dir, file);
    ck_assert_int_eq(cosched_changes_next(c, &change, COSCHED_NOW), -ETIMEDOUT);
    for (int i = 0; i < 10; i++) { /* more than one of them is read at a time */
        make(file);
        ck_assert_int_eq(unlink(file), 0);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(cosched_changes_next(c, &change, IO_SOON), 0);
        ck_assert_int_eq(change.id, id);
        ck_assert_uint_eq(change.what, i % 2 == 0 ? IN_CREATE : IN_DELETE);
        ck_assert_str_eq(change.name, "file");
    }
    ck_assert_int_eq(cosched_changes_next(c, &change, IO_MOMENT), -ETIMEDOUT);
    cosched_changes_close(c);
    cosched_changes_close(NULL);
    return 0;
}

IO_TEST(a_path_that_is_left_alone_again)
{
    int id;
    char dir[32], file[48];
    struct cosched_change change;
    cosched_changes *c = open_on_dir(IN_CREATE, &id, dir, file);
    ck_assert_int_eq(cosched_changes_remove(c, id), 0);
    ck_assert_int_eq(cosched_changes_remove(c, id), -EINVAL);
    ck_assert_int_eq(cosched_changes_next(c, &change, IO_SOON), 0);
    ck_assert_uint_eq(change.what, IN_IGNORED);
    make(file);
    ck_assert_int_eq(cosched_changes_next(c, &change, COSCHED_NOW), -ETIMEDOUT);
    unlink(file);
    ck_assert_int_eq(cosched_changes_add(c, file, IN_CREATE, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_changes_add(c, dir, 0, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_changes_add(c, dir, IN_CREATE, COSCHED_NOW), -ETIMEDOUT);
    cosched_changes_close(c);
    return 0;
}

static int64_t next(void *arg)
{
    struct cosched_change change;
    int rc = cosched_changes_next(arg, &change, IO_SOON);
    return rc < 0 ? rc : (int64_t)change.what;
}

IO_TEST(a_change_wakes_who_waits)
{
    int id;
    char dir[32], file[48];
    struct cosched_change change;
    cosched_changes *c = open_on_dir(IN_CREATE, &id, dir, file);
    for (int i = 0; i < 8; i++) {
        cosched_affinity where = i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
        cosched_task waits = io_spawn(where, next, c);
        io_until_waits(io_source(c), COS_READ_SIDE);
        ck_assert_int_eq(cosched_changes_next(c, &change, IO_SOON), -EBUSY);
        make(file);
        ck_assert_int_eq(io_await(waits), IN_CREATE);
        unlink(file);
        waits = io_spawn(where, next, c);
        io_until_waits(io_source(c), COS_READ_SIDE);
        cosched_cancel(waits);
        ck_assert_int_eq(io_await(waits), -ECANCELED);
    }
    cosched_task waits = io_spawn(COSCHED_WORKER, next, c);
    io_until_waits(io_source(c), COS_READ_SIDE);
    cosched_changes_close(c);
    ck_assert_int_eq(io_await(waits), -ECANCELED);
    return 0;
}

/* --- a pool of one thread, which is busy -------------------------------------------------------------------------- */

static COS_ATOMIC(uint32_t) gate, begun;

static int64_t hold(void *arg)
{
    (void)arg;
    cos_atomic_store(&begun, 1, seq_cst);
    while (cos_atomic_load(&gate, seq_cst) == 0) {
        cos_futex_wait(&gate, 0, COSCHED_NEVER);
    }
    return 0;
}

static int64_t hold_the_pool(void *arg)
{
    return cos_pool_run(hold, arg, COSCHED_NEVER);
}

static int64_t add_root(void *arg)
{
    return cosched_changes_add(arg, "/", IN_CREATE, IO_SOON);
}

/* Until the task that adds has begun. Trying to add would take the claim from under it. */
static void until_claimed(cosched_changes *c)
{
    while ((cos_atomic_load(&io_source(c)->state, acquire) & 1U << COS_WRITE_SIDE) == 0) {
        cosched_yield();
    }
}

static int64_t close_while_adding(void *arg)
{
    (void)arg;
    cosched_changes *c;
    cos_atomic_store(&gate, 0, seq_cst);
    cos_atomic_store(&begun, 0, seq_cst);
    cosched_task holder = io_spawn(COSCHED_WORKER, hold_the_pool, NULL), adds;
    while (cos_atomic_load(&begun, seq_cst) == 0) {
        cosched_yield();
    }
    ck_assert_int_eq(cosched_changes_open(&c), 0);
    adds = io_spawn(COSCHED_WORKER, add_root, c);
    until_claimed(c);
    ck_assert_int_eq(cosched_changes_add(c, "/", IN_CREATE, IO_SOON), -EBUSY);
    cosched_cancel(adds);
    ck_assert_int_eq(io_await(adds), -ECANCELED);
    ck_assert_int_eq(cosched_changes_add(c, "/", IN_CREATE, IO_MOMENT), -ETIMEDOUT);
    adds = io_spawn(COSCHED_WORKER, add_root, c);
    until_claimed(c);
    cosched_changes_close(c); /* the task that adds disposes of it */
    cos_atomic_store(&gate, 1, seq_cst);
    cos_futex_wake(&gate, 1);
    ck_assert_int_eq(io_await(adds), -ECANCELED);
    ck_assert_int_eq(io_await(holder), 0);
    return 0;
}

START_TEST(a_close_leaves_the_descriptor_to_who_adds)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = IO_WORKERS(_i), .blocking_max = 1};
    ck_assert_int_eq(cosched_run(&config, io_nothing, NULL), 0);
    unsigned before = io_descriptors();
    ck_assert_int_eq(cosched_run(&config, close_while_adding, NULL), 0);
    ck_assert_uint_eq(io_descriptors(), before);
}

END_TEST

IO_TEST(no_memory_for_a_watch)
{
    cosched_changes *c;
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_changes_open(&c), -ENOMEM);
    ck_assert_ptr_null(c);
    return 0;
}

IO_MAIN("io_changes", files_come_and_go, a_path_that_is_left_alone_again, a_change_wakes_who_waits,
        no_memory_for_a_watch, a_close_leaves_the_descriptor_to_who_adds)
