/* The callers' side of following events: see store_calls.c. */
#include "store.h"
#include "store_private.h"

struct follow_request {
    struct store_request base;
    struct store_follow *follow;
};

static int run_follow(struct store_sql *sql, struct store_request *base)
{
    struct follow_request *request = (struct follow_request *)base;
    return store_sql_follow(sql, request->follow);
}

int store_follow(struct store *store, struct store_follow *follow)
{
    struct follow_request request = {
        .base = {.run = run_follow},
        .follow = follow,
    };
    return store_ask(store, &request.base);
}
