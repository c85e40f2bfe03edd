/* See top_jobs.h. */
#include "top_jobs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "terminal.h"
#include "wire/buf.h"
#include "wire/units.h"

void top_jobs_init(struct top_jobs *jobs)
{
    memset(jobs, 0, sizeof *jobs);
}

void top_jobs_fini(struct top_jobs *jobs)
{
    free(jobs->part[TOP_PART_RUNNING]);
    free(jobs->part[TOP_PART_WAITING]);
    free(jobs->shown);
    top_jobs_init(jobs);
}

static enum top_state state_of(const char *text)
{
    static const char *const names[] = {"running", "queued", "delayed", "blocked"};
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum top_state)i;
        }
    }
    return TOP_OTHER;
}

static int64_t time_of(const struct json *value)
{
    int64_t us;
    const char *text = json_string(value);
    return text && units_parse_time(text, &us) == 0 ? us : 0;
}

static void read_job(struct top_job *job, const struct json *j)
{
    const char *state = json_string(json_get(j, "state"));
    const char *name = json_string(json_get(j, "name"));
    const char *kind = json_string(json_get(j, "kind"));
    memset(job, 0, sizeof *job);
    (void)json_int(json_get(j, "id"), &job->id);
    (void)json_int(json_get(j, "priority"), &job->priority);
    (void)json_int(json_get(j, "attempt"), &job->attempt);
    job->state = state_of(state);
    top_text(job->state_text, sizeof job->state_text, state);
    top_text(job->kind, sizeof job->kind, kind);
    top_text(job->queue, sizeof job->queue, json_string(json_get(j, "queue")));
    top_text(job->user, sizeof job->user, json_string(json_get(json_get(j, "owner"), "user")));
    job->named = name && *name;
    top_text(job->name, sizeof job->name, job->named ? name : kind);
    job->since_us = time_of(json_get(j, job->state == TOP_RUNNING ? "started" : "created"));
}

static struct top_name *remembered(struct top_jobs *jobs, int64_t id)
{
    return &jobs->names[(uint64_t)id % TOP_NAMES];
}

/* The command that stands for the name of a job without one. */
static void recall(struct top_jobs *jobs, struct top_job *job)
{
    const struct top_name *name = remembered(jobs, job->id);
    if (!job->named && name->id == job->id) {
        job->named = true;
        if (name->text[0]) {
            memcpy(job->name, name->text, sizeof job->name);
        }
    }
}

void top_jobs_take(struct top_jobs *jobs, enum top_part part, const struct json *answer)
{
    const struct json *list = json_get(answer, "jobs");
    size_t count = json_count(list);
    struct top_job *fresh = count > 0 ? calloc(count, sizeof *fresh) : NULL;
    jobs->failed = count > 0 && !fresh;
    free(jobs->part[part]);
    jobs->part[part] = fresh;
    jobs->part_count[part] = 0;
    jobs->part_more[part] = json_bool(json_get(answer, "more"));
    jobs->shown_count = 0; /* it pointed into what is gone */
    for (const struct json *j = json_first(list); j && fresh; j = json_next(j)) {
        struct top_job *job = &fresh[jobs->part_count[part]++];
        read_job(job, j);
        recall(jobs, job);
    }
}

/* --- the filter ------------------------------------------------------------------------------------------- */

/* The next word of the filter: its length, 0 at the end. */
static size_t next_word(const char **text)
{
    *text += strspn(*text, " ");
    return strcspn(*text, " ");
}

/* The value behind "key:" if the word is for the daemon. */
static const char *for_daemon(const char *word, size_t n, const char *key)
{
    size_t k = strlen(key);
    return n > k + 1 && strncmp(word, key, k) == 0 && word[k] == ':' ? word + k + 1 : NULL;
}

static bool is_for_daemon(const char *word, size_t n)
{
    return for_daemon(word, n, "queue") || for_daemon(word, n, "kind") ||
           for_daemon(word, n, "name") || for_daemon(word, n, "label");
}

static bool contains(const char *text, const char *word, size_t n)
{
    for (; *text; text++) {
        if (strncasecmp(text, word, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool matches(const struct top_job *job, const char *filter)
{
    char id[24];
    struct buf number = BUF_INIT;
    buf_int(&number, job->id);
    top_text(id, sizeof id, buf_text(&number));
    buf_free(&number);
    for (size_t n; (n = next_word(&filter)) > 0; filter += n) {
        if (!is_for_daemon(filter, n) && !contains(job->name, filter, n) &&
            !contains(job->state_text, filter, n) && !contains(job->queue, filter, n) &&
            !contains(job->kind, filter, n) && !contains(job->user, filter, n) &&
            !contains(id, filter, n)) {
            return false;
        }
    }
    return true;
}

static void write_member(struct writer *w, const char *key, const char *value, const char *end)
{
    writer_key(w, key);
    writer_string_n(w, value, (size_t)(end - value));
}

static void write_label(struct writer *w, const char *value, const char *end)
{
    char key[TOP_FILTER_MAX];
    const char *equals = memchr(value, '=', (size_t)(end - value));
    const char *key_end = equals ? equals : end;
    size_t n = (size_t)(key_end - value);
    memcpy(key, value, n);
    key[n] = '\0';
    writer_member_object(w, "label");
    write_member(w, key, equals ? equals + 1 : end, end);
    writer_end_object(w);
}

/* Each key once: a repeated word would make the request invalid, so the last one counts. */
static void write_filter(struct writer *w, const char *filter)
{
    static const char *const keys[] = {"queue", "kind", "name", "label"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *found = NULL, *end = NULL, *word = filter;
        for (size_t n; (n = next_word(&word)) > 0; word += n) {
            const char *value = for_daemon(word, n, keys[i]);
            found = value ? value : found;
            end = value ? word + n : end;
        }
        if (found && strcmp(keys[i], "label") == 0) {
            write_label(w, found, end);
        } else if (found) {
            write_member(w, keys[i], found, end);
        }
    }
}

void top_jobs_params(const struct top_jobs *jobs, enum top_part part, int limit, struct writer *w)
{
    static const char *const fields[] = {"id",       "name",    "kind",    "queue",   "state",
                                         "priority", "attempt", "created", "started", "owner"};
    writer_object(w);
    writer_member_array(w, "state");
    if (part == TOP_PART_RUNNING) {
        writer_string(w, "running");
    } else {
        writer_string(w, "queued");
        writer_string(w, "delayed");
        writer_string(w, "blocked");
    }
    writer_end_array(w);
    write_filter(w, jobs->filter);
    writer_member_int(w, "limit", limit);
    writer_member_array(w, "fields");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        writer_string(w, fields[i]);
    }
    writer_end_array(w);
    writer_end_object(w);
}

/* --- the order -------------------------------------------------------------------------------------------- */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const struct top_job *a, const struct top_job *b, enum top_sort sort)
{
    int order = 0;
    switch (sort) {
    case TOP_SORT_STATE: order = compare_numbers((int64_t)a->state, (int64_t)b->state); break;
    case TOP_SORT_QUEUE: order = strcmp(a->queue, b->queue); break;
    case TOP_SORT_TIME: order = compare_numbers(a->since_us, b->since_us); break;
    case TOP_SORT_NAME: order = strcoll(a->name, b->name); break;
    case TOP_SORT_ID:
    case TOP_SORTS: break;
    }
    return order != 0 ? order : compare_numbers(a->id, b->id);
}

static int compare_shown(const void *a, const void *b, void *arg)
{
    const struct top_jobs *jobs = arg;
    const struct top_job *const *x = a, *const *y = b;
    int order = compare(*x, *y, jobs->sort);
    return jobs->reverse ? -order : order;
}

/* A job may start between the two answers, and stands in both then: as it was last seen, running. */
static bool is_running(const struct top_jobs *jobs, int64_t id)
{
    const struct top_job *running = jobs->part[TOP_PART_RUNNING];
    for (size_t i = 0; i < jobs->part_count[TOP_PART_RUNNING]; i++) {
        if (running[i].id == id) {
            return true;
        }
    }
    return false;
}

static bool make_room(struct top_jobs *jobs)
{
    size_t most = jobs->part_count[TOP_PART_RUNNING] + jobs->part_count[TOP_PART_WAITING];
    if (most <= jobs->shown_room) {
        return true;
    }
    const struct top_job **room = realloc(jobs->shown, most * sizeof *room);
    if (!room) {
        jobs->failed = true;
        return false;
    }
    jobs->shown = room;
    jobs->shown_room = most;
    return true;
}

void top_jobs_arrange(struct top_jobs *jobs)
{
    jobs->shown_count = 0;
    if (!make_room(jobs)) {
        return;
    }
    for (size_t part = 0; part < TOP_PARTS; part++) {
        for (size_t i = 0; i < jobs->part_count[part]; i++) {
            const struct top_job *job = &jobs->part[part][i];
            if (matches(job, jobs->filter) &&
                (part == TOP_PART_RUNNING || !is_running(jobs, job->id))) {
                jobs->shown[jobs->shown_count++] = job;
            }
        }
    }
    if (jobs->shown_count > 1) {
        qsort_r(jobs->shown, jobs->shown_count, sizeof *jobs->shown, compare_shown, jobs);
    }
    /* The same job, wherever it is now; if it is gone, who took its place. */
    for (size_t i = 0; i < jobs->shown_count; i++) {
        if (jobs->shown[i]->id == jobs->selected) {
            jobs->selected_row = i;
            return;
        }
    }
    top_jobs_move(jobs, 0);
}

void top_jobs_move(struct top_jobs *jobs, long rows)
{
    if (jobs->shown_count == 0) {
        jobs->selected = 0;
        jobs->selected_row = 0;
        return;
    }
    long last = (long)jobs->shown_count - 1;
    long row = (long)jobs->selected_row;
    row = rows > last - row ? last : row + rows;
    jobs->selected_row = row < 0 ? 0 : (size_t)row;
    jobs->selected = jobs->shown[jobs->selected_row]->id;
}

const struct top_job *top_jobs_selected(const struct top_jobs *jobs)
{
    return jobs->shown_count > 0 ? jobs->shown[jobs->selected_row] : NULL;
}

int64_t top_jobs_nameless(const struct top_jobs *jobs, int page)
{
    size_t rows = page > 0 ? (size_t)page : 1, first = jobs->selected_row / rows * rows;
    for (size_t i = first; i < first + rows && i < jobs->shown_count; i++) {
        if (!jobs->shown[i]->named) {
            return jobs->shown[i]->id;
        }
    }
    return 0;
}

/* The command line; its kind where there is none. */
static void text_of_job(const struct json *job, char *out, size_t size)
{
    const struct json *spec = json_get(job, "spec");
    const struct json *argv = json_get(json_get(spec, "args"), "argv");
    struct buf line = BUF_INIT;
    for (const struct json *a = json_first(argv ? argv : json_get(spec, "argv")); a;
         a = json_next(a)) {
        const char *text = json_string(a);
        if (line.len > 0) {
            buf_putc(&line, ' ');
        }
        buf_puts(&line, text ? text : "");
    }
    top_text(out, size, line.len > 0 ? buf_text(&line) : json_string(json_get(spec, "kind")));
    buf_free(&line);
}

void top_jobs_name(struct top_jobs *jobs, int64_t id, const struct json *answer)
{
    struct top_name *name = remembered(jobs, id);
    name->id = id;
    text_of_job(answer, name->text, sizeof name->text);
    for (size_t part = 0; part < TOP_PARTS; part++) {
        for (size_t i = 0; i < jobs->part_count[part]; i++) {
            struct top_job *job = &jobs->part[part][i];
            if (job->id == id) {
                recall(jobs, job);
            }
        }
    }
}
