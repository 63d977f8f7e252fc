/*
 * tests/hostile/fork-bomb.c - every process makes more.
 * Graded as 02: 1 of 10 points, limit processes.
 */
#define _GNU_SOURCE

#include <unistd.h>

int main(void)
{
    for (;;)
        fork();
}
