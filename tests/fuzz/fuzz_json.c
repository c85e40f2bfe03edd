/* Any bytes: the strict scan, cJSON behind it, and the writer. What is accepted must be written as
 * text that is accepted again and means the same (canonical text is a fixed point). */
#include <stdint.h>
#include <stdlib.h>

#include "wire/json.h"
#include "wire/text.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf canonical(const struct json *value)
{
    struct buf text = BUF_INIT;
    writer_canonical(&text, value);
    if (text.failed) {
        abort();
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_error error;
    struct buf written = BUF_INIT;
    struct writer w;
    struct json *value = json_parse((const char *)data, size, &error);
    if (!value) {
        if (!error.out_of_memory && error.offset > size) {
            abort();
        }
        return 0;
    }
    writer_init(&w, &written);
    writer_value(&w, value);
    struct json *again = json_parse(written.data, written.len, &error);
    if (!again || !text_is_utf8(written.data, written.len)) {
        abort(); /* what we write is not what we read */
    }
    struct buf first = canonical(value), second = canonical(again);
    if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0) {
        abort();
    }
    buf_free(&first);
    buf_free(&second);
    buf_free(&written);
    json_free(again);
    json_free(value);
    return 0;
}
