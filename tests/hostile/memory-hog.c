/*
 * tests/hostile/memory-hog.c - takes and uses all the memory it can get, in many processes.
 * Graded as 02: 1 of 10 points, limit memory.
 */
#define _GNU_SOURCE

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 10; i++)
        if (fork() == 0)
            break;
    for (;;) {
        char *more = malloc(1 << 20);
        if (more != NULL)
            memset(more, 1, 1 << 20);
    }
}
