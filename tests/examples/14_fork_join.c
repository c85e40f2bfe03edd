/* Fork and join: a merge sort whose halves are branches. A branch that no other worker takes is a call, so the tree may be as fine
 * as it likes; and nothing is left open when cosched_invoke returns. */
#include <cosched/cosched.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 1000000, FEW = 16 };

struct part {
    uint32_t *numbers, *room; /* as many each */
    size_t n;
};

static void sort_few(uint32_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t one = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1] > one; at--) {
            v[at] = v[at - 1];
        }
        v[at] = one;
    }
}

static void merge(const struct part *p, size_t half)
{
    const uint32_t *a = p->numbers, *b = p->numbers + half, *end = p->numbers + p->n;
    for (size_t i = 0; i < p->n; i++) {
        bool first = b == end || (a < p->numbers + half && *a <= *b);
        p->room[i] = first ? *a++ : *b++;
    }
    memcpy(p->numbers, p->room, p->n * sizeof *p->numbers);
}

static int64_t sort(void *arg)
{
    const struct part *p = arg;
    if (p->n <= FEW) {
        sort_few(p->numbers, p->n);
        return 0;
    }
    size_t half = p->n / 2;
    struct part left = {p->numbers, p->room, half};
    struct part right = {p->numbers + half, p->room + half, p->n - half};
    cosched_branch halves[] = {{.fn = sort, .arg = &left}, {.fn = sort, .arg = &right}};
    int rc = cosched_invoke(halves, 2); /* less than 0: cancelled, and not all is sorted */
    if (rc < 0 || halves[0].result < 0 || halves[1].result < 0) {
        return -1;
    }
    merge(p, half);
    return 0;
}

static int64_t program(void *arg)
{
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers), *room = malloc(NUMBERS * sizeof *room);
    int64_t result = -1;
    uint32_t x = 1;
    (void)arg;
    if (numbers != NULL && room != NULL) {
        for (size_t i = 0; i < NUMBERS; i++) {
            numbers[i] = x = x * 1664525U + 1013904223U;
        }
        struct part all = {numbers, room, NUMBERS};
        int rc = cosched_call(&result, COSCHED_WORKER, sort, &all, COSCHED_NEVER);
        result = rc < 0 ? rc : result;
        for (size_t i = 1; i < NUMBERS && result == 0; i++) {
            result = numbers[i - 1] <= numbers[i] ? 0 : -1;
        }
    }
    printf("%d numbers are%s in order\n", NUMBERS, result == 0 ? "" : " not");
    free(room);
    free(numbers);
    return result;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
