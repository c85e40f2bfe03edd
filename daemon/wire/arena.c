/* arena.c - see arena.h. The arena's address stands before its first piece. */
#include "wire/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define CHUNK_MAX ((size_t)0) /* a chunk for each piece, so that a step beside it is seen */
#else
#define CHUNK_MAX ((size_t)64 << 10) /* below what the C library maps by itself */
#endif

struct arena {
    struct arena *last; /* chunks are arenas in a list, newest first; this one is its end */
    struct arena *before;
    size_t used, size;
    bool begun;
    alignas(16) char bytes[];
};

enum { ALIGNMENT = 16 };

static _Thread_local struct arena *filling;

static struct arena *chunk_new(size_t size)
{
    struct arena *chunk = size < SIZE_MAX / 2 ? malloc(sizeof *chunk + size) : NULL;
    if (chunk) {
        *chunk = (struct arena){.size = size};
        chunk->last = chunk;
    }
    return chunk;
}

struct arena *arena_begin(size_t bytes)
{
    assert(filling == NULL);
    const size_t most = CHUNK_MAX;
    filling = chunk_new(bytes > most ? most : bytes);
    return filling;
}

void arena_end(struct arena *arena)
{
    assert(filling == arena);
    (void)arena;
    filling = NULL;
}

static char *take(struct arena *arena, size_t size)
{
    struct arena *chunk = arena->last;
    if (chunk->size - chunk->used < size) {
        chunk = chunk_new(size > CHUNK_MAX ? size : CHUNK_MAX);
        if (!chunk) {
            return NULL;
        }
        chunk->before = arena->last;
        arena->last = chunk;
    }
    chunk->used += size;
    return chunk->bytes + chunk->used - size;
}

void *arena_alloc(size_t size)
{
    struct arena *arena = filling;
    assert(arena != NULL);
    if (size > SIZE_MAX / 4) {
        return NULL;
    }
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (arena->begun) {
        return take(arena, size);
    }
    char *piece = take(arena, ALIGNMENT + size);
    if (!piece) {
        return NULL;
    }
    arena->begun = true;
    memcpy(piece, &arena, sizeof arena);
    return piece + ALIGNMENT;
}

struct arena *arena_of(const void *first)
{
    struct arena *arena;
    memcpy(&arena, (const char *)first - ALIGNMENT, sizeof arena);
    return arena;
}

void arena_free(struct arena *arena)
{
    for (struct arena *chunk = arena ? arena->last : NULL, *before; chunk; chunk = before) {
        before = chunk->before;
        free(chunk);
    }
}
