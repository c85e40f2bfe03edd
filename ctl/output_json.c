/* --json: what the protocol returned, one value a line. A list is one array. */
#include <stdio.h>

#include "output.h"
#include "wire/text.h"
#include "wire/writer.h"

int output_buf(struct ctl *ctl, struct buf *text)
{
    int status = text->failed ? ctl_out_of_memory(ctl) : 0;
    if (status == 0 && text->len > 0 && fwrite(text->data, 1, text->len, stdout) != text->len) {
        status = ctl_fail(ctl, CTL_REFUSED, "cannot write", "standard output failed");
    }
    buf_free(text);
    return status;
}

bool output_event_bytes(struct buf *out, const struct json *event)
{
    const char *data = json_string(json_get(event, "data"));
    const char *enc = json_string(json_get(event, "enc"));
    if (!data) {
        return false;
    }
    if (enc && strcmp(enc, "base64") == 0) {
        return text_base64_decode(out, data, strlen(data));
    }
    buf_puts(out, data);
    return true;
}

static int print(struct ctl *ctl, const struct json *value)
{
    struct buf text = BUF_INIT;
    struct writer w;
    writer_init(&w, &text);
    writer_value(&w, value);
    buf_putc(&text, '\n');
    return output_buf(ctl, &text);
}

static int submitted(struct ctl *ctl, int64_t id, bool existing)
{
    struct buf text = BUF_INIT;
    struct writer w;
    writer_init(&w, &text);
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_member_bool(&w, "existing", existing);
    writer_end_object(&w);
    buf_putc(&text, '\n');
    return output_buf(ctl, &text);
}

static int list(struct ctl *ctl, const struct json *jobs, bool more)
{
    (void)more;
    return print(ctl, jobs);
}

static int job(struct ctl *ctl, const struct json *value, bool first)
{
    (void)first;
    return print(ctl, value);
}

static int event(struct ctl *ctl, const struct json *value)
{
    int status = print(ctl, value);
    (void)fflush(stdout); /* followed live */
    return status;
}

static int stats(struct ctl *ctl, const struct json *value, const struct json *before, double s)
{
    (void)before;
    (void)s;
    int status = print(ctl, value);
    (void)fflush(stdout);
    return status;
}

static int answer(struct ctl *ctl, const struct json *value, const char *text)
{
    (void)text;
    return print(ctl, value);
}

static int changed(struct ctl *ctl, const struct json *value, const struct change *change)
{
    (void)change;
    return print(ctl, value);
}

static int task(struct ctl *ctl, const struct json *value, struct task_list *list)
{
    (void)list;
    return print(ctl, value);
}

static int tasks(struct ctl *ctl, const struct json *value, struct task_list *list)
{
    (void)list;
    return print(ctl, value);
}

const struct output output_json = {
    .submitted = submitted,
    .list = list,
    .waited = print,
    .job = job,
    .changed = changed,
    .event = event,
    .happened = event,
    .stats = stats,
    .kinds = print,
    .queues = print,
    .task = task,
    .tasks = tasks,
    .answer = answer,
};
