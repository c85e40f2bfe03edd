/* Files and directories on the blocking pool. A runtime with a pool of one thread, which a test can keep busy, makes what
 * is queued stay queued. */
#include <fcntl.h>
#include <sys/stat.h>

#include "arch/futex.h"
#include "base/alloc.h"
#include "io/pool.h"
#include "test_io.h"

static int open_new(void)
{
    int fd = cosched_file_open(io_path, O_RDWR | O_CREAT | O_EXCL, 0600, IO_SOON);
    ck_assert_int_ge(fd, 0);
    return fd;
}

IO_TEST(write_sync_read_close)
{
    char buffer[16];
    struct stat st;
    int fd = open_new();
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(cosched_file_write_at(fd, "hello", 5, 0, IO_SOON), 5);
    ck_assert_int_eq(cosched_file_write_at(fd, "world", 5, 7, COSCHED_NEVER), 5);
    ck_assert_int_eq(cosched_file_write_at(fd, NULL, 0, 7, IO_SOON), 0);
    ck_assert_int_eq(cosched_file_sync(fd, IO_SOON), 0);
    ck_assert_int_eq(cosched_file_read_at(fd, buffer, sizeof buffer, 0, IO_SOON), 12);
    ck_assert_mem_eq(buffer, "hello\0\0world", 12);
    ck_assert_int_eq(cosched_file_read_at(fd, buffer, 3, 9, COSCHED_NEVER), 3);
    ck_assert_mem_eq(buffer, "rld", 3);
    ck_assert_int_eq(cosched_file_read_at(fd, buffer, sizeof buffer, 12, IO_SOON), 0);
    ck_assert_int_eq(cosched_file_read_at(fd, buffer, 0, 0, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_file_close(fd), 0);
    ck_assert_int_eq(cosched_file_stat(io_path, &st, IO_SOON), 0);
    ck_assert_int_eq(st.st_size, 12);
    unlink(io_path);
    return 0;
}

IO_TEST(errors_are_those_of_the_system)
{
    char buffer[4] = "";
    struct stat st;
    ck_assert_int_eq(cosched_file_open(io_path, O_RDONLY, 0, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_file_stat(io_path, &st, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_file_read_at(-1, buffer, 4, 0, IO_SOON), -EBADF);
    ck_assert_int_eq(cosched_file_write_at(-1, buffer, 4, 0, IO_SOON), -EBADF);
    ck_assert_int_eq(cosched_file_sync(-1, IO_SOON), -EBADF);
    ck_assert_int_eq(cosched_file_close(-1), -EBADF);
    int fd = open_new();
    ck_assert_int_eq(cosched_file_open(io_path, O_CREAT | O_EXCL, 0600, IO_SOON), -EEXIST);
    ck_assert_int_eq(cosched_file_read_at(fd, buffer, 4, -1, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_file_close(fd), 0);
    unlink(io_path);
    return 0;
}

static int64_t write_own_page(void *arg)
{
    char page[512], back[512];
    int page_index = ((const int *)arg)[0], fd = ((const int *)arg)[1];
    cosched_affinity where = cosched_where();
    memset(page, 'a' + page_index, sizeof page);
    int64_t offset = (int64_t)sizeof page * page_index;
    ck_assert_int_eq(cosched_file_write_at(fd, page, sizeof page, offset, IO_SOON), 512);
    ck_assert_int_eq(cosched_file_read_at(fd, back, sizeof back, offset, IO_SOON), 512);
    ck_assert_mem_eq(page, back, sizeof page);
    ck_assert_int_eq(cosched_where(), where);
    return 0;
}

IO_TEST(many_tasks_one_file)
{
    enum { TASKS = 16 };

    cosched_task tasks[TASKS];
    int args[TASKS][2], fd = open_new();
    for (int i = 0; i < TASKS; i++) {
        args[i][0] = i;
        args[i][1] = fd;
        tasks[i] = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, write_own_page, args[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        ck_assert_int_eq(io_await(tasks[i]), 0);
    }
    ck_assert_int_eq(cosched_file_close(fd), 0);
    unlink(io_path);
    return 0;
}

/* --- directories ------------------------------------------------------------------------------------------------- */

IO_TEST(a_directory)
{
    char sub[64], name[80];
    struct cosched_entries *e;
    snprintf(sub, sizeof sub, "%s.d", io_path);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    ck_assert_int_eq(cosched_scandir(sub, 0, IO_SOON, &e), 0);
    ck_assert_uint_eq(e->count, 0);
    cosched_entries_free(e);
    cosched_entries_free(NULL);
    snprintf(name, sizeof name, "%s/file", sub);
    ck_assert_int_eq(cosched_file_close(cosched_file_open(name, O_CREAT, 0600, IO_SOON)), 0);
    ck_assert_int_eq(cosched_scandir(name, 1, IO_SOON, &e), -ENOTDIR);
    ck_assert_ptr_null(e);
    snprintf(name, sizeof name, "%s/link", sub);
    ck_assert_int_eq(symlink("nowhere", name), 0);
    ck_assert_int_eq(cosched_scandir(sub, 2, IO_SOON, &e), 0);
    ck_assert_uint_eq(e->count, 2);
    for (size_t i = 0; i < e->count; i++) {
        bool link = strcmp(e->at[i].name, "link") == 0;
        ck_assert(link || strcmp(e->at[i].name, "file") == 0);
        ck_assert(e->at[i].kind == (link ? COSCHED_ENTRY_LINK : COSCHED_ENTRY_FILE) ||
                  e->at[i].kind == COSCHED_ENTRY_UNKNOWN);
    }
    cosched_entries_free(e);
    ck_assert_int_eq(cosched_scandir(sub, 1, IO_SOON, &e), -EOVERFLOW);
    ck_assert_ptr_null(e);
    ck_assert_int_eq(cosched_scandir(sub, 2, COSCHED_NOW, &e), -ETIMEDOUT);
    ck_assert_ptr_null(e);
    unlink(name);
    snprintf(name, sizeof name, "%s/file", sub);
    unlink(name);
    ck_assert_int_eq(rmdir(sub), 0);
    ck_assert_int_eq(cosched_scandir(sub, 2, IO_SOON, &e), -ENOENT);
    return 0;
}

/* --- cancels and deadlines: a pool of one thread ------------------------------------------------------------------ */

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

/* Until open_the_pool nothing of the pool runs. */
static cosched_task close_the_pool(void)
{
    cos_atomic_store(&gate, 0, seq_cst);
    cos_atomic_store(&begun, 0, seq_cst);
    cosched_task holder = io_spawn(COSCHED_WORKER, hold_the_pool, NULL);
    while (cos_atomic_load(&begun, seq_cst) == 0) {
        cosched_yield();
    }
    return holder;
}

static void open_the_pool(cosched_task holder)
{
    cos_atomic_store(&gate, 1, seq_cst);
    cos_futex_wake(&gate, 1);
    ck_assert_int_eq(io_await(holder), 0);
}

static int64_t open_it(void *arg)
{
    (void)arg;
    int fd = cosched_file_open(io_path, O_RDWR | O_CREAT, 0600, IO_SOON);
    return fd < 0 ? fd : cosched_file_close(fd);
}

static int64_t queued(void *arg)
{
    (void)arg;
    cosched_task holder = close_the_pool(), waits;
    ck_assert_int_eq(cosched_file_open(io_path, O_CREAT, 0600, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_file_open(io_path, O_CREAT, 0600, IO_MOMENT), -ETIMEDOUT);
    for (int i = 0; i < 8; i++) {
        waits = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, open_it, NULL);
        for (int j = i; j > 0; j--) {
            cosched_yield();
        }
        cosched_cancel(waits);
        ck_assert_int_eq(io_await(waits), -ECANCELED);
    }
    open_the_pool(holder);
    ck_assert_int_eq(access(io_path, F_OK), -1); /* none of them had begun */
    ck_assert_int_eq(open_it(NULL), 0);
    unlink(io_path);
    return 0;
}

START_TEST(what_is_queued_is_taken_back)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = IO_WORKERS(_i), .blocking_max = 1};
    snprintf(io_path, sizeof io_path, "file-%d", (int)getpid());
    ck_assert_int_eq(cosched_run(&config, io_nothing, NULL), 0);
    unsigned before = io_descriptors();
    ck_assert_int_eq(cosched_run(&config, queued, NULL), 0);
    ck_assert_uint_eq(io_descriptors(), before);
}

END_TEST

static int64_t close_it(void *arg)
{
    while (!cosched_cancelled()) {
        cosched_yield();
    }
    char byte;
    ck_assert_int_eq(cosched_file_read_at(*(int *)arg, &byte, 1, 0, COSCHED_NEVER), -ECANCELED);
    ck_assert_int_eq(cosched_file_read_at(*(int *)arg, &byte, 1, 0, IO_SOON), -ECANCELED);
    return cosched_file_close(*(int *)arg);
}

IO_TEST(a_cancelled_task_closes_its_files)
{
    int fd = open_new();
    cosched_task closes = io_spawn(COSCHED_WORKER, close_it, &fd);
    cosched_cancel(closes);
    ck_assert_int_eq(io_await(closes), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    unlink(io_path);
    return 0;
}

/* What has begun is waited for: a read from a pipe ends when there is something to read. */
static int64_t open_fifo(void *arg)
{
    (void)arg;
    int fd = cosched_file_open(io_path, O_RDONLY, 0, IO_SOON); /* blocks until there is a writer */
    return fd < 0 ? fd : cosched_file_close(fd);
}

IO_TEST(what_has_begun_is_waited_for)
{
    ck_assert_int_eq(mkfifo(io_path, 0600), 0);
    cosched_task reader = io_spawn(COSCHED_WORKER, open_fifo, NULL);
    int fd;
    while ((fd = open(io_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        ck_assert_int_eq(errno, ENXIO); /* nobody reads yet */
        cosched_yield();
    }
    cosched_cancel(reader);
    ck_assert_int_eq(io_await(reader), 0);
    close(fd);
    unlink(io_path);
    return 0;
}

START_TEST(outside_tasks_nothing_works)
{
    struct cosched_entries *e;
    struct stat st;
    char byte;
    ck_assert_int_eq(cosched_file_open("x", O_RDONLY, 0, IO_SOON), -EPERM);
    ck_assert_int_eq(cosched_file_read_at(0, &byte, 1, 0, COSCHED_NEVER), -EPERM);
    ck_assert_int_eq(cosched_file_stat(".", &st, COSCHED_NOW), -EPERM);
    ck_assert_int_eq(cosched_scandir(".", 1, IO_SOON, &e), -EPERM);
    ck_assert_ptr_null(e);
    ck_assert_int_eq(cosched_file_close(-1), -EPERM);
}

END_TEST

IO_TEST(no_memory_for_a_directory)
{
    struct cosched_entries *e;
    int rc = -ENOMEM;
    unsigned n = 0;
    while (rc == -ENOMEM) {
        cos_alloc_fail_at(++n);
        rc = cosched_scandir("/proc/self", 1000, COSCHED_NEVER, &e);
        cos_alloc_fail_at(0);
        ck_assert((rc == 0) == (e != NULL));
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(n, e->count + 2); /* a name each, and the block */
    cosched_entries_free(e);
    return 0;
}

IO_MAIN("io_file", write_sync_read_close, errors_are_those_of_the_system, many_tasks_one_file,
        a_directory, what_is_queued_is_taken_back, a_cancelled_task_closes_its_files,
        what_has_begun_is_waited_for, outside_tasks_nothing_works, no_memory_for_a_directory)
