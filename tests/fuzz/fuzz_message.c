/* Any line: as a request and as an answer. A refused line becomes an answer that our own client
 * understands. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    struct response response;
    struct message_error error;
    struct buf line = BUF_INIT;
    if (message_parse_request((const char *)data, size, &request, &error) < 0) {
        message_error_from(&line, &request.id, &error);
    } else {
        struct writer w;
        message_result_begin(&w, &line, &request.id);
        writer_string(&w, request.method);
        message_result_end(&w);
    }
    bool answered = request.id.type != MESSAGE_ID_NONE;
    message_request_fini(&request);
    if (answered) {
        if (message_parse_response(line.data, line.len - 1, &response, &error) < 0) {
            abort();
        }
        message_response_fini(&response);
    }
    if (message_parse_response((const char *)data, size, &response, &error) == 0) {
        message_response_fini(&response);
    }
    buf_free(&line);
    return 0;
}
