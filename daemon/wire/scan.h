/* The strict scan before cJSON: says whether text is RFC 8259 JSON within our limits. json.c
 * calls it; nobody else needs to. */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/json.h"

/* True: one JSON value, nothing behind it but blanks. False: *err says what and where. */
bool scan_json(const char *text, size_t len, struct json_error *err);

#endif
