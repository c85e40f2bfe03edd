/* rows.c - see rows.h. Slab in chunks (no copying of a hundred megabytes when it grows); the hash is open addressing with
 * linear probing over 8-byte slots and backward-shift deletion, so there are no markers to sweep. A slot has the hash
 * beside the row's number: with a million rows each look at a row that is not the one costs a miss of every cache, and
 * those were a third of a restart. Heaps are 4-ary: half the
 * depth of a binary one, and the children of a node share a cache line.
 */
#include "rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROWS 1024U
#define TABLE_MIN  64U

/* The point of this table; a field more should be a decision, not an accident. */
static_assert(sizeof(struct row) <= 64, "a row is a cache line");

void rows_init(struct rows *rows)
{
    *rows = (struct rows){.free_head = ROW_NOWHERE};
}

void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->chunk_count; i++) {
        free(rows->chunks[i]);
    }
    free(rows->chunks);
    free(rows->table);
    rows_init(rows);
}

static struct row *row_at(const struct rows *rows, uint32_t slot)
{
    return &rows->chunks[slot / CHUNK_ROWS][slot % CHUNK_ROWS];
}

static uint32_t hash_of(int64_t id)
{
    return (uint32_t)(((uint64_t)id * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static bool stands_for(const struct rows *rows, const struct row_slot *slot, uint32_t hash,
                       int64_t id)
{
    return slot->hash == hash && row_at(rows, slot->slot)->id == id;
}

static size_t place_of(const struct rows *rows, int64_t id)
{
    uint32_t hash = hash_of(id);
    size_t mask = rows->table_size - 1, i = hash & mask;
    while (rows->table[i].slot != ROW_NOWHERE && !stands_for(rows, &rows->table[i], hash, id)) {
        i = (i + 1) & mask;
    }
    return i;
}

struct row *rows_find(const struct rows *rows, int64_t id)
{
    if (rows->count == 0) {
        return NULL;
    }
    size_t i = place_of(rows, id);
    return rows->table[i].slot == ROW_NOWHERE ? NULL : row_at(rows, rows->table[i].slot);
}

static int table_grow(struct rows *rows)
{
    size_t size = rows->table_size ? rows->table_size * 2 : TABLE_MIN, mask = size - 1;
    struct row_slot *table = malloc(size * sizeof *table);
    if (!table) {
        return -ENOMEM;
    }
    memset(table, 0xFF, size * sizeof *table);
    for (size_t i = 0; i < rows->table_size; i++) {
        if (rows->table[i].slot == ROW_NOWHERE) {
            continue;
        }
        size_t place = rows->table[i].hash & mask;
        while (table[place].slot != ROW_NOWHERE) {
            place = (place + 1) & mask;
        }
        table[place] = rows->table[i];
    }
    free(rows->table);
    rows->table = table;
    rows->table_size = size;
    return 0;
}

static int chunk_add(struct rows *rows)
{
    if (rows->chunk_count == rows->chunk_room) {
        size_t room = rows->chunk_room ? rows->chunk_room * 2 : 16;
        struct row **grown = realloc(rows->chunks, room * sizeof(struct row *));
        if (!grown) {
            return -ENOMEM;
        }
        rows->chunks = grown;
        rows->chunk_room = room;
    }
    struct row *chunk = aligned_alloc(64, CHUNK_ROWS * sizeof *chunk);
    if (!chunk) {
        return -ENOMEM;
    }
    rows->chunks[rows->chunk_count++] = chunk;
    return 0;
}

static uint32_t slot_take(struct rows *rows)
{
    if (rows->free_head != ROW_NOWHERE) {
        uint32_t slot = rows->free_head;
        rows->free_head = (uint32_t)row_at(rows, slot)->order;
        return slot;
    }
    if (rows->used == rows->chunk_count * CHUNK_ROWS && chunk_add(rows) < 0) {
        return ROW_NOWHERE;
    }
    return rows->used++;
}

struct row *rows_add(struct rows *rows, int64_t id)
{
    if ((rows->count + 1) * 10 > rows->table_size * 7 && table_grow(rows) < 0) {
        return NULL;
    }
    size_t i = place_of(rows, id);
    assert(rows->table[i].slot == ROW_NOWHERE);
    uint32_t slot = slot_take(rows);
    if (slot == ROW_NOWHERE) {
        return NULL;
    }
    struct row *row = row_at(rows, slot);
    *row = (struct row){.id = id, .at = {ROW_NOWHERE, ROW_NOWHERE}};
    rows->table[i] = (struct row_slot){.slot = slot, .hash = hash_of(id)};
    rows->count++;
    return row;
}

/* Linear probing without markers: what stands behind the hole moves up unless its home lies behind the hole. */
static void table_close_hole(struct rows *rows, size_t hole)
{
    size_t mask = rows->table_size - 1;
    for (size_t i = (hole + 1) & mask; rows->table[i].slot != ROW_NOWHERE; i = (i + 1) & mask) {
        size_t home = rows->table[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            rows->table[hole] = rows->table[i];
            hole = i;
        }
    }
    rows->table[hole].slot = ROW_NOWHERE;
}

void rows_remove(struct rows *rows, struct row *row)
{
    assert(row->at[ROW_IN_LINE] == ROW_NOWHERE && row->at[ROW_IN_DEADLINES] == ROW_NOWHERE);
    size_t i = place_of(rows, row->id);
    assert(rows->table[i].slot != ROW_NOWHERE);
    uint32_t slot = rows->table[i].slot;
    table_close_hole(rows, i);
    row->order = rows->free_head;
    rows->free_head = slot;
    rows->count--;
}

void rows_each(struct rows *rows, void (*each)(void *ctx, struct row *row), void *ctx)
{
    for (size_t i = 0; i < rows->table_size; i++) {
        if (rows->table[i].slot != ROW_NOWHERE) {
            each(ctx, row_at(rows, rows->table[i].slot));
        }
    }
}

/* --- heaps ------------------------------------------------------------------------------------------- */

void row_heap_init(struct row_heap *heap, enum row_place place,
                   bool (*before)(const struct row *a, const struct row *b))
{
    *heap = (struct row_heap){.place = place, .before = before};
}

void row_heap_fini(struct row_heap *heap)
{
    free(heap->rows);
    heap->rows = NULL;
    heap->count = heap->room = 0;
}

static void put(struct row_heap *heap, uint32_t i, struct row *row)
{
    heap->rows[i] = row;
    row->at[heap->place] = i;
}

static void sift_up(struct row_heap *heap, uint32_t i, struct row *row)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 4;
        if (!heap->before(row, heap->rows[parent])) {
            break;
        }
        put(heap, i, heap->rows[parent]);
        i = parent;
    }
    put(heap, i, row);
}

static void sift_down(struct row_heap *heap, uint32_t i, struct row *row)
{
    for (;;) {
        uint32_t first = i * 4 + 1, best = first;
        if (first >= heap->count) {
            break;
        }
        for (uint32_t c = first + 1; c < first + 4 && c < heap->count; c++) {
            if (heap->before(heap->rows[c], heap->rows[best])) {
                best = c;
            }
        }
        if (!heap->before(heap->rows[best], row)) {
            break;
        }
        put(heap, i, heap->rows[best]);
        i = best;
    }
    put(heap, i, row);
}

int row_heap_push(struct row_heap *heap, struct row *row)
{
    assert(row->at[heap->place] == ROW_NOWHERE);
    if (heap->count == heap->room) {
        uint32_t room = heap->room ? heap->room * 2 : 64;
        struct row **grown = realloc(heap->rows, room * sizeof(struct row *));
        if (!grown) {
            return -ENOMEM;
        }
        heap->rows = grown;
        heap->room = room;
    }
    sift_up(heap, heap->count++, row);
    return 0;
}

void row_heap_remove(struct row_heap *heap, struct row *row)
{
    uint32_t i = row->at[heap->place];
    if (i == ROW_NOWHERE) {
        return;
    }
    assert(i < heap->count && heap->rows[i] == row);
    row->at[heap->place] = ROW_NOWHERE;
    struct row *last = heap->rows[--heap->count];
    if (last == row) {
        return;
    }
    if (i > 0 && heap->before(last, heap->rows[(i - 1) / 4])) {
        sift_up(heap, i, last);
    } else {
        sift_down(heap, i, last);
    }
}

void row_heap_rebuild(struct row_heap *heap)
{
    for (uint32_t i = heap->count; i-- > 0;) {
        sift_down(heap, i, heap->rows[i]);
    }
}
