/* Makes job-supplied text harmless. Pure, but for the question whether a file is a terminal. */
#include "terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/text.h"

static uint32_t code_point(const char *p, size_t length)
{
    const unsigned char *s = (const unsigned char *)p;
    switch (length) {
    case 2: return (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    case 3: return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    case 4:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
               (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    default: return s[0];
    }
}

/* C1 controls act like ESC sequences; the others reorder, hide or break the text around them. */
static bool is_harmful(uint32_t c)
{
    return (c >= 0x80 && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe007f);
}

static void clean_ascii(struct buf *out, unsigned char c, bool output)
{
    bool passes = (c >= 0x20 && c < 0x7f) || (output && (c == '\n' || c == '\t' || c == '\r'));
    if (passes) {
        buf_putc(out, (char)c);
    } else if (c == '\n') {
        buf_literal(out, "\\n");
    } else if (c == '\t') {
        buf_literal(out, "\\t");
    } else if (c == '\r') {
        buf_literal(out, "\\r");
    } else {
        buf_printf(out, "\\x%02x", c);
    }
}

static void clean(struct buf *out, const char *text, size_t n, bool output)
{
    const char *end = text + n;
    while (text < end) {
        if ((unsigned char)*text < 0x80) {
            clean_ascii(out, (unsigned char)*text++, output);
            continue;
        }
        size_t length = text_utf8_length(text, end);
        if (length == 0) {
            buf_printf(out, "\\x%02x", (unsigned char)*text++);
            continue;
        }
        uint32_t c = code_point(text, length);
        if (is_harmful(c)) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_append(out, text, length);
        }
        text += length;
    }
}

void terminal_clean(struct buf *out, const char *text, size_t n)
{
    clean(out, text, n, false);
}

void terminal_clean_output(struct buf *out, const char *text, size_t n)
{
    clean(out, text, n, true);
}

bool terminal_colored(FILE *file, bool no_color)
{
    const char *env = getenv("NO_COLOR");
    return !no_color && !(env && *env) && isatty(fileno(file)) == 1;
}
