/* Names in the file system, and what else changes a file without reading or writing it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "test_io.h"

static void is_size(const char *path, int64_t size)
{
    struct stat st;
    ck_assert_int_eq(cosched_file_stat(path, &st, IO_SOON), 0);
    ck_assert_int_eq(st.st_size, size);
}

static int64_t names(void *arg)
{
    (void)arg;
    char inside[64], other[64];
    struct stat st;
    ck_assert_int_eq(cosched_mkdir(io_path, 0700, IO_SOON), 0);
    ck_assert_int_eq(cosched_mkdir(io_path, 0700, IO_SOON), -EEXIST);
    ck_assert_int_eq(cosched_file_stat(io_path, &st, IO_SOON), 0);
    ck_assert(S_ISDIR(st.st_mode));
    snprintf(inside, sizeof inside, "%s/a", io_path);
    snprintf(other, sizeof other, "%s/b", io_path);

    int fd = cosched_file_open(inside, O_RDWR | O_CREAT, 0600, IO_SOON);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(cosched_file_truncate(fd, 1000, IO_SOON), 0);
    is_size(inside, 1000);
    ck_assert_int_eq(cosched_file_write_at(fd, "abc", 3, 0, IO_SOON), 3);
    ck_assert_int_eq(cosched_file_sync_data(fd, IO_SOON), 0);
    ck_assert_int_eq(cosched_file_truncate(fd, 2, COSCHED_NEVER), 0);
    ck_assert_int_eq(cosched_file_stat_fd(fd, &st, IO_SOON), 0);
    ck_assert_int_eq(st.st_size, 2);

    ck_assert_int_eq(cosched_rename(inside, other, IO_SOON), 0);
    ck_assert_int_eq(cosched_rename(inside, other, IO_SOON), -ENOENT);
    is_size(other, 2);
    ck_assert_int_eq(cosched_file_close(fd), 0);
    int directory = cosched_file_open(io_path, O_RDONLY | O_DIRECTORY, 0, IO_SOON);
    ck_assert_int_eq(cosched_file_sync(directory, IO_SOON), 0); /* the new name, too */
    ck_assert_int_eq(cosched_file_close(directory), 0);
    ck_assert_int_eq(cosched_rmdir(io_path, IO_SOON), -ENOTEMPTY);
    ck_assert_int_eq(cosched_unlink(other, IO_SOON), 0);
    ck_assert_int_eq(cosched_unlink(other, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_rmdir(io_path, IO_SOON), 0);
    return 0;
}

IO_TEST(made_changed_and_gone)
{
    ck_assert_int_eq(names(NULL), 0);
    ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, names, NULL)), 0);
    return 0;
}

static int64_t when_cancelled(void *arg)
{
    (void)arg;
    struct stat st;
    cosched_cancel(cosched_self());
    ck_assert_int_eq(cosched_mkdir(io_path, 0700, IO_SOON), -ECANCELED);
    ck_assert_int_eq(cosched_mkdir(io_path, 0700, COSCHED_NEVER), -ECANCELED);
    ck_assert_int_eq(cosched_rename(io_path, io_path, IO_SOON), -ECANCELED);
    ck_assert_int_eq(cosched_file_truncate(0, 0, IO_SOON), -ECANCELED);
    return cosched_file_stat_fd(0, &st, IO_SOON);
}

IO_TEST(nothing_is_begun_late)
{
    struct stat st;
    ck_assert_int_eq(io_await(io_spawn(COSCHED_WORKER, when_cancelled, NULL)), -ECANCELED);
    ck_assert_int_eq(cosched_mkdir(io_path, 0700, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_unlink(io_path, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_rmdir(io_path, 1), -ETIMEDOUT);
    ck_assert_int_eq(cosched_file_stat(io_path, &st, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_file_truncate(-1, 0, IO_SOON), -EBADF);
    ck_assert_int_eq(cosched_file_sync_data(-1, IO_SOON), -EBADF);
    ck_assert_int_eq(cosched_file_stat_fd(-1, &st, IO_SOON), -EBADF);
    return 0;
}

IO_MAIN("io_names", made_changed_and_gone, nothing_is_begun_late)
