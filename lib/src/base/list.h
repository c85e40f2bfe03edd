/* Intrusive doubly linked circular list. A node belongs to at most one list; a removed node points to itself. */
#ifndef COS_BASE_LIST_H
#define COS_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct cos_list {
    struct cos_list *next, *prev;
};

static inline void cos_list_init(struct cos_list *l)
{
    l->next = l->prev = l;
}

static inline bool cos_list_empty(const struct cos_list *l)
{
    return l->next == l;
}

static inline void cos_list_push_back(struct cos_list *l, struct cos_list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

static inline void cos_list_push_front(struct cos_list *l, struct cos_list *node)
{
    cos_list_push_back(l->next, node);
}

/* Safe on a node that is in no list, as long as it was initialised. */
static inline void cos_list_remove(struct cos_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    cos_list_init(node);
}

static inline struct cos_list *cos_list_pop_front(struct cos_list *l)
{
    struct cos_list *node = l->next;
    if (node == l) {
        return NULL;
    }
    cos_list_remove(node);
    return node;
}
#endif
