/*
 * tests/hostile/crash-at-start.c - crashes.
 * Graded as 02: 1 of 10 points.
 */
#define _GNU_SOURCE

#include <stdlib.h>

int main(void)
{
    abort();
}
