/* Settings: every kind of fault is an error that names its place; files, conf.d and the command line in their order. */
#include <cosched/cosched.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

static char folder[512];
static char file[600];
static char *said; /* what the last call printed on its error stream */
static size_t said_size;
static struct config config;

static void setup(void)
{
    snprintf(folder, sizeof folder, TEST_DIR "/cosched-config.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/coschedd.conf", folder);
    ck_assert_int_eq(config_init(&config), 0);
}

static void teardown(void)
{
    char command[600];
    config_fini(&config);
    free(said);
    said = NULL;
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_to(const char *path, const char *text, size_t size)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, size, f), size);
    fclose(f);
}

static int read_text(const char *text, size_t size)
{
    free(said);
    write_to(file, text, size);
    FILE *err = open_memstream(&said, &said_size);
    int rc = config_read_file(&config, file, err);
    fclose(err);
    return rc;
}

/* `text` is refused, and the message is exactly "coschedd: FILE:LINE: what". */
static void refused(const char *text, int line, const char *what)
{
    char expected[1200];
    ck_assert_int_eq(read_text(text, strlen(text)), -EINVAL);
    snprintf(expected, sizeof expected, "coschedd: %s:%d: %s\n", file, line, what);
    ck_assert_str_eq(said, expected);
}

START_TEST(good_file_sets_values)
{
    const char *text = "# comment\n[daemon]\nallow_root = yes\nworkers=3\nlog_level = debug\n"
                       "drain_timeout = 1m30s\nmain_help = off\nslice_main = 5ms\nslice_worker = "
                       "0s\n\n[queue default]\nparallel = 7\n"
                       "[queue batch]\npaused = on ; inline\n[exec]\noutput_max = 64K\n"
                       "[limits]\nconnections = 9\n";
    ck_assert_int_eq(read_text(text, strlen(text)), 0);
    ck_assert_str_eq(said, "");
    ck_assert(config.allow_root);
    ck_assert_int_eq((int)config.workers, 3);
    ck_assert_int_eq((int)config.log_level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(config.drain_timeout_ns, INT64_C(90000000000));
    ck_assert_int_eq((int)config.main_help, COSCHED_HELP_OFF);
    ck_assert_int_eq(config.slice_main_ns, INT64_C(5000000));
    ck_assert_int_eq(config.slice_worker_ns, 0);
    ck_assert_uint_eq(config.queue_count, 2);
    ck_assert_int_eq((int)config.queues[0].parallel, 7);
    ck_assert_str_eq(config.queues[1].name, "batch");
    ck_assert(config.queues[1].paused);
    ck_assert_int_eq((int)config.exec_output_max, 65536);
    ck_assert_int_eq((int)config.connections, 9);
}

END_TEST

START_TEST(faults_name_file_and_line)
{
    refused("[daemon]\n\nworkerz = 1\n", 3, "daemon.workerz: unknown key");
    refused("[demon]\nworkers = 1\n", 1, "demon: unknown section");
    refused("[daemon]\nworkers = many\n", 2, "daemon.workers: must be a whole number, or auto");
    refused("[daemon]\nworkers = 65\n", 2, "daemon.workers: must be between 0 and 64");
    refused("[daemon]\nworkers = 99999999999999999999\n", 2,
            "daemon.workers: must be a whole number, or auto");
    refused("[daemon]\nallow_root = maybe\n", 2, "daemon.allow_root: must be yes or no");
    refused("[daemon]\nlog_level = loud\n", 2,
            "daemon.log_level: must be error, warning, info or debug");
    refused("[daemon]\nmain_help = perhaps\n", 2, "daemon.main_help: must be idle, off or always");
    refused("[daemon]\ndrain_timeout = 5 parsecs\n", 2,
            "daemon.drain_timeout: must be a duration such as 250ms, 5s, 1h30m");
    refused("[exec]\noutput_max = 1Q\n", 2, "exec.output_max: must be a size such as 64K, 10M, 1G");
    refused("[daemon]\nworkers = 1\nlog_level = info\nworkers = 2\n", 4,
            "daemon.workers: given twice, first in line 2");
    refused("workers = 1\n", 1, "workers: setting before the first [section]");
    refused("[daemon]\nworkers\n", 2, "neither a [section] nor a setting NAME = VALUE");
    refused("[daemon\n", 1, "'[' without ']'");
    refused("[daemon]\nworkers = 1\n  log_level = info\n", 3,
            "indented line: settings start at the left edge");
    refused("[queue a b]\nparallel = 1\n", 1,
            "queue a b: a queue's name is 1 to 64 letters, digits, '_', '.' or '-'");
}

END_TEST

START_TEST(rates_and_weights_of_queues)
{
    static const char *const faults[] = {"",    "-1",     "1.",  ".5",      "1e3",   "+1",
                                         "0x1", "0.0005", "1,5", "1000001", "1.2.3", "inf"};
    const char *text = "[queue default]\nrate = 0.25\nweight = 7\n[queue b]\nrate = 1000000\n";
    ck_assert_int_eq(read_text(text, strlen(text)), 0);
    ck_assert_double_eq(config.queues[0].rate, 0.25);
    ck_assert_int_eq(config.queues[0].weight, 7);
    ck_assert_double_eq(config.queues[1].rate, 1e6);
    ck_assert_int_eq(config.queues[1].weight, 1);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char line[64];
        snprintf(line, sizeof line, "[queue default]\nrate = %s\n", faults[i]);
        refused(line, 2,
                "queue default.rate: must be 0, or starts per second from 0.001 to 1000000");
    }
    refused("[queue c]\nweight = 0\n", 2, "queue c.weight: must be between 1 and 1000");
    ck_assert_uint_eq(config.queue_count, 2); /* a faulty setting makes no queue */
}

END_TEST

START_TEST(what_is_not_built_yet_is_refused_not_ignored)
{
    refused("[resources]\ngpu = 1\n", 2, "resources.gpu: not supported yet");
    refused("[schedule]\ntime_zone = UTC\n", 2, "schedule.time_zone: not supported yet");
}

END_TEST

START_TEST(over_long_lines_and_nul_bytes)
{
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text, "[exec]\npath = ", 14);
    memcpy(text + 500, "\nnice = 20\n", 12);
    ck_assert_int_eq(read_text(text, strlen(text)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, ":2: line longer than 198 bytes\n"));
    ck_assert_ptr_nonnull(strstr(said, ":3: exec.nice: must be between 0 and 19\n"));
    ck_assert_int_eq(read_text("[exec]\nni\0ce = 3\n", 17), -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, ":2: NUL byte in the file\n"));
}

END_TEST

START_TEST(same_key_in_two_sections_is_no_duplicate)
{
    const char *text = "[queue a]\nparallel = 1\n[queue b]\nparallel = 2\n";
    ck_assert_int_eq(read_text(text, strlen(text)), 0);
}

END_TEST

static int load(const char *const *argv)
{
    char *args[16] = {NULL}; /* getopt wants them writable */
    int argc = 0;
    for (; argv[argc]; argc++) {
        args[argc] = strdup(argv[argc]);
    }
    config_fini(&config);
    free(said);
    FILE *err = open_memstream(&said, &said_size);
    int rc = config_load(&config, argc, args, err, err);
    fclose(err);
    for (int i = 0; i < argc; i++) {
        free(args[i]);
    }
    return rc;
}

START_TEST(order_file_then_folder_then_command_line)
{
    char path[700];
    const char *one = "[daemon]\nworkers = 1\ndrain_timeout = 1s\nlog_level = error\n";
    write_to(file, one, strlen(one));
    snprintf(path, sizeof path, "%s/conf.d", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/conf.d/10-a.conf", folder);
    write_to(path, "[daemon]\nworkers = 2\ndrain_timeout = 2s\n", 40);
    snprintf(path, sizeof path, "%s/conf.d/20-b.conf", folder);
    write_to(path, "[daemon]\nworkers = 4\n", 21);
    snprintf(path, sizeof path, "%s/conf.d/30.conf.off", folder);
    write_to(path, "nonsense", 8);
    const char *const argv[] = {"coschedd",
                                "--config",
                                file,
                                "--socket",
                                "s",
                                "--state-dir",
                                "d",
                                "--set",
                                "daemon.workers=5",
                                "--set",
                                "queue b.c.parallel=3",
                                NULL};
    ck_assert_msg(load(argv) == -1, "%s", said);
    ck_assert_int_eq((int)config.workers, 5);
    ck_assert_int_eq(config.drain_timeout_ns, INT64_C(2000000000));
    ck_assert_int_eq((int)config.log_level, LOG_LEVEL_ERROR);
    ck_assert_str_eq(config.queues[1].name, "b.c");
    ck_assert_str_eq(config.socket_path, "s");
    ck_assert_str_eq(config.state_dir, "d");
}

END_TEST

START_TEST(command_line_faults_exit_78)
{
    const char *const unknown[] = {"coschedd", "--bogus", NULL};
    ck_assert_int_eq(load(unknown), CONFIG_EXIT_CONFIG);
    ck_assert_str_eq(said, "coschedd: --bogus: unknown option (--help lists the options)\n");
    const char *const bare[] = {"coschedd", "--set", "x", NULL};
    ck_assert_int_eq(load(bare), CONFIG_EXIT_CONFIG);
    const char *const extra[] = {"coschedd", "extra", NULL};
    ck_assert_int_eq(load(extra), CONFIG_EXIT_CONFIG);
    const char *const absent[] = {"coschedd", "--config", "/nonexistent/x.conf", NULL};
    ck_assert_int_eq(load(absent), CONFIG_EXIT_CONFIG);
    const char *const set[] = {"coschedd", "--set", "daemon.workers=-2", NULL};
    ck_assert_int_eq(load(set), CONFIG_EXIT_CONFIG);
    ck_assert_str_eq(said, "coschedd: --set: daemon.workers: must be between 0 and 64\n");
}

END_TEST

START_TEST(check_help_and_version_exit_0)
{
    const char *const check[] = {"coschedd", "--check-config", "--config", file, NULL};
    write_to(file, "", 0);
    ck_assert_int_eq(load(check), CONFIG_EXIT_OK);
    const char *const help[] = {"coschedd", "--help", NULL};
    ck_assert_int_eq(load(help), CONFIG_EXIT_OK);
    ck_assert_ptr_nonnull(strstr(said, "--state-dir"));
    const char *const version[] = {"coschedd", "--version", NULL};
    ck_assert_int_eq(load(version), CONFIG_EXIT_OK);
}

END_TEST

START_TEST(paths_of_the_user_instance)
{
    setenv("HOME", "/home/u", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("STATE_DIRECTORY");
    setenv("XDG_STATE_HOME", "relative", 1); /* ignored, as the XDG specification asks */
    const char *const argv[] = {"coschedd", "--user", NULL};
    ck_assert_msg(load(argv) == -1, "%s", said);
    ck_assert_str_eq(config.config_path, "/home/u/.config/cosched/coschedd.conf");
    ck_assert_str_eq(config.socket_path, "/run/user/7/cosched/cosched.sock");
    ck_assert_str_eq(config.state_dir, "/home/u/.local/state/cosched");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(load(argv), CONFIG_EXIT_CONFIG);
    ck_assert_str_eq(said, "coschedd: socket: XDG_RUNTIME_DIR is not set; give --socket PATH\n");
}

END_TEST

START_TEST(state_folder_of_the_manager)
{
    setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
    const char *const argv[] = {"coschedd", NULL};
    if (access("/etc/cosched", F_OK) == 0) {
        return; /* a configured machine */
    }
    ck_assert_int_eq(load(argv), -1);
    ck_assert_str_eq(config.state_dir, "/var/lib/a");
    ck_assert_str_eq(config.socket_path, "/run/cosched/cosched.sock");
}

END_TEST

START_TEST(the_shipped_file_shows_the_defaults)
{
    static struct config shipped;
    char names[256];
    ck_assert_int_eq(config_init(&shipped), 0);
    ck_assert_int_eq(config_read_file(&shipped, CONFIG_SHIPPED, stderr), 0);
    ck_assert_int_eq(config_needs_restart(&config, &shipped, names, sizeof names), 0);
    ck_assert_int_eq(shipped.log_level, config.log_level);
    ck_assert_int_eq(shipped.drain_timeout_ns, config.drain_timeout_ns);
    ck_assert_int_eq(shipped.slice_main_ns, config.slice_main_ns);
    ck_assert_int_eq(shipped.slice_worker_ns, config.slice_worker_ns);
    ck_assert_int_eq(shipped.keep_ns, config.keep_ns);
    ck_assert_int_eq(shipped.keep_count, config.keep_count);
    ck_assert_int_eq(shipped.keep_bytes, config.keep_bytes);
    ck_assert_int_eq(shipped.connections, config.connections);
    ck_assert_int_eq(shipped.connections_per_user, config.connections_per_user);
    ck_assert_int_eq(shipped.jobs_waiting, config.jobs_waiting);
    ck_assert_int_eq(shipped.jobs_per_user, config.jobs_per_user);
    ck_assert_int_eq(shipped.waits, config.waits);
    ck_assert_int_eq(shipped.answer_bytes, config.answer_bytes);
    ck_assert_int_eq(shipped.queues[0].parallel, config.queues[0].parallel);
    config_fini(&shipped);
}

END_TEST

START_TEST(reload_tells_what_needs_a_restart)
{
    static struct config next;
    char names[256], why[256];
    ck_assert_int_eq(config_init(&next), 0);
    ck_assert_int_eq(config_set(&next, "daemon", "workers", "9", why), 0);
    ck_assert_int_eq(config_set(&next, "exec", "nice", "1", why), 0);
    ck_assert_int_eq(config_set(&next, "daemon", "log_level", "debug", why), 0);
    ck_assert_int_eq(config_set(&next, "queue default", "parallel", "11", why), 0);
    ck_assert_int_eq(config_needs_restart(&config, &next, names, sizeof names), 2);
    ck_assert_str_eq(names, "daemon.workers,exec.nice");
    ck_assert_int_eq(config_take_over(&config, &next), 0);
    ck_assert_int_eq((int)config.log_level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq((int)config.queues[0].parallel, 11);
    ck_assert_int_eq((int)config.workers, -1);
    config_fini(&next);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, good_file_sets_values);
    tcase_add_test(tc, faults_name_file_and_line);
    tcase_add_test(tc, rates_and_weights_of_queues);
    tcase_add_test(tc, what_is_not_built_yet_is_refused_not_ignored);
    tcase_add_test(tc, over_long_lines_and_nul_bytes);
    tcase_add_test(tc, same_key_in_two_sections_is_no_duplicate);
    tcase_add_test(tc, order_file_then_folder_then_command_line);
    tcase_add_test(tc, command_line_faults_exit_78);
    tcase_add_test(tc, check_help_and_version_exit_0);
    tcase_add_test(tc, paths_of_the_user_instance);
    tcase_add_test(tc, state_folder_of_the_manager);
    tcase_add_test(tc, the_shipped_file_shows_the_defaults);
    tcase_add_test(tc, reload_tells_what_needs_a_restart);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
