/* sd_notify against a real datagram socket, by path and abstract; LISTEN_FDS addressed to this process or not. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

static char path[64];
static char text[512];

static int manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    size_t tail = name[0] == '@' ? 0 : 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + tail)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *received(int fd)
{
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

static void speak(const char *name)
{
    int fd = manager(name);
    ck_assert_int_eq(notify_open(), 0);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_int_eq(notify_ready("serving"), 0);
    ck_assert_str_eq(received(fd), "READY=1\nSTATUS=serving");
    ck_assert_int_eq(notify_status("two\nlines"), 0);
    ck_assert_str_eq(received(fd), "STATUS=two lines");
    ck_assert_int_eq(notify_reloading(), 0);
    ck_assert_int_eq(strncmp(received(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    ck_assert_int_eq(notify_stopping("draining"), 0);
    ck_assert_str_eq(received(fd), "STOPPING=1\nSTATUS=draining");
    ck_assert_int_eq(notify_watchdog(), 0);
    ck_assert_str_eq(received(fd), "WATCHDOG=1");
    notify_close();
    close(fd);
}

/* A folder of its own, where the test then stands: an absolute path through there is short, however deep the build lies. */
static void by_path_in(const char *folder)
{
    ck_assert_int_eq(chdir(folder), 0);
    setenv("NOTIFY_SOCKET", "socket", 1);
    ck_assert_int_eq(notify_open(), -EAFNOSUPPORT); /* relative */
    speak("/proc/self/cwd/socket");
    unlink("socket");
    ck_assert_int_eq(chdir("/"), 0);
}

START_TEST(by_path)
{
    char folder[] = TEST_DIR "/notify-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    by_path_in(folder);
    ck_assert_int_eq(rmdir(folder), 0);
}

END_TEST

/* The same for all who share a network, whatever their numbers are. */
static void abstract_name(void)
{
    uint64_t random = 0;
    ck_assert_int_eq(getrandom(&random, sizeof random, 0), sizeof random);
    snprintf(path, sizeof path, "@cosched-notify-%llx", (unsigned long long)random);
}

START_TEST(abstract)
{
    abstract_name();
    speak(path);
}

END_TEST

START_TEST(without_a_manager_nothing_happens)
{
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notify_open(), 0);
    ck_assert_int_eq(notify_ready("x"), 0);
    ck_assert_int_eq((int)notify_watchdog_ns(), 0);
}

END_TEST

START_TEST(too_long_a_path_is_refused)
{
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    ck_assert_int_eq(notify_open(), -ENAMETOOLONG);
}

END_TEST

START_TEST(watchdog_counts_only_for_this_process)
{
    char pid[16];
    abstract_name();
    for (int mine = 0; mine < 2; mine++) {
        int fd = manager(path);
        snprintf(pid, sizeof pid, "%d", mine ? (int)getpid() : 1);
        setenv("WATCHDOG_USEC", "3000000", 1);
        setenv("WATCHDOG_PID", pid, 1);
        ck_assert_int_eq(notify_open(), 0);
        ck_assert_int_eq((int)(notify_watchdog_ns() / 1000000), mine ? 3000 : 0);
        ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
        notify_close();
        close(fd);
    }
}

END_TEST

START_TEST(listen_fds_for_this_process)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    int null = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(dup2(null, 3), 3);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", "1", 1);
    ck_assert_int_eq(notify_listen_fds(), 0);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDNAMES", "x", 1);
    ck_assert_int_eq(notify_listen_fds(), 1);
    ck_assert_int_eq(fcntl(3, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
    ck_assert_int_eq(notify_listen_fds(), 0); /* consumed */
    setenv("LISTEN_FDS", "many", 1);
    setenv("LISTEN_PID", pid, 1);
    ck_assert_int_eq(notify_listen_fds(), -EINVAL);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = tcase_create("notify");
    tcase_add_test(tc, by_path);
    tcase_add_test(tc, abstract);
    tcase_add_test(tc, without_a_manager_nothing_happens);
    tcase_add_test(tc, too_long_a_path_is_refused);
    tcase_add_test(tc, watchdog_counts_only_for_this_process);
    tcase_add_test(tc, listen_fds_for_this_process);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
