/* See text_tasks.h. A task is a line:
 *
 *     attempt 52.1, job 17, in run_kind: waits for child process 2414, 5.2s
 *
 * name or function, handle, job, what it has called, state. Frames follow as lines of their own. */
#include "text_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "show.h"
#include "terminal.h"

#define DEPTH_MAX 64

/* --- one task -------------------------------------------------------------------------------------- */

static void add_clean(struct buf *out, const char *text)
{
    if (text) {
        terminal_clean(out, text, strlen(text));
    }
}

static void add_member(struct buf *out, const char *before, const struct json *object,
                       const char *key)
{
    const struct json *value = json_get(object, key);
    if (value) {
        buf_puts(out, before);
        if (json_is(value, JSON_STRING)) {
            add_clean(out, json_string(value));
        } else {
            show_number(out, json_number(value));
        }
    }
}

/* Outermost first, as one reads a chain; the protocol has it the other way round. */
static void add_calls(struct buf *out, const struct json *calls, const struct json *fn)
{
    const char *names[16];
    size_t count = 0;
    for (const struct json *c = json_first(calls); c && count < 16; c = json_next(c)) {
        names[count++] = json_string(c);
    }
    if (count == 0) {
        names[count++] = json_string(fn);
    }
    buf_literal(out, ", in ");
    while (count > 0) {
        add_clean(out, names[--count]);
        buf_puts(out, count > 0 ? " > " : "");
    }
}

static void add_wait(struct buf *out, const struct json *wait)
{
    buf_literal(out, "waits for ");
    add_clean(out, json_string(json_get(wait, "what")));
    add_member(out, " ", wait, "object");
    add_member(out, " on descriptor ", wait, "fd");
    add_member(out, " ", wait, "pid");
    add_member(out, " ", wait, "function");
    add_member(out, ": ", wait, "executor");
    const char *what = json_string(json_get(wait, "what"));
    bool joins = what && strstr(what, "task");
    add_member(out, joins ? " " : ", held by ", wait, "task");
    if (json_get(wait, "for_ms")) {
        buf_literal(out, ", ");
        show_duration_us(out, json_number(json_get(wait, "for_ms")) * 1000);
    }
    if (json_get(wait, "until_ms")) {
        buf_literal(out, ", at most ");
        show_duration_us(out, json_number(json_get(wait, "until_ms")) * 1000);
        buf_literal(out, " more");
    }
}

static void write_task(struct buf *out, const struct json *event)
{
    const struct json *name = json_get(event, "name"), *wait = json_get(event, "waits_for");
    add_clean(out, json_string(name ? name : json_get(event, "fn")));
    add_member(out, " ", event, "task");
    add_member(out, ", job ", event, "id");
    add_calls(out, json_get(event, "calls"), json_get(event, "fn"));
    add_member(out, ", like this: ", event, "count");
    buf_literal(out, ": ");
    if (wait) {
        add_wait(out, wait);
    } else {
        add_clean(out, json_string(json_get(event, "state")));
    }
    if (json_bool(json_get(event, "canceled"))) {
        buf_literal(out, ", canceled");
    }
    add_member(out, ", stuck in set ", event, "stuck");
    for (const struct json *f = json_first(json_get(event, "frames")); f; f = json_next(f)) {
        buf_literal(out, "\nat ");
        add_clean(out, json_string(f));
    }
}

/* --- all of them ------------------------------------------------------------------------------------- */

void task_list_fini(struct task_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->at[i].task);
        free(list->at[i].parent);
        buf_free(&list->at[i].text);
    }
    free(list->at);
    *list = (struct task_list){.at = NULL};
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

void task_list_add(struct task_list *list, const struct json *event)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct task_node *more = realloc(list->at, room * sizeof *more);
        if (!more) {
            list->failed = true;
            return;
        }
        list->at = more;
        list->room = room;
    }
    const char *task = json_string(json_get(event, "task"));
    const char *parent = json_string(json_get(event, "parent"));
    struct task_node *node = &list->at[list->count];
    *node = (struct task_node){.task = copy(task ? task : ""),
                               .parent = copy(parent),
                               .text = BUF_INIT,
                               .order = list->count};
    list->count++;
    write_task(&node->text, event);
    list->failed = list->failed || !node->task || (parent && !node->parent) || node->text.failed;
}

static int by_task(const void *a, const void *b)
{
    return strcmp(((const struct task_node *)a)->task, ((const struct task_node *)b)->task);
}

/* A parent that was not told, or a handle that leads nowhere: then it is a root. */
static void find_parents(struct task_list *list)
{
    if (list->count > 0) {
        qsort(list->at, list->count, sizeof *list->at, by_task);
    }
    for (size_t i = 0; i < list->count; i++) {
        struct task_node *node = &list->at[i];
        const struct task_node key = {.task = node->parent};
        const struct task_node *up =
            node->parent ? bsearch(&key, list->at, list->count, sizeof key, by_task) : NULL;
        node->up = up ? (size_t)(up - list->at) : i;
    }
}

static void show_node(const struct task_node *node, unsigned depth, struct buf *out)
{
    unsigned shown = depth < DEPTH_MAX ? depth : DEPTH_MAX;
    const char *text = buf_text(&node->text);
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, "\n");
        buf_printf(out, "%*s", (int)(2 * shown + (first ? 0U : 4U)), "");
        buf_append(out, text, n);
        buf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

struct child {
    size_t parent, order, node;
};

static int by_parent(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    if (x->parent != y->parent) {
        return x->parent < y->parent ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static size_t first_child(const struct child *all, size_t count, size_t parent)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (all[mid].parent < parent) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Depth first, without recursion: the stack holds nodes to be shown. Roots count as children of `count`. */
static void walk(struct task_list *list, struct child *all, size_t *stack, struct buf *out)
{
    size_t depth = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct task_node *node = &list->at[i];
        all[i] = (struct child){node->up == i ? list->count : node->up, node->order, i};
    }
    qsort(all, list->count, sizeof *all, by_parent);
    for (size_t i = list->count; i > 0 && all[i - 1].parent == list->count; i--) {
        stack[depth++] = all[i - 1].node;
    }
    while (depth > 0) {
        size_t at = stack[--depth], begin = first_child(all, list->count, at), end = begin;
        show_node(&list->at[at], list->at[at].depth, out);
        while (end < list->count && all[end].parent == at) {
            end++;
        }
        while (end > begin) {
            size_t child = all[--end].node;
            list->at[child].depth = list->at[at].depth + 1;
            stack[depth++] = child;
        }
    }
}

void task_list_show(struct task_list *list, struct buf *out)
{
    struct child *all = calloc(list->count + 1, sizeof *all);
    size_t *stack = calloc(list->count + 1, sizeof *stack);
    if (all && stack && !list->failed) {
        find_parents(list);
        walk(list, all, stack, out);
    } else {
        list->failed = true;
    }
    free(all);
    free(stack);
}

/* --- output ------------------------------------------------------------------------------------------- */

int text_task(struct ctl *ctl, const struct json *event, struct task_list *list)
{
    task_list_add(list, event);
    return list->failed ? ctl_out_of_memory(ctl) : 0;
}

int text_tasks(struct ctl *ctl, const struct json *answer, struct task_list *list)
{
    struct buf out = BUF_INIT;
    double others = json_number(json_get(answer, "others"));
    const struct json *sets = json_get(answer, "stuck_sets");
    task_list_show(list, &out);
    if (sets && json_number(sets) == 0) {
        buf_literal(&out, "no task is stuck\n");
    }
    if (others > 0) {
        show_number(&out, others);
        buf_literal(&out, " more tasks are not yours to see\n");
    }
    if (list->failed) {
        buf_free(&out);
        return ctl_out_of_memory(ctl);
    }
    return output_buf(ctl, &out);
}
