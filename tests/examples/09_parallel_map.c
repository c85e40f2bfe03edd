/* Parallel map: the same function over many pieces of an array, as many at a time as there are CPUs. The pieces write to
 * memory of their parent; when the group has been joined, all of it is there. */
#include <cosched/cosched.h>

#include <stdio.h>

enum { ITEMS = 100000, PIECE = 1000 };

static uint32_t number[ITEMS], steps[ITEMS];

static uint32_t steps_to_1(uint64_t at)
{
    uint32_t n = 0;
    for (; at != 1; n++) {
        at = at % 2 == 0 ? at / 2 : 3 * at + 1;
    }
    return n;
}

static int64_t map_piece(void *arg)
{
    int first = *(int *)arg;
    for (int i = first; i < first + PIECE; i++) {
        steps[i] = steps_to_1(number[i]);
    }
    return 0;
}

static int64_t map(cosched_group *pieces, void *arg)
{
    cosched_attr attr = {sizeof attr, .affinity = COSCHED_WORKER, .arg_size = sizeof(int)};
    (void)arg;
    for (int first = 0; first < ITEMS; first += PIECE) {
        if (cosched_group_spawn(pieces, map_piece, &first, &attr) < 0) { /* first is copied */
            return -1; /* cancels the pieces that are under way, and waits for them */
        }
    }
    return 0;
}

static int64_t program(void *arg)
{
    (void)arg;
    uint32_t longest = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        number[i] = i + 1;
    }
    cosched_group_attr few = {.struct_size = sizeof few, .max_parallel = (uint32_t)cosched_cpus()};
    int64_t rc = cosched_group_run(&few, map, NULL);
    for (uint32_t i = 0; i < ITEMS; i++) {
        longest = steps[i] > steps[longest] ? i : longest;
    }
    printf("the longest way to 1 is that of %u: %u steps\n", number[longest], steps[longest]);
    return rc == 0 && number[longest] == 77031 && steps[longest] == 350 ? 0 : -1;
}

int main(void)
{
    return cosched_run(NULL, program, NULL) == 0 ? 0 : 1;
}
