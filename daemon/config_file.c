/* config_file.c - coschedd.conf and conf.d/, read with libinih.
 *
 * inih is fed line by line by our own reader, for three reasons: it does not tell a handler where it is (lines are counted
 * here), it cuts lines longer than its buffer and reads the tail as a new line (a long line is an error here), and it
 * takes an indented line for the continuation of the value above (an indented setting is an error here, not a surprise).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "wire/buf.h"

#define SECTION_MAX 49 /* what inih keeps of a section's name */

struct seen {
    char *name; /* owned: "section\nkey" */
    int line;
};

struct reading {
    struct config *config;
    const char *path;
    FILE *file, *err;
    int line;
    int errors;
    struct seen *seen; /* owned: keys of this file so far */
    size_t seen_count;
};

static void complain(struct reading *r, const char *what, const char *why)
{
    fprintf(r->err, "coschedd: %s:%d: %s%s%s\n", r->path, r->line, what, *what ? ": " : "", why);
    r->errors++;
}

static void check_section(struct reading *r, char *line)
{
    char *end = strchr(line, ']');
    if (!end || end - line - 1 > SECTION_MAX) {
        complain(r, "", end ? "section name too long" : "'[' without ']'");
        line[0] = '\0';
        return;
    }
    *end = '\0';
    if (!config_section_known(line + 1)) {
        complain(r, line + 1,
                 strncmp(line + 1, "queue ", 6) == 0
                     ? "a queue's name is 1 to 64 letters, digits, '_', '.' or '-'"
                     : "unknown section");
    }
    *end = ']';
}

/* fgets for inih. Faulty lines are reported and handed on as empty ones, so that the rest of the file is checked too. */
static char *read_line(char *out, int size, void *stream)
{
    struct reading *r = stream;
    if (!fgets(out, size, r->file)) {
        return NULL;
    }
    r->line++;
    size_t length = strlen(out);
    if (length == (size_t)size - 1 && out[length - 1] != '\n' && !feof(r->file)) {
        int c;
        char why[64];
        snprintf(why, sizeof why, "line longer than %d bytes", size - 2);
        complain(r, "", why);
        while ((c = fgetc(r->file)) != EOF && c != '\n') {
            ;
        }
        out[0] = '\0';
        return out;
    }
    if (length > 0 && out[length - 1] != '\n' && !feof(r->file)) {
        complain(r, "", "NUL byte in the file");
        int c;
        while ((c = fgetc(r->file)) != EOF && c != '\n') {
            ;
        }
        out[0] = '\0';
        return out;
    }
    const char *text = out;
    while (isspace((unsigned char)*text)) {
        text++;
    }
    if (text != out && *text && *text != '#' && *text != ';') {
        complain(r, "", "indented line: settings start at the left edge");
        out[0] = '\0';
    } else if (out[0] == '[') {
        check_section(r, out);
    }
    return out;
}

/* 0 when this is the first time, else the line of the first. -ENOMEM. */
static int note_key(struct reading *r, const char *section, const char *key)
{
    size_t size = strlen(section) + strlen(key) + 2;
    char *name = malloc(size);
    if (!name) {
        return -ENOMEM;
    }
    snprintf(name, size, "%s\n%s", section, key);
    for (size_t i = 0; i < r->seen_count; i++) {
        if (strcmp(r->seen[i].name, name) == 0) {
            free(name);
            return r->seen[i].line;
        }
    }
    struct seen *grown = realloc(r->seen, (r->seen_count + 1) * sizeof *grown);
    if (!grown) {
        free(name);
        return -ENOMEM;
    }
    r->seen = grown;
    r->seen[r->seen_count++] = (struct seen){name, r->line};
    return 0;
}

/* Answers 1 always: errors are ours to count, and inih's own error is then a line that is no setting at all. */
static int handle(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;
    char what[160], why[256] = "";
    if (*section && !config_section_known(section)) {
        return 1; /* said once, at its heading */
    }
    snprintf(what, sizeof what, "%s%s%s", section, *section ? "." : "", key);
    int before = note_key(r, section, key);
    if (before != 0) {
        if (before > 0) {
            snprintf(why, sizeof why, "given twice, first in line %d", before);
        }
        complain(r, what, before > 0 ? why : "out of memory");
        return 1;
    }
    if (!*section) {
        complain(r, what, "setting before the first [section]");
    } else if (config_set(r->config, section, key, value, why) < 0) {
        complain(r, what, *why ? why : "out of memory");
    }
    return 1;
}

/* inih's number of a line that is neither section nor setting: the first only. */
static void complain_syntax(struct reading *r, int line)
{
    if (line <= 0) {
        return;
    }
    r->line = line;
    complain(r, "", "neither a [section] nor a setting NAME = VALUE");
}

int config_read_file(struct config *config, const char *path, FILE *err)
{
    struct reading r = {.config = config, .path = path, .err = err};
    r.file = fopen(path, "re");
    if (!r.file) {
        return -errno;
    }
    int rc = ini_parse_stream(read_line, &r, handle, &r);
    if (rc == -2) {
        complain(&r, "", "out of memory");
    } else {
        complain_syntax(&r, rc);
    }
    if (ferror(r.file)) {
        fprintf(err, "coschedd: %s: %s\n", path, strerror(errno));
        r.errors++;
    }
    fclose(r.file);
    for (size_t i = 0; i < r.seen_count; i++) {
        free(r.seen[i].name);
    }
    free(r.seen);
    return r.errors ? -EINVAL : 0;
}

static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static int read_one(struct config *config, const char *folder, const char *name, FILE *err)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", folder, name);
    int rc = path.failed ? -ENOMEM : config_read_file(config, path.data, err);
    if (rc < 0 && rc != -EINVAL) {
        fprintf(err, "coschedd: %s/%s: %s\n", folder, name, strerror(-rc));
    }
    buf_free(&path);
    return rc < 0 ? -EINVAL : 0;
}

int config_read_folder(struct config *config, const char *folder, FILE *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_conf, by_name);
    if (count < 0 && errno == ENOENT) {
        return 0;
    }
    if (count < 0) {
        fprintf(err, "coschedd: %s: %s\n", folder, strerror(errno));
        return -EINVAL;
    }
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (read_one(config, folder, entries[i]->d_name, err) < 0) {
            result = -EINVAL;
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}
