/* Jobs that change their queue because the queue goes away. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_sql_private.h"

static int ids_of(struct store_sql *sql, const char *queue, int64_t after, int64_t *ids, size_t max,
                  size_t *count)
{
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_OF_QUEUE);
    int r = 0;
    *count = 0;
    sql_bind_int(stmt, 1, after);
    sql_bind_text(stmt, 2, queue);
    sql_bind_int(stmt, 3, (int64_t)max);
    while (*count < max && (r = sql_step(stmt)) == SQL_ROW) {
        ids[(*count)++] = sql_int(stmt, 0);
    }
    sql_reset(stmt);
    return r < 0 ? r : 0;
}

/* The specification with the other queue, into sql->text. One that is not readable by this version stays as it is. */
static int respell(struct store_sql *sql, int64_t id, const char *queue)
{
    char *text = NULL;
    size_t len = 0;
    struct spec *spec = NULL;
    int r = store_sql_copy_spec(sql, id, &text, &len);
    if (r == 0) {
        r = spec_load(text, len, &spec);
    }
    buf_reset(&sql->text);
    if (r == 0) {
        struct writer w;
        char *copy = strdup(queue);
        if (copy != NULL) {
            free(spec->queue);
            spec->queue = copy;
        }
        writer_init(&w, &sql->text);
        spec_write(&w, spec, 0);
        r = copy == NULL || sql->text.failed ? -ENOMEM : 0;
    } else if (r == -EINVAL) {
        buf_append(&sql->text, text, len);
        r = sql->text.failed ? -ENOMEM : 0;
    }
    spec_free(spec);
    free(text);
    return r;
}

static int move_one(struct store_sql *sql, int64_t id, const char *queue)
{
    int r = respell(sql, id, queue);
    if (r < 0) {
        return r;
    }
    struct sql_stmt *stmt = store_sql_stmt(sql, STMT_REQUEUE);
    sql_bind_int(stmt, 1, id);
    sql_bind_text(stmt, 2, queue);
    r = sql_run(stmt);
    return r < 0 ? r : store_sql_put_spec(sql, id, sql->text.data, sql->text.len);
}

int store_sql_queue_move(struct store_sql *sql, const char *from, const char *to, int64_t after,
                         int64_t *ids, size_t max, size_t *count)
{
    int r = ids_of(sql, from, after, ids, max, count);
    for (size_t i = 0; r == 0 && i < *count; i++) {
        r = move_one(sql, ids[i], to);
    }
    return r;
}
