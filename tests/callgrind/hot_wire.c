/* What one submission costs MAIN of the daemon before the store has it and after: a line is read as a request, its specification
 * is checked and put into the form that is stored, and the answer is written. For compare.sh. */
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "spec.h"
#include "wire/frame.h"
#include "wire/message.h"

static const char line[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1234567,\"method\":\"submit\",\"params\":{\"kind\":\"exec\","
    "\"args\":{\"argv\":[\"/usr/bin/convert\",\"-resize\",\"50%\",\"/srv/in/0001.png\",\"/srv/out/"
    "0001.png\"],\"cwd\":\"/srv\"},\"name\":\"thumbnail-0001\",\"queue\":\"default\",\"key\":"
    "\"2026-11-22/"
    "0001\",\"timeout\":\"30s\",\"retry\":{\"max\":3},\"labels\":{\"batch\":\"2026-11-22\"}}}\n";

static void check(int good)
{
    if (!good) {
        abort();
    }
}

static void run_submit(long n)
{
    struct buf answer = BUF_INIT, stored = BUF_INIT;
    struct frame frame;
    frame_init(&frame, FRAME_LINE_MAX);
    for (long i = 0; i < n; i++) {
        struct request request;
        struct message_error refused;
        struct spec_error error;
        const struct spec_context context = {.path = "params"};
        struct spec *spec;
        unsigned char hash[SPEC_HASH_SIZE];
        struct writer w;
        size_t room, len;
        char *text = frame_space(&frame, &room);
        check(text != NULL && room >= sizeof line - 1);
        memcpy(text, line, sizeof line - 1); /* what a read would do */
        frame_added(&frame, sizeof line - 1);
        check(frame_next(&frame, &text, &len) == FRAME_LINE);
        check(message_parse_request(text, len, &request, &refused) == 0);
        check(spec_parse(request.params, &context, &spec, &error) == SPEC_OK);
        buf_reset(&stored);
        writer_init(&w, &stored);
        spec_write(&w, spec, 0);
        spec_hash(stored.data, stored.len, hash);
        buf_reset(&answer);
        message_result_begin(&w, &answer, &request.id);
        writer_object(&w);
        writer_member_int(&w, "id", i);
        writer_member_string(&w, "state", "queued");
        writer_member_bool(&w, "existing", false);
        writer_end_object(&w);
        message_result_end(&w);
        check(!answer.failed && answer.len > 0);
        spec_free(spec);
        message_request_fini(&request);
    }
    frame_fini(&frame);
    buf_free(&answer);
    buf_free(&stored);
}

int main(void)
{
    count("submit", run_submit, 100, 1);
    print_marks();
    return 0;
}
