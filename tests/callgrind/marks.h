/* The counted stretches of a program that runs under callgrind. valgrind --dump-before=callgrind_mark writes what was counted
 * since the dump before and starts from zero, so the n-th line printed here belongs to the n-th dump. Each operation is counted
 * n and 2n times: what begins and ends a stretch falls out of the difference. */
#ifndef CALLGRIND_MARKS_H
#define CALLGRIND_MARKS_H
#include <stdio.h>

#define MARKS_MAX    256
#define MARKS_ROUNDS 3 /* a timer may go off in one; the smallest counts */

struct mark {
    const char *name;
    long operations;
};

static struct mark marks[MARKS_MAX];
static int marks_used;

__attribute__((noinline)) void callgrind_mark(void);

__attribute__((noinline)) void callgrind_mark(void)
{
    __asm__ volatile("" ::: "memory");
}

static void mark(const char *name, long operations)
{
    marks[marks_used++] = (struct mark){name, operations};
    callgrind_mark();
}

/* run(n) does n times `each` operations. "-" is nothing to count: what came before, and the warm-up. */
static void count(const char *name, void (*run)(long n), long n, long each)
{
    run(n);
    for (int i = 0; i < MARKS_ROUNDS; i++) {
        mark("-", 0);
        run(n);
        mark(name, n * each);
        run(2 * n);
        mark(name, 2 * n * each);
    }
}

static void print_marks(void)
{
    for (int i = 0; i < marks_used; i++) {
        printf("%s %ld\n", marks[i].name, marks[i].operations);
    }
}
#endif
