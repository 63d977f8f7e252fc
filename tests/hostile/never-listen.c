/*
 * tests/hostile/never-listen.c - does nothing, for ever.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <unistd.h>

int main(void)
{
    for (;;)
        pause();
}
